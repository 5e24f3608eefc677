//! Streams and consumers as data: what is missing is created, what differs is named and refused, or repaired if asked to.

use crate::api::{Api, ApiError};
use crate::subject::{
    COMMANDS, DEAD, OUTSIDE, OUTSIDE_CONSUMER, REPLIES, Replies, Subjects, command_consumer, reply_consumer,
    shared_reply_consumer, stream_of,
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// 7 days: a command that nobody took for so long has lost its meaning; the coordinator asks again as long as it has one.
pub const COMMAND_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// 100 ms, the shortest that servers allow: a command or reply that is asked for again after a crash has the same id, and
/// a window would swallow it. Repeats are harmless behind the barrier.
pub const REPEAT_WINDOW: Duration = Duration::from_millis(100);
/// 2 minutes, the servers' default, where a repeated publish is the same message.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// 4,096 messages handed out and not settled: more than one process works on at once, and a bound for its memory.
pub const ACK_PENDING_MAX: u64 = 4_096;

/// 100,000 dead letters, the newest: a bound for a hundred senders of them.
pub const LETTERS_MAX: u64 = 100_000;
/// 1,000 dead letters of each sender, the newest: more than people read, and a sender that makes them without an end loses only
/// its own. With a message of at most 1 MB that is a bound in bytes, too; one for the whole stream would let the largest
/// sender take the place of all others.
pub const LETTERS_OF_ONE_MAX: u64 = 1_000;

/// What a person does about a stream that is missing.
pub const WHO_CREATES: &str = "a running coordinator creates it within seconds, as does the module whose events it keeps: start one (sagactl serve)";

/// What differs between installations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How many servers keep each stream.
    pub replicas: usize,
    /// A message that is not settled after this long comes back.
    pub ack_wait: Duration,
    /// Replies are also received on the subject that all modules share.
    pub shared_replies: bool,
}

/// One stream or consumer as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The stream.
    pub stream: String,
    /// The consumer on it; `None` is the stream itself.
    pub consumer: Option<String>,
    /// The fields of its configuration that matter, as the JetStream API names them.
    pub fields: Map<String, Value>,
    /// What it is made with beside them; afterwards that is the operator's choice, and not compared.
    pub at_first: Map<String, Value>,
    /// Bounds that it must have: which, is the operator's choice, and where there is none it is set in place.
    pub bounds: Map<String, Value>,
}

/// A field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {field} is {found}, {wanted} is wanted")]
pub struct Difference {
    /// `stream CMD`, `consumer cmd-strategy of stream CMD`.
    pub name: String,
    /// Which field.
    pub field: String,
    /// What it is.
    pub found: Value,
    /// What it should be.
    pub wanted: Value,
}

