//! What stands behind a link of a package: bytes that it brings along, a file that others keep, or nothing. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saga_core::envelope::sha256_hex;

/// 2,048 bytes, as for every address.
const URL_BYTES_MAX: usize = 2_048;
/// Addresses that a client can open from wherever the archive lies.
const OPEN: [&str; 2] = ["https://", "http://"];
/// What renderers of before wrote. Nothing ever stood behind it, and packages of sagas that began then still name it.
const DEAD: &str = "asset://";

/// What an archive can make of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Behind {
    /// A file of the archive.
    Here(Vec<u8>),
    /// A link of the archive.
    Elsewhere,
    /// Nothing: a link that leads nowhere is left out.
    Nothing,
}

/// Looks at a link; what is wrong with it is a sentence.
pub(super) fn behind(url: &str, sha256: Option<&str>) -> Result<Behind, String> {
    if url.is_empty() || url.len() > URL_BYTES_MAX {
        return Err(format!("a link needs an address of at most {URL_BYTES_MAX} bytes"));
    }
    if let Some(inline) = url.strip_prefix("data:") {
        let (_, coded) = inline.split_once(";base64,").ok_or("a data: address needs its bytes in base64")?;
        let bytes = STANDARD.decode(coded).map_err(|why| format!("the data: address is not base64: {why}"))?;
        if sha256.is_some_and(|sha256| sha256 != sha256_hex(&bytes)) {
            return Err("the bytes of the data: address have another sha256 than the one that is named".to_owned());
        }
        return Ok(Behind::Here(bytes));
    }
    if OPEN.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())) {
        return Ok(Behind::Elsewhere);
    }
    if url.starts_with(DEAD) {
        return Ok(Behind::Nothing);
    }
    Err(format!("expected an https:// or a data: address, for example https://media.example/a.svg; got {url:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_brings_its_bytes_or_leads_somewhere_or_is_refused() {
        let picture = "<svg/>";
        let (sha256, inline) =
            (sha256_hex(picture.as_bytes()), format!("data:image/svg+xml;base64,{}", STANDARD.encode(picture)));
        let here = || Ok(Behind::Here(picture.as_bytes().to_vec()));
        assert_eq!(behind(&inline, Some(&sha256)), here());
        assert_eq!(behind(&inline, None), here());
        assert_eq!(behind("https://media.example/a.svg", Some(&sha256)), Ok(Behind::Elsewhere));
        assert_eq!(behind("http://media.example/a.svg", None), Ok(Behind::Elsewhere));
        assert_eq!(behind("asset://7bf32e691eb2.svg", Some(&sha256)), Ok(Behind::Nothing));
        let longest = format!("https://{}", "a".repeat(URL_BYTES_MAX - 8));
        assert_eq!(behind(&longest, None), Ok(Behind::Elsewhere));
        let other = "ab".repeat(32);
        let table = [
            ("", None, "at most 2048"),
            (&format!("{longest}a"), None, "at most 2048"),
            (&inline, Some(other.as_str()), "another sha256"),
            ("data:text/plain,hello", None, "in base64"),
            ("data:text/plain;base64,***", None, "not base64"),
            ("https://", None, "expected an https://"),
            ("file:///srv/a.svg", None, "expected an https://"),
            ("javascript:alert(1)", None, "expected an https://"),
            ("a.svg", None, "expected an https://"),
        ];
        for (url, sha256, why) in table {
            assert!(behind(url, sha256).is_err_and(|said| said.contains(why)), "{url}");
        }
    }
}
