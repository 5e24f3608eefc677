//! A broker's accounts: one for each module, and exactly the subjects that each is lent. Pure: from names to text.
//!
//! The coordinators' account has JetStream and all streams. Every other client lives in an account of its own, which
//! holds only what is imported from there. A reply subject is one of the sender's own account, so no answer of the
//! broker (an API answer, an acknowledgement, a message that was asked for) can be sent into a stream; nobody else can
//! create, change or read streams and consumers. What was tried on servers 2.9 and 2.15 is in the tests of this crate.
//!
//! Names of streams and consumers are free of the prefix, so one broker serves one installation.

use crate::message::ORCHESTRATION;
use crate::subject::{COMMANDS, Subjects, command_consumer, stream_of, token};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// In front of the JetStream API in every account but the coordinators': under its own name, `$JS.API`, an account without
/// streams would answer "JetStream is not enabled" beside the real answer.
pub const API: &str = "JS.bus.API";
/// 2 MB: an event of the largest size that a store takes, with headers, fits one message.
pub const PAYLOAD_BYTES_MAX: usize = 2 * 1024 * 1024;
/// 64 connections of one account: one for each process of a module, many times over. None can take those of all others.
pub const CONNECTIONS_MAX: usize = 64;
/// 10,000 subscriptions of one account: hundreds of times what a module's processes have.
pub const SUBSCRIPTIONS_MAX: usize = 10_000;
/// The account of the coordinators, and the user there.
pub const COORDINATORS: &str = ORCHESTRATION;
/// The account of the people who repair, and the user there.
pub const OPERATOR: &str = "operator";

/// A client with an account of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// The name of the account and of its user.
    pub name: String,
    /// The modules whose events it reads.
    pub reads: Vec<String>,
    /// The modules whose queries it asks.
    pub asks: Vec<String>,
}

/// All clients that connect, beside coordinators and operators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// They answer commands and queries, and publish events.
    pub modules: Vec<Member>,
    /// They publish events from outside, each below `in.<name>`.
    pub publishers: Vec<String>,
    /// They read events of named modules, and do nothing else.
    pub readers: Vec<Member>,
}

