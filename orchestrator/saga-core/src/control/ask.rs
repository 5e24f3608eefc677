//! Every look with its answer: one table gives the kind, the JSON, the ids and the address of each.
//!
//! A new look is three places: its line in the table below with the types that it names, its answer where [`Control`](super::Control) is
//! answered, and its picture on the command line. Its route, its codec, the client's path and its part of `schemas/openapi.json`
//! follow from the line.

use super::error::ControlError;
use super::moment::Moment;
use super::order::Order;
use super::page::Page;
use super::selector::Selector;
use super::status::{DefinitionRow, Status};
use super::words::{Form, unknown};
use crate::codes;
use crate::telemetry::Sample;
use crate::view::{Foreseen, HistoryRow, ModuleRow, SagaRow, SagaShow, Verdicts, Why};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt::Debug;

/// One saga.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saga {
    /// A full id, a unique ending of at least six digits, or `type/key`.
    pub id: String,
    /// Also input and outputs.
    #[serde(default)]
    pub data: bool,
    /// As it was at this moment; now, when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Moment>,
}
/// The facts of one saga.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Which saga.
    pub id: String,
    /// Only facts after this one.
    #[serde(default)]
    pub after: u64,
    /// At most this many; 0: a whole page.
    #[serde(default)]
    pub limit: usize,
}
/// Why one saga waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyStuck {
    /// Which saga.
    pub id: String,
}
/// The modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modules {}
/// The registered definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definitions {}
/// The logs, checked against every promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {}
/// What an order would do, without ordering it. A start cannot be foreseen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview(pub Box<Order>);
/// Who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoIsThere {}
/// What the process counts. Over HTTP it has no address here: those who ask read it as text, at `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {}

/// The looks. Those without an address travel beside the orders, or as text.
macro_rules! looks {
    ($($(#[doc = $says:literal])* $look:ident($ask:ty) => $view:ident($seen:ty) $(, $method:ident $path:literal [$($word:literal: $form:ident),*])?;)*) => {
        /// The looks.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Look {
            $($(#[doc = $says])* $look($ask),)*
        }
        /// What was seen.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum View {
            $($(#[doc = $says])* $view($seen),)*
        }
        $(
            impl From<$ask> for Look {
                fn from(asked: $ask) -> Self {
                    Look::$look(asked)
                }
            }
            impl Ask for $ask {
                const SAYS: &'static str = concat!($($says),*).trim_ascii();
                type View = $seen;
            }
            impl Seen for $seen {
                const KIND: &'static str = stringify!($view);
                fn of(view: View) -> Result<Self, Box<View>> {
                    if let View::$view(seen) = view { Ok(seen) } else { Err(Box::new(view)) }
                }
                fn view(self) -> View {
                    View::$view(self)
                }
            }
            $(impl Addressed for $ask {
                const ADDRESS: Address =
                    Address { method: Method::$method, path: $path, words: &[$(($word, Form::$form)),*] };
            })?
        )*
        impl Look {
            /// Where it is asked over HTTP, if it has an address of its own.
            ///
            /// # Errors
            /// A field has no JSON, which is a bug.
            pub fn written(&self) -> Result<Option<Written>, serde_json::Error> {
                match self {
                    $(Look::$look(_asked) => looks!(@written _asked $($path)?),)*
                }
            }
        }
        impl View {
            /// The name of its kind, as in the JSON.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(View::$view(_) => stringify!($view),)*
                }
            }
            /// Reads what is of this kind.
            ///
            /// # Errors
            /// The kind is not known, or the text is not of it.
            pub fn read(kind: &str, text: &str) -> Result<Self, serde_json::Error> {
                match kind {
                    $(stringify!($view) => serde_json::from_str(text).map(View::$view),)*
                    other => Err(serde_json::Error::custom(format!("unknown kind {other:?}"))),
                }
            }
        }
        /// Goes through every look that has an address, in the order of the table.
        pub fn every<V: Visit>(visit: &mut V) {
            $($(
                let _: &str = $path;
                visit.look::<$ask>();
            )?)*
        }
    };
    (@written $asked:ident) => { Ok(None) };
    (@written $asked:ident $path:literal) => { Written::of($asked).map(Some) };
}

looks! {
    /// A page of sagas.
    Sagas(Selector) => SagaList(Page<SagaRow>), Get "/v1/sagas" [
        "state": States, "type": Text, "key": Text, "attention": Flag, "all": Flag, "since": Time, "limit": Rows,
        "cursor": Text
    ];
    /// One saga.
    Saga(Saga) => Saga(Box<SagaShow>), Get "/v1/sagas/{id}" ["data": Flag, "at": Moment];
    /// The facts of one saga.
    History(History) => History(Page<HistoryRow>), Get "/v1/sagas/{id}/history" ["after": Number, "limit": Rows];
    /// Why one saga waits.
    Why(WhyStuck) => Why(Box<Why>), Get "/v1/sagas/{id}/why" [];
    /// The modules.
    Modules(Modules) => ModuleList(Page<ModuleRow>), Get "/v1/modules" [];
    /// The registered definitions.
    Definitions(Definitions) => DefinitionList(Page<DefinitionRow>), Get "/v1/definitions" [];
    /// The logs, checked against every promise.
    Verify(Verify) => Verdicts(Verdicts), Post "/v1/verify" [];
    /// What an order would do.
    Preview(Preview) => Preview(Box<Foreseen>);
    /// Who is there.
    Status(WhoIsThere) => Status(Status), Get "/v1/status" [];
    /// What the process counts.
    Metrics(Metrics) => MetricList(Page<Sample>);
}

/// A look that knows the type of its answer.
pub trait Ask: Into<Look> + Send {
    /// What is asked for, in a sentence.
    const SAYS: &'static str;
    /// What is seen.
    type View: Seen;
}

/// What has an address of its own over HTTP.
pub trait Addressed: Serialize + DeserializeOwned + 'static {
    /// Where, and with which words.
    const ADDRESS: Address;
}

/// Goes through looks by their types.
pub trait Visit {
    /// Meets one.
    fn look<A: Ask + Addressed>(&mut self);
}

/// An answer: its kind, and everything that a machine format shows of it.
pub trait Seen: Listed + Shaped + DeserializeOwned + Send + Sync + 'static {
    /// The name of its kind, as in the JSON.
    const KIND: &'static str;
    /// Out of what was seen.
    ///
    /// # Errors
    /// Something else was seen, which is given back.
    fn of(view: View) -> Result<Self, Box<View>>;
    /// As what was seen.
    fn view(self) -> View;
}

