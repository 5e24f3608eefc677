//! Names on the wire: subjects, streams, consumers and the partition of a story. Pure; nothing here can fail later.

use saga_core::envelope::{Recorded, sha256};
use std::borrow::Cow;

/// 64 partitions: enough to spread one module over any number of readers, few enough for a table of cursors.
pub const PARTITIONS: u8 = 64;
/// Stream of all commands.
pub const COMMANDS: &str = "CMD";
/// Stream of all replies.
pub const REPLIES: &str = "RPL";
/// Stream of what comes from outside.
pub const OUTSIDE: &str = "IN";
/// Stream of what was put aside.
pub const DEAD: &str = "DLQ";

/// Of what coordinators ask one another. Another shape of a question is another version, and both are served until no
/// coordinator asks the old one.
pub const LINE_VERSION: u16 = 1;

/// On which subject a command wants its reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replies {
    /// `reply.<group>.<module>`: the subject proves who answers.
    #[default]
    Own,
    /// `reply.<group>`, as older processes want it: the reply only claims who answers.
    Shared,
}

/// Why a text cannot stand in front of every subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("prefix {0:?} is not a list of words (letters, digits, `_` and `-`) with dots between them")]
pub struct PrefixError(pub String);

/// Makes subjects: the configured prefix, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects {
    prefix: String,
}

impl Subjects {
    /// Checks the prefix: one or more words with dots between them.
    pub fn new(prefix: &str) -> Result<Self, PrefixError> {
        let legal = |word: &str| !word.is_empty() && token(word) == word;
        match prefix.split('.').all(legal) {
            true => Ok(Self { prefix: prefix.to_owned() }),
            false => Err(PrefixError(prefix.to_owned())),
        }
    }
    /// The configured prefix.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
    /// Where an event of a module is published.
    pub fn event(&self, module: &str, event: &Recorded) -> String {
        let (prefix, module, name) = (&self.prefix, token(module), token(&event.name));
        let (category, version) = (token(event.stream.category()), event.schema_version);
        format!("{prefix}.evt.{module}.{category}.{name}.v{version}.p{:02}", partition(event.stream.as_str()))
    }
    /// Everything that a module's stream of events takes in.
    pub fn events(&self, module: &str) -> String {
        format!("{}.evt.{}.>", self.prefix, token(module))
    }
    /// Where a command is published.
    pub fn command(&self, module: &str, name: &str, version: u16) -> String {
        format!("{}.cmd.{}.{}.v{version}", self.prefix, token(module), token(name))
    }
    /// All commands of one module.
    pub fn commands(&self, module: &str) -> String {
        format!("{}.cmd.{}.>", self.prefix, token(module))
    }
    /// Where a coordinator group receives the replies of a module, which nobody else may publish.
    pub fn reply(&self, group: u16, module: &str) -> String {
        format!("{}.reply.{}.{}", self.prefix, group_name(group), token(module))
    }
    /// Where older processes send and receive the replies of all modules: nothing says who published it.
    pub fn shared_reply(&self, group: u16) -> String {
        format!("{}.reply.{}", self.prefix, group_name(group))
    }
    /// What a reply subject says: the group, and the module whose own it is.
    pub fn reply_to<'a>(&self, subject: &'a str) -> Option<(u16, Option<&'a str>)> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".reply.g")?;
        let (group, module) = rest.split_once('.').map_or((rest, None), |(group, module)| (group, Some(module)));
        let is_module = module.is_none_or(|module| token(module) == module);
        let is_group = !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
        (is_group && is_module).then(|| Some((group.parse().ok()?, module)))?
    }
    /// Where a query is asked.
    pub fn query(&self, module: &str, name: &str, version: u16) -> String {
        format!("{}.qry.{}.{}.v{version}", self.prefix, token(module), token(name))
    }
    /// Where coordinators ask the owner of a group: their own line, which no module may reach.
    pub fn group_line(&self, group: u16) -> String {
        format!("{}.ctl.{}.v{LINE_VERSION}", self.prefix, group_name(group))
    }
    /// Where older coordinators ask the owner of a group: it looks like a query.
    pub fn older_group_line(&self, group: u16) -> String {
        format!("{}.qry.orchestration.group.{}", self.prefix, group_name(group))
    }
    /// Where a reader asks the coordinators for its consumer on the events of a module.
    pub fn read_line(&self, owner: &str, reader: &str) -> String {
        format!("{}.ctl.read.{}.{}", self.prefix, token(owner), token(reader))
    }
    /// All of these lines.
    pub fn read_lines(&self) -> String {
        self.read_line("", "").replace("._", ".*")
    }
    /// The module of the events, and the reader.
    pub fn of_read_line<'a>(&self, subject: &'a str) -> Option<(&'a str, &'a str)> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".ctl.read.")?;
        rest.split_once('.').filter(|(owner, reader)| token(owner) == *owner && token(reader) == *reader)
    }
    /// Where events from outside are published; anything may follow.
    pub fn outside(&self, kind: &str) -> String {
        format!("{}.in.{}", self.prefix, token(kind))
    }
    /// Where the messages of a module (or of `orchestration`, or `in`) are put aside.
    pub fn dead(&self, module: &str) -> String {
        format!("{}.dlq.{}", self.prefix, token(module))
    }
    /// Where those of a receiver that hears many senders (`orchestration`, `in`) are put aside: by the sender, as far as the subject
    /// of the message proves it, so that a stream can bound each of them.
    pub fn dead_of(&self, module: &str, subject: &str) -> String {
        let rest = subject.strip_prefix(&self.prefix).unwrap_or_default();
        let sender = match rest.strip_prefix(".reply.") {
            Some(reply) => reply.split('.').nth(1),
            None => rest.strip_prefix(".in.").and_then(|source| source.split('.').next()),
        };
        format!("{}.{}", self.dead(module), token(sender.unwrap_or_default()))
    }
    /// Everything of one kind: `cmd`, `reply`, `in`, `dlq`.
    pub fn all(&self, kind: &str) -> String {
        format!("{}.{kind}.>", self.prefix)
    }
    /// The CloudEvents source of a module: `/aicmo/strategy`.
    pub fn source(&self, module: &str) -> String {
        format!("/{}/{module}", self.prefix.replace('.', "/"))
    }
}

