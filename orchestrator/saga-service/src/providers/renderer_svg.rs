//! Renders an asset as a small SVG card: the built-in media renderer. The same words are the same file.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use production::api::providers::{MediaRenderer, ProviderError, RenderOrder, Rendered};
use saga_core::envelope::sha256_hex;
use saga_core::id::StepKey;

/// Renders cards. A card is small enough to travel in its own address, so that its receiver needs no file of ours.
#[derive(Debug, Clone, Copy, Default)]
pub struct SvgRenderer;

/// How many characters stand on a card's line.
const LINE_CHARS: usize = 28;
/// How many lines of a hook a card has room for.
const LINES_MAX: usize = 6;
/// How many lines of a call to action.
const CALL_LINES_MAX: usize = 2;
/// 2,048 bytes, as for every address.
const URL_BYTES_MAX: usize = 2_048;

/// The card of an asset, as a text, with at most so many lines of its hook.
fn card(order: &RenderOrder, lines_max: usize) -> String {
    let (width, height) = size(&order.spec.format);
    let shade = order.content_hash.get(..6).unwrap_or("445566");
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" xml:lang=\"{}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#{shade}\"/>\n\
         <g fill=\"#fff\" text-anchor=\"middle\" font-size=\"56\">\n",
        escaped(&order.spec.language),
    );
    let mut line = |y: usize, text: &str| svg += &format!("<text x=\"50%\" y=\"{y}\">{}</text>\n", escaped(text));
    for (row, text) in lines(&order.copy.hook, lines_max).iter().enumerate() {
        line(200 + row * 84, text);
    }
    let call = order.copy.cta.as_deref().map(|call| lines(call, CALL_LINES_MAX)).unwrap_or_default();
    for (row, text) in call.iter().enumerate() {
        line(height - 96 - (call.len() - 1 - row) * 72, text);
    }
    svg + "</g>\n</svg>\n"
}

/// The address of a card, with as many lines as fit into one.
fn address(order: &RenderOrder) -> Option<(String, String)> {
    let cards = (1..=LINES_MAX).rev().map(|lines_max| card(order, lines_max));
    let mut addressed = cards.map(|svg| (format!("data:image/svg+xml;base64,{}", STANDARD.encode(&svg)), svg));
    addressed.find(|(url, _)| url.len() <= URL_BYTES_MAX)
}

fn size(format: &str) -> (usize, usize) {
    match format {
        "reel" | "story" => (1_080, 1_920),
        "video" => (1_920, 1_080),
        _ => (1_080, 1_080),
    }
}

/// Breaks at spaces where there are some, and anywhere in a word that is longer than a line.
fn lines(text: &str, lines_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let chars: Vec<char> = word.chars().collect();
        for (index, piece) in chars.chunks(LINE_CHARS).enumerate() {
            let last = lines.last().map_or(0, |line| line.chars().count());
            let joined = last > 0 && index == 0 && last + 1 + piece.len() <= LINE_CHARS;
            if !joined && last > 0 {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if joined {
                    line.push(' ');
                }
                line.extend(piece);
            }
        }
    }
    lines.truncate(lines_max);
    lines
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[async_trait]
impl MediaRenderer for SvgRenderer {
    async fn render(&self, _: StepKey, order: &RenderOrder) -> Result<Rendered, ProviderError> {
        let code = || ProviderError::Rejected { code: "CARD_TOO_LARGE".to_owned() };
        let (url, svg) = address(order).ok_or_else(code)?;
        Ok(Rendered { asset_type: "image".to_owned(), url, sha256: sha256_hex(svg.as_bytes()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use production::api::dtos::{AssetCopy, AssetSpec};
    use saga_core::id::Direction;
    use saga_testkit::stage::ready;
    use uuid::Uuid;

    fn order(hook: &str, cta: &str) -> RenderOrder {
        let (platform, format, language) = ("instagram".to_owned(), "reel".to_owned(), "en".to_owned());
        let cta = Some(cta.to_owned());
        RenderOrder {
            spec: AssetSpec { platform, format, language, variant: 1 },
            copy: AssetCopy { hook: hook.to_owned(), cta, ..AssetCopy::default() },
            content_hash: "7bf32e691eb2".to_owned(),
        }
    }

    #[test]
    fn a_card_is_well_formed_and_depends_on_the_words_only() {
        let order = |hook: &str| order(hook, "Order <now> & \"here\"");
        let svg = card(&order(&"絵本".repeat(40)), LINES_MAX);
        assert!(svg.contains("height=\"1920\"") && svg.contains("Order &lt;now&gt; &amp; &quot;here&quot;"), "{svg}");
        assert!(svg.matches("<text").count() == 4 && svg.ends_with("</svg>\n"), "{svg}");
        assert_eq!(card(&order("a"), 1), card(&order("a"), 1));
        assert_ne!(card(&order("a"), 1), card(&order("b"), 1));
    }

    #[test]
    fn every_card_travels_in_its_own_address() {
        let key = StepKey::derive(Uuid::from_u128(1), "render", Direction::Do);
        // The longest that production takes, in letters of one to four bytes, and in what has to be escaped.
        for letter in ["a", "é", "絵", "𠮷", "&", "\"", "🦊"] {
            let order = order(&letter.repeat(500), &letter.repeat(200));
            let card = ready(SvgRenderer.render(key, &order)).unwrap();
            assert!(card.url.len() <= URL_BYTES_MAX, "{letter}: {}", card.url.len());
            let coded = card.url.strip_prefix("data:image/svg+xml;base64,").unwrap();
            let svg = STANDARD.decode(coded).unwrap();
            assert_eq!(card.sha256, sha256_hex(&svg), "{letter}");
            assert!(String::from_utf8(svg).unwrap().ends_with("</g>\n</svg>\n"), "{letter}");
        }
    }
}
