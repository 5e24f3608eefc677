//! A moment in UTC with microseconds, made by a clock outside and passed in; nothing in this crate asks what time it is.

use crate::limits::{TIME_MAX, TIME_MIN};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z. Printed and serialised as RFC 3339 with six digits and `Z`, within the years
/// 1970 to 9999: a time outside is written as the nearer end, so that every written time can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// By how much a clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// It shows a later time than has passed.
    Forward(Duration),
    /// It shows an earlier time.
    Back(Duration),
}

impl Jump {
    /// What a clock did that showed `before` and shows `now`, while so much time passed: nothing, if it is off by less than
    /// `least` (clocks are slewed all the time).
    pub fn between(before: Timestamp, now: Timestamp, passed: Duration, least: Duration) -> Option<Self> {
        let should = before.plus(passed);
        let (ahead, behind) = (now.since(should), should.since(now));
        if ahead >= least {
            Some(Jump::Forward(ahead))
        } else if behind >= least {
            Some(Jump::Back(behind))
        } else {
            None
        }
    }
}

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// Not RFC 3339.
    #[error("not an RFC 3339 time: {0}")]
    Malformed(#[from] chrono::ParseError),
    /// Before 1970 or after 9999.
    #[error("the time {0} is not within the years 1970 to 9999")]
    OutOfRange(String),
}

impl Timestamp {
    /// The same moment on a clock that was set meanwhile.
    #[must_use]
    pub fn moved(self, by: Jump) -> Self {
        match by {
            Jump::Forward(by) => self.plus(by),
            Jump::Back(by) => Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))).held(),
        }
    }
    /// Reads an RFC 3339 text of the years 1970 to 9999.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let at = Self(DateTime::parse_from_rfc3339(text)?.timestamp_micros());
        if at == at.held() { Ok(at) } else { Err(TimeError::OutOfRange(text.to_owned())) }
    }
    /// This moment and `duration` later, held at the end of time instead of overflowing.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))).held()
    }
    /// How long after `earlier` this is; zero when it is not later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
    /// The nearest moment that can be written.
    fn held(self) -> Self {
        self.clamp(TIME_MIN, TIME_MAX)
    }
    /// An earlier program wrote times after the year 9999 as a number and `us`. Those facts are read as the end of time.
    fn of_old(text: &str) -> Option<Self> {
        text.strip_suffix("us")?.parse().ok().map(|micros: i64| Self(micros).held())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_micros(self.held().0) {
            Some(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            None => f.write_str("1970-01-01T00:00:00.000000Z"),
        }
    }
}
impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::of_old(&text).map_or_else(|| Timestamp::parse(&text).map_err(serde::de::Error::custom), Ok)
    }
}
#[cfg(feature = "schemas")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_is_read_back() {
        let ends = [i64::MIN, -1, 0, 1, TIME_MAX.0 - 1, TIME_MAX.0, TIME_MAX.0 + 1, i64::MAX].map(Timestamp);
        let far = [Duration::ZERO, Duration::from_millis(251_600_000_000_000), Duration::MAX];
        let sums = ends.iter().flat_map(|at| far.iter().map(|far| at.plus(*far)));
        for at in ends.into_iter().chain(sums) {
            let json = serde_json::to_string(&at).unwrap();
            assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), at.clamp(TIME_MIN, TIME_MAX), "{json}");
        }
        assert_eq!(TIME_MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(serde_json::from_str::<Timestamp>("\"300000000000000000us\"").unwrap(), TIME_MAX);
        for bad in ["1969-12-31T23:59:59Z", "9999-12-31T23:59:59-00:01", "yesterday", "7us", ""] {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prints_and_reads_microseconds_in_utc() {
        let at = Timestamp::parse("2025-12-13T14:00:00.000001+02:00").unwrap();
        assert_eq!(at.to_string(), "2025-12-13T12:00:00.000001Z");
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), at);
    }
}
