//! Words that stand for a text nobody wrote. Pure.

/// Words that stand for a text nobody wrote.
const PLACEHOLDERS: [&str; 5] = ["tbd", "lorem ipsum", "xxx", "[insert", "n/a"];

/// The placeholder words in these texts, each once.
pub fn placeholders<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        let text = text.to_lowercase();
        for word in PLACEHOLDERS {
            if stands_alone(&text, word) && !found.iter().any(|known| known == word) {
                found.push(word.to_owned());
            }
        }
    }
    found
}

/// `Jordan/Asia` has no `n/a` in it.
fn stands_alone(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        // Latin neighbours only: scripts without spaces would hide every word otherwise.
        let letter = |side: Option<char>| side.is_some_and(|side| side.is_alphanumeric() && u32::from(side) < 0x250);
        // An opening bracket needs nothing around it.
        word.starts_with('[') || (!letter(before) && !letter(after))
    })
}

#[cfg(test)]
mod tests {
    use super::placeholders;

    #[test]
    fn placeholder_words_stand_alone() {
        let table: [(&str, &[&str]); 9] = [
            ("Price TBD.", &["tbd"]),
            ("n/a", &["n/a"]),
            ("Jordan/Asia and then/after", &[]),
            ("Lorem Ipsum dolor, xxx", &["lorem ipsum", "xxx"]),
            ("exxxtra", &[]),
            ("hello[insert name]", &["[insert"]),
            ("ΤBD in Greek letters", &[]),
            ("東京tbd", &["tbd"]),
            ("(tbd)", &["tbd"]),
        ];
        for (text, words) in table {
            assert_eq!(placeholders([text]), words, "{text}");
        }
    }
}
