//! Text from outside that people will read: which characters act on a terminal, or hide, instead of being seen. Pure.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_security::mixed_script::AugmentedScriptSet;

/// 64 bytes name any person; more is not a name.
pub const NAME_BYTES_MAX: usize = 64;
/// The program's own names in histories: no person may sign with one of them.
const RESERVED: [&str; 3] = ["coordinator", "system", "readyz"];
/// The beginning of an actor's name whose event came over the bus.
const OUTSIDE: &str = "outside:";
/// Signs that are drawn without ink: braille without a dot, a note without a head.
const BLANK_SIGNS: [char; 2] = ['\u{2800}', '\u{1d159}'];
/// They choose between two pictures of one sign, so that two names would look the same.
const SELECTORS: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];

/// Whether a character is not seen where it stands: it acts on a terminal, turns the direction of a text, or takes no
/// room, so that a text reads as another one. The selectors that choose between two pictures of one sign are seen.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character leaves something to see: a letter, a digit, a sign. Spaces, marks without a letter, private and
/// unassigned characters do not.
fn is_seen(character: char) -> bool {
    use GeneralCategoryGroup::{Letter, Mark, Number, Other, Punctuation, Separator, Symbol};
    match character.general_category_group() {
        Letter | Number | Punctuation | Symbol => !is_hidden(character) && !BLANK_SIGNS.contains(&character),
        Mark | Other | Separator => false,
    }
}

/// Whether a text has no visible character.
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(is_seen)
}

/// Whether a text is nothing but marks between words: dots, dashes, quotation marks.
pub fn is_punctuation(text: &str) -> bool {
    let says = |c: char| !matches!(c.general_category_group(), GeneralCategoryGroup::Punctuation);
    !text.chars().any(|c| is_seen(c) && says(c))
}

/// What keeps a text from naming one thing alone, for every reader: nothing in it that is seen, a character that is not
/// seen or looks like a space, or a word in letters of two scripts, which look like those of one. A text that goes on with
/// `" "` and letters of another script in the next word is fine. The error follows the name of what it is about.
pub fn identifies(text: &str) -> Result<(), String> {
    if is_blank(text) {
        return Err("has nothing in it that is seen".to_owned());
    }
    let unseen = |c: &char| {
        use GeneralCategoryGroup::{Other, Separator};
        let outside = matches!(c.general_category_group(), Other | Separator) && *c != ' ';
        outside || is_hidden(*c) || SELECTORS.contains(c) || BLANK_SIGNS.contains(c)
    };
    if let Some(hidden) = text.chars().find(unseen) {
        return Err(format!("holds the character U+{:04X}, which is not seen", u32::from(hidden)));
    }
    let words = text.split(|c: char| !c.is_alphanumeric() && c.general_category_group() != GeneralCategoryGroup::Mark);
    match words.filter_map(two_scripts).next() {
        Some((one, other)) => Err(format!("mixes letters of {one} and {other} in one word, which look alike")),
        None => Ok(()),
    }
}

/// Two scripts of one word that are never written in one word. Letters of East Asia stand beside those of any script.
fn two_scripts(word: &str) -> Option<(AugmentedScriptSet, AugmentedScriptSet)> {
    let sets = word.chars().map(AugmentedScriptSet::for_char);
    let mut sets = sets.filter(|set| !(set.is_all() || set.hanb || set.jpan || set.kore));
    let mut known = sets.next()?;
    sets.find_map(|set| {
        let before = known;
        known.intersect_with(set);
        known.is_empty().then_some((before, set))
    })
}

/// Checks the name of a person who looks or orders: 1 to [`NAME_BYTES_MAX`] bytes that can be seen, in words of one
/// script, and no name of the program's own. The error says what is wrong.
pub fn name(text: &str) -> Result<&str, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(format!("a name has 1 to {NAME_BYTES_MAX} bytes, and this one has {}", text.len()));
    }
    identifies(text).map_err(|why| format!("this name {why}"))?;
    let lower = text.to_lowercase();
    if RESERVED.contains(&lower.as_str()) || lower.starts_with(OUTSIDE) {
        return Err(format!("{text:?} is how the program signs, and no person may"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_hidden_and_what_is_written_is_not() {
        for hidden in [
            '\u{1b}',
            '\u{9b}',
            '\u{7f}',
            '\n',
            '\u{61c}',
            '\u{180e}',
            '\u{ad}',
            '\u{34f}',
            '\u{3164}',
            '\u{fff9}',
            '\u{e0041}',
            '\u{202e}',
            '\u{200b}',
            '\u{2066}',
            '\u{feff}',
        ] {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
        assert!(!"Änn O'Neil ✔️ 日本語 عربى हिन्दी ‼ � …".chars().any(is_hidden));
    }

    #[test]
    fn nobody_signs_unseen_or_as_the_program() {
        assert_eq!(name(" Änn O'Neil "), Ok("Änn O'Neil"));
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for bad in ["", " ", &long, "a\u{202e}b", "a\u{200b}", "a\nb", "coordinator", " System ", "outside:/shop"] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
