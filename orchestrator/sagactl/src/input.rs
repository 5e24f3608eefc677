//! Text from files and prompts, checked before anything is sent: what is wrong, and where in the file.

use crate::failure::Failure;
use crate::print::out::Out;
use saga_admin::body::fault_error;
use saga_core::codes;
use saga_core::json::{JsonFaultKind, PAYLOAD_BYTES_MAX, Payload};
use std::io::{self, BufRead, Read};

/// Where a payload comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input: `-` or `@-`.
    Stdin,
    /// A file: `FILE` or `@FILE`.
    File(String),
    /// The JSON itself: an argument that begins like an object, a list or a text.
    Inline(String),
}

impl Source {
    /// Reads the argument; it never fails, every other word is a file's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@').unwrap_or(text) {
            "" => Err("a file name is missing after @".to_owned()),
            "-" => Ok(Source::Stdin),
            json if json.starts_with(['{', '[', '"']) => Ok(Source::Inline(json.to_owned())),
            name => Ok(Source::File(name.to_owned())),
        }
    }
    fn name(&self) -> &str {
        match self {
            Source::Stdin => "standard input",
            Source::File(name) => name,
            Source::Inline(_) => "the argument",
        }
    }
}

/// Reads and checks a payload.
pub fn payload(source: &Source) -> Result<Payload, Failure> {
    let bytes = match source {
        Source::Stdin => limited(io::stdin().lock(), source.name())?,
        Source::Inline(json) => json.clone().into_bytes(),
        Source::File(name) => {
            let kind = std::fs::metadata(name).map_err(|error| unreadable(name, &error))?;
            if kind.is_dir() {
                return Err(Failure::new(codes::INPUT_UNREADABLE, format!("{name} is a directory"))
                    .hint("name a file with one JSON value"));
            }
            limited(std::fs::File::open(name).map_err(|error| unreadable(name, &error))?, name)?
        }
    };
    check(&bytes, source.name())
}

/// Checks the bytes of a payload that was read from `name`.
pub fn check(bytes: &[u8], name: &str) -> Result<Payload, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let line = bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        Failure::new(codes::INPUT_MALFORMED, format!("{name}: not UTF-8 at byte {at} (line {line})"))
            .hint("save the file as UTF-8")
    })?;
    Payload::parse(text).map_err(|fault| {
        let failure = Failure::from(fault_error(&fault, name));
        match fault.kind {
            JsonFaultKind::TooLarge { .. } => failure.hint("put large content into a file and send where it is"),
            _ => failure,
        }
    })
}

/// Reads at most one byte more than a payload may have: enough to know that it is too large.
fn limited(reader: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(PAYLOAD_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() > PAYLOAD_BYTES_MAX {
        let message = format!("{name}: more than {PAYLOAD_BYTES_MAX} bytes, which is the most a payload may have");
        return Err(
            Failure::new(codes::INPUT_LIMIT, message).hint("put large content into a file and send where it is")
        );
    }
    Ok(bytes)
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    let says = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(codes::INPUT_UNREADABLE, format!("{name}: {says}")).hint("- reads standard input")
}

/// Asks a question on a terminal and reads one line; `None` at its end.
pub fn ask(out: &mut Out, question: &str) -> Option<String> {
    out.prompt(question);
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim().to_owned()),
    }
}
