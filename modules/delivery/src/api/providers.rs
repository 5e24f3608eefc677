//! What delivery needs from outside. The composition root brings it.

use super::events::{Destination, JobType, Publication};
use async_trait::async_trait;
use saga_core::id::StepKey;
pub use saga_core::provider::ProviderError;
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
    /// Makes a file in `format` (`zip`, `pdf` or `html`). The same pieces give the same bytes, always. Rejected: a format that
    /// is none of them, or that cannot show all letters of the pieces.
    async fn pack(&self, format: &str, title: &str, parts: &[Part]) -> Result<Vec<u8>, ProviderError>;
}