/// Whose JSON has a schema, where schemas are made at all.
#[cfg(feature = "schemas")]
pub trait Shaped: schemars::JsonSchema {}
#[cfg(feature = "schemas")]
impl<T: schemars::JsonSchema> Shaped for T {}
/// Whose JSON has a schema, where schemas are made at all.
#[cfg(not(feature = "schemas"))]
pub trait Shaped {}
#[cfg(not(feature = "schemas"))]
impl<T> Shaped for T {}

/// How an answer is shown an item a line.
pub trait Listed: Serialize {
    /// The JSON of each item.
    ///
    /// # Errors
    /// A field has no JSON, which is a bug.
    fn lines(&self) -> Result<Vec<String>, serde_json::Error>;
    /// The id of each item, in a form that other commands take.
    fn ids(&self) -> Vec<String>;
    /// Where to put what a person should know of it, if it has a place for that.
    fn notes(&mut self) -> Option<&mut Vec<String>> {
        None
    }
    /// The revision that an order can be bound to, if it is of one saga.
    fn rev(&self) -> Option<u64> {
        None
    }
}

/// A row of a page, known by an id.
pub trait Row: Serialize {
    /// The id.
    fn id(&self) -> String;
}

impl<T: Row> Listed for Page<T> {
    fn lines(&self) -> Result<Vec<String>, serde_json::Error> {
        lines(&self.items)
    }
    fn ids(&self) -> Vec<String> {
        self.items.iter().map(Row::id).collect()
    }
    fn notes(&mut self) -> Option<&mut Vec<String>> {
        Some(&mut self.notes)
    }
}
impl Row for SagaRow {
    fn id(&self) -> String {
        self.id.to_string()
    }
}
impl Row for HistoryRow {
    fn id(&self) -> String {
        self.rev.to_string()
    }
}
impl Row for ModuleRow {
    fn id(&self) -> String {
        self.name.clone()
    }
}
impl Row for Sample {
    fn id(&self) -> String {
        self.metric.name().to_owned()
    }
}
impl Row for DefinitionRow {
    fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}
