//! The writers of a saga's steps, as far as they can say beforehand what they would write.

use production::api::dtos::AssetCopy;
use production::api::providers::{CopyOrder, DraftOrder};

/// Writers that need nobody and no time. One that does cannot be asked at the door, and says no when it is asked.
pub trait Performers: Send + Sync {
    /// The draft, or why there is none.
    fn would_draft(&self, order: &DraftOrder) -> Result<String, Unwritten>;
    /// The words of a piece, or why there are none.
    fn would_copy(&self, order: &CopyOrder) -> Result<AssetCopy, Unwritten>;
}

/// Why a writer would not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwritten {
    /// What must be said is longer than what may be said in all, which is so many characters.
    DemandsTooLong(usize),
    /// Anything else, in the writer's words.
    Other(String),
}
