//! What must never reach a pipe, whatever the world outside sends.

use proptest::prelude::*;
use saga_core::control::{ControlError, Page};
use saga_core::input::Misfit;
use saga_core::plain::is_hidden;
use saga_testkit::fixtures::{self, NOW};
use sagactl::args::{Cli, Format};
use sagactl::failure::Failure;
use sagactl::print::out::Out;
use sagactl::print::style::{Ink, Style};
use sagactl::print::{history, list, show};
use std::io::Write;
use std::sync::{Arc, Mutex};

/// A writer whose bytes can be read.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}
impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An `Out` into memory.
pub(crate) fn out(format: Format, style: &Style) -> (Out, Kept, Kept) {
    let mut cli = <Cli as clap::Parser>::try_parse_from(["sagactl", "version"]).unwrap();
    cli.global.output = format;
    let (data, notes) = (Kept::default(), Kept::default());
    let styles = (style.clone(), style.clone());
    (Out::new(Box::new(data.clone()), Box::new(notes.clone()), styles, &cli.global, false), data, notes)
}

/// Any text, with more trouble in it than chance alone would bring.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<String>(),
        Just("\u{1b}[31m".to_owned()),
        Just("\u{9b}2J\u{7}\u{8}".to_owned()),
        Just("\u{202e}\u{200b}\u{2066}\u{61c}\u{180e}\u{ad}\u{34f}".to_owned()),
        Just("\u{3164}\u{fff9}\u{e0041}\u{1b}]0;title\u{7}\u{1b}[8m\u{1b}c".to_owned()),
        Just("\r\n\t".to_owned()),
    ];
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_control_byte_passes_in_any_format(text in hostile()) {
        let mut saga = fixtures::shows().swap_remove(1);
        saga.row.key = text.clone();
        saga.row.kind = text.clone();
        saga.row.reason = Some(text.clone());
        saga.digest = text.clone();
        saga.undo_plan = vec![text.clone(), text.clone()];
        saga.not_undone = vec![text.clone()];
        for step in &mut saga.steps {
            step.path = text.clone();
            step.module = Some(text.clone());
            step.result = Some(text.clone());
        }
        for possible in &mut saga.possible {
            possible.words = text.clone();
            possible.verb = text.clone();
            possible.at = Some(text.clone());
        }
        let page = Page { next: Some(text.clone()), total: None, truncated: true, ..Page::whole(vec![saga.row.clone()]) };
        let saga = Box::new(saga);
        for format in [Format::Table, Format::Wide, Format::Json, Format::Ndjson, Format::Id] {
            for style in [Style::pipe(NOW), Style { colour: false, ..Style::terminal(NOW, 80) }] {
                let (mut out, data, notes) = out(format, &style);
                out.view(&page, |style| list::render(&page, style).text).unwrap();
                out.view(&saga, |style| show::render(&saga, style)).unwrap();
                out.note(&style.clean(&text));
                out.failure(&Failure::usage(text.clone()).hint(text.clone()));
                for written in [data.text(), notes.text()] {
                    let bad = |c: char| is_hidden(c) && c != '\n' && c != '\t';
                    prop_assert!(!written.contains(bad), "{format:?}: {written:?}");
                }
            }
        }
    }

    #[test]
    fn a_row_stays_one_line_with_all_its_columns(text in hostile()) {
        let mut row = fixtures::rows().swap_remove(0);
        row.key = text.clone();
        row.reason = Some(text);
        let page = Page { total: None, ..Page::whole(vec![row]) };
        let piped = list::render(&page, &Style::pipe(NOW)).text;
        let columns: Vec<usize> = piped.lines().map(|line| line.split('\t').count()).collect();
        prop_assert_eq!(columns, vec![10, 10]);
    }
}

/// With colour too, and where the caller forgot to clean it: only our own sequences pass.
#[test]
fn a_coloured_terminal_gets_our_colours_and_nothing_else() {
    let style = Style::terminal(NOW, 80);
    let evil = "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[8m\u{1b}[38;5;9m\u{9b}2J\u{1b}c\u{202e}\u{e0041}";
    let (mut out, data, notes) = out(Format::Table, &style);
    let red = style.paint(Ink::Red, "red");
    out.data(&format!("{red}{evil}\n")).unwrap();
    out.note(&format!("{red}{evil}"));
    out.prompt(evil);
    out.repaint(&format!("{red}{evil}")).unwrap();
    out.failure(&Failure::usage(evil).hint(evil));
    let misfits = vec![Misfit::at(evil, evil), Misfit { found: Some(evil.to_owned()), ..Misfit::at("/a", evil) }];
    let (code, message) = (format!("SG0999{evil}"), evil.to_owned());
    let raw = ControlError { code, message, hint: vec![], retryable: false, misfits };
    out.failure(&Failure::from(raw));
    let painted = Ink::ALL.map(|ink| style.paint(ink, "|"));
    let mut own: Vec<&str> = painted.iter().flat_map(|painted| painted.split('|')).collect();
    // The longest first: one ink begins like another.
    own.sort_by_key(|sequence| std::cmp::Reverse(sequence.len()));
    own.retain(|sequence| !sequence.is_empty());
    for written in [data.text(), notes.text()] {
        let without = own.iter().fold(written.clone(), |text, own| text.replace(own, ""));
        assert!(!without.contains(|c: char| is_hidden(c) && c != '\n'), "{without:?}");
        assert!(written.contains("\u{1b}["), "our own colour is there: {written:?}");
    }
}

#[test]
fn even_a_mistake_in_rendering_cannot_colour_a_pipe() {
    let (mut out, data, notes) = out(Format::Table, &Style::pipe(NOW));
    out.data("\u{1b}[31mred\u{1b}[0m\n").unwrap();
    out.note("\u{1b}[31mred");
    assert!(!data.text().contains('\u{1b}') && !notes.text().contains('\u{1b}'));
    let page = Page::whole(Vec::new());
    assert_eq!(history::render(&page, &Style::pipe(NOW)).text.lines().count(), 1);
}
