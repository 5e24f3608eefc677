//! Where a consumer gets the events of one source: its own module's from the log, which needs no bus; other modules'
//! over the bus.

use crate::host::Host;
use saga_core::bus::BusError;
use saga_core::envelope::Recorded;
use saga_core::id::Position;
use saga_core::ports::ReadError;
use saga_engine::catchup::Reading;

/// The events of one source, in order, for one consumer.
pub(crate) struct Feed {
    source: &'static str,
    /// Of our own log.
    reading: Reading,
}

impl Feed {
    pub(crate) fn of(source: &'static str) -> Self {
        Self { source, reading: Reading::default() }
    }
    /// Public events behind `after` (a public place), at least one. Cancelling loses nothing.
    pub(crate) async fn next(&mut self, host: &Host, after: Position, max: usize) -> Result<Vec<Recorded>, BusError> {
        if self.source != host.module.name {
            return host.bus.events(self.source, after.0, max).await;
        }
        let unreadable = |why: ReadError| BusError::Unread(why.to_string());
        loop {
            let from = self.reading.place(&host.store, after).await.map_err(unreadable)?;
            host.store.grown(from).await;
            let page = self.reading.page(&host.store, after, max).await.map_err(unreadable)?;
            if let Some(page) = page.filter(|page| !page.is_empty()) {
                return Ok(page);
            }
        }
    }
}
