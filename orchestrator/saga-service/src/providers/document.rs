//! A small PDF writer. The whole text is attached as UTF-8 beside the pages that show it.
//!
//! The fonts that every reader has know Western European letters only. A text with any other letter is not spelled
//! differently, not shown in part, and no notice stands in its place: it is no PDF, but a page (`page.rs`).

use delivery::api::print::win_ansi;
use std::fmt::Write;

/// The attachment's name.
pub const ATTACHMENT: &str = "strategy.txt";
/// 90 characters of Helvetica 10 fit between the margins of A4 on average; long words are cut.
const LINE_CHARS: usize = 90;
/// 14 points a line between margins of 56 points on 842.
const LINES_PER_PAGE: usize = 52;

/// The document as bytes: a catalogue, an attachment, a font, and pages. No dates, no random ids. Nothing where the font lacks
/// one of its letters.
pub fn pdf(title: &str, text: &str) -> Option<Vec<u8>> {
    let lines: Vec<Vec<u8>> = lines(title, text).iter().map(|line| printed(line)).collect::<Option<_>>()?;
    let pages: Vec<&[Vec<u8>]> = lines.chunks(LINES_PER_PAGE).collect();
    let mut file = File::default();
    // 1 catalogue, 2 pages, 3 font, 4 attachment, 5 its description, 6 information, then two objects for each page.
    let attached = format!("<< /EmbeddedFiles << /Names [({ATTACHMENT}) 5 0 R] >> >>");
    file.object(&format!("<< /Type /Catalog /Pages 2 0 R /Names {attached} /AF [5 0 R] /PageMode /UseAttachments >>"));
    let kids = (0..pages.len()).fold(String::new(), |mut kids, page| {
        let _infallible = write!(kids, "{} 0 R ", 7 + page * 2);
        kids
    });
    file.object(&format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len()));
    file.object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
    let params = format!("/Type /EmbeddedFile /Subtype /text#2Fplain /Params << /Size {} >>", text.len());
    file.stream(&params, text.as_bytes());
    file.object(&format!(
        "<< /Type /Filespec /F ({ATTACHMENT}) /UF ({ATTACHMENT}) /AFRelationship /Source /EF << /F 4 0 R >> >>"
    ));
    file.object(&format!("<< /Title {} >>", utf16(title)));
    for (page, lines) in pages.iter().enumerate() {
        file.object(&format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> \
             /Contents {} 0 R >>",
            8 + page * 2
        ));
        file.stream("", &content(lines));
    }
    Some(file.finish())
}

fn lines(title: &str, text: &str) -> Vec<String> {
    let mut lines = vec![title.to_owned(), String::new()];
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let wide = line.chars().count() + 1 + word.chars().count() > LINE_CHARS;
            if wide && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            for character in word.chars() {
                if line.chars().count() == LINE_CHARS {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(character);
            }
        }
        lines.push(line);
    }
    lines
}

/// The bytes of a line in the font's encoding, or nothing if one of its letters is not in it.
fn printed(line: &str) -> Option<Vec<u8>> {
    line.chars().map(win_ansi).collect()
}

fn content(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut content = b"BT /F1 10 Tf 14 TL 56 786 Td\n".to_vec();
    for line in lines {
        content.push(b'(');
        for &byte in line {
            if matches!(byte, b'(' | b')' | b'\\') {
                content.push(b'\\');
            }
            content.push(byte);
        }
        content.extend(b") Tj T*\n");
    }
    content.extend(b"ET");
    content
}

/// A text string of any script: UTF-16 with its mark, as hex.
fn utf16(text: &str) -> String {
    let mut hex = "<FEFF".to_owned();
    for unit in text.encode_utf16() {
        let _infallible = write!(hex, "{unit:04X}");
    }
    hex + ">"
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    offsets: Vec<usize>,
}

impl File {
    fn open(&mut self) {
        if self.bytes.is_empty() {
            self.bytes.extend(b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n");
        }
        self.offsets.push(self.bytes.len());
        self.bytes.extend(format!("{} 0 obj\n", self.offsets.len()).bytes());
    }
    fn object(&mut self, body: &str) {
        self.open();
        self.bytes.extend(body.bytes());
        self.bytes.extend(b"\nendobj\n");
    }
    fn stream(&mut self, entries: &str, body: &[u8]) {
        self.open();
        self.bytes.extend(format!("<< {entries} /Length {} >>\nstream\n", body.len()).bytes());
        self.bytes.extend(body);
        self.bytes.extend(b"\nendstream\nendobj\n");
    }
    fn finish(mut self) -> Vec<u8> {
        let start = self.bytes.len();
        let size = self.offsets.len() + 1;
        self.bytes.extend(format!("xref\n0 {size}\n0000000000 65535 f \n").bytes());
        for offset in &self.offsets {
            self.bytes.extend(format!("{offset:010} 00000 n \n").bytes());
        }
        let trailer = format!("trailer\n<< /Size {size} /Root 1 0 R /Info 6 0 R >>\nstartxref\n{start}\n%%EOF\n");
        self.bytes.extend(trailer.bytes());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pdf(title: &str, text: &str) -> Vec<u8> {
        super::pdf(title, text).unwrap()
    }
    fn has(pdf: &[u8], text: &str) -> bool {
        pdf.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn every_offset_in_the_table_is_where_its_object_is() {
        let pdf = pdf("Strategy", &"A line of text.\n".repeat(200));
        let tail = String::from_utf8_lossy(&pdf);
        let start: usize = tail.rsplit("startxref\n").next().unwrap().lines().next().unwrap().parse().unwrap();
        assert!(pdf[start..].starts_with(b"xref"));
        let table = String::from_utf8_lossy(&pdf[start..]).into_owned();
        for (number, row) in (1..).zip(table.lines().skip(3).take_while(|row| row.ends_with(" n "))) {
            let offset: usize = row[..10].parse().unwrap();
            assert!(pdf[offset..].starts_with(format!("{number} 0 obj").as_bytes()), "object {number}");
        }
        assert!(has(&pdf, "/Count 4"), "202 lines are four pages");
    }

    #[test]
    fn western_letters_are_shown_and_attached() {
        let pdf = pdf("Backhaus", "Grüße (heute) — 5 €");
        assert!(pdf.windows(16).any(|window| window == b"Gr\xFC\xDFe \\(heute\\) \x97".get(..16).unwrap()));
        assert!(has(&pdf, "Grüße (heute) — 5 €"), "the attachment is UTF-8");
    }

    #[test]
    fn letters_that_the_font_lacks_are_no_document() {
        for text in
            ["月曜日を取り戻す", "تمور النور", "Ελληνικό μέλι", "тайга", "गंगा", "Zeytin sabunu, altı ay", "한빛"]
        {
            assert_eq!(super::pdf("A title", text), None, "{text}");
            assert_eq!(super::pdf(text, "A text"), None, "{text}");
        }
    }

    #[test]
    fn the_same_text_is_the_same_bytes_and_long_words_do_not_run_off_the_page() {
        assert_eq!(pdf("a", "b"), pdf("a", "b"));
        assert!(lines("t", &"x".repeat(1_000)).iter().all(|line| line.chars().count() <= LINE_CHARS));
    }
}
