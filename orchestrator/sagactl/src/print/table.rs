//! Tables without borders: columns two spaces apart that shrink and drop by width; tabs and everything elsewhere.

use crate::print::style::{Ink, Style, width};
use unicode_width::UnicodeWidthChar;

/// Between columns.
const GAP: usize = 2;

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub head: &'static str,
    /// When space is short the lowest number goes first; 0 never goes.
    pub drop: u8,
    /// It may be cut down to this width; 0: it is never cut.
    pub least: usize,
    /// Numbers stand to the right.
    pub right: bool,
    /// Only with `-o wide`, and in pipes.
    pub wide: bool,
}

impl Column {
    /// A column that always stays whole.
    pub const fn new(head: &'static str) -> Self {
        Self { head, drop: 0, least: 0, right: false, wide: false }
    }
    /// It may go, in this order.
    #[must_use]
    pub const fn drop(mut self, order: u8) -> Self {
        self.drop = order;
        self
    }
    /// It may be cut down to this width.
    #[must_use]
    pub const fn least(mut self, least: usize) -> Self {
        self.least = least;
        self
    }
    /// Numbers.
    #[must_use]
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }
    /// Only when every column is wanted.
    #[must_use]
    pub const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }
}

/// One cell: its text is clean already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    ink: Ink,
}

impl Cell {
    /// A plain cell.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ink: Ink::Plain }
    }
    /// A cell in an ink.
    pub fn ink(text: impl Into<String>, ink: Ink) -> Self {
        Self { text: text.into(), ink }
    }
}

/// A table on its way to text.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

/// A table as text, and what did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The lines.
    pub text: String,
    /// Headings of columns that were left out for width.
    pub dropped: Vec<&'static str>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new(), indent: 0 }
    }
    /// Spaces before each line on a terminal.
    #[must_use]
    pub fn indent(mut self, indent: usize) -> Self {
        self.indent = indent;
        self
    }
    /// Adds a row: one cell for each column.
    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }
    /// Lays it out.
    pub fn render(&self, style: &Style) -> Rendered {
        if style.terminal { self.aligned(style) } else { Rendered { text: self.tabbed(), dropped: Vec::new() } }
    }
    fn tabbed(&self) -> String {
        let mut text = String::new();
        let heads: Vec<&str> = self.columns.iter().map(|column| column.head).collect();
        text.push_str(&heads.join("\t"));
        text.push('\n');
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
            text.push_str(&cells.join("\t"));
            text.push('\n');
        }
        text
    }
    fn aligned(&self, style: &Style) -> Rendered {
        let (kept, widths, dropped) = self.layout(style);
        let mut text = String::new();
        let heads: Vec<Cell> = self.columns.iter().map(|column| Cell::ink(column.head, Ink::Dim)).collect();
        for row in std::iter::once(&heads).chain(&self.rows) {
            let mut line = " ".repeat(self.indent);
            for (place, (&index, &wide)) in kept.iter().zip(&widths).enumerate() {
                let (Some(cell), Some(column)) = (row.get(index), self.columns.get(index)) else { continue };
                let shown = fit(&cell.text, wide, style);
                let pad = " ".repeat(wide.saturating_sub(width(&shown)));
                let painted = style.paint(cell.ink, &shown);
                let last = place + 1 == kept.len();
                match (column.right, last) {
                    (true, _) => line.push_str(&format!("{pad}{painted}")),
                    (false, true) => line.push_str(&painted),
                    (false, false) => line.push_str(&format!("{painted}{pad}")),
                }
                if !last {
                    line.push_str(&" ".repeat(GAP));
                }
            }
            text.push_str(line.trim_end_matches(' '));
            text.push('\n');
        }
        Rendered { text, dropped }
    }
    /// Which columns stay, how wide each is, and which went: first long cells are cut to their least, then a column goes.
    fn layout(&self, style: &Style) -> (Vec<usize>, Vec<usize>, Vec<&'static str>) {
        let mut kept: Vec<usize> =
            (0..self.columns.len()).filter(|&index| style.wide || !self.at(index).wide).collect();
        let mut dropped = Vec::new();
        let room = style.width.saturating_sub(self.indent);
        loop {
            let natural: Vec<usize> = kept.iter().map(|&index| self.natural(index)).collect();
            if style.wide || !style.cut || total(&natural) <= room {
                return (kept, natural, dropped);
            }
            let cut = self.shrink(&kept, &natural, room);
            if total(&cut) <= room {
                return (kept, cut, dropped);
            }
            let next = kept.iter().filter(|&&index| self.at(index).drop > 0).min_by_key(|&&index| self.at(index).drop);
            match next.copied() {
                Some(index) => {
                    dropped.push(self.at(index).head);
                    kept.retain(|&other| other != index);
                }
                None => return (kept, cut, dropped),
            }
        }
    }
    /// Takes space from the widest column that can give some, until it fits or none can.
    fn shrink(&self, kept: &[usize], natural: &[usize], room: usize) -> Vec<usize> {
        let mut widths = natural.to_vec();
        while total(&widths) > room {
            let over = total(&widths) - room;
            let giving = kept.iter().zip(&mut widths).filter(|(index, wide)| {
                let least = self.at(**index).least;
                least > 0 && **wide > least
            });
            let Some((index, wide)) = giving.max_by_key(|(_, wide)| **wide) else { break };
            *wide = wide.saturating_sub(over).max(self.at(*index).least);
        }
        widths
    }
    fn natural(&self, index: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| width(&cell.text));
        cells.max().unwrap_or(0).max(width(self.at(index).head))
    }
    fn at(&self, index: usize) -> Column {
        self.columns.get(index).copied().unwrap_or(Column::new(""))
    }
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Cuts a text to a width and shows that it was cut.
pub(crate) fn fit(text: &str, wide: usize, style: &Style) -> String {
    if width(text) <= wide {
        return text.to_owned();
    }
    let mark = style.sign("…", "~");
    let mut out = String::new();
    let mut used = width(mark);
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > wide {
            break;
        }
        out.push(character);
    }
    out.push_str(mark);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_testkit::fixtures::NOW;

    fn table() -> Table {
        let mut table = Table::new([
            Column::new("ID"),
            Column::new("NAME").least(6).drop(2),
            Column::new("AGE").drop(1).right(),
            Column::new("MORE").wide(),
        ]);
        table.row([Cell::new("1"), Cell::new("日本語 and more"), Cell::new("42m"), Cell::new("x")]);
        table
    }

    #[test]
    fn columns_shrink_then_drop_in_order() {
        let at = |width| table().render(&Style { colour: false, ..Style::terminal(NOW, width) });
        assert_eq!(at(40).text, "ID  NAME             AGE\n1   日本語 and more  42m\n");
        assert_eq!(at(16).text, "ID  NAME     AGE\n1   日本語…  42m\n");
        assert_eq!(at(12).dropped, ["AGE"]);
        assert_eq!(at(4).dropped, ["AGE", "NAME"]);
    }

    #[test]
    fn elsewhere_every_column_is_there_whole() {
        let text = table().render(&Style::pipe(NOW)).text;
        assert_eq!(text, "ID\tNAME\tAGE\tMORE\n1\t日本語 and more\t42m\tx\n");
    }
}
