//! Deterministic providers for tests and rehearsals, each with a log of its calls.

use crate::api::dtos::can_retract;
use crate::api::events::{Destination, Publication};
use crate::api::providers::StoredFile;
use crate::api::providers::{
    FileStore, Needs, Packer, Part, PartContent, Post, PostStatus, ProviderError, SocialPublisher,
};
use async_trait::async_trait;
use saga_core::envelope::sha256_hex;
use saga_core::id::StepKey;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One call of a fake publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Post { key: StepKey, platform: String },
    Status { key: StepKey },
    Retract { key: StepKey },
}

/// A platform that does what the text of a post says: `flaky` is busy twice and then works; `vanish` gives no answer
/// but is out; `lost` gives no answer, ever, about anything; `banned` is rejected.
#[derive(Debug, Default)]
pub struct FakePublisher {
    state: Mutex<Platform>,
}

#[derive(Debug, Default)]
struct Platform {
    calls: Vec<Call>,
    posts: BTreeMap<StepKey, Vec<Publication>>,
    busy: BTreeMap<StepKey, u32>,
    silent: BTreeMap<StepKey, ()>,
    script: VecDeque<ProviderError>,
}

impl FakePublisher {
    /// Answers the next call with this error, whatever it is about; several queue up.
    pub fn fail_next(&self, error: ProviderError) {
        self.state().script.push_back(error);
    }
    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }
    /// How many posts are out.
    pub fn posts(&self) -> usize {
        self.state().posts.len()
    }
    fn state(&self) -> MutexGuard<'_, Platform> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Platform {
    fn scripted(&mut self, call: Call) -> Result<(), ProviderError> {
        self.calls.push(call);
        self.script.pop_front().map_or(Ok(()), Err)
    }
}

/// 1 s: a platform's usual word for "slow down".
const BUSY_MS: u64 = 1_000;
/// How often `flaky` is busy.
const FLAKY_TIMES: u32 = 2;

#[async_trait]
impl SocialPublisher for FakePublisher {
    async fn post(&self, key: StepKey, post: &Post) -> Result<Vec<Publication>, ProviderError> {
        let platform = post.destination.platform.clone();
        let mut state = self.state();
        state.scripted(Call::Post { key, platform: platform.clone() })?;
        if let Some(known) = state.posts.get(&key) {
            return Ok(known.clone());
        }
        if post.text.contains("banned") {
            return Err(ProviderError::Rejected { code: "CONTENT_POLICY".to_owned() });
        }
        if post.text.contains("lost") {
            state.silent.insert(key, ());
            return Err(ProviderError::Unknown);
        }
        if post.text.contains("flaky") {
            let busy = state.busy.entry(key).or_default();
            *busy += 1;
            if *busy <= FLAKY_TIMES {
                return Err(ProviderError::TryLater { after_ms: BUSY_MS, says: "is busy".to_owned() });
            }
        }
        let external_id = format!("{platform}-{}", key.short());
        let url = format!("https://{platform}.example/{}/{}", post.destination.account, key.short());
        let out = vec![Publication { platform, external_id: Some(external_id), url }];
        state.posts.insert(key, out.clone());
        if post.text.contains("vanish") { Err(ProviderError::Unknown) } else { Ok(out) }
    }
    async fn status(&self, key: StepKey, _: &Destination) -> Result<PostStatus, ProviderError> {
        let mut state = self.state();
        state.scripted(Call::Status { key })?;
        if state.silent.contains_key(&key) {
            return Ok(PostStatus::Unknown);
        }
        Ok(state.posts.get(&key).map_or(PostStatus::NotPosted, |out| PostStatus::Posted(out.clone())))
    }
    async fn retract(&self, key: StepKey, publications: &[Publication]) -> Result<(), ProviderError> {
        let mut state = self.state();
        state.scripted(Call::Retract { key })?;
        if let Some(stuck) = publications.iter().find(|publication| !can_retract(&publication.platform)) {
            return Err(ProviderError::Rejected { code: format!("NO_RETRACT_ON_{}", stuck.platform.to_uppercase()) });
        }
        state.posts.remove(&key);
        Ok(())
    }
}

/// Files in memory.
#[derive(Debug, Default)]
pub struct MemoryFiles {
    state: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    files: BTreeMap<String, Vec<u8>>,
    script: VecDeque<ProviderError>,
    puts: Vec<(StepKey, String)>,
}

impl MemoryFiles {
    /// Has this file, as an upload would have left it; gives its sha256.
    pub fn hold(&self, bytes: &[u8]) -> String {
        let sha256 = sha256_hex(bytes);
        self.state().files.insert(sha256.clone(), bytes.to_vec());
        sha256
    }
    /// Answers the next `put` with this error; several queue up.
    pub fn fail_next(&self, error: ProviderError) {
        self.state().script.push_back(error);
    }
    /// Key and name of every `put` so far.
    pub fn puts(&self) -> Vec<(StepKey, String)> {
        self.state().puts.clone()
    }
    /// The bytes of a file.
    pub fn bytes(&self, sha256: &str) -> Option<Vec<u8>> {
        self.state().files.get(sha256).cloned()
    }
    fn state(&self) -> MutexGuard<'_, Shelf> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl FileStore for MemoryFiles {
    async fn put(&self, key: StepKey, name: &str, bytes: &[u8]) -> Result<StoredFile, ProviderError> {
        let mut state = self.state();
        state.puts.push((key, name.to_owned()));
        if let Some(error) = state.script.pop_front() {
            return Err(error);
        }
        let sha256 = sha256_hex(bytes);
        state.files.insert(sha256.clone(), bytes.to_vec());
        Ok(StoredFile { url: format!("memory://{sha256}/{name}"), sha256 })
    }
    async fn get(&self, sha256: &str) -> Result<Option<Vec<u8>>, ProviderError> {
        Ok(self.state().files.get(sha256).cloned())
    }
}

/// Packs by writing the pieces one after the other, so that a test can read what it asked for.
#[derive(Debug, Default, Clone, Copy)]
pub struct PlainPacker;

#[async_trait]
impl Packer for PlainPacker {
    async fn pack(&self, format: &str, title: &str, parts: &[Part]) -> Result<Vec<u8>, ProviderError> {
        let mut bytes = format!("{format}: {title}\n").into_bytes();
        for part in parts {
            bytes.extend(format!("-- {}\n", part.name).into_bytes());
            match &part.content {
                PartContent::Bytes(content) => bytes.extend(content),
                PartContent::Link { url, sha256 } => {
                    bytes.extend(format!("{url} {}", sha256.as_deref().unwrap_or("-")).into_bytes());
                }
            }
            bytes.push(b'\n');
        }
        Ok(bytes)
    }
}

/// Everything delivery needs, as fakes that a test can look into.
#[derive(Debug, Clone, Default)]
pub struct Fakes {
    pub publisher: Arc<FakePublisher>,
    pub rehearsal: Arc<FakePublisher>,
    pub files: Arc<MemoryFiles>,
}

impl Fakes {
    /// The needs of a module over these fakes.
    pub fn needs(&self) -> Needs {
        Needs {
            publisher: Arc::<FakePublisher>::clone(&self.publisher),
            rehearsal: Arc::<FakePublisher>::clone(&self.rehearsal),
            files: Arc::<MemoryFiles>::clone(&self.files),
            packer: Arc::new(PlainPacker),
        }
    }
}
