//! The URL of a server, read once and by one rule: what the client of PostgreSQL would pass over in silence, print in a log
//! or take for a name is refused or put right here. No message repeats what may be a secret.

use saga_core::ports::OpenError;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use std::path::Path;
use std::str::FromStr as _;
use url::{Host, Url};

/// The options of a URL that name files, in every spelling that the client knows.
const FILES: &[&str] = &["sslrootcert", "ssl-root-cert", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key"];
/// The other options that the client knows. It writes all others into its log, with their values.
const OPTIONS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
/// How far server and client trust each other, from not at all.
const MODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
/// 200 characters: a longer path, or one of several lines, is content that was pasted where its name belongs.
const PATH_CHARS_MAX: usize = 200;

/// Reads `postgres://[user[:password]@]host[:port]/database[?options]`.
///
/// # Errors
/// `Unavailable` when the text is not such a URL, `Refused` when it has an option that nobody knows or names a file that
/// cannot be read. Passwords, and what may be one, are never part of a message.
pub(crate) fn options_of(text: &str) -> Result<PgConnectOptions, OpenError> {
    let unavailable =
        |why: String| OpenError::Unavailable { place: "the URL of the PostgreSQL server".to_owned(), why };
    let form = "postgres://USER@HOST:PORT/DATABASE";
    let begins = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    if !begins {
        return Err(unavailable(format!("it does not begin with postgres://; the form is {form}")));
    }
    let mut url = Url::parse(text).map_err(|why| unavailable(format!("{why}; the form is {form}")))?;
    for (key, file) in url.query_pairs() {
        let known = OPTIONS.contains(&&*key) || (key.starts_with("options[") && key.ends_with(']'));
        if matches!(&*key, "sslmode" | "ssl-mode") && !MODES.contains(&&*file) {
            return Err(OpenError::Refused {
                place: format!("{key}=…"),
                why: format!("modes are {}", MODES.join(", ")),
            });
        } else if FILES.contains(&&*key) {
            readable(&key, &file)?;
        } else if !known {
            let place = "the URL of the PostgreSQL server".to_owned();
            // The text in the place of a name may be a value that was pasted there.
            let why =
                format!("it has an option that is not known; known are {}, {}", OPTIONS.join(", "), FILES.join(", "));
            return Err(OpenError::Refused { place, why });
        }
    }
    // The client would look up a name with brackets in it.
    let named = url.query_pairs().any(|(key, _)| matches!(&*key, "host" | "hostaddr"));
    if let (Some(Host::Ipv6(address)), false) = (address_of(&url), named) {
        url.query_pairs_mut().append_pair("hostaddr", &address.to_string());
    }
    let options = PgConnectOptions::from_str(url.as_str()).map_err(|error| unavailable(error.to_string()))?;
    // Statements carry data, and those of a migration more than that.
    Ok(options.disable_statement_logging())
}

/// The host of a URL as a number, if it is one: what is no web address keeps it as text.
fn address_of(url: &Url) -> Option<Host> {
    Host::parse(url.host_str()?).ok()
}

/// Looks at a file of a certificate that a URL names: the client would not say which one is missing.
fn readable(key: &str, file: &str) -> Result<(), OpenError> {
    // The client takes a certificate itself as well.
    if file.starts_with("-----BEGIN") {
        return Ok(());
    }
    let Err(why) = std::fs::read(file) else { return Ok(()) };
    let place = format!("{key}={}", if is_path(file) { file } else { "…" });
    Err(OpenError::Refused { place, why: format!("{why}; name a PEM file that this user may read") })
}

/// Whether a text is known to be a path, and so no secret: it leads into a folder that there is.
fn is_path(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "/._- ".contains(c);
    let folder = Path::new(text).parent().filter(|folder| folder.parent().is_some());
    text.chars().count() <= PATH_CHARS_MAX && text.chars().all(plain) && folder.is_some_and(Path::is_dir)
}

/// A host and its port, as a URL has them.
pub(crate) fn host_and_port(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_belong_to_the_url_and_not_to_the_name() {
        for (url, host, shown) in [
            ("postgres://[::1]:21200/aicmo", "::1", "[::1]:21200"),
            ("postgres://u:p@[2001:db8::7]/aicmo?sslmode=disable", "2001:db8::7", "[2001:db8::7]:5432"),
            ("postgres://127.0.0.1:1/a", "127.0.0.1", "127.0.0.1:1"),
            ("postgres://db.example/a", "db.example", "db.example:5432"),
            ("postgres://[::1]/a?host=db", "db", "db:5432"),
        ] {
            let options = options_of(url).unwrap();
            assert_eq!((options.get_host(), host_and_port(&options)), (host, shown.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_without_repeating_it() {
        for url in [
            "host=db password=swordfish",
            "postgres:u:swordfish@h",
            "postgresql:swordfish",
            "postgres://u:swordfish@h:port/d",
            "postgres://u:sword/fish@h/d?x=swordfish",
            "postgres://h/d?sslpassword=swordfish",
            "postgres://h/d?swordfish%20=1",
            "postgres://h/d?sslmode=Swordfish%20swordfish",
            "postgres://h/d?port=swordfish",
            "postgres://h/d?hostaddr=swordfish",
            "postgres://h/d?sslkey=%0A-----BEGIN%20swordfish",
            "postgres://h/d?sslkey=-----swordfish",
            "postgres://h/d?sslkey=swordfish",
            "postgres://h/d?ssl-key=swordfish",
            "postgres://h/d?ssl-key=/swordfish",
            "postgres://h/d?sslcert=swordfish",
            "postgres://h/d?sslcert=a/swordfish",
            "postgres://h/d?sslrootcert=swordfish",
            "postgres://h/d?sslrootcert=/nowhere/swordfish",
            "postgres://h/d?sslmode=swordfish",
            "postgres://h/d?swordfish",
            "postgres://h/d?swordfish=1",
            "postgres://h/d?x-swordfish_y=",
        ] {
            let why = options_of(url).unwrap_err().to_string();
            assert!(!why.contains("swordfish") && why.len() > 40, "{url}: {why}");
        }
        // A file in a folder that there is was meant as one.
        let folder = tempfile::tempdir().unwrap();
        for key in ["sslrootcert", "sslkey"] {
            let option = format!("{key}={}/not-there.pem", folder.path().display());
            let why = options_of(&format!("postgres://h/d?{option}")).unwrap_err().to_string();
            assert!(why.contains(&option), "{why}");
        }
    }
}
