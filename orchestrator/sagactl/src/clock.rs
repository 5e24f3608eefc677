//! The shell's clock, ids and short waits: the one place of this program that asks for them.

use saga_core::id::RequestId;
use saga_core::time::Timestamp;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// Now, for ages on the screen.
#[expect(clippy::disallowed_methods, reason = "a person looks at the screen now; nothing is decided or recorded by it")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A fresh request id, for an order whose sender gave none.
#[expect(
    clippy::disallowed_methods,
    reason = "the sender of an order mints its request id; this program is the sender"
)]
pub fn request_id() -> RequestId {
    RequestId(Uuid::now_v7())
}

/// Waits a little between two looks when the other side answers at once.
#[expect(clippy::disallowed_methods, reason = "a pause between two reads of a screen, not a wait of a saga")]
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
