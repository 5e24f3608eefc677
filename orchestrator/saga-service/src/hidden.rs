//! Addresses that may hold a secret. The shown form is built of the parts that are known to be no secret, not masked in
//! the text: so a password in an unforeseen form is not shown either. Pure.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use std::fmt;
use url::Url;

/// Printed in the place of a value that may be a secret.
const HIDDEN: &str = "***";
/// Shown for an address that cannot be parsed.
const UNREADABLE: &str = "(not shown: it is not understood)";
/// The options of a URL that are shown by name.
const NAMED: &[&str] =
    &["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "hostaddr", "port", "dbname", "user", "password"];
/// The option whose value says how, and not with what; and its values.
const SHOWN: &str = "sslmode";
const MODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Where a store or a bus is, with whatever is needed to get in. It has no `Display`, its `Debug` is [`Address::shown`],
/// and its memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct Address {
    whole: SecretString,
    shown: String,
}

impl Address {
    /// Takes a text from a configuration.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { shown: shown(&text), whole: SecretString::from(text) }
    }
    /// The whole address: for the code that connects, and for nothing else.
    pub fn expose(&self) -> &str {
        self.whole.expose_secret()
    }
    /// What people may see: scheme, hosts, ports, the name of the database; a folder whole.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}
impl Eq for Address {}
impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

fn shown(text: &str) -> String {
    if text == "local:" {
        return text.to_owned();
    }
    if let Some(folder) = text.strip_prefix("sqlite:") {
        return format!("sqlite:{}", if is_folder(folder) { folder } else { UNREADABLE });
    }
    // A comma inside a password makes a part that is no URL, and that is not shown.
    let servers: Option<Vec<String>> = text.split(',').map(|server| server_shown(server.trim())).collect();
    servers.map_or_else(|| UNREADABLE.to_owned(), |servers| servers.join(","))
}

/// Whether a text is a folder, as far as can be told, and nothing of an address or of a list of options.
pub(crate) fn is_folder(text: &str) -> bool {
    !text.is_empty() && !text.contains("://") && !text.contains(['@', '=', '?']) && !text.contains(char::is_control)
}

