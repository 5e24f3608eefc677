//! Where a consumer gets the events of one source from: a module's own stand in its own log and need no bus to come
//! back; everybody else's come over the bus.

use crate::host::Host;
use saga_core::bus::BusError;
use saga_core::catchup::place;
use saga_core::envelope::Recorded;
use saga_core::id::Position;
use saga_core::ports::ReadError;

/// The events of one source, in order, for one consumer.
pub(crate) struct Feed {
    source: &'static str,
    /// In our own log: how far it was read, and up to which public event.
    read: Option<(Position, Position)>,
}

impl Feed {
    pub(crate) fn of(source: &'static str) -> Self {
        Self { source, read: None }
    }
    /// Public events behind `after` (a public place), at least one. Cancelling loses nothing.
    pub(crate) async fn next(&mut self, host: &Host, after: Position, max: usize) -> Result<Vec<Recorded>, BusError> {
        if self.source != host.module.name {
            return host.bus.events(self.source, after.0, max).await;
        }
        let unreadable = |why: ReadError| BusError::Unavailable(why.to_string());
        let known = self.read.filter(|(_, public)| *public == after).map(|(position, _)| position);
        let mut position = match known {
            Some(position) => position,
            None => place(&host.store, after.0).await.map_err(unreadable)?,
        };
        loop {
            self.read = Some((position, after));
            host.store.grown(position).await;
            let mut page = host.store.read_log(position, max).await.map_err(unreadable)?;
            position = page.last().map_or(position, |last| last.position);
            page.retain(|recorded| recorded.public_seq.is_some());
            if let Some(last) = page.last() {
                let public = saga_core::machine::projector::public_place(last);
                // What is private behind the last public event is read again, and passed over again.
                self.read = Some((last.position, public));
                return Ok(page);
            }
        }
    }
}
