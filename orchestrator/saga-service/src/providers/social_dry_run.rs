//! A publisher that posts nothing: it answers as a platform would, the same for the same key, and says what it would do.

use async_trait::async_trait;
use delivery::api::events::{Destination, Publication};
use delivery::api::providers::{Post, PostStatus, ProviderError, SocialPublisher};
use saga_core::id::StepKey;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// 10,000 rehearsed posts are remembered, so that a long rehearsal does not grow without end; the oldest keys go first.
const REMEMBERED_MAX: usize = 10_000;

/// The rehearsing twin of every real publisher. What it remembers lives as long as the process; that is enough,
/// because its answer is a function of key and destination alone.
#[derive(Debug, Default)]
pub struct DryRunPublisher {
    posted: Mutex<BTreeMap<StepKey, Destination>>,
}

impl DryRunPublisher {
    /// What would be out now, by key.
    pub fn would_be_out(&self) -> BTreeMap<StepKey, Destination> {
        self.posted().clone()
    }
    fn posted(&self) -> MutexGuard<'_, BTreeMap<StepKey, Destination>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reference of a rehearsed post: nobody can mistake its scheme for a page.
fn reference(key: StepKey, destination: &Destination) -> Vec<Publication> {
    let platform = destination.platform.clone();
    let url = format!("dry-run://{platform}/{}", key.uuid());
    vec![Publication { platform, external_id: Some(format!("dry-run-{}", key.short())), url }]
}

#[async_trait]
impl SocialPublisher for DryRunPublisher {
    async fn post(&self, key: StepKey, post: &Post) -> Result<Vec<Publication>, ProviderError> {
        let destination = &post.destination;
        let mut posted = self.posted();
        if posted.len() >= REMEMBERED_MAX && !posted.contains_key(&key) {
            posted.pop_first();
        }
        posted.insert(key, destination.clone());
        tracing::info!(%key, platform = destination.platform, characters = post.text.chars().count(), "would post");
        Ok(reference(key, destination))
    }
    async fn status(&self, key: StepKey, _: &Destination) -> Result<PostStatus, ProviderError> {
        let known = self.posted().get(&key).cloned();
        Ok(known.map_or(PostStatus::NotPosted, |destination| PostStatus::Posted(reference(key, &destination))))
    }
    async fn retract(&self, key: StepKey, publications: &[Publication]) -> Result<(), ProviderError> {
        self.posted().remove(&key);
        tracing::info!(%key, publications = publications.len(), "would take back");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use delivery::api::events::JobType;
    use saga_core::id::Direction;
    use uuid::Uuid;

    #[tokio::test]
    async fn the_same_key_is_the_same_reference_also_in_another_process() {
        let key = StepKey::derive(Uuid::from_u128(1), "publish", Direction::Do);
        let post = Post {
            job_type: JobType::SocialPost,
            destination: Destination { platform: "linkedin".to_owned(), account: "nordlys".to_owned() },
            text: "月曜日を取り戻す".to_owned(),
            title: None,
            media_urls: Vec::new(),
        };
        let publisher = DryRunPublisher::default();
        assert_eq!(publisher.status(key, &post.destination).await, Ok(PostStatus::NotPosted));
        let out = publisher.post(key, &post).await.unwrap();
        assert_eq!(publisher.post(key, &post).await.unwrap(), out);
        assert_eq!(DryRunPublisher::default().post(key, &post).await.unwrap(), out);
        assert_eq!(publisher.status(key, &post.destination).await, Ok(PostStatus::Posted(out.clone())));
        assert!(out[0].url.starts_with("dry-run://linkedin/"));
        assert_eq!(publisher.would_be_out().len(), 1);
        publisher.retract(key, &out).await.unwrap();
        publisher.retract(key, &out).await.unwrap();
        assert_eq!(publisher.status(key, &post.destination).await, Ok(PostStatus::NotPosted));
    }
}
