//! Guards the port: the rules that keep pages in a browser out of a loopback port, and the two headers of an order.

use crate::query;
use crate::wire::{ACTOR_HEADER, LAST_EVENT_HEADER, PROCESS_HEADER, REQUEST_HEADER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::envelope::Actor;
use saga_core::id::RequestId;
use saga_core::plain;
use std::net::IpAddr;

/// Refuses foreign host names (a page that made its name point here), foreign origins (a page that posts here), and bodies
/// that a page could have sent without being asked for permission first.
pub fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ControlError> {
    let host = one(headers, &header::HOST)?.unwrap_or_default();
    if !is_loopback(host) || uri.authority().is_some_and(|named| named.as_str() != host) {
        return Err(not_allowed(format!("requests under the host name {host:?} are refused")));
    }
    if let Some(origin) = one(headers, &header::ORIGIN)?
        && origin.strip_prefix("http://") != Some(host)
    {
        return Err(not_allowed(format!("requests from the origin {origin:?} are refused")));
    }
    // A browser says so itself, also where it sends no origin.
    if let Some(site) = one(headers, &HeaderName::from_static("sec-fetch-site"))?
        && !matches!(site, "none" | "same-origin")
    {
        return Err(not_allowed(format!("requests of another page ({site}) are refused")));
    }
    if method == Method::GET || method == Method::HEAD {
        return Ok(());
    }
    let length = one(headers, &header::CONTENT_LENGTH)?.unwrap_or("0");
    let has_body = length != "0" || headers.contains_key(header::TRANSFER_ENCODING);
    let kind = one(headers, &header::CONTENT_TYPE)?;
    if kind.map_or(has_body, |kind| !is_json(kind)) {
        return Err(ControlError::new(codes::NOT_JSON, "a body must be application/json, in UTF-8")
            .hint("curl -H 'content-type: application/json' …"));
    }
    Ok(())
}

/// Refuses what is meant for another process: one that had this address before, or that runs the original of a copied folder.
pub fn is_meant(headers: &HeaderMap, process: &str) -> Result<(), ControlError> {
    match one(headers, &HeaderName::from_static(PROCESS_HEADER))? {
        Some(meant) if meant != process => Err(ControlError::new(
            codes::NOBODY_RUNS,
            "another process answers at this address than the folder names; nothing was done",
        )
        .hint("try again: the folder is looked at anew")),
        _ => Ok(()),
    }
}

/// The value of a header that may stand there once: of two, each reader believes another one.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ControlError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(not_allowed(format!("the header {name} stands there twice")));
    }
    let text = |value: &'a HeaderValue| value.to_str().map_err(|_| not_allowed(format!("{name} is not ASCII text")));
    first.map(text).transpose()
}

/// JSON is UTF-8; a type that says it is in something else says that its bytes mean something else.
fn is_json(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let utf8 = |part: &str| match part.split_once('=') {
        Some((name, value)) => {
            name.trim().eq_ignore_ascii_case("charset") && value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        None => part.is_empty(),
    };
    essence.eq_ignore_ascii_case("application/json") && parts.all(utf8)
}

/// Whether an authority (`host` or `host:port`, and nothing else) names this machine's loopback.
pub fn is_loopback(authority: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().is_ok() && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = match authority.rsplit_once(':') {
        Some((name, digits)) if port(digits) => name,
        _ => authority,
    };
    let address = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse().map(IpAddr::V6),
        None => name.parse().map(IpAddr::V4),
    };
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The operator of a request. Without the header it is `local`: every client that reaches the port is trusted in this
/// stage.
pub fn actor(headers: &HeaderMap) -> Result<Actor, ControlError> {
    let name = HeaderName::from_static(ACTOR_HEADER);
    let Some(value) = one(headers, &name)? else { return Ok(Actor::operator("local")) };
    let refused = |why: String| {
        ControlError::new(codes::USAGE, format!("{ACTOR_HEADER}: {why}"))
            .hint("a name, percent-encoded; the command line takes it from --as NAME")
    };
    let text = query::decode(value).ok_or_else(|| refused(format!("{value:?} is not percent-encoded UTF-8")))?;
    plain::name(&text).map(Actor::operator).map_err(refused)
}

/// The cursor of a reader of changes who comes back: browsers send it by themselves.
pub fn last_event(headers: &HeaderMap) -> Result<Option<String>, ControlError> {
    let last = one(headers, &HeaderName::from_static(LAST_EVENT_HEADER))?;
    Ok(last.filter(|text| !text.is_empty()).map(str::to_owned))
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

/// The revision that an order is bound to: the saga's `rev`, as a number or as the entity tag of its page. `*` binds to
/// nothing more than that there is such a saga.
pub fn if_match(headers: &HeaderMap) -> Result<Option<u64>, ControlError> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match bare.parse() {
        _ if values.next().is_some() => Err(unmatched("it comes twice")),
        Ok(rev) => Ok(Some(rev)),
        Err(_) if text == "*" => Ok(None),
        Err(_) => Err(unmatched(&format!("{text:?} is no revision"))),
    }
}

fn unmatched(why: &str) -> ControlError {
    ControlError::new(codes::USAGE, format!("if-match: {why}")).hint("for example if-match: \"14\", the saga's rev")
}

fn not_allowed(message: String) -> ControlError {
    ControlError::new(codes::NOT_ALLOWED, message).hint("the admin API answers programs on this machine only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_in_utf_8_or_it_is_none() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json ; charset=\"utf-8\";",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "text/json",
            "application/jsonevil",
            "application/json;charset=latin1",
            "application/json;charset=utf-16",
            "application/json; charset=utf-8; charset=latin1",
            "application/json; boundary=x",
            "application/json; x",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[test]
    fn only_loopback_names_are_this_machine() {
        for good in ["127.0.0.1:7420", "localhost:1", "LOCALHOST", "[::1]:80", "[::1]", "127.9.9.9"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            ":7420",
            "example.com:7420",
            "10.0.0.1:7420",
            "127.0.0.1.example.com:1",
            "[2001:db8::1]:80",
            "127.0.0.1:1@evil",
            "127.0.0.1@evil:1",
            "127.0.0.1:80:80",
            "127.0.0.1:+1",
            "127.0.0.1:99999",
            "127.0.0.1:",
            "[::1].evil.com",
            "[::1]:1.evil.com",
            "[127.0.0.1]:1",
            "::1",
            "localhost.evil.com",
            "localhost:1/",
            "127.1",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
