//! What a failed attempt to connect means: weather, which passes, or something that only a person can mend. Pure.

use crate::connect::{Login, Options, Tls};
use async_nats::rustls::{AlertDescription, CertificateError, Error as TlsError};
use async_nats::{ConnectError, ConnectErrorKind, ServerError};
use std::error::Error;
use std::io;

/// Something that stays wrong until a person mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What is wrong.
    pub(crate) why: String,
    /// The next step.
    pub(crate) next: String,
}

impl Refusal {
    fn new(why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { why: why.into(), next: next.into() }
    }
    /// What is wrong for good, or nothing when trying again may help.
    pub(crate) fn of(error: &ConnectError, options: &Options) -> Option<Self> {
        if let Some(error) = find::<TlsError>(error) {
            return Some(handshake(error, options));
        }
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation => Some(not_let_in(&options.login, "authorization violation")),
            ConnectErrorKind::Authentication => {
                Some(Self::new(format!("{} cannot sign", who(&options.login)), "check the seed in this file"))
            }
            ConnectErrorKind::Tls => Some(Self::new(
                format!("the certificates cannot be used: {}", chain(error)),
                "check the PEM files of bus.tls_ca_file, bus.tls_cert_file and bus.tls_key_file",
            )),
            ConnectErrorKind::ServerParse => {
                Some(Self::new(format!("this is no address: {}", chain(error)), "write it as nats://HOST:PORT"))
            }
            ConnectErrorKind::Dns | ConnectErrorKind::TimedOut | ConnectErrorKind::MaxReconnects => None,
            ConnectErrorKind::Io => match find::<ServerError>(error) {
                // Expired and revoked users and accounts each have words of their own, and these in common. A server that
                // was too slow to look at us says "Authentication Timeout".
                Some(ServerError::Other(said)) if is_about_login(said) => Some(not_let_in(&options.login, said)),
                Some(_) | None => None,
            },
        }
    }
}

fn is_about_login(said: &str) -> bool {
    let said = said.to_lowercase();
    ["authentication expired", "authentication revoked", "authorization"].iter().any(|words| said.contains(words))
}

/// Who we say that we are; never a secret.
fn who(login: &Login) -> String {
    match login {
        Login::None => "a client without a login".to_owned(),
        Login::Password { user, file } => format!("user {user:?} with the password in {}", file.display()),
        Login::Nkey(file) => format!("the nkey in {}", file.display()),
        Login::Credentials(file) => format!("the credentials in {}", file.display()),
    }
}

fn not_let_in(login: &Login, said: &str) -> Refusal {
    let next = match login {
        Login::None => "name a login: bus.user and bus.password_file, bus.credentials_file, or bus.nkey_file",
        Login::Password { .. } => "correct bus.user or the file, or make this user known to the broker",
        Login::Nkey(_) => "make the public key of this seed known to the broker, or name another bus.nkey_file",
        Login::Credentials(_) => {
            "look whether user and account are known, not revoked and not expired, or name another bus.credentials_file"
        }
    };
    Refusal::new(format!("the broker does not let in {}: {said}", who(login)), next)
}

fn handshake(error: &TlsError, options: &Options) -> Refusal {
    let tls = options.tls.as_ref();
    match error {
        TlsError::InvalidCertificate(found) => certificate(found, tls),
        TlsError::AlertReceived(alert) => {
            let shown = tls.and_then(|tls| tls.certificate.as_ref());
            let next = match shown {
                None => "show a certificate that the broker trusts: bus.tls_cert_file and bus.tls_key_file",
                Some(_) => "let an authority that the broker trusts issue bus.tls_cert_file anew",
            };
            let what = match (alert, shown) {
                (AlertDescription::CertificateRequired, _) | (AlertDescription::BadCertificate, None) => {
                    "the broker asks for a certificate, and there is none".to_owned()
                }
                (_, None) => format!("the broker ends the TLS handshake: {alert:?}"),
                (_, Some((file, _))) => format!("the broker refuses the certificate {}: {alert:?}", file.display()),
            };
            Refusal::new(what, next)
        }
        TlsError::InvalidMessage(_) => Refusal::new(
            format!("what answers there speaks no TLS: {error}"),
            "switch TLS on at the broker, or leave out tls:// and every bus.tls key",
        ),
        _ => Refusal::new(format!("there is no TLS with the broker: {error}"), "compare its TLS settings with ours"),
    }
}

fn certificate(found: &CertificateError, tls: Option<&Tls>) -> Refusal {
    let authority = tls.and_then(|tls| tls.authority.as_ref());
    match found {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Refusal::new(
            format!("the certificate of the broker is out of its time: {found}"),
            "renew it at the broker; if it is in its time, set the clock of this machine",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Refusal::new(
            format!("the certificate of the broker has another name: {found}"),
            "connect by a name that stands in it, or issue one with the name in bus.url",
        ),
        // An authority of the same name with another key looks like a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => match authority {
            None => Refusal::new(
                format!(
                    "the certificate of the broker comes from an authority that this system does not know: {found}"
                ),
                "name the certificate of its authority: bus.tls_ca_file",
            ),
            Some(file) => Refusal::new(
                format!(
                    "the certificate of the broker does not come from the authority in {}: {found}",
                    file.display()
                ),
                "name the certificate of its authority: bus.tls_ca_file",
            ),
        },
        _ => Refusal::new(format!("the certificate of the broker cannot be used: {found}"), "issue another one for it"),
    }
}

/// The first error of this kind among the causes. What an I/O error holds is no cause of it by its own account.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        at = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}

/// An error with its causes, each said once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(why) = source {
        let why_says = why.to_string();
        if !text.contains(&why_says) {
            text = format!("{text}: {why_says}");
        }
        source = why.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pair: what went wrong, and a word of what is said about it; without one, it is weather.
    #[test]
    fn what_passes_is_told_from_what_stays() {
        let tls = |error: TlsError| {
            ConnectError::with_source(ConnectErrorKind::Io, io::Error::new(io::ErrorKind::InvalidData, error))
        };
        let server = |said: &str| ConnectError::with_source(ConnectErrorKind::Io, ServerError::Other(said.to_owned()));
        let options = Options::default();
        for (error, wanted) in [
            (ConnectError::new(ConnectErrorKind::Dns), None),
            (ConnectError::new(ConnectErrorKind::TimedOut), None),
            (ConnectError::with_source(ConnectErrorKind::Io, "connection refused"), None),
            (server("Authentication Timeout"), None),
            (server("maximum connections exceeded"), None),
            (server("User Authentication Expired"), Some("bus.credentials_file")),
            (server("Account Authentication Expired"), Some("Account Authentication Expired")),
            (server("User Authentication Revoked"), Some("Revoked")),
            (ConnectError::new(ConnectErrorKind::AuthorizationViolation), Some("name a login")),
            (tls(TlsError::AlertReceived(AlertDescription::CertificateRequired)), Some("bus.tls_cert_file")),
            (tls(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)), Some("bus.tls_ca_file")),
            (tls(TlsError::InvalidCertificate(CertificateError::Expired)), Some("renew it")),
            (tls(TlsError::InvalidCertificate(CertificateError::Revoked)), Some("issue another one")),
        ] {
            let found = Refusal::of(&error, &options).map(|refusal| format!("{}; {}", refusal.why, refusal.next));
            match wanted {
                None => assert_eq!(found, None, "{error}"),
                Some(wanted) => assert!(found.as_ref().is_some_and(|said| said.contains(wanted)), "{error}: {found:?}"),
            }
        }
    }
}
