//! The least that each credential needs, and a server configuration that gives it no more. Pure: from names to text.
//!
//! What no subject says, no permission forbids. Whoever reads events may create consumers on their stream, and servers let
//! a consumer deliver to any subject that somebody subscribes to literally. So whoever serves a line takes only
//! questions that came with an inbox to answer to: what a consumer delivers has none.

use crate::message::ORCHESTRATION;
use crate::subject::{
    COMMANDS, DEAD, OUTSIDE, OUTSIDE_CONSUMER, REPLIES, Subjects, command_consumer, stream_of, token,
};
use std::fmt::Write;

/// 2 MB: an event of the largest size that a store takes, with headers, fits one message.
pub const PAYLOAD_BYTES_MAX: usize = 2 * 1024 * 1024;
/// One answer to each question, within a minute of it.
const RESPONSES: &str = "{ max: 1, expires: \"1m\" }";

/// Whose credential it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// One module: its own events, commands and queries, and whatever it reads of others.
    Module {
        /// Its name; also the user's.
        name: String,
        /// The modules whose events it reads.
        reads: Vec<String>,
        /// The modules whose queries it asks.
        asks: Vec<String>,
    },
    /// The coordinators: they send commands, take replies, read events, and create what all share. They change and
    /// delete nothing.
    Coordinator {
        /// All modules of the system.
        modules: Vec<String>,
    },
    /// Whoever publishes events from outside.
    Outside {
        /// The user's name.
        name: String,
    },
    /// A person with `--repair`: everything of this prefix and the whole JetStream API.
    Operator,
}

impl Who {
    /// The user.
    pub fn user(&self) -> &str {
        match self {
            Who::Module { name, .. } | Who::Outside { name } => name,
            Who::Coordinator { .. } => ORCHESTRATION,
            Who::Operator => "operator",
        }
    }
}

/// The subjects of a credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// What it may publish.
    pub publish: Vec<String>,
    /// What it may not publish although the list above would allow it.
    pub never_publish: Vec<String>,
    /// What it may subscribe to.
    pub subscribe: Vec<String>,
}

/// What somebody needs, and nothing else.
pub fn permissions(subjects: &Subjects, who: &Who) -> Permissions {
    let mut needs = Permissions::default();
    needs.subscribe.push(format!("_INBOX_{}.>", token(who.user())));
    match who {
        Who::Module { name, reads, asks } => {
            needs.own_events(subjects, name);
            needs.commands_of(subjects, name);
            needs.service(subjects, name);
            needs.publish(subjects.all("reply"));
            for other in reads.iter().filter(|other| *other != name) {
                needs.read_events(subjects, other);
                needs.publish(subjects.dead(other));
            }
            // Orders to the owner of a group look like queries, and are the coordinators' own.
            needs.never_publish.push(format!("{}.qry.{ORCHESTRATION}.group.>", subjects.prefix()));
            for other in asks {
                needs.publish(format!("{}.qry.{}.>", subjects.prefix(), token(other)));
            }
        }
        Who::Coordinator { modules } => {
            needs.coordinator(subjects, modules);
        }
        Who::Outside { .. } => needs.publish(subjects.all("in")),
        Who::Operator => {
            let everything = format!("{}.>", subjects.prefix());
            for subject in [everything.as_str(), "$JS.API.>", "$JS.ACK.>", "$SRV.>"] {
                needs.publish(subject.to_owned());
            }
            needs.subscribe.push(everything);
        }
    }
    needs.publish.sort();
    needs.publish.dedup();
    needs.subscribe.sort();
    needs
}

