//! What to publish next: the log in order, a window in flight, and a cursor that acknowledgements move.
//!
//! Invariant: the sequence on the bus of the event with `public_seq` n is n. Whatever does not fit is repaired from the
//! log, in order, before anything new; what the log does not know stops the relay.

use super::Machine;
use saga_core::envelope::Recorded;
use saga_core::id::Position;
use saga_core::time::Timestamp;

/// 512 publishes in flight: enough to hide a network, few enough that acknowledgements do not starve the connection.
pub const WINDOW: usize = 512;
/// The cursor is saved every this many events, or when the log is caught up: it only saves reading after a restart.
pub const SAVE_EVERY: u64 = 10_000;

/// What the log says of the last event that the bus has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is ours: the log has the same event under this sequence. 0 is a bus without events.
    Ours(u64),
    /// The log has another event under this sequence, or none: a phantom, or a foreign publisher.
    Foreign {
        /// The sequence.
        seq: u64,
        /// What it is, as far as the bus can tell; empty where it cannot.
        strange: String,
    },
}

/// What can happen to a relay.
#[derive(Debug)]
pub enum In {
    /// It begins: everything up to the saved cursor was acknowledged once.
    Begin {
        /// The saved cursor.
        saved: Position,
        /// Public sequence of the last public event at or before the saved cursor (0 when there is none).
        saved_seq: u64,
        /// What the bus has now.
        tip: Known,
    },
    /// A page of the log that was asked for; empty when the log is caught up.
    Page(Vec<Recorded>),
    /// The bus has everything that was published, up to this sequence.
    Published {
        /// The sequence that the bus gave to the last event.
        last: u64,
    },
    /// The bus refused or is away; what it has, if it says so. Also the periodic look at a bus that says nothing.
    Tip(Option<Known>),
}

/// What a relay wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Out {
    /// Read the log after this position and wait if there is nothing.
    Read(Position),
    /// Publish these events, which follow one another.
    Publish(Vec<Recorded>),
    /// Save the cursor.
    Save(Position),
    /// Ask the bus for its last event, after a pause.
    AskTip,
    /// The bus lost acknowledged events; they are published again.
    LossFound {
        /// The first that is missing.
        from: u64,
        /// The last that is missing.
        to: u64,
    },
    /// The bus has what the log does not know: stop and call a person.
    Halt {
        /// The last sequence on the bus.
        bus: u64,
        /// The last sequence that this relay had published.
        log: u64,
        /// What stands there, as far as the bus can tell; empty where it cannot.
        strange: String,
    },
}

/// The relay of one module.
#[derive(Debug, Default)]
pub struct Relay {
    read_to: Position,
    acked: u64,
    saved: u64,
    /// Sequence of the last event in flight, and how far the log was read with it.
    in_flight: Option<(u64, Position)>,
    halted: bool,
}

impl Relay {
    /// The last acknowledged sequence.
    pub fn acked(&self) -> u64 {
        self.acked
    }
    /// Whether it has stopped because the bus has what the log does not know.
    pub fn is_halted(&self) -> bool {
        self.halted
    }
    fn halt(&mut self, bus: u64, strange: String, out: &mut Vec<Out>) {
        self.halted = true;
        out.push(Out::Halt { bus, log: self.acked, strange });
    }
    /// Goes on behind what the bus has.
    fn follow(&mut self, bus: u64, out: &mut Vec<Out>) {
        self.in_flight = None;
        if bus < self.acked {
            out.push(Out::LossFound { from: bus + 1, to: self.acked });
            // The sequence of an event is never larger than its position: reading from there passes nothing by, and what
            // the bus still has is read past.
            self.read_to = self.read_to.min(Position(bus));
            self.acked = bus;
        } else {
            self.acked = bus;
            // A bus that has everything is a good moment to save the cursor: nothing else happens.
            self.save(1, out);
        }
        out.push(Out::Read(self.read_to));
    }
    fn tip(&mut self, tip: Known, out: &mut Vec<Out>) {
        match tip {
            Known::Ours(seq) => self.follow(seq, out),
            Known::Foreign { seq, strange } => self.halt(seq, strange, out),
        }
    }
    fn save(&mut self, at_least: u64, out: &mut Vec<Out>) {
        if self.acked >= self.saved + at_least {
            self.saved = self.acked;
            out.push(Out::Save(self.read_to));
        }
    }
}

