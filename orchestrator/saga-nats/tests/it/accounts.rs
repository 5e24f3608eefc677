//! One account for each module: every account can do its work over what `accounts_config` makes, and every known way
//! into another account's stream is closed, on both servers.

use crate::attack::{Attacker, state};
use crate::relay::Relaying;
use crate::support::{DEADLINE, grow, on_both, options, public, read, store, until};
use async_nats::ConnectOptions;
use saga_core::bus::{
    Answerer, Aside, Bus, BusError, Calls, CommandMessage, DeadLetters, Delivered, EventBus, Inbox, Line, Message,
    OutsideMessage, ReplyMessage, Says, Settle, Upkeep,
};
use saga_core::envelope::Actor;
use saga_core::id::Direction;
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_nats::accounts::{CONNECTIONS_MAX, Member, Members, accounts_config, password_variable};
use saga_nats::subject::Subjects;
use saga_nats::{Account, Creates, Login, Nats, Options};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use test_servers::nats::{Nats as Server, Version};
use tokio::task::JoinSet;
use uuid::Uuid;

const SHORT: Duration = Duration::from_secs(2);
pub(crate) const PASSWORD: &str = "a secret";
const EVERYBODY: [&str; 6] = ["orchestration", "operator", "law", "cam", "shop", "watch"];

pub(crate) fn start(version: Version) -> Server {
    let member = |name: &str, reads: &[&str]| Member {
        name: name.to_owned(),
        reads: reads.iter().map(|&other| other.to_owned()).collect(),
        asks: reads.iter().map(|&other| other.to_owned()).collect(),
    };
    let members = Members {
        modules: vec![member("law", &[]), member("cam", &["law"])],
        publishers: vec!["shop".to_owned()],
        readers: vec![Member { asks: Vec::new(), ..member("watch", &["law"]) }],
    };
    let config = accounts_config(&Subjects::new("aicmo").unwrap(), &members);
    let (names, secret) = (EVERYBODY.map(password_variable), format!("{PASSWORD:?}"));
    let environment: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), secret.as_str())).collect();
    Server::start_with(version, &config, &environment)
}

async fn connect(server: &Server, user: &str, folder: &tempfile::TempDir) -> Nats {
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let account = match user {
        "orchestration" => Account::Coordinators,
        other => Account::Own(other.to_owned()),
    };
    let (login, creates) = (Login::Password { user: user.to_owned(), file }, Creates::Everything);
    Nats::connect(Options { login, creates, account, ..options(server.url()) }).await.unwrap()
}

/// A coordinator that makes what all need, and gives readers their consumers.
pub(crate) async fn coordinate(server: &Server, folder: &tempfile::TempDir, serves: &mut JoinSet<()>) -> Nats {
    let coordinator = connect(server, "orchestration", folder).await;
    coordinator.ensure(&["law", "cam"], &[3]).await.unwrap();
    let serving = coordinator.clone();
    serves.spawn(async move { drop(serving.serve(vec![serving.readers_answerer()]).await) });
    coordinator
}

fn echoing(count: &Arc<AtomicU32>) -> Answerer {
    let count = Arc::clone(count);
    Arc::new(move |question| {
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(question)))
    })
}

fn command(number: u128) -> CommandMessage {
    let delivered =
        Arc::new(Delivered::direct("Do", 1, Payload::null(), Uuid::from_u128(number), Actor::operator("test")));
    CommandMessage { module: "law".to_owned(), delivered, reply_to: 3, probe: false }
}
fn answer(command: &CommandMessage) -> Message {
    let deed = &command.delivered.deed;
    let (step, module, direction) = (deed.step.clone(), command.module.clone(), Direction::Do);
    let says = Says::Answer(Answer::Done { output: Payload::null() });
    let (saga, key, attempt) = (deed.saga, deed.key, deed.attempt);
    Message::Reply(ReplyMessage { group: 3, saga, step, direction, attempt, key, module, says })
}