impl Permissions {
    fn publish(&mut self, subject: String) {
        self.publish.push(subject);
    }
    fn api(&mut self, subject: String) {
        self.publish.push(format!("$JS.API.{subject}"));
    }
    fn own_events(&mut self, subjects: &Subjects, module: &str) {
        self.publish(subjects.events(module));
        self.publish(subjects.dead(module));
        self.api(format!("STREAM.CREATE.{}", stream_of(module)));
        self.read_events(subjects, module);
    }
    fn read_events(&mut self, subjects: &Subjects, module: &str) {
        let stream = stream_of(module);
        self.api(format!("STREAM.INFO.{stream}"));
        self.api(format!("STREAM.MSG.GET.{stream}"));
        self.api(format!("CONSUMER.CREATE.{stream}"));
        self.api(format!("CONSUMER.MSG.NEXT.{stream}.*"));
        self.publish(subjects.query(module, crate::event::READ_LOG, crate::event::READ_LOG_VERSION));
    }
    fn queue(&mut self, stream: &str, consumer: &str, filter: &str) {
        self.api(format!("STREAM.INFO.{stream}"));
        for verb in ["INFO", "DELETE", "MSG.NEXT"] {
            self.api(format!("CONSUMER.{verb}.{stream}.{consumer}"));
        }
        self.api(format!("CONSUMER.CREATE.{stream}.{consumer}.{filter}"));
        self.publish(format!("$JS.ACK.{stream}.{consumer}.>"));
    }
    fn commands_of(&mut self, subjects: &Subjects, module: &str) {
        self.queue(COMMANDS, &command_consumer(module), &subjects.commands(module));
    }
    fn service(&mut self, subjects: &Subjects, module: &str) {
        let module = token(module);
        self.subscribe.push(format!("{}.qry.{module}.>", subjects.prefix()));
        for verb in ["PING", "INFO", "STATS"] {
            for rest in ["".to_owned(), format!(".{module}"), format!(".{module}.*")] {
                self.subscribe.push(format!("$SRV.{verb}{rest}"));
            }
        }
    }
    fn coordinator(&mut self, subjects: &Subjects, modules: &[String]) {
        self.own_events(subjects, ORCHESTRATION);
        self.service(subjects, ORCHESTRATION);
        self.publish(subjects.all("cmd"));
        self.publish(subjects.all("qry"));
        self.publish(subjects.dead("in"));
        for stream in [COMMANDS, REPLIES, OUTSIDE, DEAD] {
            self.api(format!("STREAM.INFO.{stream}"));
            self.api(format!("STREAM.CREATE.{stream}"));
        }
        self.api(format!("STREAM.MSG.GET.{DEAD}"));
        // What ends the connection of whoever receives it is taken out without being received.
        for stream in [REPLIES, OUTSIDE] {
            self.api(format!("STREAM.MSG.GET.{stream}"));
            self.api(format!("STREAM.MSG.DELETE.{stream}"));
        }
        // One user for all groups: who owns which is decided by leases, not by credentials.
        for filter in ["*", "*.*"] {
            self.queue(REPLIES, "*", &format!("{}.reply.{filter}", subjects.prefix()));
        }
        self.publish(format!("{}.ctl.>", subjects.prefix()));
        self.subscribe.push(format!("{}.ctl.>", subjects.prefix()));
        self.queue(OUTSIDE, OUTSIDE_CONSUMER, &subjects.all("in"));
        for module in modules {
            self.api(format!("STREAM.CREATE.{}", stream_of(module)));
            self.read_events(subjects, module);
            self.publish(subjects.dead(module));
            let consumer = command_consumer(module);
            self.api(format!("CONSUMER.INFO.{COMMANDS}.{consumer}"));
            self.api(format!("CONSUMER.CREATE.{COMMANDS}.{consumer}.{}", subjects.commands(module)));
        }
    }
}

/// How a user shows who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// The bcrypt hash of a password.
    Bcrypt(String),
    /// The name of an environment variable of the server that holds a password or its bcrypt hash.
    Environment(String),
    /// The public part of an nkey.
    Nkey(String),
}

/// How careful the server is with what it acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Written to the disk every two minutes: what a power cut takes is published again from the logs.
    Fast,
    /// Written to the disk before it is acknowledged: for consumers that take the bus for the truth. Servers from 2.10.
    Strict,
}

