//! An attacker with a credential who tries what it is not for, and what the streams look like before and after.

use crate::accounts::PASSWORD;
use crate::support::{DEADLINE, pass, until};
use async_nats::{Client, ConnectOptions, Event, Subscriber};
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use test_servers::nats::Nats as Server;
use tokio::sync::broadcast;

const STREAMS: [&str; 7] = ["EVT_law", "EVT_cam", "EVT_orchestration", "CMD", "RPL", "IN", "DLQ"];
/// The JetStream API under both names that it has.
const APIS: [&str; 2] = ["JS.bus.API", "$JS.API"];
/// Longer than a server on a slow machine needs for an answer that comes.
const ANSWERED: Duration = Duration::from_secs(3);

/// What a stream is and has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) messages: u64,
    pub(crate) config: Value,
    /// Its consumers: name, configuration, what was delivered and acknowledged.
    consumers: Vec<Value>,
}

/// Every stream of the coordinators' account.
pub(crate) async fn state(admin: &Attacker) -> Vec<(String, State)> {
    let names = admin.api("STREAM.NAMES", "").await;
    let mut states = Vec::new();
    for name in names["streams"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        let info = admin.api(&format!("STREAM.INFO.{name}"), "").await;
        let list = admin.api(&format!("CONSUMER.LIST.{name}"), "").await;
        let consumers = list["consumers"].as_array().into_iter().flatten().map(|found| {
            json!([found["name"], found["config"], found["delivered"]["stream_seq"], found["ack_floor"]["stream_seq"]])
        });
        // Consumers of readers come and go.
        let lasting = |found: &Value| {
            let is_reader = found[0].as_str().unwrap_or_default().starts_with("read-");
            !is_reader && found[1]["durable_name"].is_string()
        };
        let mut consumers: Vec<Value> = consumers.filter(lasting).collect();
        consumers.sort_by_key(ToString::to_string);
        let messages = info["state"]["last_seq"].as_u64().unwrap();
        states.push((name.to_owned(), State { messages, config: info["config"].clone(), consumers }));
    }
    states
}

pub(crate) struct Attacker {
    user: String,
    client: Client,
    everything: Option<Subscriber>,
    /// What the server said that it does not permit.
    denied: broadcast::Sender<String>,
}

impl Attacker {
    pub(crate) async fn connect(server: &Server, user: &str) -> Self {
        let options = ConnectOptions::with_user_and_password(user.to_owned(), PASSWORD.to_owned());
        let denied = broadcast::Sender::new(1_000);
        let hears = denied.clone();
        let options = options.event_callback(move |event| {
            let hears = hears.clone();
            async move {
                if let Event::ServerError(says) = event {
                    // Nobody may be listening at the moment.
                    let _heard = hears.send(says.to_string());
                }
            }
        });
        let client = options.request_timeout(Some(ANSWERED)).connect(server.url()).await.unwrap();
        Self { user: user.to_owned(), client, everything: None, denied }
    }
    /// What was answered; nothing where nobody is reached, or where it is not permitted to ask.
    pub(crate) async fn ask(&self, subject: &str, body: &str) -> Option<String> {
        self.asks(subject, body).await.map(|(_, said)| said)
    }
    /// The same, with the code of a refusal before it.
    pub(crate) async fn asks(&self, subject: &str, body: &str) -> Option<(String, String)> {
        let mut denied = self.denied.subscribe();
        let refused = async {
            let named = format!("\"{subject}\"").to_lowercase();
            loop {
                match denied.recv().await {
                    Ok(says) if says.to_lowercase().contains(&named) => return,
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => futures::future::pending().await,
                }
            }
        };
        let answer = tokio::select! {
            answer = self.client.request(subject.to_owned(), body.to_owned().into()) => answer.ok()?,
            () = refused => return None,
        };
        let code = answer.headers.as_ref().and_then(|all| all.get("Nats-Service-Error-Code"));
        let code = code.map(|code| code.as_str().to_owned()).unwrap_or_default();
        Some((code, String::from_utf8(answer.payload.to_vec()).unwrap()))
    }
    pub(crate) async fn api(&self, verb: &str, body: &str) -> Value {
        let said = until("an answer", async || {
            let asked = self.client.request(format!("$JS.API.{verb}"), body.to_owned().into()).await;
            asked.map_err(|why| why.to_string())
        });
        serde_json::from_slice(&said.await.payload).unwrap()
    }
    pub(crate) async fn says(&self, subject: &str, body: &str, reply: Option<&str>) {
        let (client, body) = (&self.client, body.to_owned().into());
        match reply {
            Some(reply) => client.publish_with_reply(subject.to_owned(), reply.to_owned(), body).await.unwrap(),
            None => client.publish(subject.to_owned(), body).await.unwrap(),
        }
    }
    /// The server has taken what was said, and done what it does about it.
    pub(crate) async fn settles(&self) {
        tokio::time::timeout(DEADLINE, self.client.flush()).await.unwrap().unwrap();
        pass(Duration::from_millis(500)).await;
    }
    /// Whether the API did it. Under its own name an account without streams says that it has none.
    fn did(said: Option<&String>) -> bool {
        said.is_some_and(|said| !said.contains("\"error\""))
    }

