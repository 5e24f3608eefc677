//! How things look: colours, signs, times and widths, decided once per stream and passed to every rendering function.

use crate::program::Program;
use crate::words;
use anstyle::{AnsiColor, Color};
use clap::ValueEnum;
use saga_core::plain::is_hidden;
use saga_core::time::Timestamp;
use saga_core::view::{SagaState, StepState};
use unicode_width::UnicodeWidthStr;

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TimeForm {
    /// `42m`: how long ago.
    Relative,
    /// RFC 3339 in UTC.
    Iso,
    /// Seconds since 1970.
    Unix,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless the environment says no.
    Auto,
    /// On a terminal, whatever the environment says; never into a pipe.
    Always,
    /// Never.
    Never,
}

/// One of the few ways in which a word stands out. Colour never says what the word does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// As it is.
    Plain,
    /// Ids and headings.
    Bold,
    /// What matters less.
    Dim,
    /// Under way.
    Blue,
    /// Undone, or waiting by design.
    Cyan,
    /// In trouble, but working on it.
    Yellow,
    /// Held by a person.
    Magenta,
    /// Final success, and nothing else.
    Green,
    /// A person is needed.
    Red,
    /// A person is needed, and something is still done outside.
    Alarm,
}

impl Ink {
    /// All of them.
    pub const ALL: [Ink; 10] = [
        Ink::Plain,
        Ink::Bold,
        Ink::Dim,
        Ink::Blue,
        Ink::Cyan,
        Ink::Yellow,
        Ink::Magenta,
        Ink::Green,
        Ink::Red,
        Ink::Alarm,
    ];
    /// Of a saga in this state.
    pub fn of_saga(state: SagaState) -> Ink {
        match state {
            SagaState::UndoFailed => Ink::Alarm,
            SagaState::Parked => Ink::Red,
            SagaState::Retrying | SagaState::Compensating => Ink::Yellow,
            SagaState::Paused => Ink::Magenta,
            SagaState::Running => Ink::Blue,
            SagaState::Waiting | SagaState::Compensated => Ink::Cyan,
            SagaState::Completed => Ink::Green,
            SagaState::Cancelled => Ink::Dim,
        }
    }
    /// Of a step in this state.
    pub fn of_step(state: StepState) -> Ink {
        match state {
            StepState::Pending | StepState::Skipped | StepState::NotNeeded => Ink::Dim,
            StepState::Running => Ink::Blue,
            StepState::Waiting | StepState::Undone => Ink::Cyan,
            StepState::Retrying | StepState::Undoing | StepState::Unknown | StepState::Refused => Ink::Yellow,
            StepState::Done | StepState::Decided => Ink::Plain,
            StepState::Parked => Ink::Red,
            StepState::UndoFailed => Ink::Alarm,
        }
    }
    fn ansi(self) -> anstyle::Style {
        let style = anstyle::Style::new();
        let fg = |color: AnsiColor| style.fg_color(Some(Color::Ansi(color)));
        match self {
            Ink::Plain => style,
            Ink::Bold => style.bold(),
            Ink::Dim => style.dimmed(),
            Ink::Blue => fg(AnsiColor::Blue),
            Ink::Cyan => fg(AnsiColor::Cyan),
            Ink::Yellow => fg(AnsiColor::Yellow),
            Ink::Magenta => fg(AnsiColor::Magenta),
            Ink::Green => fg(AnsiColor::Green),
            Ink::Red => fg(AnsiColor::Red).bold(),
            Ink::Alarm => fg(AnsiColor::Red).invert(),
        }
    }
}

/// Everything that rendering needs to know about where it goes and who reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Whether a person reads it.
    pub terminal: bool,
    /// Whether escape sequences for colour are welcome.
    pub colour: bool,
    /// Only ASCII signs.
    pub ascii: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Lines of the terminal.
    pub height: usize,
    /// Whether long cells may be cut to fit.
    pub cut: bool,
    /// Whether every column is wanted.
    pub wide: bool,
    /// How times are written; `None`: relative for people, RFC 3339 elsewhere.
    pub time: Option<TimeForm>,
    /// The moment at which it is shown.
    pub now: Timestamp,
    /// How the reader calls this program.
    pub program: Program,
}

