//! A moment in UTC with microseconds, made by a clock outside and passed in; nothing in this crate asks what time it is.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z. Printed and serialised as RFC 3339 with six digits and `Z`.
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

impl Timestamp {
    /// The same moment on a clock that was set meanwhile.
    #[must_use]
    pub fn moved(self, by: Jump) -> Self {
        match by {
            Jump::Forward(by) => self.plus(by),
            Jump::Back(by) => Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))),
        }
    }
    /// Reads an RFC 3339 text.
    pub fn parse(text: &str) -> Result<Self, chrono::ParseError> {
        DateTime::parse_from_rfc3339(text).map(|at| Self(at.timestamp_micros()))
    }
    /// This moment and `duration` later, held at the end of time instead of overflowing.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
    /// How long after `earlier` this is; zero when it is not later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            None => write!(f, "{}us", self.0),
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
        Timestamp::parse(&text).map_err(|why| serde::de::Error::custom(format!("not an RFC 3339 time: {why}")))
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
    fn prints_and_reads_microseconds_in_utc() {
        let at = Timestamp::parse("2025-12-13T14:00:00.000001+02:00").unwrap();
        assert_eq!(at.to_string(), "2025-12-13T12:00:00.000001Z");
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), at);
    }
}
