//! A content of several parts, as one text: a draft, and the pieces that are delivered alone. Pure.
//!
//! The contract has one text for everything that will be seen. Where it has parts, each but the first begins with a record
//! separator, its name, a unit separator, its language and a line break. No form takes these two characters, and
//! [`as_one`] takes them out of what it joins.

/// Begins a part that has a name (U+001E).
const RECORD: char = '\u{1e}';
/// Stands between the name of a part and its language (U+001F).
const UNIT: char = '\u{1f}';
/// What a part is called that has no name, where others have one.
const DRAFT: &str = "draft";

/// A part that is delivered alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What people know it by.
    pub name: String,
    /// The language that it is to be in, as a tag.
    pub language: String,
    /// Everything of it that will be seen.
    pub text: String,
}

/// Draft and pieces as the content of one judgement: at most so many bytes of them, whole pieces only.
pub fn as_one(draft: &str, pieces: impl IntoIterator<Item = Piece>, bytes_max: usize) -> String {
    let clean = |text: &str| text.replace([RECORD, UNIT], " ");
    pieces.into_iter().fold(clean(draft), |mut content, Piece { name, language, text }| {
        let line = |text: &str| clean(text).replace('\n', " ");
        let part = format!("{RECORD}{}{UNIT}{}\n{}", line(&name), line(&language), clean(&text));
        if content.len() + part.len() < bytes_max {
            content.push_str(&part);
        }
        content
    })
}

/// One part of a content, as checks see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// `None`: what begins the content.
    name: Option<&'a str>,
    pub(super) language: &'a str,
    pub(super) text: &'a str,
}

impl Part<'_> {
    pub(super) fn name(&self) -> &str {
        self.name.unwrap_or(DRAFT)
    }
}

/// The parts of a content, at least one. What begins it is in the language of the whole.
pub(super) fn parts_of<'a>(content: &'a str, language: &'a str) -> Vec<Part<'a>> {
    let mut records = content.split(RECORD);
    let first = Part { name: None, language, text: records.next().unwrap_or_default() };
    let named = records.map(|record| {
        let (head, text) = record.split_once('\n').unwrap_or(("", record));
        let (name, own) = head.split_once(UNIT).unwrap_or((head, language));
        Part { name: Some(name), language: own, text }
    });
    let parts: Vec<_> = std::iter::once(first).chain(named).collect();
    let seen: Vec<_> =
        parts.iter().copied().filter(|part| part.name.is_some() || !part.text.trim().is_empty()).collect();
    if seen.is_empty() { parts } else { seen }
}

/// The names of parts for a sentence: the first three of them; nothing where there is one part only.
pub(super) fn whose(found: &[Part<'_>], all: usize) -> String {
    const SHOWN: usize = 3;
    if all < 2 || found.is_empty() {
        return String::new();
    }
    let names: Vec<_> = found.iter().take(SHOWN).map(Part::name).collect();
    match found.len().saturating_sub(SHOWN) {
        0 => format!(" in {}", names.join(", ")),
        more => format!(" in {} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(name: &str, language: &str, text: &str) -> Piece {
        Piece { name: name.to_owned(), language: language.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn what_is_joined_is_taken_apart_again() {
        let pieces = [piece("post-1", "de", "a\nb"), piece("x\u{1f}\n", "fr", "c\u{1e}d")];
        let content = as_one("draft\u{1e}", pieces.clone(), 1_000);
        let parts = parts_of(&content, "en");
        let seen: Vec<_> = parts.iter().map(|part| (part.name(), part.language, part.text)).collect();
        assert_eq!(seen, [("draft", "en", "draft "), ("post-1", "de", "a\nb"), ("x  ", "fr", "c d")]);
        let only = as_one("", pieces, 20);
        assert_eq!(parts_of(&only, "en"), [Part { name: Some("post-1"), language: "de", text: "a\nb" }], "what fits");
        for whole in ["", "a text", "a\nb"] {
            assert_eq!(parts_of(whole, "en"), [Part { name: None, language: "en", text: whole }]);
        }
    }
}
