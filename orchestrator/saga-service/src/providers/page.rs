//! A document as a page of the web: every device shows it in every script, and in the direction of each paragraph.

use super::artifacts::said;
use delivery::api::providers::{Part, PartContent};
use orchestration::api::languages;
use std::fmt::Write;

/// Wide enough to read, and not wider; nothing is fetched from anywhere.
const STYLE: &str = "body{max-width:42em;margin:2em auto;padding:0 1em;font:1em/1.5 sans-serif}";

/// The page as bytes: a title, and a section for each part, in the language of the first heading that the house writes. No
/// script, no date, nothing from elsewhere.
pub fn html(title: &str, parts: &[Part]) -> Vec<u8> {
    let title = escaped(title);
    let language = parts.iter().find_map(|part| languages::of_summary(&part.name));
    let language = language.map_or_else(String::new, |tag| format!(" lang=\"{tag}\""));
    let mut page = format!(
        "<!DOCTYPE html>\n<html{language}>\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<h1 dir=\"auto\">{title}</h1>\n"
    );
    for part in parts {
        let _infallible = writeln!(page, "<h2 dir=\"auto\">{}</h2>", escaped(&part.name));
        if let PartContent::Link { url, .. } = &part.content {
            let url = escaped(url);
            let _infallible = writeln!(page, "<p><a href=\"{url}\">{url}</a></p>");
            continue;
        }
        for line in said(part).lines().filter(|line| !line.trim().is_empty()) {
            let _infallible = writeln!(page, "<p dir=\"auto\">{}</p>", escaped(line));
        }
    }
    page.push_str("</body>\n</html>\n");
    page.into_bytes()
}

/// A text in which nothing is markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_says_which_language_it_is_in() {
        for (name, opening) in [("Özet", "<html lang=\"tr\">"), ("概要", "<html lang=\"ja\">"), ("Sonstiges", "<html>")]
        {
            let part = Part { name: name.to_owned(), content: PartContent::Bytes(b"x".to_vec()) };
            let page = String::from_utf8(html("x", &[part])).unwrap();
            assert!(page.contains(opening), "{name}: {page}");
        }
    }

    #[test]
    fn every_script_stands_there_letter_for_letter_and_nothing_is_markup() {
        let part = |name: &str, text: &str| Part {
            name: name.to_owned(),
            content: PartContent::Bytes(text.as_bytes().to_vec()),
        };
        let parts = [part("تمور", "ज्ञान सेतु\n\n月曜日 & <b>한빛</b>"), part("b", "Zeytin \"sabunu\"")];
        let page = String::from_utf8(html("Ελλάς <x>", &parts)).unwrap();
        for said in [
            "<h1 dir=\"auto\">Ελλάς &lt;x&gt;</h1>",
            "<h2 dir=\"auto\">تمور</h2>\n<p dir=\"auto\">ज्ञान सेतु</p>\n<p dir=\"auto\">月曜日 &amp; &lt;b&gt;한빛&lt;/b&gt;</p>",
            "<p dir=\"auto\">Zeytin &quot;sabunu&quot;</p>",
        ] {
            assert!(page.contains(said), "{said}\n{page}");
        }
        assert_eq!(page.as_bytes(), html("Ελλάς <x>", &parts));
    }
}
