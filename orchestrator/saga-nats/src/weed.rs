//! Finds messages that end the connection of their receiver, and puts them aside without receiving them.

use crate::Inner;
use crate::dlq::Poison;
use crate::headers::is_readable;
use crate::topology::Wanted;
use saga_core::bus::BusError;

/// 2,000 messages are checked at a time: more than are handed out at once.
const WEED_MAX: usize = 2_000;
/// Why a message is put aside that no client can receive.
pub(crate) const UNREADABLE_HEADERS: &str = "its headers are none, and would end the connection of its receiver";

impl Inner {
    /// Looks at what a consumer has not settled. `module` is whose the letters are.
    pub(crate) async fn weed(&self, wanted: &Wanted, module: &str) -> Result<(), BusError> {
        let (stream, name) = (&wanted.stream, wanted.consumer.as_deref().unwrap_or_default());
        let filter = wanted.fields.get("filter_subject").and_then(|filter| filter.as_str()).unwrap_or(">");
        let Some(consumer) = self.api.consumer(stream, name).await? else { return Ok(()) };
        let mut seq = consumer.settled + 1;
        for _ in 0..WEED_MAX {
            let Some(stored) = self.api.next(stream, seq, filter).await? else { break };
            seq = stored.seq + 1;
            if is_readable(&stored.raw) {
                continue;
            }
            let poison = Poison {
                module,
                stream,
                consumer: name,
                subject: &stored.subject,
                seq: stored.seq,
                times: 1,
                reason: UNREADABLE_HEADERS,
                headers: None,
                raw: &stored.raw,
                body: stored.body.into(),
            };
            self.park(&poison).await?;
            self.api.delete_message(stream, stored.seq).await?;
        }
        Ok(())
    }
}