/// A whole `nats-server.conf`: one account, these users, JetStream in `store_dir`.
pub fn server_config(subjects: &Subjects, users: &[(Who, Secret)], profile: Profile, store_dir: &str) -> String {
    let sync = match profile {
        Profile::Fast => "",
        Profile::Strict => "\n  sync_interval: always",
    };
    format!(
        "# Made from the names of modules; edit those instead.\n\
         max_payload: {PAYLOAD_BYTES_MAX}\n\
         jetstream {{\n  store_dir: {store_dir:?}{sync}\n}}\n{}",
        users_config(subjects, users)
    )
}

/// Only the users, to be included by a configuration of one's own.
pub fn users_config(subjects: &Subjects, users: &[(Who, Secret)]) -> String {
    let mut text = String::from("authorization {\n  users: [\n");
    for (who, secret) in users {
        let Permissions { publish, never_publish, subscribe } = permissions(subjects, who);
        let login = match secret {
            Secret::Bcrypt(hash) => format!("user: {:?}, password: {hash:?}", token(who.user())),
            Secret::Environment(name) => format!("user: {:?}, password: ${name}", token(who.user())),
            Secret::Nkey(key) => format!("nkey: {key:?}"),
        };
        // Writing to a text never fails.
        let _written = write!(
            text,
            "    {{ {login}, permissions: {{\n        publish: {{ allow: [\n{}        ], deny: [\n{}        ] }}\n        \
             subscribe: {{ allow: [\n{}        ] }}\n        allow_responses: {RESPONSES}\n    }} }}\n",
            lines(&publish),
            lines(&never_publish),
            lines(&subscribe)
        );
    }
    text.push_str("  ]\n}\n");
    text
}
fn lines(subjects: &[String]) -> String {
    subjects.iter().fold(String::new(), |text, subject| text + &format!("          {subject:?}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_needs_this_and_nothing_else() {
        let subjects = Subjects::new("aicmo").unwrap();
        let who = Who::Module { name: "qc".to_owned(), reads: vec!["cam".to_owned()], asks: vec![] };
        let Permissions { publish, never_publish, subscribe } = permissions(&subjects, &who);
        assert_eq!(never_publish, ["aicmo.qry.orchestration.group.>"]);
        assert_eq!(
            publish,
            [
                "$JS.ACK.CMD.cmd-qc.>",
                "$JS.API.CONSUMER.CREATE.CMD.cmd-qc.aicmo.cmd.qc.>",
                "$JS.API.CONSUMER.CREATE.EVT_cam",
                "$JS.API.CONSUMER.CREATE.EVT_qc",
                "$JS.API.CONSUMER.DELETE.CMD.cmd-qc",
                "$JS.API.CONSUMER.INFO.CMD.cmd-qc",
                "$JS.API.CONSUMER.MSG.NEXT.CMD.cmd-qc",
                "$JS.API.CONSUMER.MSG.NEXT.EVT_cam.*",
                "$JS.API.CONSUMER.MSG.NEXT.EVT_qc.*",
                "$JS.API.STREAM.CREATE.EVT_qc",
                "$JS.API.STREAM.INFO.CMD",
                "$JS.API.STREAM.INFO.EVT_cam",
                "$JS.API.STREAM.INFO.EVT_qc",
                "$JS.API.STREAM.MSG.GET.EVT_cam",
                "$JS.API.STREAM.MSG.GET.EVT_qc",
                "aicmo.dlq.cam",
                "aicmo.dlq.qc",
                "aicmo.evt.qc.>",
                "aicmo.qry.cam.ReadLog.v1",
                "aicmo.qry.qc.ReadLog.v1",
                "aicmo.reply.>",
            ]
        );
        assert_eq!(
            subscribe,
            [
                "$SRV.INFO",
                "$SRV.INFO.qc",
                "$SRV.INFO.qc.*",
                "$SRV.PING",
                "$SRV.PING.qc",
                "$SRV.PING.qc.*",
                "$SRV.STATS",
                "$SRV.STATS.qc",
                "$SRV.STATS.qc.*",
                "_INBOX_qc.>",
                "aicmo.qry.qc.>",
            ]
        );
    }
}