async fn everybody_can_do_their_work(version: Version) {
    let (server, folder, mut serves) = (start(version), tempfile::tempdir().unwrap(), JoinSet::new());
    // A module that is there before its streams waits for them, and says for what.
    let law = connect(&server, "law", &folder).await;
    let early = law.tip("law").await.unwrap_err();
    assert!(early.to_string().contains("start one (sagactl serve)"), "{early}");
    let coordinator = coordinate(&server, &folder, &mut serves).await;
    let (cam, watch) = (connect(&server, "cam", &folder).await, connect(&server, "watch", &folder).await);
    // Events: relayed by their module, read by another, by the coordinator and by a reader outside.
    let store = store();
    let _relaying = Relaying::start(&law, &store);
    grow(&store, 30).await;
    for reader in [&cam, &coordinator, &watch] {
        assert_eq!(read(reader, 0, 20).await, public(&store).await);
    }
    // A command goes there, its reply comes back and says whose it is.
    let (inbox, command) = (Inbox::Commands("law".to_owned()), command(1));
    coordinator.publish(Message::Command(command.clone())).await.unwrap();
    let got = law.receive(&inbox, 9).await.unwrap();
    assert_eq!(got[0].message, Message::Command(command.clone()));
    law.publish(answer(&command)).await.unwrap();
    law.settle(&inbox, vec![(got[0].tag, Settle::Park("nobody knows why".to_owned()))]).await.unwrap();
    let got = coordinator.receive(&Inbox::Replies(3), 9).await.unwrap();
    assert_eq!(got[0].message, answer(&command));
    coordinator.settle(&Inbox::Replies(3), vec![(got[0].tag, Settle::Done)]).await.unwrap();
    assert_eq!(coordinator.aside("law", 9).await.unwrap().len(), 1);
    // From outside.
    let shop = connect(&server, "shop", &folder).await;
    let (id, source, kind) = ("7".to_owned(), "/shop".to_owned(), "shop".to_owned());
    let outside = Message::Outside(OutsideMessage { id, source, kind, data: Payload::null() });
    shop.publish(outside.clone()).await.unwrap();
    let got = coordinator.receive(&Inbox::Outside, 9).await.unwrap();
    assert_eq!(got[0].message, outside);
    // Questions.
    let line = Line::Query { module: "law".to_owned(), name: "Echo".to_owned(), version: 1 };
    let (echo, serving) = (line.clone(), law.clone());
    serves.spawn(async move { drop(serving.serve(vec![(echo, echoing(&Arc::default()))]).await) });
    for asks in [&cam, &coordinator] {
        let answer = until("answered", || async {
            // Servers 2.9 do not say across accounts that nobody answers: a caller that asks too early waits for its
            // whole patience.
            asks.call(&line, &Payload::trusted("7"), SHORT).await.map_err(|why| why.to_string())
        });
        assert_eq!(answer.await, Ok(Payload::trusted("7")));
    }
    for bus in [&coordinator, &law, &cam, &shop, &watch] {
        assert_eq!(bus.health().last_error, None);
    }
}

async fn readers_go_on_while_no_coordinator_answers(version: Version) {
    let (server, folder, mut serves) = (start(version), tempfile::tempdir().unwrap(), JoinSet::new());
    let coordinator = connect(&server, "orchestration", &folder).await;
    coordinator.ensure(&["law", "cam"], &[3]).await.unwrap();
    let (law, cam, store) = (connect(&server, "law", &folder).await, connect(&server, "cam", &folder).await, store());
    let _relaying = Relaying::start(&law, &store);
    let (log, serving) = (law.log_answerer("law", Arc::clone(&store)), law.clone());
    serves.spawn(async move { drop(serving.serve(vec![log]).await) });
    grow(&store, 30).await;
    // Out of the log of their owner.
    assert_eq!(read(&cam, 0, 20).await, public(&store).await);
    let serving = coordinator.clone();
    serves.spawn(async move { drop(serving.serve(vec![serving.readers_answerer()]).await) });
    grow(&store, 60).await;
    assert_eq!(read(&cam, 20, 20).await, public(&store).await[20..]);
}