impl Listed for Box<SagaShow> {
    fn lines(&self) -> Result<Vec<String>, serde_json::Error> {
        lines(std::slice::from_ref(self))
    }
    fn ids(&self) -> Vec<String> {
        vec![self.row.id.to_string()]
    }
    // What was is nothing that an order can be bound to.
    fn rev(&self) -> Option<u64> {
        self.as_of.is_none().then_some(self.rev)
    }
}
impl Listed for Box<Why> {
    fn lines(&self) -> Result<Vec<String>, serde_json::Error> {
        lines(&self.causes)
    }
    fn ids(&self) -> Vec<String> {
        self.causes.iter().map(|cause| cause.code.clone()).collect()
    }
}
impl Listed for Verdicts {
    fn lines(&self) -> Result<Vec<String>, serde_json::Error> {
        lines(&self.findings)
    }
    fn ids(&self) -> Vec<String> {
        self.findings.iter().map(|finding| finding.place.clone()).collect()
    }
}
impl Listed for Box<Foreseen> {
    fn lines(&self) -> Result<Vec<String>, serde_json::Error> {
        lines(std::slice::from_ref(self))
    }
    fn ids(&self) -> Vec<String> {
        vec![self.saga.to_string()]
    }
}
impl Listed for Status {
    fn lines(&self) -> Result<Vec<String>, serde_json::Error> {
        lines(std::slice::from_ref(self))
    }
    fn ids(&self) -> Vec<String> {
        vec![self.pid.to_string()]
    }
}

fn lines<T: Serialize>(items: &[T]) -> Result<Vec<String>, serde_json::Error> {
    items.iter().map(serde_json::to_string).collect()
}

/// How an address is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Cheap and repeated at will.
    Get,
    /// It takes its time.
    Post,
}

/// Where a look is asked over HTTP. The names in braces in the path, and the words behind it, are the fields of the
/// look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// How.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// The words of its query string.
    pub words: &'static [(&'static str, Form)],
}

impl Address {
    /// Reads a look out of the parts of a path and the words behind it.
    ///
    /// # Errors
    /// A word is not known here, or not of its form: [`codes::USAGE`].
    pub fn read<A: Addressed>(
        &self,
        parts: Vec<(String, String)>,
        words: Vec<(String, String)>,
    ) -> Result<A, ControlError> {
        let mut fields: Map<String, Value> = parts.into_iter().map(|(name, part)| (name, part.into())).collect();
        for (name, text) in words {
            let Some((_, form)) = self.words.iter().find(|(known, _)| *known == name) else {
                return Err(unknown(&name, &self.known()));
            };
            let value = form.read(&name, text)?;
            fields.insert(field(&name).to_owned(), value);
        }
        serde_json::from_value(Value::Object(fields))
            .map_err(|why| ControlError::new(codes::INTERNAL, format!("a look cannot be read: {why}")))
    }
    /// The words that it takes, in a sentence.
    fn known(&self) -> String {
        match self.words {
            [] => "no words at all".to_owned(),
            words => words.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" "),
        }
    }
}

/// The field that a word fills: a list of states is asked for by one of them.
fn field(word: &str) -> &str {
    if word == "state" { "states" } else { word }
}

/// A look as it is asked over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How.
    pub method: Method,
    /// Its path, with the names of its parts in braces.
    pub path: &'static str,
    /// The parts of the path.
    pub parts: Vec<(String, String)>,
    /// The words behind it.
    pub words: Vec<(&'static str, String)>,
}

impl Written {
    /// As it is asked.
    ///
    /// # Errors
    /// A field has no JSON, which is a bug.
    pub fn of<A: Addressed>(asked: &A) -> Result<Self, serde_json::Error> {
        let Address { method, path, words } = A::ADDRESS;
        let value = serde_json::to_value(asked)?;
        let words =
            words.iter().filter_map(|(name, form)| Some((*name, form.write(value.get(field(name))?)?))).collect();
        let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        let parts =
            names.filter_map(|(name, _)| Some((name.to_owned(), value.get(name)?.as_str()?.to_owned()))).collect();
        Ok(Self { method, path, parts, words })
    }
}
