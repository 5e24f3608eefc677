//! A credential does what its owner needs, and nothing of anybody else's.

use crate::relay::Relaying;
use crate::support::{Admin, DEADLINE, grow, on_both, options, public, read, store};
use saga_core::bus::{Answerer, Bus, Calls, CommandMessage, Inbox, Line, Message, ReplyMessage, Says, Settle};
use saga_core::envelope::Actor;
use saga_core::host::direct;
use saga_core::id::{Direction, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_nats::permissions::{Profile, Secret, Who, server_config, users_config};
use saga_nats::subject::Subjects;
use saga_nats::{Creates, Login, Nats, Options};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use test_servers::nats::{Nats as Server, Version};
use uuid::Uuid;

const PASSWORD: &str = "a secret";

fn module(name: &str, reads: &[&str]) -> Who {
    let reads: Vec<String> = reads.iter().map(|&other| other.to_owned()).collect();
    Who::Module { name: name.to_owned(), asks: reads.clone(), reads }
}
fn everybody() -> Vec<Who> {
    let modules = vec!["law".to_owned(), "cam".to_owned()];
    vec![
        module("law", &[]),
        module("cam", &["law"]),
        Who::Coordinator { modules },
        Who::Outside { name: "shop".to_owned() },
        Who::Operator,
    ]
}
fn start(version: Version) -> Server {
    let subjects = Subjects::new("aicmo").unwrap();
    let users: Vec<_> = everybody().into_iter().map(|who| (who, Secret::Environment("SECRET".to_owned()))).collect();
    Server::start_with(version, &users_config(&subjects, &users), &[("SECRET", &format!("{PASSWORD:?}"))])
}
async fn connect(server: &Server, who: &Who, folder: &tempfile::TempDir) -> Nats {
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let creates = match who {
        Who::Module { .. } | Who::Outside { .. } => Creates::OwnEvents,
        Who::Coordinator { .. } | Who::Operator => Creates::Everything,
    };
    let login = Login::Password { user: who.user().to_owned(), file };
    Nats::connect(Options { login, creates, ..options(server.url()) }).await.unwrap()
}

async fn everybody_can_do_their_work(version: Version) {
    let (server, folder, who) = (start(version), tempfile::tempdir().unwrap(), everybody());
    let coordinator = connect(&server, &who[2], &folder).await;
    coordinator.ensure(&["law", "cam"], &[3]).await.unwrap();
    let (law, cam) = (connect(&server, &who[0], &folder).await, connect(&server, &who[1], &folder).await);
    // Events: relayed by their module, read by another and by the coordinator.
    let store = store();
    let _relaying = Relaying::start(&law, &store);
    grow(&store, 30).await;
    for reader in [&law, &cam, &coordinator] {
        assert_eq!(read(reader, 0, 20).await, public(&store).await);
    }
    // A command goes there, its reply comes back.
    let inbox = Inbox::Commands("law".to_owned());
    let delivered = Arc::new(direct("Do", 1, Payload::null(), Uuid::from_u128(1), Actor::operator("test")));
    let (saga, step) = (delivered.deed.saga, delivered.deed.step.clone());
    let command = Message::Command(CommandMessage { module: "law".to_owned(), delivered, reply_to: 3, probe: false });
    coordinator.publish(command.clone()).await.unwrap();
    let got = law.receive(&inbox, 9).await.unwrap();
    assert_eq!(got[0].message, command);
    let says = Says::Answer(Answer::Done { output: Payload::null() });
    let (key, module, direction) = (StepKey::from_uuid(Uuid::from_u128(1)), "law".to_owned(), Direction::Do);
    let reply = ReplyMessage { group: 3, saga, step, direction, attempt: 1, key, module, says };
    let reply = Message::Reply(reply);
    law.publish(reply.clone()).await.unwrap();
    law.settle(&inbox, vec![(got[0].tag, Settle::Park("nobody knows why".to_owned()))]).await.unwrap();
    let got = coordinator.receive(&Inbox::Replies(3), 9).await.unwrap();
    assert_eq!(got[0].message, reply);
    coordinator.settle(&Inbox::Replies(3), vec![(got[0].tag, Settle::Done)]).await.unwrap();
    assert_eq!(coordinator.aside("law", 9).await.unwrap().len(), 1);
    // From outside.
    let shop = connect(&server, &who[3], &folder).await;
    let (id, source, kind) = ("7".to_owned(), "/shop".to_owned(), "order.Placed.v1".to_owned());
    let outside = Message::Outside(saga_core::bus::OutsideMessage { id, source, kind, data: Payload::null() });
    shop.publish(outside.clone()).await.unwrap();
    let got = coordinator.receive(&Inbox::Outside, 9).await.unwrap();
    assert_eq!(got[0].message, outside);
    // Questions.
    let line = Line::Query { module: "law".to_owned(), name: "Echo".to_owned(), version: 1 };
    let (echo, serving, mut serves) = (line.clone(), law.clone(), tokio::task::JoinSet::new());
    serves.spawn(async move { serving.serve(vec![(echo, echoing(&Arc::default()))]).await });
    for asks in [&cam, &coordinator] {
        let answer = crate::support::until("answered", || async {
            asks.call(&line, &Payload::trusted("7"), DEADLINE).await.map_err(|why| why.to_string())
        });
        assert_eq!(answer.await, Ok(Payload::trusted("7")));
    }
    for bus in [&coordinator, &law, &cam, &shop] {
        assert_eq!(bus.health().last_error, None);
    }
}
fn echoing(count: &Arc<AtomicU32>) -> Answerer {
    let count = Arc::clone(count);
    Arc::new(move |question| {
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(question)))
    })
}