fn server_shown(text: &str) -> Option<String> {
    let (_, behind) = text.split_once("://")?;
    let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
    // An @ elsewhere is part of a login that was written without escapes: then nothing is where it seems to be.
    if behind.matches('@').count() != authority.matches('@').count() || authority.matches('@').count() > 1 {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let mut shown = format!("{}://", url.scheme());
    if authority.contains('@') {
        shown.push_str(&format!("{HIDDEN}@"));
    }
    shown.push_str(url.host_str().filter(|host| !host.is_empty())?);
    shown.extend(url.port().map(|port| format!(":{port}")));
    let name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    match url.path().trim_start_matches('/') {
        "" => {}
        // A database has a name; nothing else that is understood here has a path.
        path if url.scheme().starts_with("postgres") && path.chars().all(name) => shown.push_str(&format!("/{path}")),
        _ => shown.push_str(&format!("/{HIDDEN}")),
    }
    for (number, (key, value)) in url.query_pairs().enumerate() {
        let known = key == SHOWN && MODES.contains(&&*value);
        let key = if NAMED.contains(&&*key) { &*key } else { HIDDEN };
        shown.push_str(&format!(
            "{}{key}={}",
            if number == 0 { '?' } else { '&' },
            if known { &value } else { HIDDEN }
        ));
    }
    shown.extend(url.fragment().map(|_| format!("#{HIDDEN}")));
    Some(shown)
}

/// The words of a parser without what it quotes of the text: a value that does not fit may be a secret.
pub(crate) fn without_values(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}{HIDDEN}{}", &message[..first], &message[last + 1..]),
        (Some(first), _) => format!("{}{HIDDEN}", &message[..first]),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The secret of every form below.
    pub(crate) const SECRET: &str = "swordfish";

    /// Every form in which a secret was ever written into an address.
    pub(crate) fn forms() -> Vec<String> {
        let forms = [
            "postgres://u:swordfish@h/d",
            "postgres://:swordfish@h/d",
            "postgres://swordfish@h/d",
            "postgres://u:a\"swordfish@h/d",
            "postgres://u:a'swordfish@h/d",
            "postgres://u:a swordfish@h/d",
            "postgres://u:a@swordfish@h/d",
            "postgres://u:a/swordfish@h/d",
            "postgres://u:1/swordfish@h/d",
            "postgres://u:1#swordfish@h/d",
            "postgres://u:1?swordfish@h/d",
            "postgres://u:a,swordfish@h/d",
            "postgres://u:a%2Fswordfish@h/d",
            "postgres://h/d?password=swordfish",
            "postgres://h/d?passw%6Frd=swordfish",
            "postgres://h/d?passw%6Frd=sword%66ish&x=swordfish",
            "postgres://h/d?a=1&sslpassword=swordfish",
            "postgres://h/d?sslkey=-----BEGIN%20swordfish",
            "postgres://h/d?sslkey=%0A-----BEGIN%20swordfish",
            "postgres://h/d?sslmode=Swordfish%20swordfish",
            "postgres://h/d?sslmode=swordfish",
            "postgres://h/d?swordfish%20",
            "postgres://h/d#swordfish",
            "postgres://h/d/swordfish%20x",
            "postgres:u:swordfish@h",
            "postgres:swordfish",
            "PG:swordfish",
            "swordfish",
            "host=h user=u password=swordfish",
            "host=h password='sword fish' x=swordfish",
            "nats://h?token=swordfish",
            "nats://swordfish@h",
            "nats://u:swordfish@h:1,nats://u:swordfish@i:2",
            "nats://h:1,u:swordfish@i:2",
            "tls://h/swordfish%3F",
            "mysql://u:swordfish@h/d",
            "local:swordfish",
            "postgres://h/d?sslkey=swordfish",
            "postgres://h/d?ssl-key=swordfish",
            "sqlite:postgres://u:swordfish@h",
            "sqlite://u:swordfish@h/d",
            "sqlite:u:swordfish@h",
            "sqlite:host=h password=swordfish",
            "sqlite:./data?key=swordfish",
        ];
        forms.map(str::to_owned).to_vec()
    }

    #[test]
    fn no_form_of_a_secret_is_shown() {
        for form in forms() {
            let address = Address::new(form.clone());
            let text = format!("{address:?} {}", address.shown());
            assert!(!text.contains(SECRET) && !text.contains("fish"), "{form}: {text}");
            assert_eq!(address.expose(), form);
        }
    }

    #[test]
    fn the_place_is_shown_and_nothing_else() {
        for (text, wanted) in [
            ("sqlite:./data", "sqlite:./data"),
            ("sqlite:/var/lib/ümlaut, with spaces:7", "sqlite:/var/lib/ümlaut, with spaces:7"),
            ("local:", "local:"),
            ("postgres://db/aicmo", "postgres://db/aicmo"),
            (
                "postgres://admin:word@db:5432/aicmo?sslmode=verify-full",
                "postgres://***@db:5432/aicmo?sslmode=verify-full",
            ),
            ("postgres://[::1]:21200/aicmo?sslkey=/a/b", "postgres://[::1]:21200/aicmo?sslkey=***"),
            ("nats://a:w@one:1,nats://b:x@two:2", "nats://***@one:1,nats://***@two:2"),
            ("nats://one:1,tls://[::1]:2", "nats://one:1,tls://[::1]:2"),
            ("host=db", UNREADABLE),
        ] {
            assert_eq!(Address::new(text).shown(), wanted);
        }
    }

    #[test]
    fn parsers_are_not_repeated() {
        for (message, wanted) in [
            ("invalid type: string \"a\\\"b\", expected a map", "invalid type: string ***, expected a map"),
            ("unknown field `urll`, expected `url`", "unknown field `urll`, expected `url`"),
            ("half a \"quote", "half a ***"),
        ] {
            assert_eq!(without_values(message), wanted);
        }
    }

    proptest! {
        #[test]
        fn no_password_is_left(password in "[^\\pC]{6,20}", host in "[a-z]{1,3}") {
            let forms = [
                format!("x://u:{password}@{host}/d"),
                format!("x://{host}/d?a=1&password={password}"),
                format!("host={host} password={password}"),
                format!("sqlite:postgres://u:{password}@{host}"),
                format!("sqlite:{host}?password={password}"),
                format!("postgres:u:{password}@{host}"),
                format!("postgres://{host}/d?sslkey={password}"),
                format!("nats://{password}@{host},nats://u:{password}@{host}"),
            ];
            for text in forms {
                prop_assert!(!Address::new(text.clone()).shown().contains(&password), "{text}");
            }
        }
    }
}
