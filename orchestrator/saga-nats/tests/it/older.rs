//! Older processes know one reply subject for all modules, and the coordinators' line under the name of a query: one of
//! them and a newer one run sagas together, both ways round; and nobody believes them where they are said to be gone.

use crate::support::{Admin, DEADLINE, on_both, options, until};
use saga_core::bus::{
    Bus, Calls, CommandMessage, DeadLetters, Delivered, Inbox, Line, Message, ReplyMessage, Says, Settle,
};
use saga_core::envelope::Actor;
use saga_core::id::Direction;
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use saga_nats::event::Outgoing;
use saga_nats::message;
use saga_nats::subject::{Replies, Subjects};
use saga_nats::{Nats, Options};
use serde_json::json;
use std::sync::Arc;
use test_servers::nats::{Nats as Server, Version};
use uuid::Uuid;

const GROUP: u16 = 3;

fn subjects() -> Subjects {
    Subjects::new("aicmo").unwrap()
}
fn command(number: u128) -> CommandMessage {
    let delivered =
        Arc::new(Delivered::direct("Do", 1, Payload::null(), Uuid::from_u128(number), Actor::operator("test")));
    CommandMessage { module: "law".to_owned(), delivered, reply_to: GROUP, probe: false }
}
fn answer(command: &CommandMessage) -> Message {
    let deed = &command.delivered.deed;
    let (step, module, direction) = (deed.step.clone(), command.module.clone(), Direction::Do);
    let (saga, key, says) = (deed.saga, deed.key, Says::NothingKnown);
    Message::Reply(ReplyMessage { group: GROUP, saga, step, direction, attempt: deed.attempt, key, module, says })
}
async fn connect(server: &Server, older_processes: bool) -> Nats {
    let bus = Nats::connect(Options { older_processes, ..options(server.url()) }).await.unwrap();
    bus.ensure(&["law"], &[GROUP]).await.unwrap();
    bus
}
/// What an older process puts on the wire.
async fn older_says(admin: &Admin, message: &Message) {
    let Outgoing { subject, headers, body } =
        message::encode(&subjects(), message, Replies::Shared, Timestamp(0)).unwrap();
    let request = async_nats::Request::new().headers(headers).payload(body);
    let answer = admin.client().send_request(subject, request).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer.payload).contains("error"), "{answer:?}");
}
async fn receive_one(bus: &Nats, inbox: &Inbox) -> Message {
    let got = tokio::time::timeout(DEADLINE, bus.receive(inbox, 9)).await.unwrap().unwrap();
    assert_eq!(got.len(), 1, "{got:?}");
    bus.settle(inbox, vec![(got[0].tag, Settle::Done)]).await.unwrap();
    got[0].message.clone()
}
/// Where the only reply lies, without taking it.
async fn reply_subject(admin: &Admin) -> String {
    let found = admin.api("STREAM.MSG.GET.RPL", json!({ "seq": 1 })).await.unwrap();
    found["message"]["subject"].as_str().unwrap().to_owned()
}
fn echo() -> saga_core::bus::Answerer {
    Arc::new(|question| Box::pin(std::future::ready(Ok(question))))
}

async fn an_older_coordinator_is_answered_by_a_newer_module(version: Version) {
    let server = Server::start(version);
    let (admin, module) = (Admin::connect(&server).await, connect(&server, false).await);
    let command = command(1);
    older_says(&admin, &Message::Command(command.clone())).await;
    let got = receive_one(&module, &Inbox::Commands("law".to_owned())).await;
    assert_eq!(got, Message::Command(command.clone()));
    module.publish(answer(&command)).await.unwrap();
    // The only subject that it listens to.
    assert_eq!(reply_subject(&admin).await, "aicmo.reply.g03");
}

