//! The JSON of the API, which is also what the command line prints: an envelope with version and kind around a view.

use saga_core::codes::{self, Code};
use saga_core::control::{ControlError, Page, Receipt, View};
use saga_core::id::RequestId;
use saga_core::input::Misfit;
use saga_core::view::SagaShow;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// In this version shapes only grow.
pub const API_VERSION: &str = "saga/v1";
/// Where a page about an error is; the page also comes with the program.
const DOCS: &str = "sagactl help ";

/// Names the operator who looks or orders.
pub const ACTOR_HEADER: &str = "x-actor";
/// Carries the request id of an order, and of any answer.
pub const REQUEST_HEADER: &str = "x-request-id";

/// The kind of the answer to an order.
pub const RECEIPT_KIND: &str = "Receipt";

#[derive(Serialize)]
struct One<'a, T> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    item: &'a T,
}

#[derive(Serialize)]
struct Many<'a, T> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    items: &'a [T],
    page: PageOut<'a>,
}

#[derive(Serialize)]
struct PageOut<'a> {
    limit: usize,
    next: Option<&'a str>,
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    troubled: Option<u64>,
    truncated: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

#[derive(Deserialize)]
struct ManyIn<T> {
    items: Vec<T>,
    page: PageIn,
}

#[derive(Deserialize)]
struct PageIn {
    #[serde(default)]
    limit: usize,
    next: Option<String>,
    total: Option<u64>,
    #[serde(default)]
    troubled: Option<u64>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct Head {
    kind: String,
}

/// The name of a view's kind, as in the envelope.
pub fn kind_of(view: &View) -> &'static str {
    match view {
        View::SagaList(_) => "SagaList",
        View::Saga(_) => "Saga",
        View::History(_) => "History",
        View::Why(_) => "Why",
        View::ModuleList(_) => "ModuleList",
        View::DefinitionList(_) => "DefinitionList",
        View::Verdicts(_) => "Verdicts",
        View::Preview(_) => "Preview",
        View::Status(_) => "Status",
    }
}

/// A view in its envelope.
pub fn encode(view: &View) -> Result<String, serde_json::Error> {
    let kind = kind_of(view);
    match view {
        View::SagaList(page) => many(kind, page),
        View::Saga(saga) => one(kind, saga.as_ref()),
        View::History(page) => many(kind, page),
        View::Why(why) => one(kind, why.as_ref()),
        View::ModuleList(page) => many(kind, page),
        View::DefinitionList(page) => many(kind, page),
        View::Verdicts(verdicts) => one(kind, verdicts),
        View::Preview(foreseen) => one(kind, foreseen.as_ref()),
        View::Status(status) => one(kind, status),
    }
}

/// A receipt in its envelope.
pub fn encode_receipt(receipt: &Receipt) -> Result<String, serde_json::Error> {
    one(RECEIPT_KIND, receipt)
}

/// One thing with version and kind beside its own fields.
pub fn one<T: Serialize>(kind: &'static str, item: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&One { api_version: API_VERSION, kind, item })
}

fn many<T: Serialize>(kind: &'static str, page: &Page<T>) -> Result<String, serde_json::Error> {
    let Page { limit, next, total, troubled, truncated, notes, .. } = page;
    let out = PageOut {
        limit: *limit,
        next: next.as_deref(),
        total: *total,
        troubled: *troubled,
        truncated: *truncated,
        notes,
    };
    serde_json::to_string(&Many { api_version: API_VERSION, kind, items: &page.items, page: out })
}

/// Reads a view back. The kind is read first and the text a second time as that kind: payloads are kept as raw text, which
/// a self-describing enum of serde cannot carry.
pub fn decode(text: &str) -> Result<View, serde_json::Error> {
    let head: Head = serde_json::from_str(text)?;
    match head.kind.as_str() {
        "SagaList" => Ok(View::SagaList(page(text)?)),
        "Saga" => Ok(View::Saga(Box::new(serde_json::from_str(text)?))),
        "History" => Ok(View::History(page(text)?)),
        "Why" => Ok(View::Why(Box::new(serde_json::from_str(text)?))),
        "ModuleList" => Ok(View::ModuleList(page(text)?)),
        "DefinitionList" => Ok(View::DefinitionList(page(text)?)),
        "Verdicts" => Ok(View::Verdicts(serde_json::from_str(text)?)),
        "Preview" => Ok(View::Preview(Box::new(serde_json::from_str(text)?))),
        "Status" => Ok(View::Status(serde_json::from_str(text)?)),
        other => Err(serde::de::Error::custom(format!("unknown kind {other:?}"))),
    }
}

/// Reads a receipt back.
pub fn decode_receipt(text: &str) -> Result<Receipt, serde_json::Error> {
    serde_json::from_str(text)
}

/// Reads one saga back.
pub fn decode_saga(text: &str) -> Result<SagaShow, serde_json::Error> {
    serde_json::from_str(text)
}

fn page<T: DeserializeOwned>(text: &str) -> Result<Page<T>, serde_json::Error> {
    let ManyIn { items, page } = serde_json::from_str(text)?;
    let PageIn { limit, next, total, troubled, truncated, notes } = page;
    Ok(Page { items, limit, next, total, troubled, truncated, notes })
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
