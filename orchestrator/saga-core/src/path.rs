//! Where a step stands in its plan, as one text with one grammar: `intake`, `checks/spelling`, `assets[2]/render`, `drafts#3/review`.
//!
//! ```text
//! path    = "" | part *( "/" part )       the empty path is the plan itself
//! part    = name [ "[" index "]" | "[…]" | "#" round ]
//! name    = one or more characters, none of them / # [ ~
//! index   = 0 1 2 ...                     which item of a fan-out; `…` while the list is not made
//! round   = 1 2 3 ...                     which round of a repeated body
//! ```
//! Numbers have no leading zeros, so a place has one text. Paths are ordered by their text.

use crate::limits::head;
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// The signs that paths are made of. No name of a step, block or branch has one of them; `~` belongs to keys.
pub const SIGNS: [char; 4] = ['/', '#', '[', '~'];

/// Whether something can be the name of a step, a block or a branch.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(SIGNS)
}

/// Where a step or a block stands in the plan.
///
/// It reads like its text ([`Deref`]), and is found by it in maps. The paths of a plan that was checked always read back.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepPath(String);

/// One part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The name of a step, a block or a branch.
    pub name: &'a str,
    /// Which of its bodies.
    pub which: Which,
}

/// Which body of a block a path goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// It has one, or none.
    Only,
    /// That of an item of a fan-out, from 0.
    Item(u32),
    /// That of any item: the list is not made yet.
    AnyItem,
    /// That of a round, from 1.
    Round(u32),
}

/// A text that is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no path of a step: {says} at character {at}")]
pub struct PathError {
    /// The text, shortened.
    pub path: String,
    /// Which character, from 1.
    pub at: usize,
    /// What is wrong there.
    pub says: &'static str,
}

impl StepPath {
    /// The plan itself.
    pub const ROOT: StepPath = StepPath(String::new());

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether it is the plan itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
    /// The path of the part with this name directly inside. A plan with a name that is none is never registered.
    #[must_use]
    pub fn child(&self, name: &str) -> StepPath {
        StepPath(if self.is_root() { name.to_owned() } else { [self.as_str(), "/", name].concat() })
    }
    /// The body of an item of this fan-out, from 0.
    #[must_use]
    pub fn item(&self, index: u32) -> StepPath {
        self.body(Which::Item(index))
    }
    /// The body of any item: the list of this fan-out is not made yet.
    #[must_use]
    pub fn any_item(&self) -> StepPath {
        self.body(Which::AnyItem)
    }
    /// The body of a round of this block, from 1.
    #[must_use]
    pub fn round(&self, round: u32) -> StepPath {
        self.body(Which::Round(round))
    }
    fn body(&self, which: Which) -> StepPath {
        StepPath(format!("{}{which}", self.0))
    }
    /// Its parts, from the outside in.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = Segment<'_>> {
        let parts = (!self.is_root()).then(|| self.0.split('/')).into_iter().flatten();
        parts.map(|part| Segment::parse(part).unwrap_or(Segment { name: part, which: Which::Only }))
    }
    /// The same place in the plan as it is written: without rounds and items.
    #[must_use]
    pub fn as_written(&self) -> StepPath {
        self.segments().fold(StepPath::ROOT, |path, segment| path.child(segment.name))
    }
    /// Whether another path lies inside of the body that this one names.
    pub fn contains(&self, inner: &str) -> bool {
        self.is_root() || inner.strip_prefix(self.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
    /// The innermost round that it lies in.
    pub fn innermost_round(&self) -> Option<u32> {
        self.segments().rev().find_map(|segment| match segment.which {
            Which::Round(round) => Some(round),
            Which::Only | Which::Item(_) | Which::AnyItem => None,
        })
    }
    /// The innermost fan-out that it lies in, and which item.
    pub fn innermost_item(&self) -> Option<(StepPath, u32)> {
        let mut block = StepPath::ROOT;
        let mut found = None;
        for segment in self.segments() {
            let own = block.child(segment.name);
            if let Which::Item(index) = segment.which {
                found = Some((own.clone(), index));
            }
            block = own.body(segment.which);
        }
        found
    }
}

impl<'a> Segment<'a> {
    /// Reads one part; otherwise the byte from which on it is none, and why.
    fn parse(part: &'a str) -> Result<Self, (usize, &'static str)> {
        let end = part.find(SIGNS).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        if name.is_empty() {
            return Err((0, "a name is missing"));
        }
        let number = |digits: &str, least: u32, says| {
            let number = digits.parse::<u32>().ok().filter(|number| *number >= least && number.to_string() == digits);
            number.ok_or((end + 1, says))
        };
        let which = match rest.chars().next() {
            None => Which::Only,
            Some('[') => {
                let inside = rest[1..].strip_suffix(']').ok_or((end, "what is opened by [ is not closed by ]"))?;
                if inside == "…" {
                    Which::AnyItem
                } else {
                    Which::Item(number(inside, 0, "the index of an item is not a number from 0")?)
                }
            }
            Some('#') => Which::Round(number(&rest[1..], 1, "a round is not a number from 1")?),
            Some(_) => return Err((end, "a sign that belongs to keys stands")),
        };
        Ok(Segment { name, which })
    }
}

impl FromStr for StepPath {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut from = 0;
        for part in text.split('/').filter(|_| !text.is_empty()) {
            Segment::parse(part).map_err(|(at, says)| {
                let at = text[..from + at].chars().count() + 1;
                PathError { path: head(text), at, says }
            })?;
            from += part.len() + 1;
        }
        Ok(StepPath(text.to_owned()))
    }
}
impl TryFrom<String> for StepPath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}
impl From<StepPath> for String {
    fn from(path: StepPath) -> String {
        path.0
    }
}
impl Deref for StepPath {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}
impl Borrow<str> for StepPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
impl PartialEq<str> for StepPath {
    fn eq(&self, text: &str) -> bool {
        self.0 == text
    }
}
impl PartialEq<String> for StepPath {
    fn eq(&self, text: &String) -> bool {
        self.0 == *text
    }
}
impl PartialEq<&str> for StepPath {
    fn eq(&self, text: &&str) -> bool {
        self.0 == *text
    }
}
impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Only => Ok(()),
            Which::Item(index) => write!(f, "[{index}]"),
            Which::AnyItem => f.write_str("[…]"),
            Which::Round(round) => write!(f, "#{round}"),
        }
    }
}
/// Published shapes have a path as the text that it is.
#[cfg(feature = "schemas")]
impl schemars::JsonSchema for StepPath {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        String::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<StepPath, (usize, &'static str)> {
        text.parse::<StepPath>().map_err(|why| (why.at, why.says))
    }
    fn path(text: &str) -> StepPath {
        parse(text).unwrap()
    }

