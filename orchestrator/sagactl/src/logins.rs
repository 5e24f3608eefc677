//! Keeps logins out of errors: the user may have typed one anywhere on the command line. Pure.

use crate::failure::Failure;
use std::ffi::OsString;

/// Printed in the place of a text that may hold a login.
const HIDDEN: &str = "(not shown: it may hold a login)";
/// What addresses begin with that this program knows, and what people take for it.
const SCHEMES: &[&str] =
    &["postgres:", "postgresql:", "nats:", "tls:", "http:", "https:", "ws:", "wss:", "sqlite://", "sqlite:postgres"];
/// Options of addresses by which one gets in.
const KEYS: &[&str] = &["password", "passwd", "token", "secret", "sslkey", "ssl-key", "sslcert", "ssl-cert"];
/// The variables that are typed before a command instead of behind it.
const VARIABLES: &[&str] = &["SAGACTL_DATA", "SAGACTL_URL", "SAGACTL_ADMIN_URL"];

/// 4 bytes: a shorter part is no secret, and stands in many words.
const PART_BYTES_MIN: usize = 4;

/// Whether a text is an address, or a piece of one.
pub(crate) fn is_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    text.contains("://") || SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) || may_hold_login(text)
}
/// Whether a text may hold a login or a key: by its form, or because nobody could say what it is.
fn may_hold_login(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let address = text.contains("://") || SCHEMES.iter().any(|scheme| lower.starts_with(scheme));
    // A host and a port are no secret; whatever stands beside them in an address may be.
    let beside = text.contains(['@', '?', '#', '=', '%']) || text.split_once("://").is_none();
    (address && beside)
        || (text.contains('@') && text.contains(':'))
        || KEYS.iter().any(|key| lower.contains(&format!("{key}=")))
}

/// A failure in which nothing is repeated that was typed and may hold a login.
#[must_use]
pub(crate) fn hidden(mut failure: Failure, argv: &[OsString]) -> Failure {
    let variables = VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    let typed: Vec<String> = argv.iter().map(|word| word.to_string_lossy().into_owned()).chain(variables).collect();
    // Behind an option's own sign of equality there is a word as well.
    let values = typed.iter().filter_map(|word| word.strip_prefix("--")?.split_once('=')).map(|(_, value)| value);
    let words: Vec<&str> = typed.iter().map(String::as_str).chain(values).filter(|word| may_hold_login(word)).collect();
    // A command may have taken it apart before it failed.
    let parts = words.iter().flat_map(|word| word.match_indices('=').map(|(at, _)| &word[at + 1..]));
    let parts = parts.filter(|part| part.len() >= PART_BYTES_MIN);
    let words: Vec<&str> = words.iter().copied().chain(parts).collect();
    if let Some(error) = &mut failure.error {
        error.message = without(&error.message, &words);
        error.hint.iter_mut().for_each(|hint| *hint = without(hint, &words));
    }
    failure
}
/// A text without these words, however they are written in it.
pub(crate) fn without(text: &str, words: &[&str]) -> String {
    words.iter().fold(text.to_owned(), |text, word| {
        let quoted = format!("{word:?}");
        text.replace(word, HIDDEN).replace(quoted.trim_matches('"'), HIDDEN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_login_is_told_from_what_does_not() {
        for text in [
            "u:swordfish@h:1",
            "postgres:u:swordfish@h",
            "postgres:swordfish",
            "postgres://h/d?swordfish",
            "postgres://swordfish@h/d",
            "POSTGRES://h/d#swordfish",
            "host=h password=swordfish",
            "sqlite://u:swordfish@h",
            "http://127.0.0.1:1/?token=swordfish",
        ] {
            assert!(may_hold_login(text) && is_address(text), "{text}");
            let argv = ["sagactl".into(), "--data".into(), text.into(), format!("--config={text}").into()];
            let failure = Failure::usage(format!("no {text:?} in --config={text}")).hint(format!("see {text}"));
            assert!(!format!("{:?}", hidden(failure, &argv)).contains("swordfish"), "{text}");
            let taken_apart = text.split('=').next_back().unwrap_or(text);
            let failure = Failure::usage(format!("no {taken_apart} here"));
            assert!(!format!("{:?}", hidden(failure, &argv)).contains("swordfish"), "{text}");
        }
        for text in [
            "./data",
            "/srv/a@b/data",
            "client-to-delivery@3",
            "http://127.0.0.1:7420",
            "9f3ac2d1",
            "127.0.0.1:0",
            "a=b",
        ] {
            assert!(!may_hold_login(text), "{text}");
        }
    }
}