async fn an_older_module_answers_a_newer_coordinator(version: Version) {
    let server = Server::start(version);
    let (admin, coordinator) = (Admin::connect(&server).await, connect(&server, true).await);
    let command = command(1);
    coordinator.publish(Message::Command(command.clone())).await.unwrap();
    let sent = admin.api("STREAM.MSG.GET.CMD", json!({ "seq": 1 })).await.unwrap();
    let headers = Admin::headers(&sent);
    // It would refuse any other.
    assert!(headers.contains("ce-replyto: aicmo.reply.g03\r\n"), "{headers}");
    older_says(&admin, &answer(&command)).await;
    assert_eq!(receive_one(&coordinator, &Inbox::Replies(GROUP)).await, answer(&command));
    // And a newer one beside it, on its own subject.
    let module = connect(&server, true).await;
    module.publish(answer(&command)).await.unwrap();
    assert_eq!(receive_one(&coordinator, &Inbox::Replies(GROUP)).await, answer(&command));
}

async fn who_is_said_to_be_gone_is_not_believed(version: Version) {
    let server = Server::start(version);
    let (admin, coordinator) = (Admin::connect(&server).await, connect(&server, false).await);
    let (first, second) = (command(1), command(2));
    older_says(&admin, &answer(&first)).await;
    coordinator.publish(Message::Command(second.clone())).await.unwrap();
    let module = connect(&server, false).await;
    assert_eq!(receive_one(&module, &Inbox::Commands("law".to_owned())).await, Message::Command(second.clone()));
    module.publish(answer(&second)).await.unwrap();
    assert_eq!(receive_one(&coordinator, &Inbox::Replies(GROUP)).await, answer(&second));
    let inbox = Inbox::Replies(GROUP);
    let aside = until("it is put aside", || async {
        // The receiver puts it aside.
        let _nothing = tokio::time::timeout(std::time::Duration::from_millis(50), coordinator.receive(&inbox, 1)).await;
        let aside = coordinator.aside("orchestration", 9).await.map_err(|why| why.to_string())?;
        aside.into_iter().next().ok_or_else(|| "nothing yet".to_owned())
    })
    .await;
    assert_eq!(aside.message, answer(&first));
    assert!(aside.reason.contains("bus.older_processes"), "{}", aside.reason);
}

async fn coordinators_of_both_kinds_ask_each_other(version: Version) {
    let server = Server::start(version);
    let (admin, newer) = (Admin::connect(&server).await, connect(&server, true).await);
    let (line, question, mut serves) = (Line::Group(GROUP), Payload::trusted("7"), tokio::task::JoinSet::new());
    // The older one owns the group.
    let older = admin.client().clone();
    let mut asked = older.queue_subscribe("aicmo.qry.orchestration.group.g03", "x".to_owned()).await.unwrap();
    older.flush().await.unwrap();
    serves.spawn(async move {
        use futures::StreamExt;
        let question = asked.next().await.unwrap();
        older.publish(question.reply.unwrap(), question.payload).await.unwrap();
        older.flush().await.unwrap();
        Ok(())
    });
    let told = until("told", || async { newer.call(&line, &question, DEADLINE).await.map_err(|why| why.to_string()) });
    assert_eq!(told.await, Ok(question.clone()));
    // The newer one owns it.
    let serving = newer.clone();
    serves.spawn(async move { serving.serve(vec![(Line::Group(GROUP), echo())]).await });
    let told = until("told", || async {
        let asking = admin.client().request("aicmo.qry.orchestration.group.g03", "7".into()).await;
        asking.map(|answer| answer.payload).map_err(|why| why.to_string())
    });
    assert_eq!(told.await, "7");
    let told = until("told", || async { newer.call(&line, &question, DEADLINE).await.map_err(|why| why.to_string()) });
    assert_eq!(told.await, Ok(question));
}

on_both! {
    an_older_coordinator_is_answered_by_a_newer_module, an_older_module_answers_a_newer_coordinator,
    who_is_said_to_be_gone_is_not_believed, coordinators_of_both_kinds_ask_each_other,
}
