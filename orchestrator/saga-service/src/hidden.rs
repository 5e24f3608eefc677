//! Texts without the passwords that URLs in them carry: whatever is shown, logged or answered goes through here. Pure.

/// What stands in the place of a password.
const HIDDEN: &str = "***";

/// The text with every password in it hidden: between user and host of a URL, and as an option `password=`. It hides
/// rather too much than too little: a password with an `@` or a `/` in it is hidden whole.
pub(crate) fn without_passwords(text: &str) -> String {
    of_options(&of_users(text))
}

fn ends_url(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '"' | '\'' | '`')
}

/// Hides `PASSWORD` in `scheme://USER:PASSWORD@HOST`.
fn of_users(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(ends_url).unwrap_or(after.len());
        // A list of servers: this one ends at the comma before the next.
        let end = after[..end].find("://").and_then(|next| after[..next].rfind(',')).unwrap_or(end);
        let (url, behind) = after.split_at(end);
        match url.rsplit_once('@') {
            Some((login, host)) => {
                match login.split_once(':') {
                    Some((user, _)) => shown.push_str(&format!("{user}:{HIDDEN}@")),
                    None => shown.push_str(&format!("{login}@")),
                }
                shown.push_str(host);
            }
            None => shown.push_str(url),
        }
        rest = behind;
    }
    shown + rest
}

/// Hides `PASSWORD` in `?password=PASSWORD&...`.
fn of_options(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = ["?password=", "&password="].iter().filter_map(|key| rest.find(key)).min() {
        let (before, after) = rest.split_at(at + "?password=".len());
        let end = after.find(|letter| letter == '&' || ends_url(letter)).unwrap_or(after.len());
        shown.push_str(before);
        shown.push_str(HIDDEN);
        rest = &after[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn passwords_are_hidden_and_nothing_else() {
        for (text, wanted) in [
            ("postgres://db/aicmo", "postgres://db/aicmo"),
            ("postgres://admin@db/aicmo", "postgres://admin@db/aicmo"),
            ("postgres://admin:word@db:5432/aicmo?a=b", "postgres://admin:***@db:5432/aicmo?a=b"),
            ("postgres://:word@db/aicmo", "postgres://:***@db/aicmo"),
            ("1 | url = \"postgres://a:w@rd/x@db/y\" z", "1 | url = \"postgres://a:***@db/y\" z"),
            ("nats://a:w@one:1,nats://b:x@two:2", "nats://a:***@one:1,nats://b:***@two:2"),
            ("nats://one:1,nats://two:2", "nats://one:1,nats://two:2"),
            ("postgres://db/a?password=word&x=1 'y'", "postgres://db/a?password=***&x=1 'y'"),
            ("postgres://db/a?x=1&password=word", "postgres://db/a?x=1&password=***"),
            ("no URL: a@b", "no URL: a@b"),
        ] {
            assert_eq!(without_passwords(text), wanted);
        }
    }

    proptest! {
        #[test]
        fn no_password_is_left(password in "[^\\s\"'`,&]{4,20}", host in "[a-z]{1,3}") {
            for text in [format!("x://u:{password}@{host}/d y"), format!("x://{host}/d?a=1&password={password} y")] {
                prop_assert!(!without_passwords(&text).contains(&password), "{text}");
            }
        }
    }
}
