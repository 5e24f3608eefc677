//! Renders an asset as a small SVG card: the built-in media renderer. The same words are the same file.

use async_trait::async_trait;
use production::api::ports::{MediaRenderer, ProviderError, RenderOrder, Rendered};
use saga_core::envelope::sha256_hex;
use saga_core::id::StepKey;

/// Renders cards and keeps nothing: a card can be made again from the asset at any time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SvgRenderer;

/// How many characters of a hook stand on a card's line.
const LINE_CHARS: usize = 28;
/// How many lines a card has room for.
const LINES_MAX: usize = 6;

/// The card of an asset, as a text.
pub fn card(order: &RenderOrder) -> String {
    let (width, height) = size(&order.spec.format);
    let shade = order.content_hash.get(..6).unwrap_or("445566");
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" xml:lang=\"{}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#{shade}\"/>\n",
        escaped(&order.spec.language),
    );
    for (row, line) in lines(&order.copy.hook).iter().enumerate() {
        let y = 200 + row * 84;
        svg += &format!(
            "<text x=\"50%\" y=\"{y}\" font-size=\"56\" fill=\"#fff\" text-anchor=\"middle\">{}</text>\n",
            escaped(line)
        );
    }
    if let Some(cta) = &order.copy.cta {
        let y = height - 96;
        svg += &format!(
            "<text x=\"50%\" y=\"{y}\" font-size=\"44\" fill=\"#fff\" text-anchor=\"middle\">{}</text>\n",
            escaped(cta)
        );
    }
    svg += &format!("<metadata>{}</metadata>\n</svg>\n", escaped(&order.content_hash));
    svg
}

fn size(format: &str) -> (usize, usize) {
    match format {
        "reel" | "story" => (1_080, 1_920),
        "video" => (1_920, 1_080),
        _ => (1_080, 1_080),
    }
}

/// Breaks at spaces where there are some, and anywhere in a word that is longer than a line.
fn lines(text: &str) -> Vec<String> {
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
    lines.truncate(LINES_MAX);
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
        let sha256 = sha256_hex(card(order).as_bytes());
        let url = format!("asset://{}.svg", order.content_hash);
        Ok(Rendered { asset_type: "image".to_owned(), url, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use production::api::dtos::{AssetCopy, AssetSpec};

    #[test]
    fn a_card_is_well_formed_and_depends_on_the_words_only() {
        let order = |hook: &str| RenderOrder {
            spec: AssetSpec {
                platform: "instagram".to_owned(),
                format: "reel".to_owned(),
                language: "en".to_owned(),
                variant: 1,
            },
            copy: AssetCopy {
                hook: hook.to_owned(),
                cta: Some("Order <now> & \"here\"".to_owned()),
                ..AssetCopy::default()
            },
            content_hash: "7bf32e691eb2".to_owned(),
        };
        let svg = card(&order(&"絵本".repeat(40)));
        assert!(svg.contains("height=\"1920\"") && svg.contains("Order &lt;now&gt; &amp; &quot;here&quot;"), "{svg}");
        assert!(svg.matches("<text").count() == 4 && svg.ends_with("</svg>\n"), "{svg}");
        assert_eq!(card(&order("a")), card(&order("a")));
        assert_ne!(card(&order("a")), card(&order("b")));
    }
}
