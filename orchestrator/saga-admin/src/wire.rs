//! The JSON of the API, which is also what the command line prints: an envelope with version and kind around a view.

use saga_core::codes::{self, Code};
use saga_core::control::ask::Seen;
use saga_core::control::{Change, ControlError, Receipt, View};
use saga_core::id::RequestId;
use saga_core::input::Misfit;
use saga_core::view::SagaShow;
use serde::{Deserialize, Serialize};

/// In this version shapes only grow.
pub const API_VERSION: &str = "saga/v1";
/// Where a page about an error is; the page also comes with the program.
const DOCS: &str = "sagactl help ";

/// Names the operator who looks or orders.
pub const ACTOR_HEADER: &str = "x-actor";
/// Carries the request id of an order, and of any answer.
pub const REQUEST_HEADER: &str = "x-request-id";
/// Carries the id of the process that is meant, where a folder named it, and of the one that answers. Another one refuses.
pub const PROCESS_HEADER: &str = "x-saga-process";
/// Carries the cursor of the last change that a reader has read, when it comes back.
pub const LAST_EVENT_HEADER: &str = "last-event-id";

/// The kind of the answer to an order.
pub const RECEIPT_KIND: &str = "Receipt";
/// The kind of a change.
pub const CHANGE_KIND: &str = "Change";

#[derive(Serialize)]
struct One<'a, T> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    item: &'a T,
}

#[derive(Deserialize)]
struct Head {
    kind: String,
}

/// A view in its envelope.
pub fn encode<S: Seen>(seen: &S) -> Result<String, serde_json::Error> {
    one(S::KIND, seen)
}

/// A receipt in its envelope.
pub fn encode_receipt(receipt: &Receipt) -> Result<String, serde_json::Error> {
    one(RECEIPT_KIND, receipt)
}

/// A change in its envelope.
pub fn encode_change(change: &Change) -> Result<String, serde_json::Error> {
    one(CHANGE_KIND, change)
}

/// Reads a change back.
pub fn decode_change(text: &str) -> Result<Change, serde_json::Error> {
    serde_json::from_str(text)
}

/// One thing with version and kind beside its own fields.
pub fn one<T: Serialize>(kind: &'static str, item: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&One { api_version: API_VERSION, kind, item })
}

/// Reads a view back. The kind is read first and the text a second time as that kind: payloads are kept as raw text, which
/// a self-describing enum of serde cannot carry.
pub fn decode(text: &str) -> Result<View, serde_json::Error> {
    let head: Head = serde_json::from_str(text)?;
    View::read(&head.kind, text)
}

/// Reads a receipt back.
pub fn decode_receipt(text: &str) -> Result<Receipt, serde_json::Error> {
    serde_json::from_str(text)
}

/// Reads one saga back.
pub fn decode_saga(text: &str) -> Result<SagaShow, serde_json::Error> {
    serde_json::from_str(text)
}

/// The one shape of an error, over HTTP and on standard error under a machine format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorFields,
}

/// What an error says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorFields {
    /// `SG` and four digits.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do next.
    pub hint: Vec<String>,
    /// The command that prints the page.
    pub docs: String,
    /// Whether trying again is sensible.
    pub retryable: bool,
    /// The exit code of a command that ends with it.
    pub exit: u8,
    /// The request it answers, if it had an id.
    pub request_id: Option<RequestId>,
    /// Every place of an input that does not fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misfits: Vec<Misfit>,
}

impl ErrorBody {
    /// The shape of `error`, with the exit code of the command that ends with it.
    pub fn of(error: &ControlError, exit: u8, request_id: Option<RequestId>) -> Self {
        Self {
            error: ErrorFields {
                code: error.code.clone(),
                message: error.message.clone(),
                hint: error.hint.clone(),
                docs: format!("{DOCS}{}", error.code),
                retryable: error.retryable,
                exit,
                request_id,
                misfits: error.misfits.clone(),
            },
        }
    }
    /// The error itself.
    pub fn into_error(self) -> ControlError {
        let ErrorFields { code, message, hint, retryable, misfits, .. } = self.error;
        ControlError { code, message, hint, retryable, misfits }
    }
}

/// What an answer that has no JSON is: a bug.
pub(crate) fn internal(error: &serde_json::Error) -> ControlError {
    ControlError::new(codes::INTERNAL, format!("an answer cannot be written: {error}"))
}

/// The code of an error; a code that this program does not know counts as a bug.
pub fn code_of(error: &ControlError) -> Code {
    codes::find(&error.code).unwrap_or(codes::INTERNAL)
}

/// The HTTP status of a code: that of its exit code, so that a program may look at either, but for a method that an
/// address does not take, and for a revision that was named in a header and has changed.
pub fn status_of(code: Code) -> u16 {
    match code.exit {
        _ if code == codes::NO_METHOD => 405,
        _ if code == codes::NOT_JSON => 415,
        _ if code == codes::REVISION_CHANGED => 412,
        2 => 400,
        3 => 404,
        4 => 403,
        5 => 409,
        6 => 422,
        8 => 504,
        9 => 503,
        _ => 500,
    }
}
