//! The last events that this process has committed, in memory: a reader close behind the head is answered without the
//! server. Invariant: a gapless run of positions.

use saga_core::envelope::Recorded;
use saga_core::id::Position;
use std::collections::VecDeque;

/// 8,192 events: the relay, the projector and the bus are rarely this far behind; a reader that is, reads pages from
/// the server.
pub(crate) const RING_EVENTS_MAX: usize = 8_192;
/// 8 MiB: what the ring may cost one store when events are large.
pub(crate) const RING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A gapless run of events; another process may have written more behind it.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    events: VecDeque<Recorded>,
    bytes: usize,
}

/// An event and its overhead in memory, roughly.
fn weight(event: &Recorded) -> usize {
    event.data.as_str().len() + event.meta.as_str().len() + 256
}

impl Ring {
    /// Takes the events of a commit and lets the oldest fall out. Where another process has written in between, the run
    /// begins anew.
    pub(crate) fn extend(&mut self, events: Vec<Recorded>) {
        let end = self.events.back().map(|last| last.position.next());
        if end.is_some() && end != events.first().map(|event| event.position) {
            *self = Self::default();
        }
        for event in events {
            self.bytes += weight(&event);
            self.events.push_back(event);
        }
        while self.events.len() > RING_EVENTS_MAX || self.bytes > RING_BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= weight(&oldest);
        }
    }
    /// The events directly behind a position, if any of them is here: a short page rather than none.
    pub(crate) fn log(&self, after: Position, limit: usize) -> Option<Vec<Recorded>> {
        let first = self.events.front()?.position;
        let skip = after.next().0.checked_sub(first.0).and_then(|skip| usize::try_from(skip).ok())?;
        (skip < self.events.len()).then(|| self.events.iter().skip(skip).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::id::{EventId, StreamId, Version};
    use saga_core::json::Payload;
    use saga_core::time::Timestamp;
    use uuid::Uuid;

    fn event(position: u64) -> Recorded {
        Recorded {
            position: Position(position),
            public_seq: None,
            stream: StreamId::parse("a-1").unwrap(),
            version: Version(position),
            id: EventId(Uuid::from_u128(u128::from(position))),
            name: "Noted".to_owned(),
            schema_version: 1,
            data: Payload::null(),
            meta: Payload::null(),
            time: Timestamp(0),
            recorded_at: Timestamp(0),
            chain: [0; 32],
        }
    }
    fn page(ring: &Ring, after: u64, limit: usize) -> Option<Vec<u64>> {
        ring.log(Position(after), limit).map(|page| page.iter().map(|event| event.position.0).collect())
    }

    #[test]
    fn answers_only_what_it_holds_and_never_with_nothing() {
        let mut ring = Ring::default();
        ring.extend((5..=7).map(event).collect());
        assert_eq!(page(&ring, 3, 9), None);
        assert_eq!(page(&ring, 4, 2), Some(vec![5, 6]));
        assert_eq!(page(&ring, 7, 2), None, "whether there is more is for the server to say");
    }

    #[test]
    fn begins_anew_behind_what_others_wrote() {
        let mut ring = Ring::default();
        ring.extend((1..=3).map(event).collect());
        ring.extend((6..=7).map(event).collect());
        assert_eq!((page(&ring, 0, 9), page(&ring, 5, 9)), (None, Some(vec![6, 7])));
    }

    #[test]
    fn stays_within_its_bounds() {
        let mut ring = Ring::default();
        ring.extend((1..=RING_EVENTS_MAX as u64 + 10).map(event).collect());
        assert_eq!((ring.events.len(), page(&ring, 9, 1), page(&ring, 10, 1)), (RING_EVENTS_MAX, None, Some(vec![11])));
    }
}
