//! Commands, replies and outside events: each comes back as it went, and every other message is refused.

use super::*;
use proptest::prelude::*;
use saga_core::outcome::Refused;

fn subjects() -> Subjects {
    Subjects::new("aicmo").unwrap()
}
fn round_trip(inbox: &Inbox, message: &Message) -> Message {
    let trip = |replies| {
        let out = encode(&subjects(), message, replies, Timestamp(0)).unwrap();
        decode(&subjects(), inbox, &out.subject, Some(&out.headers), &out.body).unwrap()
    };
    let (shared, on_shared) = trip(Replies::Shared);
    let (own, on_own) = trip(Replies::Own);
    assert_eq!(shared, own);
    assert_eq!(on_own, Replies::Own);
    assert!(*inbox == Inbox::Outside || on_shared == Replies::Shared);
    own
}
#[test]
fn who_answers_is_who_may_publish_on_the_subject() {
    let (saga, direction) = (Uuid::from_u128(1), Direction::Do);
    let (key, says) = (StepKey::from_uuid(Uuid::from_u128(3)), Says::NothingKnown);
    let (step, module) = ("print".to_owned(), "courier".to_owned());
    let reply = ReplyMessage { group: 7, saga, step, direction, attempt: 1, key, module, says };
    let out = encode(&subjects(), &Message::Reply(reply), Replies::Own, Timestamp(0)).unwrap();
    for (subject, answers) in [
        // The claim in the header counts only where the subject says nothing.
        ("aicmo.reply.g07.printshop", Some("printshop")),
        ("aicmo.reply.g07.courier", Some("courier")),
        ("aicmo.reply.g07", Some("courier")),
        ("aicmo.reply.g08.courier", None),
        ("aicmo.cmd.courier.BookPickup.v1", None),
    ] {
        let read = decode(&subjects(), &Inbox::Replies(7), subject, Some(&out.headers), &out.body);
        let module = read.ok().map(|(message, _)| match message {
            Message::Reply(reply) => reply.module,
            other => panic!("{other:?}"),
        });
        assert_eq!(module.as_deref(), answers, "{subject}");
    }
}
fn command(probe: bool, direction: Direction, step: &str, trace: Option<String>, round: u32) -> Message {
    let saga = Uuid::from_u128(1);
    let keys = saga_core::definition::deed_keys(saga, step, round, 0);
    let deed = Deed {
        saga,
        step: step.to_owned(),
        key: of_direction(keys, direction).0,
        direction,
        attempt: 3,
        actor: Actor::saga(saga),
        correlation: Uuid::from_u128(2),
        causation: Uuid::from_u128(3),
        traceparent: trace,
        deadline: Some(Timestamp(1_700_000_000_000_001)),
    };
    let delivered = Delivered {
        command: "Render".to_owned(),
        version: 2,
        payload: Payload::trusted(r#"{ "big" : 9007199254740993 }"#),
        deed,
        epoch: Epoch(4),
        keys,
    };
    Message::Command(CommandMessage { module: "studio".to_owned(), delivered: Arc::new(delivered), reply_to: 7, probe })
}

#[test]
fn a_command_has_the_headers_of_the_contract() {
    let out =
        encode(&subjects(), &command(false, Direction::Do, "assets[2]/render", None, 0), Replies::Own, Timestamp(0));
    let out = out.unwrap();
    assert_eq!(out.subject, "aicmo.cmd.studio.Render.v2");
    let header = |name: &str| out.headers.get(name).map(|value| value.as_str().to_owned());
    let key = StepKey::derive(Uuid::from_u128(1), "assets[2]/render", Direction::Do);
    let id = Uuid::new_v5(&key.uuid(), b"epoch:4:attempt:3").to_string();
    for (name, value) in [
        ("ce-id", id.as_str()),
        (MSG_ID, id.as_str()),
        ("ce-source", "/aicmo/orchestration"),
        ("ce-type", "studio.Render.v2"),
        ("ce-subject", "orchestration_saga-00000000-0000-0000-0000-000000000001"),
        ("ce-stepkey", &key.to_string()),
        ("ce-step", "assets[2]/render"),
        ("ce-direction", "do"),
        ("ce-attempt", "3"),
        ("ce-epoch", "4"),
        ("ce-replyto", "aicmo.reply.g07.studio"),
        ("ce-dataschema", "schemas/studio/Render.command.v2.json"),
        ("ce-deadline", "2023-11-14T22:13:20.000001Z"),
        ("Content-Type", "application/json"),
    ] {
        assert_eq!(header(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(header("ce-probe"), None);
}

#[test]
fn every_answer_comes_back_as_it_was_given() {
    let big = Payload::trusted(r#"{ "n" : 9007199254740993, "x" : 1.10 }"#);
    let refused = Refused { code: "NO".to_owned(), reason: "Nein, größer".to_owned(), fields: Some(big.clone()) };
    for (outcome, says) in [
        ("done", Says::Answer(Answer::Done { output: big })),
        ("done", Says::Answer(Answer::Done { output: Payload::null() })),
        ("refused", Says::Answer(Answer::Refused(refused))),
        ("refused", Says::Answer(Answer::Refused(Refused::new("NO", "no")))),
        ("retry", Says::Answer(Answer::Retry { after_ms: 7, reason: "rain".to_owned() })),
        ("nothing_known", Says::NothingKnown),
        ("fault", Says::Fault { code: "NO_ROUTE".to_owned(), reason: "by nobody".to_owned() }),
    ] {
        let (saga, step, direction) = (Uuid::from_u128(1), "a b/ü".to_owned(), Direction::Undo);
        let (key, module) = (StepKey::from_uuid(Uuid::from_u128(3)), "studio".to_owned());
        let reply = ReplyMessage { group: 7, saga, step, direction, attempt: 2, key, module, says };
        let reply = Message::Reply(reply);
        let out = encode(&subjects(), &reply, Replies::Own, Timestamp(0)).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&out.body).unwrap();
        assert_eq!((out.subject.as_str(), &body["outcome"]), ("aicmo.reply.g07.studio", &outcome.into()));
        assert!(out.headers.get(MSG_ID).is_none(), "a neighbour could take its id first");
        assert_eq!(round_trip(&Inbox::Replies(7), &reply), reply);
    }
}

#[test]
fn what_is_no_command_is_refused_with_a_reason() {
    let inbox = Inbox::Commands("studio".to_owned());
    let good = encode(&subjects(), &command(false, Direction::Do, "s", None, 0), Replies::Own, Timestamp(0));
    let good = good.unwrap();
    for (name, value, why) in [
        ("ce-type", "other.Render.v2", "attribute type"),
        ("ce-type", "studio.Render", "attribute type"),
        ("ce-direction", "back", "attribute direction"),
        ("ce-sagaid", "7", "attribute sagaid"),
        ("ce-replyto", "aicmo.evt.x", "attribute replyto"),
        ("ce-replyto", "aicmo.reply.g07.courier", "attribute replyto"),
        ("ce-attempt", "-1", "attribute attempt"),
        ("ce-attempt", "+3", "attribute attempt"),
        ("ce-attempt", "03", "attribute attempt"),
        ("ce-attempt", "4294967296", "attribute attempt"),
        ("ce-epoch", "+4", "attribute epoch"),
        ("ce-epoch", "04", "attribute epoch"),
        ("ce-type", "studio.Render.v02", "attribute type"),
        ("ce-type", "studio.Render.v+2", "attribute type"),
        ("ce-time", "yesterday", "attribute time"),
        ("ce-time", "1969-12-31T23:59:59Z", "attribute time"),
        ("ce-attempt", "", "attribute attempt is missing"),
        ("ce-stepkey", "7", "attribute stepkey"),
        ("ce-stepkey", "", "attribute stepkey is missing"),
        ("ce-sagaid", "", "attribute sagaid is missing"),
        ("ce-direction", "", "attribute direction is missing"),
        ("ce-replyto", "", "attribute replyto is missing"),
        ("ce-step", "", "attribute step is missing"),
        ("ce-specversion", "2.0", "attribute specversion"),
    ] {
        let mut headers = good.headers.clone();
        headers.insert(name, value);
        let refused = decode(&subjects(), &inbox, &good.subject, Some(&headers), &good.body).unwrap_err();
        assert!(refused.to_string().starts_with(why), "{refused}");
    }
    assert!(decode(&subjects(), &inbox, &good.subject, Some(&good.headers), b"{").is_err());
    assert!(decode(&subjects(), &inbox, &good.subject, None, &good.body).is_err());
}

#[test]
fn what_is_no_reply_is_refused_with_a_reason() {
    let inbox = Inbox::Replies(7);
    let reply = ReplyMessage {
        group: 7,
        saga: Uuid::from_u128(1),
        step: "s".to_owned(),
        direction: Direction::Do,
        attempt: 2,
        key: StepKey::from_uuid(Uuid::from_u128(3)),
        module: "studio".to_owned(),
        says: Says::NothingKnown,
    };
    let good = encode(&subjects(), &Message::Reply(reply), Replies::Own, Timestamp(0)).unwrap();
    for (name, value, why) in [
        ("ce-type", "orchestration.Reply.v2", "attribute type is \"orchestration.Reply.v2\""),
        ("ce-type", "studio.Reply.v1", "attribute type"),
        ("ce-stepkey", "", "attribute stepkey is missing"),
        ("ce-stepkey", "7", "attribute stepkey"),
        ("ce-attempt", "", "attribute attempt is missing"),
        ("ce-attempt", "+2", "attribute attempt is \"+2\": a number is decimal digits"),
        ("ce-attempt", "02", "attribute attempt is \"02\": a number is decimal digits"),
        ("ce-attempt", "2.0", "attribute attempt"),
        ("ce-attempt", "\u{662}", "attribute attempt"),
        ("ce-step", "", "attribute step is missing"),
        ("ce-direction", "", "attribute direction is missing"),
        ("ce-sagaid", "", "attribute sagaid is missing"),
        ("ce-time", "yesterday", "attribute time is \"yesterday\": not an RFC 3339 time"),
        ("ce-time", "2026-02-30T00:00:00Z", "attribute time"),
        ("ce-time", "9999999999-01-01T00:00:00Z", "attribute time"),
    ] {
        let mut headers = good.headers.clone();
        headers.insert(name, value);
        let refused = decode(&subjects(), &inbox, &good.subject, Some(&headers), &good.body).unwrap_err();
        assert!(refused.to_string().starts_with(why), "{refused}");
        if name == "ce-time" {
            // Nothing depends on it, so a reply without it is read.
            continue;
        }
        let mut headers = HeaderMap::new();
        good.headers.iter().filter(|(other, _)| AsRef::<str>::as_ref(other) != name).for_each(|(other, values)| {
            values.iter().for_each(|value| headers.append(other.clone(), value.clone()));
        });
        assert!(decode(&subjects(), &inbox, &good.subject, Some(&headers), &good.body).is_err(), "without {name}");
    }
    assert!(decode(&subjects(), &inbox, &good.subject, Some(&good.headers), &good.body).is_ok());
}

#[test]
fn an_event_from_outside_is_what_cloudevents_says_and_not_too_long() {
    let start = |more: &str| {
        let body =
            format!("\u{feff}{{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/shop\",\"type\":\"t\"{more}}}");
        decode(&subjects(), &Inbox::Outside, "aicmo.in.shop.t", None, body.as_bytes())
    };
    assert!(matches!(start(",\"data\":{}"), Ok((Message::Outside(_), _))), "a mark of byte order is no part of JSON");
    let twice = "\u{feff}\u{feff}{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/shop\",\"type\":\"t\"}";
    let twice = decode(&subjects(), &Inbox::Outside, "aicmo.in.shop.t", None, twice.as_bytes());
    assert!(twice.is_err(), "one mark is taken, a second is a character that no JSON text begins with");
    assert!(
        start(",\"time\":\"2026-11-30T11:00:00Z\",\"datacontenttype\":\"application/json; charset=utf-8\"").is_ok()
    );
    assert!(start(",\"datacontenttype\":\"application/vnd.shop+json\",\"retries\":3").is_ok());
    let long = format!(",\"subject\":7,\"x\":\"{}\"", "y".repeat(10));
    for (more, why) in [
        (",\"time\":\"yesterday\"", "attribute time"),
        (",\"time\":\"1969-01-01T00:00:00Z\"", "attribute time"),
        (",\"time\":7", "not a text"),
        (",\"datacontenttype\":\"text/plain\"", "attribute datacontenttype"),
        (long.as_str(), "not a text"),
    ] {
        let refused = start(more).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    for (id, why) in [
        ("7", "id: not a text"),
        ("\"\"", "attribute id is missing"),
        ("\" \"", "attribute id is \" \": it is blank"),
        (&format!("\"{}\"", "i".repeat(100_000)), "1001 bytes"),
    ] {
        let body = format!("{{\"specversion\":\"1.0\",\"id\":{id},\"source\":\"/shop\",\"type\":\"t\"}}");
        let refused = decode(&subjects(), &Inbox::Outside, "aicmo.in.shop.t", None, body.as_bytes()).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains(why) || (id.len() > 1_000 && refused.contains("at most 1000")), "{refused}");
        assert!(refused.len() < 1_000);
    }
}

/// In either mode, and each of the three that name an event: which one is said.
#[test]
fn what_names_an_event_from_outside_is_neither_empty_nor_blank_and_holds_no_nul() {
    for wrong in ["id", "source", "type"] {
        for (value, why) in [
            ("", "is missing"),
            (" ", "it is blank"),
            ("\t\u{a0}\u{3000}", "it is blank"),
            ("\0", "holds a NUL character"),
            ("a\0b", "holds a NUL character"),
        ] {
            let of = |name| if name == wrong { value } else { "x" }.to_owned();
            let (id, source, kind) = (of("id"), of("source"), of("type"));
            let outside = Message::Outside(OutsideMessage { id, source, kind, data: Payload::null() });
            let out = encode(&subjects(), &outside, Replies::Own, Timestamp(0)).unwrap();
            let binary = decode(&subjects(), &Inbox::Outside, &out.subject, Some(&out.headers), &out.body);
            let mut refused = vec![binary.unwrap_err().to_string()];
            // A JSON text with a NUL is none that can be taken, whatever it says.
            if !value.contains('\0') {
                let mut event = serde_json::json!({"specversion": "1.0", "id": "x", "source": "x", "type": "x"});
                event[wrong] = value.into();
                let structured = decode(&subjects(), &Inbox::Outside, "aicmo.in.x", None, event.to_string().as_bytes());
                refused.push(structured.unwrap_err().to_string());
            }
            for refused in refused {
                assert!(refused.starts_with(&format!("attribute {wrong} ")) && refused.contains(why), "{refused}");
            }
        }
    }
}

/// A name as the door takes it: something that can be seen in it, and no NUL.
fn outside_name() -> impl Strategy<Value = String> {
    "[^\\x00]{1,40}".prop_filter("blank", |name: &String| !name.trim().is_empty())
}

proptest! {
    #[test]
    fn commands_come_out_as_they_went_in(
        probe in any::<bool>(), undo in any::<bool>(), step in "\\PC{1,40}", round in 0_u32..4,
        trace in proptest::option::of("[!-~]{1,60}"),
    ) {
        let direction = if undo { Direction::Undo } else { Direction::Do };
        let command = command(probe, direction, &step, trace, round);
        prop_assert_eq!(round_trip(&Inbox::Commands("studio".to_owned()), &command), command);
    }
    #[test]
    fn outside_events_come_out_as_they_went_in(
        id in outside_name(), source in outside_name(), kind in outside_name(),
    ) {
        let outside = Message::Outside(OutsideMessage { id, source, kind, data: Payload::trusted("[ 1 ]") });
        prop_assert_eq!(round_trip(&Inbox::Outside, &outside), outside);
    }
}