/// `g07`.
pub fn group_name(group: u16) -> String {
    format!("g{group:02}")
}
/// The stream of a module's events.
pub fn stream_of(module: &str) -> String {
    format!("EVT_{}", token(module))
}
/// The durable consumer of a module's commands.
pub fn command_consumer(module: &str) -> String {
    format!("cmd-{}", token(module))
}
/// The durable consumer of a group's replies on the subjects of modules.
pub fn reply_consumer(group: u16) -> String {
    format!("rpl-{}-own", group_name(group))
}
/// The durable consumer of a group's replies on the shared subject. Servers 2.9 know one filter for a consumer, and
/// older processes refuse this one with another filter: so there are two.
pub fn shared_reply_consumer(group: u16) -> String {
    format!("rpl-{}", group_name(group))
}
/// The durable consumer of what comes from outside.
pub const OUTSIDE_CONSUMER: &str = "in";

/// A text as one word of a subject: what could end or split the word becomes `_`. The exact name travels in `ce-type`.
pub fn token(text: &str) -> Cow<'_, str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match (text.is_empty(), text.chars().all(legal)) {
        (true, _) => Cow::Borrowed("_"),
        (false, true) => Cow::Borrowed(text),
        (false, false) => Cow::Owned(text.chars().map(|c| if legal(c) { c } else { '_' }).collect()),
    }
}
/// The partition of a story: the first byte of the sha256 of its name, modulo [`PARTITIONS`].
pub fn partition(stream: &str) -> u8 {
    sha256(stream.as_bytes())[0] % PARTITIONS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn subjects_are_those_of_the_contract() {
        let subjects = Subjects::new("acme.prod").unwrap();
        assert_eq!(subjects.command("strategy", "Generate", 1), "acme.prod.cmd.strategy.Generate.v1");
        assert_eq!(subjects.reply(7, "strategy"), "acme.prod.reply.g07.strategy");
        assert_eq!(subjects.shared_reply(7), "acme.prod.reply.g07");
        assert_eq!(subjects.reply_to("acme.prod.reply.g07.strategy"), Some((7, Some("strategy"))));
        assert_eq!(subjects.reply_to("acme.prod.reply.g123"), Some((123, None)));
        let strangers = ["reply.7", "reply.g", "reply.g+7", "reply.g.qc", "reply.g07.", "reply.g07.a.b", "reply.g07.>"];
        for stranger in strangers.map(|rest| format!("acme.prod.{rest}")).iter().chain(&["acme.reply.g07".to_owned()]) {
            assert_eq!(subjects.reply_to(stranger), None, "{stranger}");
        }
        assert_eq!(subjects.query("cam", "CampaignStatus", 1), "acme.prod.qry.cam.CampaignStatus.v1");
        assert_eq!(subjects.group_line(7), "acme.prod.ctl.g07.v1");
        assert_eq!(subjects.read_line("cam", "qc"), "acme.prod.ctl.read.cam.qc");
        assert_eq!(subjects.read_lines(), "acme.prod.ctl.read.*.*");
        assert_eq!(subjects.of_read_line("acme.prod.ctl.read.cam.qc"), Some(("cam", "qc")));
        assert_eq!(subjects.of_read_line("acme.prod.ctl.read.cam.qc.x"), None);
        assert_eq!(subjects.older_group_line(7), "acme.prod.qry.orchestration.group.g07");
        for (subject, dead) in [
            ("acme.prod.reply.g07.strategy", "orchestration.strategy"),
            ("acme.prod.reply.g07.strategy.more", "orchestration.strategy"),
            ("acme.prod.reply.g07", "orchestration._"),
            ("acme.prod.cmd.strategy", "orchestration._"),
            ("elsewhere", "orchestration._"),
        ] {
            assert_eq!(subjects.dead_of("orchestration", subject), format!("acme.prod.dlq.{dead}"));
        }
        assert_eq!(subjects.dead_of("in", "acme.prod.in.crm.leads"), "acme.prod.dlq.in.crm");
        assert_eq!(subjects.source("strategy"), "/acme/prod/strategy");
        assert_eq!((stream_of("a-b"), command_consumer("a-b")), ("EVT_a-b".to_owned(), "cmd-a-b".to_owned()));
        for bad in ["", ".", "a.", "a b", "a.*", ">", "a..b"] {
            assert_eq!(Subjects::new(bad), Err(PrefixError(bad.to_owned())));
        }
    }

    #[test]
    fn the_partition_is_the_first_byte_of_the_hash() {
        // sha256("strategy-1") begins with 0x0e, sha256("law-bus") with 0x3d.
        for stream in ["strategy-1", "law-bus", "a-b"] {
            let hex = saga_core::envelope::sha256_hex(stream.as_bytes());
            assert_eq!(partition(stream), u8::from_str_radix(&hex[..2], 16).unwrap() % 64);
        }
    }

    proptest! {
        #[test]
        fn every_text_becomes_exactly_one_word(text in any::<String>()) {
            let word = token(&text);
            prop_assert!(!word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)));
            prop_assert_eq!(token(&word).into_owned(), word.as_ref());
        }
    }
}
