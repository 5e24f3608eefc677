//! `sagactl help`, `options` and `version`: everything here works offline.

use crate::args::{Cli, Format};
use crate::exit::{self, Exit};
use crate::failure::Failure;
use crate::print::json;
use crate::print::out::Out;
use crate::print::style::Style;
use clap::{Args, CommandFactory};
use saga_core::codes;
use saga_core::view::{SagaState, StepState};
use serde::Serialize;

/// 100 columns, as everywhere in clap's own help.
const HELP_WIDTH: usize = 100;

/// `help`.
#[derive(Debug, Clone, Args)]
pub struct HelpArgs {
    /// A code (SG0205), a topic (exit-codes, codes, states, ids, output), or a command (saga list)
    #[arg(value_name = "CODE|TOPIC|COMMAND")]
    pub about: Vec<String>,
}

const IDS: &str = "\
Wherever an id is asked for, each of these names the same saga:

  0193a1c7-55e2-7c1f-b0aa-41d89f3ac2d1   the full id
  9f3ac2d1                               its end: any unique ending of six or more digits
  client-to-delivery/acme-7              type and key

The short id in lists is the end and not the beginning, because the beginning is the clock
and equal for everything that started together.
";

const OUTPUT: &str = "\
Standard output is data; hints, progress, prompts and errors go to standard error.

  -o table    for people; into a pipe: tabs, whole values, RFC 3339 times, no colour
  -o wide     the same with every column
  -o json     one document: {\"apiVersion\":\"saga/v1\",\"kind\":…,\"items\":[…],\"page\":{…}}
  -o ndjson   one item a line, without envelope
  -o id       one id a line, for xargs

Under json and ndjson an error is one JSON object on standard error, and standard output stays
empty. No escape byte ever reaches a pipe. NO_COLOR, TERM=dumb and --color never are heard;
--ascii replaces every sign.
";

const TOPICS: &str = "\
topics    exit-codes codes states ids output
codes     sagactl help SG0205
commands  sagactl help saga list
options   sagactl options
";

/// Explains.
pub fn run(args: &HelpArgs, out: &mut Out) -> Result<Exit, Failure> {
    let words: Vec<&str> = args.about.iter().map(String::as_str).collect();
    let text = match words.as_slice() {
        [] => format!("{}\n{TOPICS}", rendered(&[])?),
        ["exit-codes"] => exit::table(),
        ["codes"] => codes_list(),
        ["states"] => states(&out.style),
        ["ids"] => IDS.to_owned(),
        ["output"] => OUTPUT.to_owned(),
        ["topics"] => TOPICS.to_owned(),
        [word] if codes::find(word).is_some() => page(word),
        path => rendered(path)?,
    };
    out.data(&text)?;
    Ok(Exit::DONE)
}

fn page(id: &str) -> String {
    let Some(code) = codes::find(id) else { return String::new() };
    let retry = if code.retryable { "sensible" } else { "of no use by itself" };
    format!("{}\n\nexit code {} · trying again is {retry}\n", code.page.trim_end(), code.exit)
}

fn codes_list() -> String {
    let lines = codes::ALL.iter().map(|code| format!("{}  {:>4}  {}\n", code.id, code.exit, code.title));
    format!("CODE    EXIT  MEANING\n{}", lines.collect::<String>())
}

fn states(style: &Style) -> String {
    let person = |state: SagaState| if state.needs_person() { "   a person decides" } else { "" };
    let mut text = "sagas, trouble first\n".to_owned();
    for state in SagaState::ALL {
        text.push_str(&format!("  {}  {}  {}{}\n", state.sign(), state.ascii(), state.word(), person(state)));
    }
    text.push_str("steps\n");
    for state in StepState::ALL {
        let sign = if style.ascii { " " } else { state.sign() };
        text.push_str(&format!("  {sign}  {}  {}\n", state.ascii(), state.word()));
    }
    text
}

/// The help of a command.
fn rendered(path: &[&str]) -> Result<String, Failure> {
    let mut command = Cli::command().term_width(HELP_WIDTH);
    command.build();
    let mut here = &mut command;
    for word in path {
        let known: Vec<String> = here.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        here = here.find_subcommand_mut(word).ok_or_else(|| {
            Failure::usage(format!("there is no help about {word:?}"))
                .hint(format!("commands   {}", known.join(" ")))
                .hint("topics     exit-codes codes states ids output, or a code like SG0205")
        })?;
    }
    Ok(here.render_help().to_string())
}

/// Lists the options of every command.
pub fn options(out: &mut Out) -> Result<Exit, Failure> {
    let command = Cli::command();
    let mut text = "Options that every command takes:\n\n".to_owned();
    for argument in command.get_arguments().filter(|argument| argument.is_global_set()) {
        let short = argument.get_short().map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
        let long = argument.get_long().unwrap_or_default();
        let takes = argument.get_action().takes_values();
        let value = argument.get_value_names().filter(|_| takes).and_then(|names| names.first());
        let value = value.map(|name| format!(" <{name}>")).unwrap_or_default();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let mut tail = String::new();
        if takes {
            let possible: Vec<String> =
                argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
            if !possible.is_empty() {
                tail.push_str(&format!(" [{}]", possible.join("|")));
            }
            let default: Vec<String> =
                argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
            if !default.is_empty() {
                tail.push_str(&format!(" [default: {}]", default.join(" ")));
            }
        }
        if let Some(env) = argument.get_env() {
            tail.push_str(&format!(" [env: {}]", env.to_string_lossy()));
        }
        text.push_str(&format!("  {short}--{long}{value}\n          {help}{tail}\n"));
    }
    text.push_str(
        "\nEnvironment: NO_COLOR and TERM=dumb turn colour off, COLUMNS sets the width, SAGACTL_LOG filters -v.\n",
    );
    out.data(&text)?;
    Ok(Exit::DONE)
}

#[derive(Serialize)]
struct Version {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    version: &'static str,
}

/// Prints the version.
pub fn version(out: &mut Out) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let text = match out.format {
        Format::Json | Format::Ndjson => {
            json::item(&Version { api_version: saga_admin::wire::API_VERSION, kind: "Version", version })?
        }
        Format::Id => format!("{version}\n"),
        Format::Table | Format::Wide => format!("sagactl {version}\n"),
    };
    out.data(&text)?;
    Ok(Exit::DONE)
}
