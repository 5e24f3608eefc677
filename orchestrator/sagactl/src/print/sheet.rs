//! Writes a list page by page: rows as they come; a document that must be whole waits on disk until it is.

use crate::args::Format;
use crate::failure::Failure;
use crate::print::out::Out;
use crate::print::{json, list};
use saga_core::codes;
use saga_core::control::Page;
use saga_core::view::SagaRow;
use std::io::{self, BufRead, BufReader, Seek, Write};
use tempfile::SpooledTempFile;

/// 4 MiB of JSON stay in memory; more goes to a file without a name.
const KEPT_MAX: usize = 4 * 1024 * 1024;

/// A list on its way out.
#[derive(Debug)]
pub struct Sheet {
    /// One JSON document is whole or not there at all: an error on the last page must leave standard output empty.
    kept: Option<SpooledTempFile>,
    rows: bool,
    dropped: Vec<&'static str>,
}

impl Sheet {
    /// In this format.
    pub fn new(format: Format) -> Self {
        let kept = (format == Format::Json).then(|| SpooledTempFile::new(KEPT_MAX));
        Self { kept, rows: false, dropped: Vec::new() }
    }
    /// Below rows that stand under their heading already.
    #[must_use]
    pub fn headed(self) -> Self {
        Self { rows: true, ..self }
    }
    /// Columns that were left out for want of room.
    pub fn dropped(&self) -> &[&'static str] {
        &self.dropped
    }
    /// Writes the rows of a page.
    pub fn rows(&mut self, page: &Page<SagaRow>, out: &mut Out) -> Result<(), Failure> {
        let first = !std::mem::replace(&mut self.rows, true);
        if let Some(kept) = &mut self.kept {
            for row in &page.items {
                kept.write_all(json::item(row)?.as_bytes()).map_err(|why| unkept(&why))?;
            }
            return Ok(());
        }
        let dropped = &mut self.dropped;
        out.view(page, |style| {
            let rendered = list::render(page, style);
            dropped.extend(rendered.dropped.into_iter().filter(|name| !dropped.contains(name)).collect::<Vec<_>>());
            match rendered.text.split_once('\n') {
                // The heading stands once, above all of them.
                Some((_, rows)) if !first => rows.to_owned(),
                _ => rendered.text,
            }
        })
    }
    /// Writes what comes after the last row; `page` says what there was in all.
    pub fn end(&mut self, page: &Page<SagaRow>, out: &mut Out) -> Result<(), Failure> {
        let Some(mut kept) = self.kept.take() else { return Ok(()) };
        kept.rewind().map_err(|why| unkept(&why))?;
        let around = json::envelope(&Page { items: Vec::new(), ..page.clone() })?;
        let (head, tail) = around.split_once("\"items\":[").unwrap_or((&around, ""));
        out.data(&format!("{head}\"items\":["))?;
        let mut lines = BufReader::new(kept);
        let (mut line, mut between) = (String::new(), "");
        while lines.read_line(&mut line).map_err(|why| unkept(&why))? > 0 {
            out.data(&format!("{between}{}", line.trim_end_matches('\n')))?;
            between = ",";
            line.clear();
        }
        out.data(tail)
    }
}

fn unkept(why: &io::Error) -> Failure {
    Failure::new(codes::INTERNAL, format!("the list cannot be kept until it is whole: {why}"))
}
