//! Makes the consumers of readers. A reader in an account of its own asks the coordinators for one: only they make
//! consumers, so that none ever delivers to a subject that another account chose.

use crate::calls::{MALFORMED, object};
use crate::connect::Account;
use crate::subject::stream_of;
use crate::{Inner, Nats, lock};
use saga_core::bus::{Answerer, BusError, Line};
use saga_core::json::Payload;
use saga_core::outcome::Refused;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// 5 minutes without a pull, and the broker forgets a reader's consumer.
const INACTIVE: Duration = Duration::from_secs(300);
/// 2 s: a coordinator makes a consumer within milliseconds, and old servers do not say that there is none.
const GIVEN_WITHIN: Duration = Duration::from_secs(2);
/// 64 consumers of one reader on one stream, for each coordinator: more than it has places to read at. The oldest goes first.
const CONSUMERS_MAX: usize = 64;

/// 1 KiB: a wish is one number, and whatever is asked beside it is refused.
pub(crate) const WISH_BYTES_MAX: usize = 1_024;

/// What a reader asks on `ctl.read.<owner>.<reader>`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// The consumer begins behind this sequence.
    after: u64,
}
/// The answer.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    consumer: String,
}
/// A wish, with what its subject says: the broker lets each reader publish on its own alone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) owner: String,
    pub(crate) reader: String,
    pub(crate) wish: Payload,
}

/// The names of consumers that were made, by owner and reader, oldest first.
type Consumers = BTreeMap<(String, String), VecDeque<String>>;

/// A consumer that hands out what a reader asks for, from `next` on, and remembers nothing that matters.
fn config(next: u64) -> Value {
    let inactive = u64::try_from(INACTIVE.as_nanos()).unwrap_or(u64::MAX);
    json!({
        "deliver_policy": "by_start_sequence", "opt_start_seq": next, "ack_policy": "none",
        "replay_policy": "instant", "mem_storage": true, "num_replicas": 1, "inactive_threshold": inactive,
    })
}

/// A client that knows the name of a consumer may pull from it, so the name has a part that nobody guesses: 74 bits of
/// chance. The time that would stand before them is left out.
fn secret() -> String {
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0)).simple().to_string()
}

/// What becomes of the wish for a consumer.
pub(crate) enum Given {
    /// Its name.
    Consumer(String),
    /// No coordinator answers now, with what was tried.
    Nobody(String),
}

impl Inner {
    /// A consumer on the events of a module that begins with the sequence `next`.
    pub(crate) async fn consumer_from(&self, module: &str, next: u64) -> Result<Given, String> {
        let Account::Own(reader) = &self.options.account else {
            let made = self.api.passing_consumer(&stream_of(module), &config(next)).await;
            return made.map(Given::Consumer).map_err(|why| why.to_string());
        };
        let wish = Payload::of(&Wish { after: next.saturating_sub(1) }).map_err(|why| why.to_string())?;
        let subject = self.subjects.read_line(module, reader);
        match self.call_at(&subject, &wish, self.options.answer_within.min(GIVEN_WITHIN)).await {
            Ok(Ok(made)) => {
                made.read().map(|Made { consumer }| Given::Consumer(consumer)).map_err(|why| why.to_string())
            }
            Ok(Err(refused)) => Err(format!("{}: {}", refused.code, refused.reason)),
            Err(BusError::Unavailable(why) | BusError::Unanswered(why)) => Ok(Given::Nobody(why)),
            Err(other) => Err(other.to_string()),
        }
    }
}

impl Nats {
    /// Makes the consumers with which modules and outside readers read events; the coordinators serve this beside their
    /// queries, in their own account. Repeating a wish makes another consumer, and costs memory of the broker only.
    pub fn readers_answerer(&self) -> (Line, Answerer) {
        let made: Arc<Mutex<Consumers>> = Arc::default();
        let nats = self.clone();
        let answerer: Answerer = Arc::new(move |asked| {
            let (nats, made) = (nats.clone(), Arc::clone(&made));
            Box::pin(async move {
                let malformed = |why: String| Refused::new(MALFORMED, why);
                let Asked { owner, reader, wish } = asked.read().map_err(|why| malformed(why.to_string()))?;
                let wish: Wish = object(&wish).map_err(|why| malformed(format!("after is asked: {why}")))?;
                let (stream, api) = (stream_of(&owner), &nats.inner.api);
                let name = format!("read-{reader}-{}", secret());
                let mut config = config(wish.after.saturating_add(1));
                config["durable_name"] = Value::from(name.as_str());
                let refused = |why: crate::api::ApiError| Refused::new("UNAVAILABLE", why.to_string());
                api.put_consumer(&stream, &config).await.map_err(refused)?;
                let oldest = {
                    let mut made = lock(&made);
                    let names = made.entry((owner, reader)).or_default();
                    names.push_back(name.clone());
                    if names.len() > CONSUMERS_MAX { names.pop_front() } else { None }
                };
                if let Some(oldest) = oldest {
                    // The broker forgets it by itself too.
                    let _gone = api.delete_consumer(&stream, &oldest).await;
                }
                Payload::of(&Made { consumer: name }).map_err(|why| malformed(why.to_string()))
            })
        });
        (Line::Readers, answerer)
    }
}
