//! A table for each value of the world: what is read, and the example in the refusal of what is not.

use super::*;

/// `""` in the second place: accepted.
fn table<T: std::fmt::Debug>(read: fn(&str) -> Result<T, Expected>, rows: &[(&str, &str)]) {
    for (text, example) in rows {
        match (read(text), *example) {
            (Ok(_), "") => {}
            (Err(why), meant) if why.example == meant => assert!(why.to_string().starts_with("expected "), "{why}"),
            (found, meant) => panic!("{text:?}: {found:?}, and {meant:?} was to be the example"),
        }
    }
}
/// Texts that are read.
fn good<T: std::fmt::Debug>(read: fn(&str) -> Result<T, Expected>, texts: &[&str]) {
    texts.iter().for_each(|text| table(read, &[(text, "")]));
}
/// Texts that are not, with the example in their refusal.
fn bad<T: std::fmt::Debug>(read: fn(&str) -> Result<T, Expected>, example: &str, texts: &[&str]) {
    texts.iter().for_each(|text| table(read, &[(text, example)]));
}
/// A reader of borrowed text as one of owned text.
fn read_name(text: &str) -> Result<String, Expected> {
    name(text).map(str::to_owned)
}

#[test]
fn currencies_can_be_paid_with() {
    good(currency, &["EUR", "JPY", "KWD", "SLE", "VES"]);
    table(currency, &[("gbp", "GBP"), (" GBP", "GBP"), ("HRK", "EUR"), ("ZWL", "ZWG")]);
    bad(currency, "EUR", &["ZZZ", "EURO", "", "€", "XXX", "XTS", "XAU", "USN", "DEM"]);
    let all: Vec<_> = currencies().collect();
    assert!(all.len() > 140 && all.iter().all(|code| currency(code).is_ok()), "{}", all.len());
}

#[test]
fn countries_are_two_letters() {
    table(country, &[("GB", ""), ("SS", ""), ("gb", "GB")]);
    bad(country, "DE", &["XX", "UK", "", "DEU", "É"]);
    assert_eq!(countries().count(), 249);
}

#[test]
fn time_zones_are_those_of_the_database() {
    table(time_zone, &[("Europe/London", ""), ("UTC", ""), ("Asia/Kolkata", ""), ("europe/london", "Europe/London")]);
    bad(time_zone, "Europe/Berlin", &["Mars/Base", "", "Europe", "GMT+25", "Europe/Berlin\0", "../etc/passwd"]);
    assert!(time_zones().all(|name| time_zone(name).is_ok()));
}

#[test]
fn languages_are_registered() {
    good(language, &["en", "pt-BR", "zh-Hans", "nb", "yue", "de-CH-1996", "und"]);
    table(language, &[("EN", "en"), ("en_GB", "en-GB"), ("pt-br", "pt-BR"), ("iw", "he"), (" en", "en")]);
    for (text, canonical) in [
        ("en-Latn", "en"),
        ("de-Latn-CH", "de-CH"),
        ("ru-Cyrl", "ru"),
        ("ja-Jpan", "ja"),
        ("pt-Latn-BR", "pt-BR"),
        ("zh-Hans", "zh-Hans"),
        ("ru-Latn", "ru-Latn"),
        ("sr-Latn", "sr-Latn"),
    ] {
        assert_eq!(language(text).map(|tag| tag.as_str().to_owned()).as_deref(), Ok(canonical), "{text}");
    }
    bad(language, "en", &["klingon-!!", "klingon", "jp", "", "-", "en-", "english", "ελ"]);
    let long = format!("en-x-{}", ["abcdefgh"; 4].join("-"));
    let edge = &long[..LANGUAGE_CHARS_MAX];
    bad(language, "en", &[edge, &format!("{edge}x")]);
    // What is private or about sorting is left out, and so is a region that is none; the rest is the example.
    table(
        language,
        &[
            ("en-x-vi", "en"),
            ("en-XX", "en"),
            ("no-XX", "no"),
            ("no-ZZ", "no"),
            ("zh-Hans-QM", "zh-Hans"),
            ("pt-BR-x-casa", "pt-BR"),
            ("en-u-ca-buddhist", "en"),
        ],
    );
    bad(language, "en", &["zz", "mul", "zxx", "qaa", "x-vi"]);
    good(language, &["es-419", "en-GB", "sl-IT-rozaj"]);
}

