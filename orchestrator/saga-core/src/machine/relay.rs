//! What to publish next: the log in order, a window in flight, a cursor that an acknowledgement only moves.
//!
//! Invariant: the sequence on the bus of the event with `public_seq` n is n. Whatever does not fit is repaired from the
//! log, in order, before anything new; what the log does not know stops the relay.

use super::Machine;
use crate::envelope::Recorded;
use crate::id::Position;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// 512 publishes in flight: enough to hide a network, few enough that acknowledgements do not starve the connection.
pub const WINDOW: usize = 512;
/// The cursor is saved every this many events, or when the log is caught up: it only saves reading after a restart.
pub const SAVE_EVERY: u64 = 10_000;

/// What can happen to a relay.
#[derive(Debug)]
pub enum In {
    /// It begins: everything up to the saved cursor was acknowledged once; the bus has this last sequence.
    Begin {
        /// The saved cursor.
        saved: Position,
        /// Public sequence of the event at the saved cursor (0 when there is none).
        saved_seq: u64,
        /// The last sequence that the bus has now.
        last: u64,
    },
    /// A page of the log that was asked for; empty when the log is caught up.
    Page(Vec<Recorded>),
    /// The bus has the event at this sequence.
    Acked {
        /// The event's own sequence.
        seq: u64,
        /// The sequence that the bus gave it.
        got: u64,
    },
    /// The bus refused or is away; it has this last sequence, if it says so.
    Lost {
        /// Its last sequence.
        last: Option<u64>,
    },
}

/// What a relay wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Out {
    /// Read the log after this position and wait if there is nothing.
    Read(Position),
    /// Publish this event.
    Publish(Recorded),
    /// Save the cursor.
    Save(Position),
    /// Ask the bus for its last sequence.
    AskLast,
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
        /// The last sequence of the log.
        log: u64,
    },
}

/// The relay of one module.
#[derive(Debug, Default)]
pub struct Relay {
    read_to: Position,
    acked_to: Position,
    acked: u64,
    saved: u64,
    in_flight: VecDeque<(u64, Position)>,
    halted: bool,
}