/// Speaks the protocol itself, so that the answer to each attempt is seen.
struct Raw(BufReader<TcpStream>);
impl Raw {
    fn connect(server: &Server, user: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut raw = Self(BufReader::new(stream));
        let login = json!({ "user": user, "pass": PASSWORD, "verbose": false, "headers": true, "no_responders": true });
        let said = raw.say(&format!("CONNECT {login}\r\n"));
        assert_eq!(said, "", "{user} is let in");
        raw
    }
    /// What the server complains about, up to the next sign of life.
    fn say(&mut self, words: &str) -> String {
        self.0.get_mut().write_all(format!("{words}PING\r\n").as_bytes()).unwrap();
        let mut complaints = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the server hung up after {words:?}: {complaints}");
            match line.trim_end() {
                "PONG" => return complaints,
                said if said.starts_with("-ERR") => complaints.push_str(said),
                _ => {}
            }
        }
    }
    fn publishes(&mut self, subject: &str) -> bool {
        let said = self.say(&format!("PUB {subject} 2\r\n{{}}\r\n"));
        assert!(said.is_empty() || said.contains("Permissions Violation"), "{said}");
        said.is_empty()
    }
    fn subscribes(&mut self, subject: &str) -> bool {
        let said = self.say(&format!("SUB {subject} 7\r\n"));
        assert!(said.is_empty() || said.contains("Permissions Violation"), "{said}");
        said.is_empty()
    }
}

