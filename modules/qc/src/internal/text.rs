//! Texts as they are compared: without what nobody sees, normalised and folded; and words found in them.

use super::script::spaceless;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Whether a character is there without being seen: joiners, direction marks, soft hyphens, variation selectors.
pub(super) fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e01ef}')
}

/// How many characters can be seen.
pub(super) fn visible(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace() && !c.is_control() && !invisible(*c)).count()
}

/// The form in which two texts are compared: NFKC, default case fold, one space for every run of white space.
///
/// The default fold is the same in every language: Turkish dotted and dotless i stay two letters.
pub(super) fn folded(text: &str) -> String {
    // ASCII is normal as it is, and has no character that nobody sees.
    let folded = if text.is_ascii() { text.to_ascii_lowercase() } else { unicode_folded(text) };
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unicode_folded(text: &str) -> String {
    let seen: String = text.chars().filter(|c| !invisible(*c)).collect();
    // Twice, because folding can bring back what normalising took away (Unicode, "identifier caseless match").
    let once: String = caseless::default_case_fold_str(&seen.nfkc().collect::<String>()).nfkc().collect();
    caseless::default_case_fold_str(&once).nfkc().collect()
}

/// Whether the folded text has the folded needle as a whole word or phrase. Where a script writes no spaces, a part of
/// the text is enough; an apostrophe ends a word, so that `l'or` has `or` and `Amplio's` has `Amplio`.
pub(super) fn has_word(text: &str, needle: &str) -> bool {
    if needle.is_empty() {
        return false;
    }
    text.match_indices(needle).any(|(start, found)| {
        let (before, after) = (&text[..start], &text[start + found.len()..]);
        joined(before.chars().next_back(), found.chars().next()).is_none_or(|yes| !yes)
            && after.chars().next().is_none_or(|next| !is_combining_mark(next))
            && joined(found.chars().next_back(), after.chars().next()).is_none_or(|yes| !yes)
    })
}

/// Whether two neighbours belong to one word; `None` at the edge of the text.
fn joined(left: Option<char>, right: Option<char>) -> Option<bool> {
    let (left, right) = (left?, right?);
    // One spaceless neighbour is a boundary: 10x倍 has the word 10x.
    Some(wordly(left) && wordly(right) && !spaceless(left) && !spaceless(right))
}

fn wordly(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

/// The first of the words that the text has, in the words' order. Both sides are folded here.
pub(super) fn first_word<'a>(folded_text: &str, words: impl IntoIterator<Item = &'a String>) -> Option<&'a String> {
    words.into_iter().find(|word| has_word(folded_text, &folded(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_letters_are_folded_as_all_letters_are() {
        for c in '\0'..='\u{7f}' {
            let text = format!("A{c}b {c}");
            assert_eq!(text.to_ascii_lowercase(), unicode_folded(&text), "{c:?}");
        }
    }

    #[test]
    fn words_are_found_whole_folded_and_in_every_script() {
        let table = [
            ("We DISRUPT markets", "disrupt", true),
            ("disruption", "disrupt", false),
            ("undisrupt", "disrupt", false),
            ("10x growth", "10x", true),
            ("110x", "10x", false),
            ("STRASSE", "straße", true),
            ("ｄｅｔｏｘ now", "Detox", true),
            ("de\u{ad}tox", "detox", true),
            ("de\u{200b}tox", "detox", true),
            ("bu ilaç", "ILAÇ", true),
            ("bu ılaç", "ilaç", false),
            ("bu İLAÇ", "ilaç", false),
            ("bu İLAÇ", "i\u{307}laç", true),
            ("cafe\u{301} gourmet", "café", true),
            ("cafe\u{301}", "cafe", false),
            ("日本一の絵本", "日本一", true),
            ("这能根治病", "根治", true),
            ("ยาดีที่สุด", "ที่สุด", true),
            ("무조건 싸다", "무조건", true),
            ("무조건적인", "무조건", false),
            ("Amplio's", "Amplio", true),
            ("l'or pur", "or", true),
            ("sin  \n dolor", "sin dolor", true),
            ("ΘΕΡΑΠΕΎΕΙ", "θεραπεύει", true),
            ("ΣΟΦΌΣ", "σοφός", true),
            ("it is #1 here", "#1", true),
            ("it is #12", "#1", false),
            ("शिफ़ा गारंटी नौकरी", "गारंटी नौकरी", true),
            ("anything", "", false),
        ];
        for (text, word, expected) in table {
            assert_eq!(has_word(&folded(text), &folded(word)), expected, "{word:?} in {text:?}");
        }
    }

    #[test]
    fn only_what_is_seen_is_counted() {
        assert_eq!(visible(" a\u{200b}b\u{feff}\n\tc\u{ad} "), 3);
        assert_eq!(visible("\u{200b}\u{2060} \u{200e}"), 0);
    }
}
