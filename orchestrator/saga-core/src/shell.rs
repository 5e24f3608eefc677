//! Quotes a word for a shell, so that a printed command can be typed as it stands.

/// Quoted only when it has to be: a shell splits the result into this one word, whatever is in it.
pub fn word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:=+,".contains(c);
    // Some shells take what begins with = for a command to be looked up.
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('=') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn only_what_a_shell_would_take_apart_is_quoted() {
        for plain in ["a", "create-package", "assets.2/render", "--for=x", "C:/data", "@file.json", "1,2"] {
            assert_eq!(word(plain), plain);
        }
        let quoted = [
            ("", "''"),
            ("my data", "'my data'"),
            ("assets[2]/render", "'assets[2]/render'"),
            ("it's", "'it'\\''s'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("=ls", "'=ls'"),
            ("größer", "'größer'"),
        ];
        for (plain, told) in quoted {
            assert_eq!(word(plain), told);
        }
    }
}
