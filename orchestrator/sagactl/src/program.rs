//! How this program is called: a printed command can be typed as it stands, and leads to the same place.

use crate::words::PROGRAM;
use saga_core::shell::word;

/// These ask nobody and open nothing: no place is named with them.
const PLACELESS: [&str; 5] = ["help", "options", "version", "config", "serve"];
/// These open a folder, or make one; nobody at an address is asked.
const OF_A_FOLDER: [&str; 4] = ["store", "dev", "demo", "bench"];
/// The orders: where no process runs the folder, the command itself does each with `--run`.
const ORDERS: [&str; 9] = ["start", "signal", "retry", "skip", "compensate", "pause", "resume", "cancel", "note"];
/// What says that it is wanted.
const RUN: &str = " --run";

/// The name of the program, and the place that it was pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// As it was called, for a shell.
    pub name: String,
    /// The data folder, where it is not the usual one.
    pub data: Option<String>,
    /// The address that was asked instead of a folder.
    pub url: Option<String>,
    /// Nobody runs the data folder.
    pub idle: bool,
}

impl Default for Program {
    fn default() -> Self {
        Self { name: PROGRAM.to_owned(), data: None, url: None, idle: false }
    }
}

impl Program {
    /// A command as it is typed here; `command` is what stands behind the name of the program.
    pub fn told(&self, command: &str) -> String {
        let space = if command.starts_with(' ') || command.is_empty() { "" } else { " " };
        let pointed = self.pointed(command);
        match self.order(command).and_then(|end| command.split_at_checked(end)) {
            Some((verb, behind)) => format!("{pointed}{space}{verb}{RUN}{behind}"),
            None => format!("{pointed}{space}{command}"),
        }
    }
    /// The name, and the place that this command is pointed at.
    fn pointed(&self, command: &str) -> String {
        let mut words = command.split_whitespace();
        let first = words.next().unwrap_or_default();
        let names = |flag: &str| command.split_whitespace().any(|word| word == flag);
        let has_place = PLACELESS.contains(&first) || names("--url") || first == "--data" || names("--config");
        let place = match (&self.url, &self.data) {
            _ if has_place => String::new(),
            (Some(url), _) if !OF_A_FOLDER.contains(&first) => format!(" --url {}", word(url)),
            (_, Some(data)) => format!(" --data {}", word(data)),
            (_, None) => String::new(),
        };
        format!("{}{place}", self.name)
    }
    /// Where the verb of an order ends that is to be carried out by the command itself.
    fn order(&self, command: &str) -> Option<usize> {
        let rest = command.trim_start().strip_prefix("saga ").filter(|_| self.idle)?;
        let verb = rest.split(|c: char| !c.is_ascii_lowercase()).next().filter(|verb| ORDERS.contains(verb))?;
        let end = command.len() - rest.len() + verb.len();
        (!command.split_whitespace().any(|word| word == RUN.trim())).then_some(end)
    }
    /// Writes the commands within a text as they are typed here: `sagactl saga list` is `./target/debug/sagactl --data there
    /// saga list` for a user who does not have it on the path and looks at that folder. Other texts, such as a name
    /// with a version, stay.
    pub fn called(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(PROGRAM) {
            let (before, found) = rest.split_at(at);
            let (name, after) = found.split_at(PROGRAM.len());
            let begins = !before.ends_with(|last: char| last.is_alphanumeric() || "/\\._-'\"".contains(last));
            let mut next = after.chars();
            let goes_on = next.next() == Some(' ') && next.next().is_some_and(|c| c.is_ascii_lowercase() || c == '-');
            out.push_str(before);
            rest = after;
            if begins && goes_on {
                out.push_str(&self.pointed(command_of(after)));
                if let Some((verb, behind)) = self.order(command_of(after)).and_then(|end| after.split_at_checked(end))
                {
                    out.push_str(verb);
                    out.push_str(RUN);
                    rest = behind;
                }
                // What follows is written when its turn comes: it may have a command of its own.
            } else {
                out.push_str(name);
            }
        }
        out.push_str(rest);
        out
    }
}

