//! Finds streams that were removed and made anew, by their age: their messages are in no log, and no relay fills them
//! again as it fills those of events.

use crate::Nats;
use crate::api::ApiError;
use crate::connect::Account;
use crate::message::ORCHESTRATION;
use crate::subject::{COMMANDS, DEAD, OUTSIDE, REPLIES, stream_of};
use saga_core::bus::{BusError, MadeAnew};
use saga_core::time::Timestamp;
use std::time::Duration;

/// 1 minute: one start makes all shared streams within seconds, and the clocks of the servers of a cluster may differ.
pub(crate) const MADE_TOGETHER_WITHIN: Duration = Duration::from_secs(60);

/// The streams of these that are younger than the oldest of all, by more than `apart`.
fn younger(ages: &[(String, Timestamp)], apart: Duration) -> Vec<(String, Timestamp)> {
    let Some(oldest) = ages.iter().map(|(_, made)| *made).min() else { return Vec::new() };
    let kept_by_nobody = ages.iter().filter(|(stream, _)| [OUTSIDE, DEAD].contains(&stream.as_str()));
    kept_by_nobody.filter(|(_, made)| made.since(oldest) > apart).cloned().collect()
}

impl Nats {
    /// Streams of messages that no log has, and that are younger than those that were made with them: they were removed and made
    /// anew since. A broker that lost all of them at once is not told by this: then there is no older one.
    ///
    /// # Errors
    /// The broker does not answer, or not to this account.
    pub async fn made_anew_apart(&self, apart: Duration) -> Result<Vec<MadeAnew>, BusError> {
        let inner = &self.inner;
        if let Account::Own(_) = inner.options.account {
            // Coordinators tell it: this account does not see those streams.
            return Ok(Vec::new());
        }
        let streams =
            [COMMANDS, REPLIES, OUTSIDE, DEAD].map(str::to_owned).into_iter().chain([stream_of(ORCHESTRATION)]);
        let ages = futures::future::try_join_all(streams.map(async |stream| {
            let info = inner.api.stream(&stream, None).await?;
            let made = info.and_then(|info| Timestamp::parse(&info.created).ok());
            Ok::<_, ApiError>(made.map(|made| (stream, made)))
        }));
        let ages: Vec<(String, Timestamp)> = ages.await?.into_iter().flatten().collect();
        Ok(younger(&ages, apart).into_iter().map(|(stream, at)| self.told(stream, at)).collect())
    }
    fn told(&self, stream: String, at: Timestamp) -> MadeAnew {
        let outside = self.inner.subjects.all("in");
        let (lost, next) = if stream == OUTSIDE {
            let next = format!("have the publishers below {outside} send again what began and decided nothing");
            ("events from outside that were acknowledged and not yet taken", next)
        } else {
            let next = "the log of each process names what it had put aside".to_owned();
            ("the dead letters that lay in it", next)
        };
        MadeAnew { what: format!("stream {stream}"), at, lost: lost.to_owned(), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_told_when_those_made_with_it_are_older_and_only_if_no_log_has_its_messages() {
        let minute = |minutes: i64| Timestamp(minutes * 60_000_000);
        let told = |ages: &[(&str, i64)]| {
            let ages: Vec<_> = ages.iter().map(|(stream, made)| ((*stream).to_owned(), minute(*made))).collect();
            younger(&ages, MADE_TOGETHER_WITHIN).into_iter().map(|(stream, _)| stream).collect::<Vec<_>>()
        };
        assert_eq!(told(&[]), [""; 0]);
        assert_eq!(told(&[("CMD", 9), ("RPL", 9), ("IN", 10), ("DLQ", 10), ("EVT_orchestration", 10)]), [""; 0]);
        assert_eq!(told(&[("CMD", 9), ("IN", 11), ("DLQ", 9)]), ["IN"]);
        assert_eq!(told(&[("CMD", 9), ("IN", 9), ("DLQ", 99)]), ["DLQ"]);
        // Commands and replies are sent again, and events are published again: nothing of them is lost.
        assert_eq!(told(&[("CMD", 99), ("RPL", 99), ("IN", 9), ("DLQ", 9), ("EVT_orchestration", 99)]), [""; 0]);
        assert_eq!(told(&[("IN", 99), ("DLQ", 99), ("EVT_orchestration", 9)]), ["IN", "DLQ"]);
    }
}
