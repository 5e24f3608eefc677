//! A moment in the life of a saga: after so many of its facts, or at a time.

use super::error::ControlError;
use crate::codes;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A moment in the life of a saga. As text: `7`, or `2026-11-21T18:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Moment {
    /// After its first so many facts: from 1 on.
    Rev(u64),
    /// After everything that was recorded until then, this time included.
    Time(Timestamp),
}

impl Moment {
    /// Whether a fact with this number, recorded at this time, lies behind it.
    pub fn is_before(self, rev: u64, at: Timestamp) -> bool {
        match self {
            Moment::Rev(last) => rev > last,
            Moment::Time(last) => at > last,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Rev(rev) => rev.fmt(f),
            Moment::Time(at) => at.fmt(f),
        }
    }
}

impl FromStr for Moment {
    type Err = ControlError;
    fn from_str(text: &str) -> Result<Self, ControlError> {
        let rev = text.parse().ok().filter(|rev| *rev > 0).map(Moment::Rev);
        rev.or_else(|| Timestamp::parse(text).ok().map(Moment::Time)).ok_or_else(|| {
            ControlError::new(codes::USAGE, format!("{text:?} is neither the number of a fact nor an RFC 3339 time"))
                .hint("for example 7 or 2026-11-21T18:00:00Z; facts are counted from 1 on")
        })
    }
}

impl TryFrom<String> for Moment {
    type Error = ControlError;
    fn try_from(text: String) -> Result<Self, ControlError> {
        text.parse()
    }
}
impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        for (text, wanted) in [
            ("1", Some(Moment::Rev(1))),
            ("18446744073709551615", Some(Moment::Rev(u64::MAX))),
            ("1970-01-01T00:00:01.000000Z", Some(Moment::Time(Timestamp(1_000_000)))),
            ("0", None),
            ("-1", None),
            ("", None),
            ("18446744073709551616", None),
            ("yesterday", None),
        ] {
            let read = text.parse::<Moment>().ok();
            assert_eq!(read, wanted, "{text}");
            assert!(read.is_none_or(|read| read.to_string() == text), "{text}");
        }
        let refused = "0".parse::<Moment>().err().map(|why| (why.code, why.hint));
        assert!(refused.is_some_and(|(code, hint)| code == codes::USAGE.id && !hint.is_empty()));
    }

    #[test]
    fn a_fact_of_the_moment_itself_belongs_to_it() {
        let (rev, time) = (Moment::Rev(3), Moment::Time(Timestamp(30)));
        assert!(!rev.is_before(3, Timestamp(99)) && rev.is_before(4, Timestamp(0)));
        assert!(!time.is_before(9, Timestamp(30)) && time.is_before(1, Timestamp(31)));
    }
}