    #[test]
    fn a_text_that_is_no_path_is_refused_at_its_place() {
        let missing = "a name is missing";
        let index = "the index of an item is not a number from 0";
        let round = "a round is not a number from 1";
        for (text, refused) in [
            ("/a", (1, missing)),
            ("a/", (3, missing)),
            ("a//b", (3, missing)),
            ("[0]", (1, missing)),
            ("é/#1", (3, missing)),
            ("a[", (2, "what is opened by [ is not closed by ]")),
            ("a[0", (2, "what is opened by [ is not closed by ]")),
            ("a[0]b", (2, "what is opened by [ is not closed by ]")),
            ("é[x]", (3, index)),
            ("a[]", (3, index)),
            ("a[00]", (3, index)),
            ("a[+1]", (3, index)),
            ("a[1][2]", (3, index)),
            ("a[4294967296]", (3, index)),
            ("a/b#", (5, round)),
            ("a#0", (3, round)),
            ("a#01", (3, round)),
            ("a#1#2", (3, round)),
            ("a~1", (2, "a sign that belongs to keys stands")),
        ] {
            assert_eq!(parse(text), Err(refused), "{text}");
        }
        let said = "a[x]/b".parse::<StepPath>().unwrap_err().to_string();
        assert_eq!(said, format!("\"a[x]/b\" is no path of a step: {index} at character 3"));
    }

    #[test]
    fn a_path_says_where_it_lies() {
        let render = path("assets[12]/passes#2/render");
        assert_eq!(render.as_written(), "assets/passes/render");
        assert_eq!(render.innermost_item(), Some((path("assets"), 12)));
        assert_eq!(render.innermost_round(), Some(2));
        assert_eq!(
            path("a]/b[0]/c]").innermost_item(),
            Some((path("a]/b"), 0)),
            "a name may have a bracket of its own"
        );
        assert!(path("assets[1]").contains("assets[1]/render") && StepPath::ROOT.contains("a"));
        for outside in ["assets[1]", "assets[12]/render", "assets/render"] {
            assert!(!path("assets[1]").contains(outside), "{outside}");
        }
    }

    fn segment() -> impl Strategy<Value = (String, Which)> {
        let which = prop_oneof![
            Just(Which::Only),
            any::<u32>().prop_map(Which::Item),
            Just(Which::AnyItem),
            (1..=u32::MAX).prop_map(Which::Round)
        ];
        ("[a-z_\\]é… .0-9-]{1,6}", which)
    }
    proptest! {
        #[test]
        fn what_is_printed_reads_back(parts in prop::collection::vec(segment(), 0..5)) {
            let printed = parts.iter().fold(StepPath::ROOT, |path, (name, which)| path.child(name).body(*which));
            prop_assert_eq!(parse(&printed), Ok(printed.clone()));
            let read: Vec<_> = printed.segments().map(|segment| (segment.name.to_owned(), segment.which)).collect();
            prop_assert_eq!(read, parts);
        }
        #[test]
        fn any_text_is_a_path_with_that_text_or_refused_at_a_place_of_it(text in "[ab/#\\[\\]~0-9…é]{0,12}|.{0,8}") {
            match text.parse::<StepPath>() {
                Ok(path) => {
                    let again = path.segments().fold(StepPath::ROOT, |path, part| path.child(part.name).body(part.which));
                    prop_assert_eq!((path.as_str(), again.as_str()), (text.as_str(), text.as_str()));
                }
                Err(why) => prop_assert!(why.at >= 1 && why.at <= text.chars().count() + 1, "{why}"),
            }
        }
    }
}