/// What one account lends to others, as a request with one answer or with many.
#[derive(Debug, Default)]
struct Lent {
    many: bool,
    to: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Accounts {
    /// By the account that lends, and the subject.
    exports: BTreeMap<(String, String), Lent>,
    /// By the account that borrows: of whom, what, and under which name.
    imports: BTreeMap<String, BTreeSet<(String, String, Option<String>)>>,
}

impl Accounts {
    fn lend(&mut self, from: &str, subject: String, to: &str) {
        self.lend_as(from, subject, to, None, false);
    }
    fn api(&mut self, verb: &str, to: &str) {
        let many = verb.starts_with("CONSUMER.MSG.NEXT") || verb == ">";
        self.lend_as(COORDINATORS, format!("$JS.API.{verb}"), to, Some(format!("{API}.{verb}")), many);
    }
    fn lend_as(&mut self, from: &str, subject: String, to: &str, name: Option<String>, many: bool) {
        let lent = self.exports.entry((from.to_owned(), subject.clone())).or_default();
        lent.many = many;
        lent.to.insert(to.to_owned());
        self.imports.entry(to.to_owned()).or_default().insert((from.to_owned(), subject, name));
    }
    /// The events of a module, through consumers that the coordinators make, and out of its log.
    fn reads(&mut self, subjects: &Subjects, owner: &str, reader: &str) {
        let stream = stream_of(owner);
        for verb in ["STREAM.INFO", "STREAM.MSG.GET"] {
            self.api(&format!("{verb}.{stream}"), reader);
        }
        // The names of its consumers cannot be guessed by others, and nobody can list them.
        for verb in ["CONSUMER.INFO", "CONSUMER.MSG.NEXT"] {
            self.api(&format!("{verb}.{stream}.*"), reader);
        }
        self.lend(COORDINATORS, subjects.read_line(owner, reader), reader);
        let log = subjects.query(owner, crate::event::READ_LOG, crate::event::READ_LOG_VERSION);
        self.lend(&account(owner), log, reader);
    }
    fn module(&mut self, subjects: &Subjects, module: &str) {
        let (stream, consumer) = (stream_of(module), command_consumer(module));
        self.lend(COORDINATORS, subjects.events(module), module);
        self.lend(COORDINATORS, format!("{}.reply.*.{}", subjects.prefix(), token(module)), module);
        self.lend(COORDINATORS, subjects.dead(module), module);
        for verb in ["STREAM.INFO", "STREAM.MSG.GET"] {
            self.api(&format!("{verb}.{stream}"), module);
        }
        for verb in ["CONSUMER.INFO", "CONSUMER.MSG.NEXT"] {
            self.api(&format!("{verb}.{COMMANDS}.{consumer}"), module);
        }
        self.lend(COORDINATORS, format!("$JS.ACK.{COMMANDS}.{consumer}.>"), module);
        self.asks(subjects, module, COORDINATORS);
        self.asks(subjects, module, OPERATOR);
    }
    fn asks(&mut self, subjects: &Subjects, module: &str, who: &str) {
        self.lend(&account(module), format!("{}.qry.{}.>", subjects.prefix(), token(module)), who);
    }
}

/// The account in which a module lives.
fn account(module: &str) -> String {
    if module == ORCHESTRATION { COORDINATORS.to_owned() } else { module.to_owned() }
}

fn accounts(subjects: &Subjects, members: &Members) -> Accounts {
    let mut all = Accounts::default();
    for name in [COORDINATORS, OPERATOR] {
        all.imports.entry(name.to_owned()).or_default();
    }
    for Member { name, reads, asks } in &members.modules {
        all.module(subjects, name);
        reads.iter().filter(|owner| *owner != name).for_each(|owner| all.reads(subjects, owner, name));
        asks.iter().filter(|owner| *owner != name).for_each(|owner| all.asks(subjects, owner, name));
    }
    for name in &members.publishers {
        for subject in [subjects.outside(name), format!("{}.>", subjects.outside(name))] {
            all.lend(COORDINATORS, subject, name);
        }
    }
    for Member { name, reads, asks } in &members.readers {
        reads.iter().for_each(|owner| all.reads(subjects, owner, name));
        asks.iter().for_each(|owner| all.asks(subjects, owner, name));
    }
    all.asks(subjects, ORCHESTRATION, OPERATOR);
    all.api(">", OPERATOR);
    all
}

/// The variable of the server's environment that holds a user's password, or its bcrypt hash.
pub fn password_variable(user: &str) -> String {
    format!("NATS_PASSWORD_{}", user.to_ascii_uppercase().replace('-', "_"))
}

/// An account without streams may not use the API under its own name: a server 2.9 obeys some requests, such as to
/// purge an account, wherever they come from. The parts of the API that a member borrows have other names.
const NO_API: &str = r#"permissions: { publish: { deny: "$JS.API.>" } }"#;

/// The accounts as a NATS server reads them, to be included by its configuration. Passwords come from its environment, see
/// [`password_variable`], so that this text is no secret.
pub fn accounts_config(subjects: &Subjects, members: &Members) -> String {
    let Accounts { exports, imports } = accounts(subjects, members);
    let mut text = String::from("accounts {\n");
    let names = imports.keys().chain(exports.keys().map(|(name, _)| name)).collect::<BTreeSet<_>>();
    for name in names {
        let (streams, password) = (name == COORDINATORS, password_variable(name));
        let mut say = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        say(format!("  {name:?}: {{"));
        if streams {
            say("    jetstream: enabled".to_owned());
        }
        let denied = if streams { String::new() } else { format!(", {NO_API}") };
        // Who repairs must not be kept out, and without the coordinators nothing goes on.
        if ![COORDINATORS, OPERATOR].contains(&name.as_str()) {
            say(format!(
                "    limits: {{ max_connections: {CONNECTIONS_MAX}, max_subscriptions: {SUBSCRIPTIONS_MAX}, max_payload: \
                 {PAYLOAD_BYTES_MAX} }}"
            ));
        }
        say(format!("    users: [ {{ user: {name:?}, password: ${password}{denied} }} ]"));
        let own = exports.iter().filter(|((from, _), _)| from == name);
        list(&mut text, "exports", own.map(|((_, subject), lent)| export(subject, lent)));
        list(&mut text, "imports", imports.get(name).into_iter().flatten().map(import));
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}

fn export(subject: &str, Lent { many, to }: &Lent) -> String {
    let many = if *many { "response_type: stream, " } else { "" };
    let to = to.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    format!("{{ service: {subject:?}, {many}accounts: [{to}] }}")
}
fn import((from, subject, name): &(String, String, Option<String>)) -> String {
    let name = name.as_ref().map_or_else(String::new, |name| format!(", to: {name:?}"));
    format!("{{ service: {{ account: {from:?}, subject: {subject:?} }}{name} }}")
}
fn list(text: &mut String, what: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return;
    }
    // Writing to a text never fails.
    let _written = write!(text, "    {what}: [\n      {}\n    ]\n", lines.join("\n      "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_lent_this_and_nothing_else() {
        let subjects = Subjects::new("aicmo").unwrap();
        let member = |name: &str, reads: &[&str]| Member {
            name: name.to_owned(),
            reads: reads.iter().map(|&name| name.to_owned()).collect(),
            asks: Vec::new(),
        };
        let members = Members { modules: vec![member("cam", &[]), member("qc", &["cam"])], ..Members::default() };
        let all = accounts(&subjects, &members);
        let lent: Vec<String> = all.imports["qc"]
            .iter()
            .map(|(from, subject, name)| format!("{from} {subject} {}", name.is_some()))
            .collect();
        assert_eq!(
            lent,
            [
                "cam aicmo.qry.cam.ReadLog.v1 false",
                "orchestration $JS.ACK.CMD.cmd-qc.> false",
                "orchestration $JS.API.CONSUMER.INFO.CMD.cmd-qc true",
                "orchestration $JS.API.CONSUMER.INFO.EVT_cam.* true",
                "orchestration $JS.API.CONSUMER.MSG.NEXT.CMD.cmd-qc true",
                "orchestration $JS.API.CONSUMER.MSG.NEXT.EVT_cam.* true",
                "orchestration $JS.API.STREAM.INFO.EVT_cam true",
                "orchestration $JS.API.STREAM.INFO.EVT_qc true",
                "orchestration $JS.API.STREAM.MSG.GET.EVT_cam true",
                "orchestration $JS.API.STREAM.MSG.GET.EVT_qc true",
                "orchestration aicmo.ctl.read.cam.qc false",
                "orchestration aicmo.dlq.qc false",
                "orchestration aicmo.evt.qc.> false",
                "orchestration aicmo.reply.*.qc false",
            ]
        );
        // Every subject that is borrowed is lent to its borrower, and to no other account.
        let borrowed = all.imports.iter().flat_map(|(to, all)| all.iter().map(move |(from, what, _)| (from, what, to)));
        let borrowed: BTreeSet<_> = borrowed.collect();
        let lent = all.exports.iter().flat_map(|((from, what), lent)| lent.to.iter().map(move |to| (from, what, to)));
        assert_eq!(lent.collect::<BTreeSet<_>>(), borrowed);
    }
}