impl Style {
    /// For a pipe or file: whole, without colour.
    pub fn pipe(now: Timestamp) -> Self {
        Self {
            terminal: false,
            colour: false,
            ascii: false,
            width: 80,
            height: 24,
            cut: false,
            wide: false,
            time: None,
            now,
            program: Program::default(),
        }
    }
    /// For a terminal of this width, with colour.
    pub fn terminal(now: Timestamp, width: usize) -> Self {
        Self { terminal: true, colour: true, width, cut: true, ..Self::pipe(now) }
    }
    /// The form of times.
    pub fn time_form(&self) -> TimeForm {
        self.time.unwrap_or(if self.terminal { TimeForm::Relative } else { TimeForm::Iso })
    }
    /// Whether times are written as ages.
    pub fn is_relative(&self) -> bool {
        self.time_form() == TimeForm::Relative
    }
    /// A text in an ink.
    pub fn paint(&self, ink: Ink, text: &str) -> String {
        if !self.colour || ink == Ink::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = ink.ansi();
        format!("{}{text}{}", style.render(), style.render_reset())
    }
    /// A text from outside: control characters and direction overrides would draw on the terminal or hide what is there.
    pub fn clean(&self, text: &str) -> String {
        let mark = if self.ascii { '?' } else { '\u{fffd}' };
        clean(text, mark)
    }
    /// A text from outside with commands in it: cleaned, and as this program is called here, so that they can be typed.
    pub fn typed(&self, text: &str) -> String {
        self.program.called(&self.clean(text))
    }
    /// How long ago, or when.
    pub fn age(&self, at: Timestamp) -> String {
        match self.time_form() {
            TimeForm::Relative => words::age(self.now.since(at)),
            TimeForm::Iso => at.to_string(),
            TimeForm::Unix => (at.0 / 1_000_000).to_string(),
        }
    }
    /// The time of day in UTC (with the date when it was another day), or the whole time.
    pub fn clock(&self, at: Timestamp) -> String {
        match self.time_form() {
            TimeForm::Relative => {
                let (text, today) = (at.to_string(), self.now.to_string());
                let (Some(date), Some(time)) = (text.get(..10), text.get(11..23)) else { return text };
                if today.get(..10) == Some(date) { time.to_owned() } else { format!("{date} {time}") }
            }
            TimeForm::Iso | TimeForm::Unix => self.age(at),
        }
    }
    /// Like [`Style::clock`], to the second and with its zone.
    pub fn moment(&self, at: Timestamp) -> String {
        let text = self.clock(at);
        match text.rsplit_once('.') {
            Some((seconds, _)) if self.is_relative() => format!("{seconds} UTC"),
            _ => text,
        }
    }
    /// `in 12s`, `6d left` and the like: how far ahead, or when.
    pub fn ahead(&self, at: Timestamp) -> String {
        match self.time_form() {
            TimeForm::Relative => words::age(at.since(self.now)),
            TimeForm::Iso | TimeForm::Unix => self.age(at),
        }
    }
    /// The sign of a saga's state.
    pub fn saga_sign(&self, state: SagaState) -> &'static str {
        if self.ascii { state.ascii() } else { state.sign() }
    }
    /// The sign of a step's state.
    pub fn step_sign(&self, state: StepState) -> &'static str {
        if self.ascii { state.ascii() } else { state.sign() }
    }
    /// One of two spellings of a sign.
    pub fn sign(&self, sign: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { sign }
    }
}

/// Replaces what must not reach a terminal or break a line. Line breaks and tabs become spaces.
pub fn clean(text: &str, mark: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\t' => out.push(' '),
            hidden if is_hidden(hidden) => out.push(mark),
            other => out.push(other),
        }
    }
    out
}

/// What may reach a stream: line breaks, tabs and, where colour is welcome, the sequences of our own inks. Everything
/// else that would act on a terminal or hide is replaced, even where the caller forgot to clean it.
pub fn guarded(text: &str, colour: bool) -> String {
    let ours = |rest: &str| {
        let own = |sequence: &String| !sequence.is_empty() && rest.starts_with(sequence.as_str());
        let inks = Ink::ALL.map(|ink| ink.ansi().render().to_string()).into_iter();
        // The longest: one ink begins like another.
        inks.chain([anstyle::Reset.render().to_string()]).filter(own).map(|sequence| sequence.len()).max()
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let own = (colour && character == '\u{1b}').then(|| ours(rest)).flatten();
        let (kept, left) = rest.split_at(own.unwrap_or(character.len_utf8()));
        if own.is_some() || matches!(character, '\n' | '\t') || !is_hidden(character) {
            out.push_str(kept);
        } else {
            out.push('\u{fffd}');
        }
        rest = left;
    }
    out
}

/// Columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ink_of_ours_reaches_a_terminal_and_no_other_sequence_does() {
        for ink in Ink::ALL {
            let text = format!("{}x{}", ink.ansi().render(), anstyle::Reset.render());
            assert_eq!(guarded(&text, true), text, "{ink:?}");
            assert!(!guarded(&text, false).contains('\u{1b}'), "{ink:?}");
        }
        assert!(!guarded("\u{1b}]0;title\u{7}\u{1b}[2J", true).contains('\u{1b}'));
    }
}