/// Why streams and consumers are not as they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// They exist with another configuration; nothing was changed.
    #[error("the broker is configured in another way ({}); with `repair` it is changed", list(.0))]
    Differs(Vec<Difference>),
    /// The server refused or is away.
    #[error("{0}")]
    Unavailable(String),
}
impl From<ApiError> for TopologyError {
    fn from(why: ApiError) -> Self {
        TopologyError::Unavailable(why.to_string())
    }
}
fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn nanos(duration: Duration) -> Value {
    json!(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}
fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

fn stream(name: &str, subject: String, retention: &str, window: Duration, settings: &Settings) -> Wanted {
    let fields = fields(json!({
        "subjects": [subject], "retention": retention, "storage": "file", "num_replicas": settings.replicas,
        "duplicate_window": nanos(window), "discard": "old",
    }));
    Wanted { stream: name.to_owned(), consumer: None, fields, at_first: Map::new(), bounds: Map::new() }
}
/// The stream of a module's events. How long it keeps them is the operator's choice, and not compared.
pub fn events_stream(subjects: &Subjects, module: &str, settings: &Settings) -> Wanted {
    let mut wanted = stream(&stream_of(module), subjects.events(module), "limits", DUPLICATE_WINDOW, settings);
    // Nothing may be taken out of the middle: the sequence of an event is its public place for ever.
    wanted.fields.insert("deny_delete".to_owned(), Value::Bool(true));
    wanted.fields.insert("deny_purge".to_owned(), Value::Bool(true));
    wanted
}
/// The streams that all modules share.
pub fn shared_streams(subjects: &Subjects, settings: &Settings) -> Vec<Wanted> {
    let queue = |name, kind, window| stream(name, subjects.all(kind), "workqueue", window, settings);
    let mut commands = queue(COMMANDS, "cmd", REPEAT_WINDOW);
    commands.fields.insert("max_age".to_owned(), nanos(COMMAND_AGE_MAX));
    let mut dead = stream(DEAD, subjects.all("dlq"), "limits", DUPLICATE_WINDOW, settings);
    dead.at_first.insert("max_msgs".to_owned(), json!(LETTERS_MAX));
    dead.bounds.insert("max_msgs_per_subject".to_owned(), json!(LETTERS_OF_ONE_MAX));
    vec![commands, queue(REPLIES, "reply", REPEAT_WINDOW), queue(OUTSIDE, "in", DUPLICATE_WINDOW), dead]
}

fn consumer(stream: &str, name: &str, filter: String, settings: &Settings) -> Wanted {
    let fields = fields(json!({
        "durable_name": name, "filter_subject": filter, "deliver_policy": "all", "ack_policy": "explicit",
        "replay_policy": "instant", "ack_wait": nanos(settings.ack_wait), "max_ack_pending": ACK_PENDING_MAX,
        // Without a limit: the server would only stop delivering, and nobody would see why. The reader counts and parks.
        "max_deliver": -1,
    }));
    Wanted {
        stream: stream.to_owned(),
        consumer: Some(name.to_owned()),
        fields,
        at_first: Map::new(),
        bounds: Map::new(),
    }
}
/// The consumer of a module's commands.
pub fn commands_of(subjects: &Subjects, module: &str, settings: &Settings) -> Wanted {
    consumer(COMMANDS, &command_consumer(module), subjects.commands(module), settings)
}
/// The consumer of a group's replies, of one kind.
pub fn replies_of(subjects: &Subjects, group: u16, replies: Replies, settings: &Settings) -> Wanted {
    let (shared, name) = (subjects.shared_reply(group), shared_reply_consumer(group));
    match replies {
        Replies::Own => consumer(REPLIES, &reply_consumer(group), format!("{shared}.*"), settings),
        Replies::Shared => consumer(REPLIES, &name, shared, settings),
    }
}
/// The consumer of what comes from outside.
pub fn outside(subjects: &Subjects, settings: &Settings) -> Wanted {
    consumer(OUTSIDE, OUTSIDE_CONSUMER, subjects.all("in"), settings)
}

/// Everything that a system of these modules and coordinator groups needs, streams first.
pub fn whole(subjects: &Subjects, modules: &[&str], groups: &[u16], settings: &Settings) -> Vec<Wanted> {
    let mut all = shared_streams(subjects, settings);
    all.extend(modules.iter().map(|module| events_stream(subjects, module, settings)));
    all.extend(modules.iter().map(|module| commands_of(subjects, module, settings)));
    let replies = |kind| groups.iter().map(move |group| replies_of(subjects, *group, kind, settings));
    all.extend(replies(Replies::Own));
    if settings.shared_replies {
        all.extend(replies(Replies::Shared));
    }
    all.push(outside(subjects, settings));
    all
}

impl Wanted {
    /// For people.
    pub fn name(&self) -> String {
        match &self.consumer {
            Some(consumer) => format!("consumer {consumer} of stream {}", self.stream),
            None => format!("stream {}", self.stream),
        }
    }
    /// What is different in a configuration that was found: the fields that matter, and every other one that is not at its
    /// default or the operator's to choose, also one that this program has never heard of: it could copy messages to
    /// another stream, or out of one. What a server does not mention has its default.
    pub fn differences(&self, found: &Value) -> Vec<Difference> {
        let differs = |field: &String| {
            let is = found.get(field).cloned().unwrap_or(Value::Null);
            let wanted = self.fields.get(field).cloned().unwrap_or(Value::Null);
            let (name, field) = (self.name(), field.clone());
            (is != wanted && !(is_default(&is) && is_default(&wanted))).then_some(Difference {
                name,
                field,
                found: is,
                wanted,
            })
        };
        let others = found.as_object().into_iter().flat_map(Map::keys);
        let others = others.filter(|field| !self.fields.contains_key(*field) && !self.is_free(field));
        self.fields.keys().chain(others).filter_map(differs).collect()
    }
    /// Whether a field may have any value.
    fn is_free(&self, field: &str) -> bool {
        let keeps = !self.fields.contains_key("retention") || self.fields["retention"] == "limits";
        FREE.contains(&field)
            || self.bounds.contains_key(field)
            || (self.consumer.is_none() && FREE_OF_STREAMS.contains(&field))
            || (self.consumer.is_none() && keeps && LIMITS.contains(&field))
    }
    /// Whether a bound is missing in a configuration that was found: that of a stream which an older version has made.
    fn is_unbounded(&self, found: &Value) -> bool {
        self.bounds.keys().any(|field| found.get(field).is_none_or(is_default))
    }
    /// The configuration that was found, with everything as it should be.
    fn repaired(&self, mut found: Value) -> Value {
        let differing = self.differences(&found);
        if let Value::Object(config) = &mut found {
            for (field, bound) in &self.bounds {
                if config.get(field).is_none_or(is_default) {
                    config.insert(field.clone(), bound.clone());
                }
            }
            for Difference { field, .. } in &differing {
                config.remove(field);
            }
            config.extend(self.fields.clone());
        }
        found
    }
    fn config(&self) -> Value {
        let mut config = self.at_first.clone();
        config.extend(self.bounds.clone());
        config.extend(self.fields.clone());
        if self.consumer.is_none() {
            config.insert("name".to_owned(), Value::from(self.stream.as_str()));
        }
        Value::Object(config)
    }
    async fn found(&self, api: &Api) -> Result<Option<Value>, ApiError> {
        Ok(match &self.consumer {
            Some(consumer) => api.consumer(&self.stream, consumer).await?.map(|info| info.config),
            None => api.stream(&self.stream, None).await?.map(|info| info.config),
        })
    }
    async fn create(&self, api: &Api) -> Result<(), ApiError> {
        match &self.consumer {
            Some(_) => api.put_consumer(&self.stream, &self.config()).await,
            None => api.create_stream(&self.stream, &self.config()).await,
        }
    }
    async fn update(&self, api: &Api, config: &Value) -> Result<(), ApiError> {
        match &self.consumer {
            Some(_) => api.put_consumer(&self.stream, config).await,
            None => api.update_stream(&self.stream, config).await,
        }
    }
    /// That it is there, and as it should be; changes nothing.
    pub(crate) async fn look(&self, api: &Api) -> Result<(), TopologyError> {
        let Some(found) = self.found(api).await? else {
            return Err(TopologyError::Unavailable(format!("{} is missing; {WHO_CREATES}", self.name())));
        };
        let differences = self.differences(&found);
        if differences.is_empty() { Ok(()) } else { Err(TopologyError::Differs(differences)) }
    }
    /// Creates it if it is missing; `true` says that it was. One that differs is refused, or changed with `repair`.
    /// Repeating it is harmless.
    pub(crate) async fn ensure(&self, api: &Api, repair: bool) -> Result<bool, TopologyError> {
        let Some(found) = self.found(api).await? else {
            self.create(api).await?;
            return Ok(true);
        };
        let differences = self.differences(&found);
        match differences.is_empty() {
            true if !self.is_unbounded(&found) => return Ok(false),
            true => tracing::info!("{} is given its bounds", self.name()),
            false if !repair => return Err(TopologyError::Differs(differences)),
            false => tracing::warn!(differences = list(&differences), "the broker's configuration is repaired"),
        }
        self.update(api, &self.repaired(found)).await?;
        let found = self.found(api).await?.unwrap_or(Value::Null);
        let left = self.differences(&found);
        if left.is_empty() { Ok(false) } else { Err(TopologyError::Differs(left)) }
    }
}

/// Names, words for people, where it lies, and how many questions wait at once.
const FREE: [&str; 7] = ["name", "durable_name", "description", "metadata", "placement", "max_waiting", "num_replicas"];
/// How a stream is written to the disk and read out of it, and that messages may say when they end.
const FREE_OF_STREAMS: [&str; 4] = ["compression", "allow_direct", "allow_msg_ttl", "subject_delete_marker_ttl"];
/// How much the streams keep that only forget; the queues forget nothing that was not taken.
const LIMITS: [&str; 3] = ["max_age", "max_bytes", "max_msgs"];

/// Nothing, nought, without a limit, without a way to be smaller.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => matches!(value.as_i64(), Some(0 | -1)),
        Value::String(value) => value.is_empty() || value == "none",
        Value::Array(value) => value.is_empty(),
        Value::Object(value) => value.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { replicas: 1, ack_wait: Duration::from_secs(30), shared_replies: true }
    }

    #[test]
    fn a_difference_names_stream_field_found_and_wanted() {
        let subjects = Subjects::new("aicmo").unwrap();
        let all = whole(&subjects, &["strategy"], &[7], &settings());
        let names: Vec<String> = all.iter().map(Wanted::name).collect();
        assert_eq!(
            names,
            [
                "stream CMD",
                "stream RPL",
                "stream IN",
                "stream DLQ",
                "stream EVT_strategy",
                "consumer cmd-strategy of stream CMD",
                "consumer rpl-g07-own of stream RPL",
                "consumer rpl-g07 of stream RPL",
                "consumer in of stream IN"
            ]
        );
        let events = &all[4];
        assert_eq!(events.differences(&events.config()), []);
        let mut found = events.config();
        found["retention"] = json!("workqueue");
        let said: Vec<String> = events.differences(&found).iter().map(ToString::to_string).collect();
        assert_eq!(said, [r#"stream EVT_strategy: retention is "workqueue", "limits" is wanted"#]);
        assert_eq!(events.differences(&events.repaired(found)), []);
    }

    #[test]
    fn dead_letters_are_bounded_at_first_and_then_by_choice() {
        let subjects = Subjects::new("aicmo").unwrap();
        let dead = &whole(&subjects, &[], &[], &settings())[3];
        assert_eq!((dead.stream.as_str(), &dead.config()["max_msgs"]), (DEAD, &json!(LETTERS_MAX)));
        for found in [json!(-1), json!(7), json!(LETTERS_MAX)] {
            let mut config = dead.config();
            config["max_msgs"] = found.clone();
            assert_eq!(dead.differences(&config), [], "{found}");
            assert_eq!(dead.repaired(config)["max_msgs"], found);
        }
        for (found, bound) in [(json!(-1), json!(LETTERS_OF_ONE_MAX)), (json!(7), json!(7))] {
            let mut config = dead.config();
            config["max_msgs_per_subject"] = found.clone();
            assert_eq!(dead.differences(&config), [], "{found}");
            assert_eq!(dead.is_unbounded(&config), found != bound);
            assert_eq!(dead.repaired(config)["max_msgs_per_subject"], bound);
        }
    }

    #[test]
    fn nothing_unknown_passes() {
        let subjects = Subjects::new("aicmo").unwrap();
        let all = whole(&subjects, &["strategy"], &[7], &settings());
        let (commands, events, consumer) = (&all[0], &all[4], &all[5]);
        for (wanted, field, value) in [
            (events, "republish", json!({ "src": "aicmo.evt.>", "dest": "aicmo.cmd.>" })),
            (events, "sources", json!([{ "name": "EVT_delivery" }])),
            (events, "mirror", json!({ "name": "EVT_delivery" })),
            (events, "subject_transform", json!({ "src": "a", "dest": "b" })),
            (events, "max_msgs_per_subject", json!(1)),
            (events, "max_msg_size", json!(10)),
            (events, "allow_rollup_hdrs", json!(true)),
            (events, "deny_purge", json!(false)),
            (events, "no_ack", json!(true)),
            (events, "sealed", json!(true)),
            (events, "not_invented_yet", json!(7)),
            (commands, "max_msgs", json!(1)),
            (commands, "discard_new_per_subject", json!(true)),
            (consumer, "deliver_subject", json!("aicmo.cmd.delivery.X.v1")),
            (consumer, "deliver_group", json!("x")),
            (consumer, "filter_subjects", json!(["aicmo.cmd.>"])),
            (consumer, "inactive_threshold", json!(1)),
            (consumer, "pause_until", json!("2030-01-01T00:00:00Z")),
        ] {
            let mut found = wanted.config();
            found[field] = value;
            let fields: Vec<String> = wanted.differences(&found).into_iter().map(|other| other.field).collect();
            assert_eq!(fields, [field]);
            assert_eq!(wanted.differences(&wanted.repaired(found)), [], "{field}");
        }
        for (wanted, field, value) in [
            (events, "max_age", json!(1)),
            (events, "max_bytes", json!(1_000_000)),
            (events, "max_consumers", json!(-1)),
            (events, "max_msgs_per_subject", json!(-1)),
            (events, "compression", json!("s2")),
            (events, "metadata", json!({ "_nats.ver": "2.15.1" })),
            (events, "consumer_limits", json!({})),
            (commands, "description", json!("commands")),
            (consumer, "max_waiting", json!(512)),
            (consumer, "num_replicas", json!(1)),
        ] {
            let mut found = wanted.config();
            found[field] = value;
            assert_eq!(wanted.differences(&found), [], "{field}");
        }
    }
}
