//! What changes, as it happens: what is followed, what a change says, and how a reader asks for the next ones.
//!
//! The log of the coordinators is one for all sagas and in order, so a place in it is the whole cursor: what was not read
//! waits there, and a slow reader needs no memory of the server.

use super::ask::{Address, Addressed, Method, Written};
use super::error::ControlError;
use super::selector::Selector;
use super::words::Form;
use crate::time::Timestamp;
use crate::view::{SagaRow, SagaShow};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// One saga, followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchSaga {
    /// Which, in any form of an id.
    pub id: String,
    /// Only what came after this cursor of a change; `None`: what comes from now on.
    #[serde(default)]
    pub after: Option<String>,
}

/// The sagas of a list, followed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchSagas {
    /// Which. The size of a page and the cursor of a list mean nothing here.
    #[serde(flatten)]
    pub of: Selector,
    /// Only what came after this cursor of a change; `None`: what comes from now on.
    #[serde(default)]
    pub after: Option<String>,
}

impl Addressed for WatchSaga {
    const ADDRESS: Address =
        Address { method: Method::Get, path: "/v1/sagas/{id}/changes", words: &[("after", Form::Text)] };
}
impl Addressed for WatchSagas {
    const ADDRESS: Address = Address {
        method: Method::Get,
        path: "/v1/changes",
        words: &[
            ("state", Form::States),
            ("type", Form::Text),
            ("key", Form::Text),
            ("attention", Form::Flag),
            ("all", Form::Flag),
            ("since", Form::Time),
            ("after", Form::Text),
        ],
    };
}

/// What can be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watch {
    /// One saga.
    Saga(WatchSaga),
    /// Those of a list.
    Sagas(WatchSagas),
}

impl Watch {
    /// The same, only after this cursor.
    #[must_use]
    pub fn behind(mut self, cursor: String) -> Self {
        match &mut self {
            Watch::Saga(WatchSaga { after, .. }) | Watch::Sagas(WatchSagas { after, .. }) => *after = Some(cursor),
        }
        self
    }
    /// Where it is asked over HTTP.
    ///
    /// # Errors
    /// A field has no JSON, which is a bug.
    pub fn written(&self) -> Result<Written, serde_json::Error> {
        match self {
            Watch::Saga(watch) => Written::of(watch),
            Watch::Sagas(watch) => Written::of(watch),
        }
    }
}
impl From<WatchSaga> for Watch {
    fn from(watch: WatchSaga) -> Self {
        Watch::Saga(watch)
    }
}
impl From<WatchSagas> for Watch {
    fn from(watch: WatchSagas) -> Self {
        Watch::Sagas(watch)
    }
}

/// One fact, and what it made of its saga. Told again, it has the same cursor and says the same, but for [`Change::whole`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Change {
    /// Its place, by which a reader goes on after it.
    pub cursor: String,
    /// How many facts the saga has with it.
    pub rev: u64,
    /// When.
    pub at: Timestamp,
    /// The name of the fact.
    pub fact: String,
    /// Whether the saga is one of those that are followed. The change by which it ceases to be one is told, too. What only
    /// time brings about, as a deadline that passes, is no change.
    pub listed: bool,
    /// The saga, as it is with this fact.
    #[serde(flatten)]
    pub row: SagaRow,
    /// Of one saga that is followed, with the last of the changes that were read together: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Box<SagaShow>>,
}

/// The changes of what is followed, from where a reader began, without end.
#[async_trait]
pub trait Changes: Send {
    /// Behind what was read last; in the beginning, where the first change will follow.
    fn cursor(&self) -> &str;
    /// The next ones, oldest first, as soon as there are any; no more at once than a page. None at all: a part of the log was
    /// read in which nothing was of interest, and [`Changes::cursor`] is behind it. Dropping the wait loses nothing.
    ///
    /// # Errors
    /// What could not be read now is read at the next call, from the same place.
    async fn next(&mut self) -> Result<Vec<Change>, ControlError>;
}