/// The consumer of a module that may not look at its stream is made anew by the coordinators, when it is gone or blind.
async fn a_lost_consumer_is_made_anew(version: Version) {
    let (server, folder, mut serves) = (start(version), tempfile::tempdir().unwrap(), JoinSet::new());
    let coordinator = coordinate(&server, &folder, &mut serves).await;
    let law = connect(&server, "law", &folder).await;
    let (inbox, operator) = (Inbox::Commands("law".to_owned()), Attacker::connect(&server, "operator").await);
    let gone = operator.ask("JS.bus.API.CONSUMER.DELETE.CMD.cmd-law", "{}").await;
    assert!(gone.is_some_and(|said| said.contains("success")));
    coordinator.publish(Message::Command(command(1))).await.unwrap();
    coordinator.tend().await;
    let got = tokio::time::timeout(DEADLINE, law.receive(&inbox, 9)).await.unwrap().unwrap();
    assert_eq!(got[0].message, Message::Command(command(1)));
}

/// What every attack wants to reach, from any account but that of the coordinators.
const TARGETS: [&str; 14] = [
    "aicmo.evt.law.law.Noted.v1.p00",
    "aicmo.evt.orchestration.x.Y.v1.p00",
    "aicmo.cmd.law.Do.v1",
    "aicmo.cmd.delivery.SetExecution.v1",
    "aicmo.reply.g03",
    "aicmo.reply.g03.law",
    "aicmo.reply.g03.orchestration",
    "aicmo.in.forms",
    "aicmo.dlq.law",
    "aicmo.dlq.in",
    "aicmo.ctl.g03.v1",
    "aicmo.ctl.read.cam.law",
    "aicmo.qry.orchestration.group.g03",
    "aicmo.qry.orchestration.ReadLog.v1",
];

