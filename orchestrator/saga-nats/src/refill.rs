//! Compares a stream of events with its owner's log: how far it is a copy, and what stands behind that. An operator can
//! order the stream removed where it is none; the log fills it anew.

use crate::api::StreamInfo;
use crate::event::id_of;
use crate::stray::Seen;
use crate::subject::stream_of;
use crate::topology::{self, TopologyError};
use crate::{Nats, PUT_AWAY_WITHIN, connect};
use saga_core::bus::BusError;
use saga_core::id::{EventId, Position};
use saga_core::ports::{ReadError, SharedStore};
use saga_core::public_log::{place, public_head};

/// How a module's stream stands to its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The name of the stream.
    pub stream: String,
    /// The last public sequence of the log; 0 when it has none.
    pub head: u64,
    /// The last sequence of the stream; 0 when it has none.
    pub last: u64,
    /// Up to here the stream is the log's copy; 0 when none of it is.
    pub same: u64,
    /// The messages behind that, as the end of a sentence; empty where there are none.
    pub strange: String,
}

impl Compared {
    /// Whether something stands in the stream that the log does not have.
    pub fn is_strange(&self) -> bool {
        self.same < self.last
    }
}

impl Nats {
    /// Compares a module's stream with its log; `None` where there is no such stream. Changes nothing, and may be asked while
    /// everything runs: a stream that is behind its log is no other.
    ///
    /// # Errors
    /// The broker or the store does not answer.
    pub async fn compared(&self, module: &str, store: &SharedStore) -> Result<Option<Compared>, BusError> {
        let stream = stream_of(module);
        let Some(StreamInfo { first, last, .. }) = self.inner.api.stream(&stream, None).await? else { return Ok(None) };
        let head = public_head(store).await.map_err(unread)?;
        let same = self.same(module, store, (first, last)).await?;
        let strange = if same < last { self.at(module, same + 1).await? } else { String::new() };
        Ok(Some(Compared { stream, head, last, same, strange }))
    }
    /// The last sequence that is the log's, by bisection: behind an event of the log's all before it are the log's too,
    /// because an event's place is a part of it.
    async fn same(&self, module: &str, store: &SharedStore, (first, last): (u64, u64)) -> Result<u64, BusError> {
        let (mut low, mut high) = (first.saturating_sub(1).min(last), last);
        while low < high {
            let middle = high - (high - low) / 2;
            match self.is_ours(module, store, middle).await? {
                true => low = middle,
                false => high = middle - 1,
            }
        }
        Ok(low)
    }
    async fn is_ours(&self, module: &str, store: &SharedStore, seq: u64) -> Result<bool, BusError> {
        let Position(at) = place(store, seq).await.map_err(unread)?;
        let page = store.read_log(Position(at.saturating_sub(1)), 1).await.map_err(unread)?;
        let ours = page.first().filter(|event| event.public_seq == Some(seq)).map(|event| event.id);
        Ok(ours.is_some() && ours == self.id_at(module, seq).await?)
    }
    async fn id_at(&self, module: &str, seq: u64) -> Result<Option<EventId>, BusError> {
        let stored = self.inner.api.message(&stream_of(module), seq).await?;
        // A message that is gone from the middle, or that a server 2.9 does not find for a moment, is not known to be strange.
        let stored =
            stored.ok_or_else(|| BusError::Unavailable(format!("{seq} of {} cannot be read", stream_of(module))))?;
        Ok(id_of(&self.inner.subjects, module, seq, &stored.subject, &stored.headers))
    }
    async fn at(&self, module: &str, seq: u64) -> Result<String, BusError> {
        let Some(stored) = self.inner.api.message(&stream_of(module), seq).await? else { return Ok(String::new()) };
        Ok(match id_of(&self.inner.subjects, module, seq, &stored.subject, &stored.headers) {
            Some(id) => format!("is an event {id} by its form, which its log does not have there"),
            None => Seen::stored(&stored).says(),
        })
    }
    /// Removes the stream of a module's events and makes it anew, empty; the process that relays the module fills it
    /// from the log, at once or when it starts. Readers keep their places. Repeating it is harmless.
    ///
    /// # Errors
    /// This login may not, the stream carries foreign subjects, or the broker does not answer.
    pub async fn remake_events(&self, module: &str) -> Result<(), TopologyError> {
        let inner = &self.inner;
        let wanted = topology::events_stream(&inner.subjects, module, &inner.options.settings());
        if !inner.may_create(&wanted) {
            return Err(TopologyError::Unavailable(format!("this login may not make {}", wanted.name())));
        }
        if let Some(found) = inner.api.stream(&wanted.stream, None).await? {
            if Some(&found.config["subjects"]) != wanted.fields.get("subjects") {
                let why = format!("{} carries {}, which is somebody else's", wanted.name(), found.config["subjects"]);
                return Err(TopologyError::Unavailable(why));
            }
            inner.api.delete_stream(&wanted.stream).await?;
        }
        // A server 2.9 loses a stream that is made while it still puts away the one before.
        connect::pause_for(PUT_AWAY_WITHIN).await;
        wanted.ensure(&inner.api, inner.options.repair).await.map(drop)
    }
}

fn unread(why: ReadError) -> BusError {
    BusError::Unread(why.to_string())
}
