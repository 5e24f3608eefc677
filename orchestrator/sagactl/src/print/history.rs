//! `saga history`: the facts of one saga, oldest first.

use crate::print::style::{Ink, Style};
use crate::print::table::{Cell, Column, Rendered, Table};
use saga_core::control::Page;
use saga_core::view::HistoryRow;

/// The table. Times of day are in UTC.
pub fn render(page: &Page<HistoryRow>, style: &Style) -> Rendered {
    let mut table = Table::new([
        Column::new("REV").right(),
        Column::new(if style.is_relative() { "TIME UTC" } else { "TIME" }).drop(2),
        Column::new("FACT"),
        Column::new("BY").least(6).drop(1),
        Column::new("DETAIL").least(20),
        Column::new("POSITION").right().wide(),
    ]);
    for row in &page.items {
        table.row([
            Cell::new(row.rev.to_string()),
            Cell::ink(style.clock(row.at), Ink::Dim),
            Cell::ink(style.clean(&row.fact), Ink::Bold),
            Cell::new(style.clean(&row.by)),
            Cell::new(style.clean(&row.detail)),
            Cell::ink(row.position.to_string(), Ink::Dim),
        ]);
    }
    table.render(style)
}
