//! `module list` and `definition list`: which process serves which module, and which plans are registered.

use crate::print::style::{Ink, Style};
use crate::print::table::{Cell, Column, Rendered, Table};
use saga_core::control::{DefinitionRow, Page};
use saga_core::view::ModuleRow;

/// The modules.
pub fn render(page: &Page<ModuleRow>, style: &Style) -> Rendered {
    let name = if style.terminal { "  MODULE" } else { "MODULE" };
    let mut table = Table::new([
        Column::new(name),
        Column::new("CONTRACT").drop(2),
        Column::new("COMMANDS").right().drop(5),
        Column::new("QUERIES").right().drop(4),
        Column::new("LAG").right(),
        Column::new("PARKED").right().drop(6),
        Column::new("LAST SEEN").drop(3),
        Column::new("HEAD").right().drop(1),
        Column::new("STATE").least(8),
        Column::new("PROJECTIONS").wide(),
    ]);
    for row in &page.items {
        let (sign, ink) = match row.state.as_str() {
            "up" if row.parked == 0 => (style.sign("✔", "+"), Ink::Plain),
            // Something is parked, or not known; what does not work stands behind a semicolon.
            state if state.starts_with("up") && !state.contains(';') => ("!", Ink::Yellow),
            _ => (style.sign("✖", "X"), Ink::Red),
        };
        let name = style.clean(&row.name);
        let projections: Vec<String> = row
            .projections
            .iter()
            .map(|one| {
                let least = if one.unknown.is_empty() { "" } else { "at least " };
                format!("{}@{} lag {least}{}", style.clean(&one.name), one.version, one.lag)
            })
            .collect();
        table.row([
            Cell::ink(if style.terminal { format!("{sign} {name}") } else { name }, ink),
            Cell::new(style.clean(&row.contract)),
            Cell::new(row.commands.len().to_string()),
            Cell::new(row.queries.len().to_string()),
            Cell::new(row.lag.to_string()),
            Cell::new(row.parked.to_string()),
            Cell::ink(row.last_seen.map_or_else(|| "-".to_owned(), |at| style.age(at)), Ink::Dim),
            Cell::ink(row.head.to_string(), Ink::Dim),
            Cell::ink(style.clean(&row.state), ink),
            Cell::new(projections.join(", ")),
        ]);
    }
    table.render(style)
}

/// The definitions.
pub fn definitions(page: &Page<DefinitionRow>, style: &Style) -> Rendered {
    let mut table = Table::new([
        Column::new("DEFINITION"),
        Column::new("STEPS").right().drop(2),
        Column::new("DIGEST").drop(1),
        Column::new("EXAMPLE").least(10).drop(3),
    ]);
    for row in &page.items {
        let example = row.example.as_ref().map_or_else(|| "-".to_owned(), |example| style.clean(example.as_str()));
        table.row([
            Cell::ink(style.clean(&format!("{}@{}", row.name, row.version)), Ink::Bold),
            Cell::new(row.steps.to_string()),
            Cell::ink(style.clean(row.digest.get(..8).unwrap_or(&row.digest)), Ink::Dim),
            Cell::new(example),
        ]);
    }
    table.render(style)
}