#[test]
fn days_stand_in_the_calendar() {
    good(day, &["2000-01-01", "2099-12-31", "2028-02-29", "2026-11-30"]);
    bad(day, "2026-02-28", &["2026-02-30", "2026-02-29", "1999-12-31", "2100-01-01", "2026-2-3", "", "30.11.2026"]);
    bad(day, "2026-02-28", &["2026-02-03T00:00:00Z", " 2026-02-03", "+2026-02-03", "99999-01-01"]);
    assert_eq!(day("1998-01-01").unwrap_err().what, "a day from 2000 to 2099");
}

#[test]
fn addresses_can_be_written_to() {
    let label = |letter: &str, length: usize| letter.repeat(length);
    let of = |last: usize| format!("{}@{}.{}.{}.de", label("x", 64), label("d", 61), label("e", 61), label("f", last));
    assert_eq!(of(61).len(), EMAIL_BYTES_MAX - 1);
    good(email, &["ida@fjordlys.example", "a+b@x.co", &of(62)]);
    let strange = ["not an email", "", "@", "a@b", "a@", "a@@b.c", "Ida <ida@fjordlys.example>", "a@[127.0.0.1]"];
    bad(email, "ida@fjordlys.example", &strange);
    bad(email, "ida@fjordlys.example", &["a b@x.co", "a@x.co\n", &of(63)]);
}

#[test]
fn web_addresses_lead_somewhere() {
    let most = |chars: usize| format!("https://fjordlys.example/{}", "x".repeat(chars - 25));
    good(web_address, &["https://fjordlys.example", "http://x.example:8080/a?b=c#d", "HTTPS://Bücher.example/ä"]);
    good(web_address, &[&most(URL_CHARS_MAX)]);
    let example = "https://fjordlys.example";
    let schemes =
        ["javascript:alert(1)", "javascript://x.example/%0aalert(1)", "data:text/html,x", "file:///etc/passwd"];
    bad(web_address, example, &schemes);
    let hosts =
        ["fjordlys.example", "https:/fjordlys.example", "https://localhost", "https://", "", "https://127.0.0.1"];
    bad(web_address, example, &hosts);
    bad(web_address, example, &["ftp://x.example", " https://x.example", "https://x.example\n", "https://x.exa\tmple"]);
    bad(
        web_address,
        example,
        &["https://u:p@x.example", "https://u@x.example", "//x.example", &most(URL_CHARS_MAX + 1)],
    );
}

#[test]
fn names_are_seen() {
    good(read_name, &["می\u{200c}خواهم", "L\u{ad}ang", "✔\u{fe0f} Tents"]);
    bad(read_name, "Fjordlys Rederi", &["a\u{202e}b", "a\u{2066}b", "\u{200b}", "\u{2800}", "a\u{feff}b", "\u{e000}"]);
    for (text, said) in [("a\n\tb\u{200f}", None), ("a\u{202e}b", Some("U+202E")), ("abcdef", Some("at most 5"))] {
        assert_eq!(prose(text, 5).err().map(|why| why.what).is_some(), said.is_some(), "{text:?}");
        assert!(said.is_none_or(|said| prose(text, 5).unwrap_err().what.contains(said)), "{text:?}");
    }
}

#[test]
fn names_fit_a_line() {
    let most = "é".repeat(NAME_CHARS_MAX);
    good(read_name, &["A", &most, "O'Brien & Söhne, 東京"]);
    bad(read_name, "Fjordlys Rederi", &["", "  ", &format!("{most}x"), "two\nlines", "nul\0", &"x".repeat(5_000)]);
}

#[test]
fn platforms_and_formats_are_known_ones() {
    for word in PLATFORMS {
        good(platform, &[word, &word.to_uppercase()]);
    }
    for word in FORMATS {
        good(format, &[word, &format!(" {word} ")]);
    }
    bad(platform, "instagram", &["myspace", ""]);
    bad(format, "post", &["hologram", ""]);
}
