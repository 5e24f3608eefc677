//! Which letters a document can show: those of the fonts that every reader of PDF has, which are Western European. Pure.

/// The byte of a letter in the encoding of these fonts (`WinAnsiEncoding`); nothing when they do not have it.
pub fn win_ansi(letter: char) -> Option<u8> {
    match letter {
        '\t' => Some(b' '),
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(letter)).ok(),
        '€' => Some(0x80),
        '‚' => Some(0x82),
        '„' => Some(0x84),
        '…' => Some(0x85),
        'Š' => Some(0x8a),
        'Œ' => Some(0x8c),
        'Ž' => Some(0x8e),
        '‘' => Some(0x91),
        '’' => Some(0x92),
        '“' => Some(0x93),
        '”' => Some(0x94),
        '•' => Some(0x95),
        '–' => Some(0x96),
        '—' => Some(0x97),
        '™' => Some(0x99),
        'š' => Some(0x9a),
        'œ' => Some(0x9c),
        'ž' => Some(0x9e),
        'Ÿ' => Some(0x9f),
        _ => None,
    }
}

/// Whether a document shows every letter of a text.
pub fn is_printable(text: &str) -> bool {
    text.lines().flat_map(str::chars).all(|letter| win_ansi(letter).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn western_letters_are_printed_and_no_others() {
        for text in ["", "Grüße — 5 €\nà bientôt", "Œuvre, Žižek’s „Wort“ … “so”", "smørbrød", "¿Qué?\ttab"]
        {
            assert!(is_printable(text), "{text}");
        }
        for text in ["ş", "ığ", "Ελλ", "тайга", "गंगा", "月", "نور", "한", "ł", "🦊", "\u{200b}", "a\u{7f}"]
        {
            assert!(!is_printable(text), "{text}");
        }
    }
}
