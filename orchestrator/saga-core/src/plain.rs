//! Text from outside that people will read: which characters act on a terminal, or hide, instead of being seen. Pure.

/// 64 bytes name any person; more is somebody else's text.
pub const NAME_BYTES_MAX: usize = 64;
/// Who writes in histories beside people: nobody may sign with these names.
const RESERVED: [&str; 3] = ["coordinator", "system", "readyz"];
/// So begins the name of somebody whose event came over the bus.
const OUTSIDE: &str = "outside:";

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

/// The name of a person who looks or orders: 1 to [`NAME_BYTES_MAX`] bytes that can be seen, and no name of the program's
/// own. The error says what is wrong.
pub fn name(text: &str) -> Result<&str, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(format!("a name has 1 to {NAME_BYTES_MAX} bytes, and this one has {}", text.len()));
    }
    if let Some(hidden) = text.chars().find(|character| is_hidden(*character)) {
        return Err(format!("a name is seen whole, and this one has the character U+{:04X}", u32::from(hidden)));
    }
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