/// The command that a text begins with: up to where a sentence goes on, another line or another command.
fn command_of(text: &str) -> &str {
    let ends = [text.find(['\n', ',', ';', ')']), text.find(PROGRAM), text.find("   ")];
    let end = ends.into_iter().flatten().min().unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(data: Option<&str>, url: Option<&str>) -> Program {
        Program {
            name: "./bin/sagactl".to_owned(),
            data: data.map(str::to_owned),
            url: url.map(str::to_owned),
            idle: false,
        }
    }

    #[test]
    fn commands_are_told_as_the_program_is_called() {
        let table = [
            ("sagactl saga list", "./bin/sagactl saga list"),
            (
                "why: sagactl saga why-stuck x, then sagactl --url u doctor",
                "why: ./bin/sagactl saga why-stuck x, then ./bin/sagactl --url u doctor",
            ),
            ("(sagactl doctor)", "(./bin/sagactl doctor)"),
            ("sagactl 0.1.0 serve", "sagactl 0.1.0 serve"),
            ("target/sagactl saga list", "target/sagactl saga list"),
            ("my-sagactl saga list, the sagactl", "my-sagactl saga list, the sagactl"),
            ("sagactl ", "sagactl "),
        ];
        for (text, told) in table {
            assert_eq!(program(None, None).called(text), told);
            assert_eq!(Program::default().called(text), text);
        }
    }

    /// What is told, over a folder, at an address, and with both, of which the address is asked.
    #[test]
    fn a_command_leads_to_the_place_that_was_asked_and_names_none_where_there_is_none() {
        let (data, url) = (Some("my data"), Some("http://127.0.0.1:7421"));
        let table = [
            ("saga list", " --data 'my data' saga list", " --url http://127.0.0.1:7421 saga list"),
            ("doctor", " --data 'my data' doctor", " --url http://127.0.0.1:7421 doctor"),
            ("store accept qc", " --data 'my data' store accept qc", " store accept qc"),
            ("dev", " --data 'my data' dev", " dev"),
            ("help SG0107", " help SG0107", " help SG0107"),
            ("options", " options", " options"),
            ("config check", " config check", " config check"),
            ("serve --modules qc", " serve --modules qc", " serve --modules qc"),
            ("events verify --config FILE", " events verify --config FILE", " events verify --config FILE"),
            ("--data there events verify", " --data there events verify", " --data there events verify"),
            ("--url u saga list", " --url u saga list", " --url u saga list"),
        ];
        for (command, there, at) in table {
            let text = |told: &str| format!("see ./bin/sagactl{told}, or ./bin/sagactl help ids");
            let asked = format!("see sagactl {command}, or sagactl help ids");
            assert_eq!(program(data, None).called(&asked), text(there));
            assert_eq!(program(None, url).called(&asked), text(at));
            let both = if at == format!(" {command}") { there } else { at };
            assert_eq!(program(data, url).called(&asked), text(both));
            assert_eq!(program(data, url).told(command), format!("./bin/sagactl{both}"));
        }
    }

    /// Where nobody runs the folder an order is carried out by the command that gives it, and only if that is said.
    #[test]
    fn orders_of_a_folder_that_nobody_runs_say_that_they_run_it() {
        let idle = Program { idle: true, ..program(Some("d"), None) };
        let table = [
            ("saga signal x yes --data 'a b'", " --data d saga signal --run x yes --data 'a b'"),
            ("saga retry x", " --data d saga retry --run x"),
            ("saga resume --run x", " --data d saga resume --run x"),
            ("saga show x", " --data d saga show x"),
            ("saga start", " --data d saga start --run"),
            ("doctor", " --data d doctor"),
        ];
        for (command, there) in table {
            assert_eq!(idle.told(command), format!("./bin/sagactl{there}"));
            assert_eq!(idle.called(&format!("do sagactl {command}; see")), format!("do ./bin/sagactl{there}; see"));
        }
    }
}
