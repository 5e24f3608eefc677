//! What delivery needs from outside: a publisher, its rehearsing twin, a file store and a packer.

use crate::api::events::{Destination, JobType, Publication};
use async_trait::async_trait;
use saga_core::id::StepKey;
use std::sync::Arc;

/// What the composition root brings.
#[derive(Clone)]
pub struct Needs {
    /// Posts for real.
    pub publisher: Arc<dyn SocialPublisher>,
    /// Posts nothing; used while the execution settings say `dry_run`.
    pub rehearsal: Arc<dyn SocialPublisher>,
    /// Keeps artifacts.
    pub files: Arc<dyn FileStore>,
    /// Makes artifacts.
    pub packer: Arc<dyn Packer>,
}

/// Why a provider did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// No, for good.
    #[error("rejected: {code}")]
    Rejected { code: String },
    /// Nothing was done; it passes by itself, and is asked again later. `says` is what the provider said.
    #[error("{says}")]
    TryLater { after_ms: u64, says: String },
    /// Nothing was done, and nothing will be until a person mends what it says: rights, room, a quota. It is asked again
    /// all the same, and a person is told at once.
    #[error("{says}")]
    Mend { says: String },
    /// It may have been done.
    #[error("no answer")]
    Unknown,
}

/// What is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub job_type: JobType,
    pub destination: Destination,
    /// The whole text, however long.
    pub text: String,
    pub title: Option<String>,
    pub media_urls: Vec<String>,
}

/// What a platform says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostStatus {
    /// It is out.
    Posted(Vec<Publication>),
    /// It is not out, and will not be.
    NotPosted,
    /// The platform cannot tell.
    Unknown,
}

/// Publishes to social platforms, mail and CRM.
#[async_trait]
pub trait SocialPublisher: Send + Sync {
    /// Posts once per `key`: the same key again answers the first publications and posts nothing.
    /// A crash in between leaves a post that [`status`](Self::status) knows.
    async fn post(&self, key: StepKey, post: &Post) -> Result<Vec<Publication>, ProviderError>;
    /// What became of `key`. Changes nothing, may be asked at any time.
    async fn status(&self, key: StepKey, destination: &Destination) -> Result<PostStatus, ProviderError>;
    /// Takes publications back. Taking back what is gone is fine.
    async fn retract(&self, key: StepKey, publications: &[Publication]) -> Result<(), ProviderError>;
}

/// Where an artifact lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    pub url: String,
    pub sha256: String,
}

/// Keeps files by their content.
#[async_trait]
pub trait FileStore: Send + Sync {
    /// Keeps the bytes, whole or not at all. The same key or the same bytes again answer the same file.
    async fn put(&self, key: StepKey, name: &str, bytes: &[u8]) -> Result<StoredFile, ProviderError>;
    /// The bytes with this sha256, if they are here.
    async fn get(&self, sha256: &str) -> Result<Option<Vec<u8>>, ProviderError>;
}

/// One piece of an artifact, with its bytes in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub content: PartContent,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartContent {
    /// Bytes of a file or text.
    Bytes(Vec<u8>),
    /// A file that stays where it is.
    Link { url: String, sha256: Option<String> },
}

/// Makes the file of an artifact out of its pieces.
#[async_trait]
pub trait Packer: Send + Sync {
    /// Makes a file in `format` (`zip` or `pdf`). The same pieces give the same bytes, always.
    async fn pack(&self, format: &str, title: &str, parts: &[Part]) -> Result<Vec<u8>, ProviderError>;
}
