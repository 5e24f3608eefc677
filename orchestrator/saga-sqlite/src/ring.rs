//! The last committed events, kept in memory: a reader near the head is answered without touching the file.

use saga_core::envelope::Recorded;
use saga_core::id::{Position, StreamId, Version};
use std::collections::{BTreeMap, VecDeque};

/// 8,192 events: the relay, the projector and the bus are rarely this far behind; a reader that is, reads pages from
/// the file.
pub(crate) const RING_EVENTS_MAX: usize = 8_192;
/// 8 MiB: what the ring may cost one store when events are large.
pub(crate) const RING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A gapless run of events that ends at the head.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    events: VecDeque<Recorded>,
    streams: BTreeMap<StreamId, VecDeque<Position>>,
    bytes: usize,
}

/// An event and its overhead in memory, roughly.
pub(crate) fn weight(event: &Recorded) -> usize {
    event.data.as_str().len() + event.meta.as_str().len() + 256
}

impl Ring {
    /// Takes the events of a commit and lets the oldest fall out.
    pub(crate) fn extend(&mut self, events: Vec<Recorded>) {
        for event in events {
            self.bytes += weight(&event);
            self.streams.entry(event.stream.clone()).or_default().push_back(event.position);
            self.events.push_back(event);
        }
        while self.events.len() > RING_EVENTS_MAX || self.bytes > RING_BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= weight(&oldest);
            if let Some(positions) = self.streams.get_mut(&oldest.stream) {
                positions.pop_front();
                if positions.is_empty() {
                    self.streams.remove(&oldest.stream);
                }
            }
        }
    }
    /// The log after a position, if it is here. The caller has read the head: behind it there is nothing.
    pub(crate) fn log(&self, after: Position, limit: usize) -> Option<Vec<Recorded>> {
        let first = self.events.front()?.position;
        let skip = after.next().0.checked_sub(first.0).and_then(|skip| usize::try_from(skip).ok())?;
        Some(self.events.iter().skip(skip).take(limit).cloned().collect())
    }
    /// A stream after a version, if all of the rest is here.
    pub(crate) fn stream(&self, stream: &StreamId, after: Version, limit: usize) -> Option<Vec<Recorded>> {
        let positions = self.streams.get(stream)?;
        let first = self.at(*positions.front()?)?.version;
        let skip = after.next().0.checked_sub(first.0).and_then(|skip| usize::try_from(skip).ok())?;
        positions.iter().skip(skip).take(limit).map(|position| self.at(*position).cloned()).collect()
    }
    fn at(&self, position: Position) -> Option<&Recorded> {
        let first = self.events.front()?.position;
        self.events.get(usize::try_from(position.0.checked_sub(first.0)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::id::EventId;
    use saga_core::json::Payload;
    use saga_core::time::Timestamp;
    use uuid::Uuid;

    fn event(position: u64, stream: &str, version: u64) -> Recorded {
        Recorded {
            position: Position(position),
            public_seq: None,
            stream: StreamId::parse(stream).unwrap(),
            version: Version(version),
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

    #[test]
    fn answers_only_what_it_holds_completely() {
        let mut ring = Ring::default();
        ring.extend(vec![event(5, "a-1", 3), event(6, "b-1", 1), event(7, "a-1", 4)]);
        assert_eq!(ring.log(Position(3), 9), None);
        assert_eq!(ring.log(Position(4), 2).map(|page| page.len()), Some(2));
        assert_eq!(ring.log(Position(7), 2), Some(Vec::new()));
        let a = StreamId::parse("a-1").unwrap();
        assert_eq!(ring.stream(&a, Version(1), 9), None);
        assert_eq!(ring.stream(&a, Version(2), 9).map(|page| page.len()), Some(2));
        assert_eq!(ring.stream(&a, Version(3), 9).map(|page| page.len()), Some(1));
        assert_eq!(ring.stream(&StreamId::parse("c-1").unwrap(), Version(0), 9), None);
    }

    #[test]
    fn stays_within_its_bounds() {
        let mut ring = Ring::default();
        ring.extend((1..=RING_EVENTS_MAX as u64 + 10).map(|at| event(at, "a-1", at)).collect());
        assert_eq!((ring.events.len(), ring.streams.len()), (RING_EVENTS_MAX, 1));
        assert_eq!(ring.log(Position(9), 1), None);
        assert_eq!(ring.log(Position(10), 1).map(|page| page.len()), Some(1));
    }
}