impl Relay {
    /// The last acknowledged sequence.
    pub fn acked(&self) -> u64 {
        self.acked
    }
    /// How many publishes may still go out.
    pub fn room(&self) -> usize {
        WINDOW.saturating_sub(self.in_flight.len())
    }
    fn rewind(&mut self, last: u64, out: &mut Vec<Out>) {
        self.in_flight.clear();
        if last < self.acked {
            out.push(Out::LossFound { from: last + 1, to: self.acked });
        }
        // Positions and sequences run side by side only when everything is public, so a repair reads from the start
        // of the log that could hold the lost event: the sequence is never larger than the position.
        self.acked = last;
        self.read_to = Position(last);
        self.acked_to = self.read_to;
        out.push(Out::Read(self.read_to));
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
            In::Begin { saved, saved_seq, last } => {
                (self.read_to, self.acked_to, self.acked, self.saved) = (saved, saved, saved_seq, saved_seq);
                if last < saved_seq { self.rewind(last, out) } else { out.push(Out::Read(saved)) }
            }
            In::Page(page) => {
                for recorded in page {
                    self.read_to = recorded.position;
                    let Some(seq) = recorded.public_seq else { continue };
                    // After a rewind, what the bus still has is read past.
                    if seq > self.acked {
                        self.in_flight.push_back((seq, recorded.position));
                        out.push(Out::Publish(recorded));
                    }
                }
                if self.in_flight.is_empty() {
                    self.acked_to = self.read_to;
                    if self.acked > self.saved {
                        self.saved = self.acked;
                        out.push(Out::Save(self.acked_to));
                    }
                    out.push(Out::Read(self.read_to));
                }
            }
            In::Acked { seq, got } => {
                if got != seq {
                    self.halted = true;
                    return out.push(Out::Halt { bus: got, log: seq });
                }
                while let Some((sent, position)) = self.in_flight.front().copied().filter(|(sent, _)| *sent <= seq) {
                    self.in_flight.pop_front();
                    (self.acked, self.acked_to) = (sent, position);
                }
                if self.acked >= self.saved + SAVE_EVERY {
                    self.saved = self.acked;
                    out.push(Out::Save(self.acked_to));
                }
                if self.in_flight.is_empty() {
                    out.push(Out::Read(self.read_to));
                }
            }
            In::Lost { last: None } => out.push(Out::AskLast),
            In::Lost { last: Some(last) } => {
                let sent = self.in_flight.back().map_or(self.acked, |(seq, _)| *seq);
                if last > sent {
                    self.halted = true;
                    return out.push(Out::Halt { bus: last, log: sent });
                }
                self.rewind(last, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{EventId, StreamId, Version};
    use crate::json::Payload;

    fn event(seq: u64) -> Recorded {
        Recorded {
            position: Position(seq),
            public_seq: Some(seq),
            stream: StreamId::parse("a-b").unwrap(),
            version: Version(seq),
            id: EventId(uuid::Uuid::from_u128(u128::from(seq))),
            name: "E".to_owned(),
            schema_version: 1,
            data: Payload::null(),
            meta: Payload::null(),
            time: Timestamp(0),
            recorded_at: Timestamp(0),
            chain: [0; 32],
        }
    }
    /// A bus that keeps sequences and may lose its tail; drives the machine until it waits for the log.
    fn drive(relay: &mut Relay, log: u64, bus: &mut Vec<u64>, first: In) -> Vec<Out> {
        let (mut inputs, mut seen) = (VecDeque::from([first]), Vec::new());
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            relay.step(Timestamp(0), input, &mut out);
            for output in out {
                match &output {
                    Out::Read(after) if after.0 < log => {
                        let upto = log.min(after.0 + relay.room() as u64);
                        inputs.push_back(In::Page((after.0 + 1..=upto).map(event).collect()));
                    }
                    Out::Publish(recorded) => {
                        let seq = recorded.public_seq.unwrap();
                        if seq == bus.len() as u64 + 1 {
                            bus.push(seq);
                            inputs.push_back(In::Acked { seq, got: seq });
                        } else {
                            inputs.push_back(In::Lost { last: Some(bus.len() as u64) });
                        }
                    }
                    Out::AskLast => inputs.push_back(In::Lost { last: Some(bus.len() as u64) }),
                    Out::Read(_) | Out::Save(_) | Out::LossFound { .. } | Out::Halt { .. } => {}
                }
                seen.push(output);
            }
        }
        seen
    }

    #[test]
    fn everything_reaches_the_bus_once_and_in_order() {
        let (mut relay, mut bus) = (Relay::default(), Vec::new());
        drive(&mut relay, 1_300, &mut bus, In::Begin { saved: Position(0), saved_seq: 0, last: 0 });
        assert_eq!(bus, (1..=1_300).collect::<Vec<u64>>());
    }

    #[test]
    fn a_bus_that_lost_its_tail_is_repaired_exactly() {
        let (mut relay, mut bus) = (Relay::default(), Vec::new());
        drive(&mut relay, 900, &mut bus, In::Begin { saved: Position(0), saved_seq: 0, last: 0 });
        bus.truncate(300);
        let mut again = Relay::default();
        let seen = drive(&mut again, 1_000, &mut bus, In::Begin { saved: Position(900), saved_seq: 900, last: 300 });
        assert!(seen.contains(&Out::LossFound { from: 301, to: 900 }));
        assert_eq!(bus, (1..=1_000).collect::<Vec<u64>>());
    }

    #[test]
    fn a_bus_that_knows_more_than_the_log_stops_the_relay() {
        let mut relay = Relay::default();
        let mut out = Vec::new();
        relay.step(Timestamp(0), In::Begin { saved: Position(5), saved_seq: 5, last: 5 }, &mut out);
        relay.step(Timestamp(0), In::Lost { last: Some(9) }, &mut out);
        assert!(out.contains(&Out::Halt { bus: 9, log: 5 }));
    }
}
