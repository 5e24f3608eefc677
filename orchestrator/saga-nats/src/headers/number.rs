//! Numbers as they travel in headers: each has one spelling. Pure.

use super::{Attributes, DecodeError, malformed};
use std::fmt::Display;
use std::str::FromStr;

/// What is said of a text that is none.
const NO_NUMBER: &str = "a number is decimal digits, without a sign and without a zero in front, and not too large";

/// What a number on the wire is read as.
pub trait Number: FromStr + Display {}
impl<T: FromStr + Display> Number for T {}

/// Reads a number that is spelt as it would be written: decimal digits without a sign and without a zero in front. With two
/// spellings, programs that compare texts and programs that compare numbers would see different messages.
pub(crate) fn canonical<T: Number>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number: &T| number.to_string() == text)
}

impl Attributes {
    /// A number in its one spelling.
    pub fn number<T: Number>(&self, name: &'static str) -> Result<Option<T>, DecodeError> {
        let read = |value| canonical(value).ok_or_else(|| malformed(name, value, NO_NUMBER));
        self.get(name).map(read).transpose()
    }
    /// A number that must be there.
    pub fn need_number<T: Number>(&self, name: &'static str) -> Result<T, DecodeError> {
        self.number(name)?.ok_or(DecodeError::Missing(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of `docs/wire.md`.
    #[test]
    fn a_number_has_one_spelling() {
        for (text, number) in [
            ("0", Some(0_u32)),
            ("7", Some(7)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("+7", None),
            ("07", None),
            ("-0", None),
            ("7.0", None),
            ("\u{667}", None),
            ("7_0", None),
            (" 7", None),
            ("", None),
        ] {
            assert_eq!(canonical::<u32>(text), number, "{text:?}");
        }
    }
}
