//! A document in parts: fenced blocks, lines indented like code, prose, and what stands between backticks.

/// A fenced block: the words behind the fence, and the text inside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) language: String,
    pub(super) text: String,
}

/// The text of a document in three kinds: fenced blocks, lines indented like code, and prose.
pub(super) struct Parts {
    pub(super) blocks: Vec<Block>,
    pub(super) indented: Vec<String>,
    pub(super) prose: Vec<String>,
}

pub(super) fn parts(text: &str) -> Parts {
    let mut found = Parts { blocks: Vec::new(), indented: Vec::new(), prose: Vec::new() };
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some(Block { language: language.to_owned(), text: String::new() }),
            (Some(_), Some(block)) => found.blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) if line.starts_with("    ") => found.indented.push(line.trim().to_owned()),
            (None, None) => found.prose.push(line.to_owned()),
        }
    }
    found.blocks.extend(open);
    found
}

/// The texts between backticks; a span may be broken over two lines.
pub(super) fn spans(prose: &[String]) -> Vec<String> {
    let joined = prose.join("\n");
    let inside = joined.split('`').skip(1).step_by(2);
    inside.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}