async fn nobody_can_do_what_is_not_theirs(version: Version) {
    let server = start(version);
    let streams = ["EVT_law", "EVT_cam", "EVT_orchestration", "CMD", "RPL", "IN", "DLQ"];
    let changing = ["UPDATE", "DELETE", "PURGE", "MSG.DELETE", "SNAPSHOT", "RESTORE", "PEER.REMOVE", "LEADER.STEPDOWN"];
    for who in everybody().iter().filter(|who| **who != Who::Operator) {
        let (user, mut raw) = (who.user(), Raw::connect(&server, who.user()));
        let denied = |raw: &mut Raw, subject: &str| assert!(!raw.publishes(subject), "{user} publishes {subject}");
        for stream in streams {
            let weeds = matches!(who, Who::Coordinator { .. }) && ["RPL", "IN"].contains(&stream);
            for verb in changing.into_iter().filter(|verb| !weeds || *verb != "MSG.DELETE") {
                denied(&mut raw, &format!("$JS.API.STREAM.{verb}.{stream}"));
            }
            denied(&mut raw, &format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.x"));
        }
        for subject in ["$SYS.REQ.SERVER.PING", "$JS.API.STREAM.CREATE.MINE", "$JS.API.ACCOUNT.PURGE.x", "other.evt.x"]
        {
            denied(&mut raw, subject);
        }
        let mut others: Vec<String> = vec!["aicmo.evt.nobody.x".to_owned(), "_INBOX_operator.x".to_owned()];
        for other in ["law", "cam", "orchestration"].into_iter().filter(|other| *other != user) {
            others.push(format!("aicmo.evt.{other}.law.Noted.v1.p00"));
            others.push(format!("_INBOX_{other}.x"));
            others.push(format!("$JS.API.CONSUMER.DELETE.CMD.cmd-{other}"));
            others.push(format!("$JS.API.CONSUMER.MSG.NEXT.CMD.cmd-{other}"));
            others.push(format!("$JS.ACK.CMD.cmd-{other}.1.1.1.1.1"));
            others.push(format!("$JS.API.CONSUMER.CREATE.CMD.cmd-{other}.aicmo.cmd.{user}.>"));
        }
        match who {
            Who::Module { .. } => {
                // Its own consumer with another's filter, or without any; commands to anybody; orders to coordinators.
                for subject in [
                    format!("$JS.API.CONSUMER.CREATE.CMD.cmd-{user}.aicmo.cmd.>"),
                    format!("$JS.API.CONSUMER.CREATE.CMD.cmd-{user}.aicmo.cmd.nobody.>"),
                    format!("$JS.API.CONSUMER.CREATE.CMD.cmd-{user}"),
                    "$JS.API.CONSUMER.CREATE.CMD".to_owned(),
                    "$JS.API.CONSUMER.CREATE.RPL".to_owned(),
                    "$JS.API.CONSUMER.MSG.NEXT.RPL.rpl-g03".to_owned(),
                    "$JS.API.STREAM.MSG.GET.DLQ".to_owned(),
                    "$JS.API.STREAM.MSG.GET.CMD".to_owned(),
                    "$JS.API.STREAM.CREATE.CMD".to_owned(),
                    format!("aicmo.cmd.{user}.Do.v1"),
                    "aicmo.in.x".to_owned(),
                    "aicmo.dlq.in".to_owned(),
                    "aicmo.qry.orchestration.group.g03".to_owned(),
                ] {
                    denied(&mut raw, &subject);
                }
            }
            Who::Outside { .. } => {
                for subject in ["aicmo.cmd.law.Do.v1", "aicmo.reply.g03", "aicmo.qry.law.Echo.v1", "$JS.API.INFO"] {
                    denied(&mut raw, subject);
                }
            }
            Who::Coordinator { .. } | Who::Operator => {}
        }
        others.iter().for_each(|subject| denied(&mut raw, subject));
        for subject in [
            ">",
            "aicmo.>",
            "aicmo.evt.law.>",
            "aicmo.cmd.>",
            "aicmo.cmd.nobody.>",
            "aicmo.reply.>",
            "aicmo.in.>",
            "aicmo.dlq.>",
            "aicmo.qry.>",
            "$JS.>",
            "$SYS.>",
            "_INBOX.>",
            "_INBOX_operator.>",
            "*.evt.>",
        ] {
            assert!(!raw.subscribes(subject), "{user} subscribes to {subject}");
        }
    }
    // Only the last of two modules reads the other.
    let (mut law, mut cam) = (Raw::connect(&server, "law"), Raw::connect(&server, "cam"));
    assert!(!law.publishes("$JS.API.CONSUMER.CREATE.EVT_cam") && cam.publishes("$JS.API.CONSUMER.CREATE.EVT_law"));
    assert!(!law.publishes("$JS.API.STREAM.MSG.GET.EVT_cam") && cam.publishes("$JS.API.STREAM.MSG.GET.EVT_law"));
    assert!(!law.publishes("aicmo.qry.cam.Echo.v1") && cam.publishes("aicmo.qry.law.Echo.v1"));
}

/// Servers deliver from a consumer to any subject that is subscribed to, whoever asked for it.
async fn a_consumer_cannot_be_turned_into_a_questioner(version: Version) {
    let (server, folder, who) = (start(version), tempfile::tempdir().unwrap(), everybody());
    let coordinator = connect(&server, &who[2], &folder).await;
    coordinator.ensure(&["law", "cam"], &[3]).await.unwrap();
    let (asked, mut serves) = (Arc::new(AtomicU32::new(0)), tokio::task::JoinSet::new());
    let (line, answerer, serving) = (Line::Group(3), echoing(&asked), coordinator.clone());
    serves.spawn(async move { serving.serve(vec![(line, answerer)]).await });
    let answer = crate::support::until("answered", || async {
        coordinator.call(&Line::Group(3), &Payload::null(), DEADLINE).await.map_err(|why| why.to_string())
    });
    assert_eq!((answer.await, asked.load(Ordering::SeqCst)), (Ok(Payload::null()), 1));
    let mut cam = Raw::connect(&server, "cam");
    let config = json!({ "stream_name": "EVT_cam", "config": { "deliver_subject": "aicmo.qry.orchestration.group.g03",
        "deliver_group": "aicmo.qry.orchestration.group.g03", "deliver_policy": "all", "ack_policy": "none",
        "replay_policy": "instant" } });
    let config = config.to_string();
    let made = format!("PUB $JS.API.CONSUMER.CREATE.EVT_cam _INBOX_cam.1 {}\r\n{config}\r\n", config.len());
    assert_eq!(cam.say(&made), "");
    assert!(cam.publishes("aicmo.evt.cam.x.y"));
    let operator = Admin::login(&server, "operator", PASSWORD).await;
    crate::support::until("the server has delivered it", || async {
        let list = operator.api("CONSUMER.LIST.EVT_cam", json!({})).await?;
        let delivered = &list["consumers"][0]["delivered"]["stream_seq"];
        if *delivered == json!(1) { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    let answer = coordinator.call(&Line::Group(3), &Payload::null(), DEADLINE).await;
    assert_eq!((answer, asked.load(Ordering::SeqCst)), (Ok(Ok(Payload::null())), 2));
}

#[test]
fn the_whole_configuration_is_one_that_servers_take() {
    let subjects = Subjects::new("aicmo").unwrap();
    let hash = Secret::Bcrypt("$2a$11$3kIDaCxw.Glsl1.u5nKa6eUnNDLV5HV9tIuUp7EHhMt6Nm9myW1aS".to_owned());
    let nkey = Secret::Nkey("UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4".to_owned());
    let variable = || Secret::Environment("SECRET".to_owned());
    let secrets = [hash, nkey, variable(), variable(), variable()];
    let users: Vec<_> = everybody().into_iter().zip(secrets).collect();
    // Servers before 2.10 know no strict profile.
    for (version, profile) in
        [(Version::Debian, Profile::Fast), (Version::Newest, Profile::Fast), (Version::Newest, Profile::Strict)]
    {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nats-server.conf");
        let store_dir = folder.path().join("data");
        std::fs::write(&file, server_config(&subjects, &users, profile, &store_dir.to_string_lossy())).unwrap();
        let mut command = std::process::Command::new(version.binary());
        let checked = command.args(["-t", "-c"]).arg(&file).env("SECRET", "\"x\"").output().unwrap();
        assert!(checked.status.success(), "{version:?}: {}", String::from_utf8_lossy(&checked.stderr));
    }
}

on_both! {
    everybody_can_do_their_work, nobody_can_do_what_is_not_theirs, a_consumer_cannot_be_turned_into_a_questioner,
}
