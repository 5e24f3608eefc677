//! The one owner of standard output and standard error: data, notes, errors, and nothing else ever prints.

use crate::args::{Format, Global};
use crate::failure::Failure;
use crate::print::style::{ColorWhen, Style, clean, guarded, width};
use crate::print::{error, json};
use saga_core::codes;
use saga_core::control::ask::Seen;
use std::io::{self, IsTerminal, Write};

/// Every byte that leaves the program goes through here.
pub struct Out {
    data: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
    /// How data looks.
    pub style: Style,
    /// How notes and errors look.
    pub note_style: Style,
    /// What data is written as.
    pub format: Format,
    quiet: bool,
    asks: bool,
    painted: (String, usize),
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out").field("style", &self.style).field("format", &self.format).finish_non_exhaustive()
    }
}

impl Out {
    /// For this process, asked per stream whether it is a terminal.
    pub fn of_process(global: &Global) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let size = terminal_size::terminal_size();
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let width = columns.or(size.map(|(width, _)| usize::from(width.0))).unwrap_or(80);
        let height = size.map_or(24, |(_, height)| usize::from(height.0));
        let style = |terminal: bool| Style {
            terminal,
            colour: colours(global.color, terminal),
            ascii: global.ascii,
            width,
            height,
            cut: !global.no_trunc,
            wide: global.output == Format::Wide,
            time: global.time,
            now: crate::clock::now(),
            program: global.program(),
        };
        let asks = !global.no_input && io::stdin().is_terminal() && err;
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()), (style(out), style(err)), global, asks)
    }
    /// For any two writers.
    pub fn new(
        data: Box<dyn Write + Send>,
        notes: Box<dyn Write + Send>,
        (style, note_style): (Style, Style),
        global: &Global,
        asks: bool,
    ) -> Self {
        Self {
            data,
            notes,
            style,
            note_style,
            format: global.output,
            quiet: global.quiet,
            asks,
            painted: (String::new(), 0),
        }
    }
    /// From here on, orders that are shown carry `--run`: no process runs the folder.
    pub fn nobody_runs(&mut self) {
        self.style.program.idle = true;
        self.note_style.program.idle = true;
    }
    /// Whether a person can be asked.
    pub fn can_ask(&self) -> bool {
        self.asks
    }
    /// Whether only ids, or nothing, are wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }
    /// Writes data. A reader who went away ends the command without an error.
    pub fn data(&mut self, text: &str) -> Result<(), Failure> {
        let text = guarded(text, self.style.colour);
        self.data.write_all(text.as_bytes()).and_then(|()| self.data.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::closed(),
            _ => Failure::new(codes::INTERNAL, format!("standard output cannot be written: {error}")),
        })
    }
    /// Writes a view in the wanted format; `human` makes the text for people.
    pub fn view<S: Seen>(&mut self, view: &S, human: impl FnOnce(&Style) -> String) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => json::envelope(view)?,
            Format::Ndjson => json::lines(view)?,
            Format::Id => json::ids(view),
            Format::Table | Format::Wide if self.quiet => json::ids(view),
            Format::Table | Format::Wide => human(&self.style),
        };
        self.data(&text)
    }
    /// Whether [`Out::repaint`] makes sense: data goes to a terminal that can be drawn over.
    pub fn paints(&self) -> bool {
        self.style.terminal && !self.format.is_machine() && !self.quiet
    }
    /// Draws over what was drawn last, if it changed; on a terminal only. What would not fit the screen is left out, because
    /// a line that scrolled away cannot be drawn over.
    pub fn repaint(&mut self, text: &str) -> Result<(), Failure> {
        if text == self.painted.0 {
            return Ok(());
        }
        let clean = guarded(text, self.style.colour);
        let most = self.style.height.saturating_sub(2).max(1);
        let all = clean.lines().count();
        let (mut shown, mut rows, mut lines) = (String::new(), 0, 0);
        for line in clean.lines() {
            let takes = screen_rows(line, self.style.width);
            if rows + takes > most {
                break;
            }
            (rows, lines) = (rows + takes, lines + 1);
            shown.push_str(line);
            shown.push('\n');
        }
        if lines < all {
            shown.push_str(&format!("{} more lines\n", all - lines));
            rows += 1;
        }
        let back = match self.painted.1 {
            0 => String::new(),
            rows => format!("\u{1b}[{rows}A\u{1b}[J"),
        };
        self.painted = (text.to_owned(), rows);
        let write = self.data.write_all(format!("{back}{shown}").as_bytes()).and_then(|()| self.data.flush());
        write.map_err(|_| Failure::closed())
    }
    /// Draws over what was drawn last. Where the cursor cannot be moved, it is printed again when it is another picture.
    pub fn redraw(&mut self, text: &str, changed: bool) -> Result<(), Failure> {
        match (self.style.colour, changed) {
            (true, _) => self.repaint(text),
            (false, true) => self.data(&format!("{text}\n")),
            (false, false) => Ok(()),
        }
    }
    /// Tells a person something beside the data; not when quiet, and not under a machine format.
    pub fn note(&mut self, text: &str) {
        if !self.quiet && !self.format.is_machine() {
            self.say(text);
        }
    }
    /// Tells why the data is not whole: also when quiet, and under machine formats that have no place for it.
    pub fn incomplete(&mut self, why: &str) {
        if self.format != Format::Json {
            self.say(why);
        }
    }
    /// Tells a person something only if a person looks at both streams.
    pub fn footer(&mut self, text: &str) {
        if self.style.terminal && self.note_style.terminal {
            self.note(text);
        }
    }
    /// Tells the request id of an order: repeating the order needs it, also in a script.
    pub fn request(&mut self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }
    /// Asks; the answer is read elsewhere.
    pub fn prompt(&mut self, question: &str) {
        let question = clean(question, '?');
        // Nobody can be told that standard error is closed.
        let _ = write!(self.notes, "{question}").and_then(|()| self.notes.flush());
    }
    /// Prints how a command failed.
    pub fn failure(&mut self, failure: &Failure) {
        let text = match (&failure.error, self.format.is_machine()) {
            (None, _) => return,
            (Some(_), true) => error::machine(failure, &self.note_style).unwrap_or_default(),
            (Some(error), false) => error::human(error, &self.note_style),
        };
        let _ =
            self.notes.write_all(guarded(&text, self.note_style.colour).as_bytes()).and_then(|()| self.notes.flush());
    }
    fn say(&mut self, text: &str) {
        let text = self.note_style.program.called(text);
        let text = guarded(&text, self.note_style.colour);
        let _ = writeln!(self.notes, "{text}").and_then(|()| self.notes.flush());
    }
}

/// How many rows of the screen a line takes: colours take no room, and a long line wraps.
fn screen_rows(line: &str, columns: usize) -> usize {
    let mut parts = line.split('\u{1b}');
    let first = width(parts.next().unwrap_or_default());
    let rest: usize = parts.map(|part| width(part.split_once('m').map_or("", |(_, text)| text))).sum();
    (first + rest).div_ceil(columns.max(1)).max(1)
}

/// Whether to colour a stream.
fn colours(when: ColorWhen, terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match when {
        ColorWhen::Never => false,
        // Even when asked for: no escape byte ever reaches a pipe.
        ColorWhen::Always | ColorWhen::Auto if !terminal => false,
        ColorWhen::Always => true,
        ColorWhen::Auto if set("NO_COLOR") => false,
        ColorWhen::Auto if std::env::var("TERM").is_ok_and(|term| term == "dumb") => false,
        ColorWhen::Auto => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_the_rows_that_it_wraps_to() {
        assert_eq!(screen_rows("", 10), 1);
        assert_eq!(screen_rows("\u{1b}[1m\u{1b}[31m0123456789\u{1b}[0m", 10), 1);
        assert_eq!(screen_rows("\u{1b}[1m0123456789\u{1b}[0m+", 10), 2);
    }
}