    pub(crate) async fn publishes_into(&self, targets: &[&str]) {
        for target in targets {
            let answer = self.ask(target, r#"{"Order":{"by":{"actor":{"kind":"operator","id":"boss"}}}}"#).await;
            assert_eq!(answer, None, "{} reached {target}", self.user);
            self.says(target, "{}", None).await;
        }
        self.settles().await;
    }
    /// The broker as a deputy: what it answers would be stored where the answer is sent to.
    pub(crate) async fn calls_the_api_with_foreign_replies(&self, targets: &[&str]) {
        for api in APIS {
            for target in targets {
                for stream in STREAMS {
                    for verb in ["STREAM.INFO", "CONSUMER.NAMES", "CONSUMER.LIST"] {
                        self.says(&format!("{api}.{verb}.{stream}"), "", Some(target)).await;
                    }
                    self.says(&format!("{api}.STREAM.MSG.GET.{stream}"), r#"{"seq":1}"#, Some(target)).await;
                    self.says(&format!("{api}.DIRECT.GET.{stream}"), r#"{"seq":1}"#, Some(target)).await;
                }
                for verb in ["INFO", "STREAM.NAMES", "CONSUMER.INFO.CMD.cmd-law", "CONSUMER.MSG.NEXT.CMD.cmd-law"] {
                    self.says(&format!("{api}.{verb}"), r#"{"batch":1,"expires":1000000}"#, Some(target)).await;
                }
            }
        }
        self.settles().await;
    }
    pub(crate) async fn makes_streams_and_consumers(&self, targets: &[&str]) {
        let user = self.user.clone();
        let republish = json!({ "src": format!("aicmo.evt.{user}.evil.>"), "dest": "aicmo.cmd.law.>" });
        for api in APIS {
            for (name, config) in [
                (format!("EVT_{user}"), json!({ "subjects": [format!("aicmo.evt.{user}.>")], "republish": republish })),
                ("EVT_law".to_owned(), json!({ "subjects": ["aicmo.evt.law.>"], "republish": republish })),
                ("STOLEN".to_owned(), json!({ "sources": [{ "name": "EVT_law" }] })),
                ("MIRROR".to_owned(), json!({ "mirror": { "name": "EVT_law" } })),
                ("ALL".to_owned(), json!({ "subjects": ["aicmo.>"] })),
            ] {
                let mut config = config;
                config["name"] = json!(name);
                for verb in ["CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE", "SNAPSHOT", "RESTORE"] {
                    let body = if verb == "MSG.DELETE" { json!({ "seq": 1 }) } else { config.clone() };
                    let said = self.ask(&format!("{api}.STREAM.{verb}.{name}"), &body.to_string()).await;
                    assert!(!Self::did(said.as_ref()), "{user}: STREAM.{verb}.{name}: {said:?}");
                }
            }
            for stream in STREAMS {
                for target in targets {
                    let config = json!({ "deliver_subject": target, "deliver_policy": "all", "ack_policy": "none",
                        "replay_policy": "instant" });
                    let body = json!({ "stream_name": stream, "config": config }).to_string();
                    let said = self.ask(&format!("{api}.CONSUMER.CREATE.{stream}"), &body).await;
                    assert!(!Self::did(said.as_ref()), "{user}: a consumer on {stream} to {target}: {said:?}");
                }
                for verb in ["CONSUMER.DURABLE.CREATE", "CONSUMER.DELETE", "CONSUMER.CREATE"] {
                    let consumer = if stream == "CMD" { "cmd-law" } else { "evil" };
                    let config = json!({ "durable_name": consumer, "deliver_policy": "all", "ack_policy": "none" });
                    let body = json!({ "stream_name": stream, "config": config }).to_string();
                    let said = self.ask(&format!("{api}.{verb}.{stream}.{consumer}"), &body).await;
                    assert!(!Self::did(said.as_ref()), "{user}: {verb} on {stream}: {said:?}");
                }
            }
        }
    }
    /// Requests about a whole account or server, which a server may obey from any account.
    pub(crate) async fn orders_accounts_and_servers(&self) {
        for api in APIS {
            for verb in [
                "ACCOUNT.PURGE.orchestration",
                "META.LEADER.STEPDOWN",
                "SERVER.REMOVE",
                "STREAM.LEADER.STEPDOWN.EVT_law",
                "STREAM.PEER.REMOVE.EVT_law",
                "CONSUMER.LEADER.STEPDOWN.CMD.cmd-law",
            ] {
                let said = self.ask(&format!("{api}.{verb}"), "0").await;
                let initiated = said.as_ref().is_some_and(|said| said.contains("\"initiated\":true"));
                assert!(!initiated && !Self::did(said.as_ref()), "{}: {verb}: {said:?}", self.user);
            }
        }
    }
    /// Commands and consumers of others, and acknowledgements in their name.
    pub(crate) async fn takes_what_is_others(&self) {
        for api in APIS {
            for place in ["CMD.cmd-law", "RPL.rpl-g03-own", "IN.in"] {
                let body = r#"{"batch":1,"expires":1000000,"no_wait":true}"#;
                let said = self.ask(&format!("{api}.CONSUMER.MSG.NEXT.{place}"), body).await;
                assert!(!Self::did(said.as_ref()), "{} pulls from {place}: {said:?}", self.user);
            }
            for verb in ["CONSUMER.NAMES.EVT_law", "CONSUMER.LIST.EVT_law", "STREAM.LIST", "STREAM.MSG.GET.CMD"] {
                let said = self.ask(&format!("{api}.{verb}"), r#"{"seq":1}"#).await;
                assert!(!Self::did(said.as_ref()), "{} asks {verb}: {said:?}", self.user);
            }
        }
        for word in ["+ACK", "+TERM", "-NAK"] {
            for ack in ["$JS.ACK.CMD.cmd-law.1.1.1.1700000000000000000.0", "$JS.ACK.RPL.rpl-g03-own.1.1.1.1.0"] {
                self.says(ack, word, Some("aicmo.cmd.law.Do.v1")).await;
            }
        }
        self.settles().await;
    }
    pub(crate) async fn hears_everything(&mut self) {
        self.everything = Some(self.client.subscribe(">").await.unwrap());
        self.client.flush().await.unwrap();
    }
    /// The subjects of what came since.
    pub(crate) async fn heard(&mut self, within: Duration) -> Vec<String> {
        pass(within).await;
        let (mut heard, everything) = (Vec::new(), self.everything.as_mut().unwrap());
        while let Some(Some(message)) = everything.next().now_or_never() {
            heard.push(message.subject.to_string());
        }
        heard
    }
}