impl Machine for Relay {
    type In = In;
    type Out = Out;
    fn step(&mut self, _: Timestamp, input: In, out: &mut Vec<Out>) {
        if self.halted {
            return;
        }
        match input {
            In::Begin { saved, saved_seq, tip } => {
                (self.read_to, self.acked, self.saved) = (saved, saved_seq, saved_seq);
                self.tip(tip, out);
            }
            In::Page(page) => {
                let Some(end) = page.last().map(|last| last.position) else {
                    // Caught up: a good moment to save, because nothing else happens.
                    self.save(1, out);
                    return out.push(Out::Read(self.read_to));
                };
                let unseen = |recorded: &Recorded| recorded.public_seq.is_some_and(|seq| seq > self.acked);
                let events: Vec<_> = page.into_iter().filter(unseen).collect();
                match events.last().and_then(|last| last.public_seq) {
                    Some(last) => {
                        self.in_flight = Some((last, end));
                        out.push(Out::Publish(events));
                    }
                    None => {
                        self.read_to = end;
                        out.push(Out::Read(end));
                    }
                }
            }
            In::Published { last } => {
                let Some((sent, end)) = self.in_flight.take() else { return out.push(Out::AskTip) };
                if last != sent {
                    return self.halt(last, String::new(), out);
                }
                (self.acked, self.read_to) = (sent, end);
                self.save(SAVE_EVERY, out);
                out.push(Out::Read(end));
            }
            In::Tip(None) => out.push(Out::AskTip),
            In::Tip(Some(tip)) => self.tip(tip, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::id::{EventId, StreamId, Version};
    use saga_core::json::Payload;
    use std::collections::VecDeque;

    /// A log whose every third event is private.
    fn event(position: u64) -> Recorded {
        let seq = position - position / 3;
        Recorded {
            position: Position(position),
            public_seq: (!position.is_multiple_of(3)).then_some(seq),
            stream: StreamId::parse("a-b").unwrap(),
            version: Version(position),
            id: EventId(uuid::Uuid::from_u128(u128::from(position))),
            name: "E".to_owned(),
            schema_version: 1,
            data: Payload::null(),
            meta: Payload::null(),
            time: Timestamp(0),
            recorded_at: Timestamp(0),
            chain: [0; 32],
        }
    }
    fn public(log: u64) -> u64 {
        log - log / 3
    }
    /// A bus that keeps sequences and may lose its tail; drives the machine until it waits for the log. Each publish is
    /// cut short once: the answer is lost, the bus has half of it.
    fn drive(relay: &mut Relay, log: u64, bus: &mut Vec<u64>, first: In) -> Vec<Out> {
        let (mut inputs, mut seen, mut cut) = (VecDeque::from([first]), Vec::new(), false);
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            relay.step(Timestamp(0), input, &mut out);
            for output in out {
                match &output {
                    Out::Read(after) if after.0 < log => {
                        let upto = log.min(after.0 + WINDOW as u64);
                        inputs.push_back(In::Page((after.0 + 1..=upto).map(event).collect()));
                    }
                    Out::Publish(events) => {
                        cut = !cut;
                        let take = if cut { events.len() / 2 } else { events.len() };
                        for recorded in &events[..take] {
                            let seq = recorded.public_seq.unwrap();
                            assert_eq!(seq, bus.len() as u64 + 1, "in order");
                            bus.push(seq);
                        }
                        let last = bus.len() as u64;
                        inputs.push_back(if cut { In::Tip(None) } else { In::Published { last } });
                    }
                    Out::AskTip => inputs.push_back(In::Tip(Some(Known::Ours(bus.len() as u64)))),
                    Out::Read(_) | Out::Save(_) | Out::LossFound { .. } | Out::Halt { .. } => {}
                }
                seen.push(output);
            }
        }
        seen
    }
    fn begin(position: u64, bus: &[u64]) -> In {
        In::Begin { saved: Position(position), saved_seq: public(position), tip: Known::Ours(bus.len() as u64) }
    }

    #[test]
    fn everything_public_reaches_the_bus_once_and_in_order() {
        let (mut relay, mut bus) = (Relay::default(), Vec::new());
        drive(&mut relay, 1_300, &mut bus, begin(0, &[]));
        assert_eq!(bus, (1..=public(1_300)).collect::<Vec<u64>>());
    }

    #[test]
    fn a_bus_that_lost_its_tail_is_repaired_exactly() {
        for lost in [0, 1, 300, 599, 600] {
            let (mut relay, mut bus) = (Relay::default(), Vec::new());
            drive(&mut relay, 900, &mut bus, begin(0, &[]));
            bus.truncate(lost);
            let again = begin(900, &bus);
            let seen = drive(&mut Relay::default(), 1_000, &mut bus, again);
            let loss = seen.contains(&Out::LossFound { from: lost as u64 + 1, to: 600 });
            assert_eq!(loss, lost < 600, "{lost} left");
            assert_eq!(bus, (1..=public(1_000)).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn a_loss_while_it_runs_is_found_by_the_periodic_look() {
        let (mut relay, mut bus) = (Relay::default(), Vec::new());
        drive(&mut relay, 900, &mut bus, begin(0, &[]));
        bus.truncate(10);
        let seen = drive(&mut relay, 900, &mut bus, In::Tip(Some(Known::Ours(10))));
        assert!(seen.contains(&Out::LossFound { from: 11, to: 600 }));
        assert_eq!(bus.len(), 600);
    }

    #[test]
    fn the_cursor_is_saved_when_a_look_finds_everything() {
        let (mut relay, mut bus) = (Relay::default(), Vec::new());
        drive(&mut relay, 90, &mut bus, begin(0, &[]));
        let seen = drive(&mut relay, 90, &mut bus, In::Tip(Some(Known::Ours(60))));
        assert!(seen.contains(&Out::Save(Position(90))), "{seen:?}");
        let again = drive(&mut relay, 90, &mut bus, In::Tip(Some(Known::Ours(60))));
        assert!(!again.iter().any(|out| matches!(out, Out::Save(_))), "once: {again:?}");
    }

    #[test]
    fn lost_answers_are_found_on_the_bus() {
        let (mut relay, mut bus) = (Relay::default(), (1..=600).collect());
        let seen = drive(&mut relay, 900, &mut bus, begin(300, &(1..=600).collect::<Vec<u64>>()));
        assert!(!seen.iter().any(|out| matches!(out, Out::Publish(_) | Out::LossFound { .. })), "{seen:?}");
    }

    #[test]
    fn a_bus_that_knows_what_the_log_does_not_stops_the_relay() {
        let (mut relay, mut out) = (Relay::default(), Vec::new());
        let begin = In::Begin { saved: Position(5), saved_seq: 5, tip: Known::Ours(5) };
        relay.step(Timestamp(0), begin, &mut out);
        let strange = "is somebody's".to_owned();
        relay.step(Timestamp(0), In::Tip(Some(Known::Foreign { seq: 9, strange: strange.clone() })), &mut out);
        assert!(out.contains(&Out::Halt { bus: 9, log: 5, strange }) && relay.is_halted());
        out.clear();
        relay.step(Timestamp(0), In::Page(vec![event(7)]), &mut out);
        assert!(out.is_empty(), "nothing more is published: {out:?}");
    }
}