async fn a_neighbour_cannot(version: Version) {
    let (server, folder, mut serves) = (start(version), tempfile::tempdir().unwrap(), JoinSet::new());
    let coordinator = coordinate(&server, &folder, &mut serves).await;
    let (law, store, asked) = (connect(&server, "law", &folder).await, store(), Arc::new(AtomicU32::new(0)));
    let relaying = Relaying::start(&law, &store);
    grow(&store, 30).await;
    assert_eq!(read(&coordinator, 0, 20).await.len(), 20);
    coordinator.publish(Message::Command(command(1))).await.unwrap();
    let (serving, echo) = (coordinator.clone(), echoing(&asked));
    serves.spawn(async move { drop(serving.serve(vec![(Line::Group(3), echo)]).await) });
    let told = until("told", || async {
        let told = coordinator.call(&Line::Group(3), &Payload::trusted("7"), DEADLINE).await;
        told.map_err(|why| why.to_string())
    });
    assert_eq!(told.await, Ok(Payload::trusted("7")));
    let orders = asked.load(Ordering::SeqCst);
    drop(relaying);
    let admin = Attacker::connect(&server, "orchestration").await;
    let before = state(&admin).await;
    for user in ["cam", "shop", "watch"] {
        let evil = Attacker::connect(&server, user).await;
        evil.publishes_into(&TARGETS).await;
        evil.calls_the_api_with_foreign_replies(&TARGETS).await;
        evil.makes_streams_and_consumers(&TARGETS).await;
        evil.takes_what_is_others().await;
        evil.orders_accounts_and_servers().await;
        assert_eq!(state(&admin).await, before, "{user}");
        assert_eq!(asked.load(Ordering::SeqCst), orders, "{user} gave orders");
    }
    // Own publishes and pulls, with another account's subject for the answer: the answer stays in the own account.
    let (cam, shop) = (Attacker::connect(&server, "cam").await, Attacker::connect(&server, "shop").await);
    let asking = || async { cam.ask("aicmo.ctl.read.law.cam", r#"{"after":0}"#).await.ok_or_else(String::new) };
    let made = until("a consumer", asking).await;
    let consumer: serde_json::Value = serde_json::from_str(&made).unwrap();
    let consumer = consumer["consumer"].as_str().unwrap().to_owned();
    for target in TARGETS {
        let next = format!("JS.bus.API.CONSUMER.MSG.NEXT.EVT_law.{consumer}");
        cam.says(&next, r#"{"batch":3,"expires":100000000}"#, Some(target)).await;
        cam.says("aicmo.reply.g03.cam", "{}", Some(target)).await;
        cam.says("aicmo.evt.cam.x.Y.v1.p00", "{}", Some(target)).await;
        shop.says("aicmo.in.shop", "{}", Some(target)).await;
    }
    cam.settles().await;
    shop.settles().await;
    let after = state(&admin).await;
    let own = TARGETS.len() as u64;
    for (stream, is, was) in after.iter().zip(&before).map(|((stream, is), (_, was))| (stream.as_str(), is, was)) {
        let grown = if ["EVT_cam", "RPL", "IN"].contains(&stream) { own } else { 0 };
        assert_eq!(is.messages, was.messages + grown, "{stream}");
        assert_eq!(is.config, was.config, "{stream}");
    }
    // And nobody hears what is not said to them.
    let mut evil = Attacker::connect(&server, "cam").await;
    evil.hears_everything().await;
    coordinator.publish(Message::Command(command(2))).await.unwrap();
    grow(&store, 33).await;
    let _relaying = Relaying::start(&law, &store);
    assert_eq!(read(&coordinator, 20, 2).await.len(), 2);
    assert_eq!(evil.heard(Duration::from_millis(300)).await, Vec::<String>::new());
    // What was asked for is still there, for the one it is for.
    let got = law.receive(&Inbox::Commands("law".to_owned()), 9).await.unwrap();
    assert_eq!(got[0].message, Message::Command(command(1)));
}

/// The same attempts where everybody is in one account: they are no blanks.
async fn in_one_account_a_neighbour_can(version: Version) {
    let users = EVERYBODY.map(|user| format!("{{ user: {user}, password: {PASSWORD:?} }}")).join("\n");
    let server = Server::start_with(version, &format!("authorization {{ users: [\n{users}\n] }}"), &[]);
    let (folder, mut serves) = (tempfile::tempdir().unwrap(), JoinSet::new());
    let coordinator = coordinate(&server, &folder, &mut serves).await;
    coordinator.publish(Message::Command(command(1))).await.unwrap();
    let (admin, cam) = (Attacker::connect(&server, "orchestration").await, Attacker::connect(&server, "cam").await);
    let before = state(&admin).await;
    cam.calls_the_api_with_foreign_replies(&TARGETS).await;
    let after = state(&admin).await;
    for (stream, was) in before {
        let is = &after.iter().find(|(name, _)| *name == stream).unwrap().1;
        if !["EVT_cam", "EVT_orchestration"].contains(&stream.as_str()) {
            assert!(is.messages > was.messages, "nothing was written into {stream}");
        }
    }
}

/// One account has so many connections and no more, and its neighbours have theirs.
async fn no_account_takes_the_connections_of_all(version: Version) {
    let server = start(version);
    let login = |user: &str| {
        let options = ConnectOptions::with_user_and_password(user.to_owned(), PASSWORD.to_owned());
        options.max_reconnects(1).connect(server.url())
    };
    let mut greedy = Vec::new();
    let refused = loop {
        match login("law").await {
            Ok(client) => greedy.push(client),
            Err(why) => break why,
        }
        assert!(greedy.len() <= CONNECTIONS_MAX, "there is no bound");
    };
    assert_eq!(greedy.len(), CONNECTIONS_MAX, "{refused}");
    for neighbour in ["cam", "orchestration"] {
        login(neighbour).await.unwrap().flush().await.unwrap();
    }
}

/// An operator can look at a dead letter with the request that is shown beside it, and a module asks for none.
async fn a_letter_is_looked_at_as_it_is_told(version: Version) {
    let (server, folder, mut serves) = (start(version), tempfile::tempdir().unwrap(), JoinSet::new());
    let coordinator = coordinate(&server, &folder, &mut serves).await;
    let (inbox, reason) = (Inbox::Commands("law".to_owned()), "its ink is dry".to_owned());
    let aside = Aside { inbox, message: Message::Command(command(1)), times: 1, reason };
    coordinator.put_aside(aside).await.unwrap();
    let told = coordinator.letters_at("law");
    let words: Vec<&str> = told.split_whitespace().collect();
    assert_eq!(words[..4], ["nats", "--user", "operator", "request"], "{told}");
    let (_, body) = told.split_once('\'').unwrap();
    let (body, _) = body.split_once('\'').unwrap();
    let operator = Attacker::connect(&server, "operator").await;
    let asking =
        || async { operator.ask(words[4], body).await.filter(|said| said.contains("hdrs")).ok_or_else(String::new) };
    let letter: serde_json::Value = serde_json::from_str(&until("the letter", asking).await).unwrap();
    assert_eq!(letter["message"]["subject"], "aicmo.dlq.law", "{letter}");
    let law = connect(&server, "law", &folder).await;
    assert!(matches!(law.aside_count("law").await, Err(BusError::Refused(_))));
    assert_eq!((coordinator.aside_count("law").await, law.made_anew().await), (Ok(1), Ok(Vec::new())));
}

/// A reader has no way to the consumers of others, and cannot name a subject for what is delivered.
async fn a_reader_gets_a_consumer_and_no_more(version: Version) {
    let (server, folder, mut serves) = (start(version), tempfile::tempdir().unwrap(), JoinSet::new());
    let _coordinator = coordinate(&server, &folder, &mut serves).await;
    let watch = Attacker::connect(&server, "watch").await;
    let asking = || async { watch.ask("aicmo.ctl.read.law.watch", r#"{"after":0}"#).await.ok_or_else(String::new) };
    let made = until("a consumer", asking).await;
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let name = made["consumer"].as_str().unwrap();
    let info = watch.ask(&format!("JS.bus.API.CONSUMER.INFO.EVT_law.{name}"), "").await.unwrap();
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert!(info["config"]["deliver_subject"].is_null() && info["config"]["ack_policy"] == "none", "{info}");
    let more = json!({ "after": 0, "deliver_subject": "aicmo.cmd.law.Do.v1", "config": { "deliver_subject": "x" } });
    let (more, large) = (more.to_string(), json!({ "after": 0, "x": "x".repeat(1_000_000) }).to_string());
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    let blank = format!("{{\"after\":0{}}}", " ".repeat(2_000));
    for malformed in [
        "",
        "{}",
        "[]",
        "[1]",
        "7",
        "after",
        r#"{"after":"#,
        r#"{"after":-1}"#,
        r#"{"after":"x"}"#,
        r#"{"after":1,"after":2}"#,
        &more,
        &large,
        &deep,
        &blank,
    ] {
        let (code, said) = watch.asks("aicmo.ctl.read.law.watch", malformed).await.unwrap();
        let shown: String = malformed.chars().take(80).collect();
        assert!(code == "422" && said.contains("MALFORMED") && said.len() < 1_000, "{shown}: {code} {said}");
    }
}

on_both! {
    no_account_takes_the_connections_of_all, everybody_can_do_their_work, readers_go_on_while_no_coordinator_answers, a_lost_consumer_is_made_anew,
    a_neighbour_cannot, in_one_account_a_neighbour_can, a_reader_gets_a_consumer_and_no_more,
    a_letter_is_looked_at_as_it_is_told,
}
