//! Who asks: the rules that keep pages in a browser out of a loopback port, and the two headers of an order.

use crate::query;
use crate::wire::{ACTOR_HEADER, REQUEST_HEADER};
use axum::http::{HeaderMap, Method, header};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::envelope::Actor;
use saga_core::id::RequestId;

/// 64 bytes name any person; more is somebody else's text.
pub const ACTOR_BYTES_MAX: usize = 64;

/// Refuses foreign host names (a page that made its name point here), foreign origins (a page that posts here), and bodies
/// that a plain form could have sent.
pub fn check(method: &Method, headers: &HeaderMap) -> Result<(), ControlError> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).unwrap_or_default();
    if !is_loopback(host) {
        return Err(not_allowed(format!("requests under the host name {host:?} are refused")));
    }
    if let Some(origin) = text(header::ORIGIN)
        && origin.strip_prefix("http://") != Some(host)
    {
        return Err(not_allowed(format!("requests from the origin {origin:?} are refused")));
    }
    let form = |kind: &str| !kind.trim().to_ascii_lowercase().starts_with("application/json");
    if method == Method::POST && text(header::CONTENT_TYPE).is_some_and(form) {
        return Err(ControlError::new(codes::USAGE, "a body must be application/json")
            .hint("curl -H 'content-type: application/json' …"));
    }
    Ok(())
}

/// Whether an authority (`host:port`) names this machine's loopback.
pub fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The operator of a request. Without the header it is `local`: whoever reaches the port is trusted in this stage.
pub fn actor(headers: &HeaderMap) -> Result<Actor, ControlError> {
    let Some(value) = headers.get(ACTOR_HEADER) else { return Ok(Actor::operator("local")) };
    let name = value.to_str().ok().and_then(query::decode).filter(|name| {
        let plain = !name.trim().is_empty() && !name.chars().any(char::is_control);
        plain && name.len() <= ACTOR_BYTES_MAX
    });
    let refused = || {
        let message = format!("{ACTOR_HEADER} is not a name of at most {ACTOR_BYTES_MAX} bytes, percent-encoded");
        ControlError::new(codes::USAGE, message)
    };
    name.map(Actor::operator).ok_or_else(refused)
}

/// The request id of an order. It is the sender's to choose: only so is a repeated order recognised.
pub fn request_id(headers: &HeaderMap) -> Result<RequestId, ControlError> {
    let value = headers.get(REQUEST_HEADER).and_then(|value| value.to_str().ok());
    value.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let message = match value {
            Some(text) => format!("{REQUEST_HEADER}: {text:?} is not a UUID"),
            None => format!("an order needs the header {REQUEST_HEADER}, a UUID"),
        };
        ControlError::new(codes::USAGE, message)
            .hint("the same id twice is one effect, so choose it and keep it to retry")
    })
}

fn not_allowed(message: String) -> ControlError {
    ControlError::new(codes::NOT_ALLOWED, message).hint("the admin API answers programs on this machine only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_machine() {
        for good in ["127.0.0.1:7420", "localhost:1", "[::1]:80", "127.9.9.9"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in ["", "example.com:7420", "10.0.0.1:7420", "127.0.0.1.example.com:1", "[2001:db8::1]:80"] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
