//! How a provider fails, and what each failure is to the handler that asked it.
//!
//! A provider is a trait of the module that needs it; only its failures are the same everywhere.

use crate::module::Halt;

/// Why a provider did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// No, for good.
    #[error("rejected: {code}")]
    Rejected {
        /// Why, as the provider says it.
        code: String,
    },
    /// Nothing was done; it passes by itself, and is asked again later.
    #[error("{says}")]
    TryLater {
        /// Not before this many milliseconds.
        after_ms: u64,
        /// What the provider said.
        says: String,
    },
    /// Nothing was done, and nothing will be until a person mends what it says: rights, room, a quota. It is asked again
    /// all the same, and a person is told at once.
    #[error("{says}")]
    Mend {
        /// What the provider said.
        says: String,
    },
    /// It may have been done. Asking again with the same key is safe.
    #[error("the outcome is unknown")]
    Unknown,
}

impl ProviderError {
    /// What the failure is to a handler: a refusal that `rejected` makes of the provider's code, or weather. A provider that
    /// said nothing is asked again after `silent_ms`.
    pub fn halt<R>(self, silent_ms: u64, rejected: impl FnOnce(String) -> R) -> Halt<R> {
        let reason = self.to_string();
        match self {
            ProviderError::Rejected { code } => Halt::Refuse(rejected(code)),
            ProviderError::TryLater { after_ms, .. } => Halt::Retry { after_ms, reason },
            ProviderError::Mend { .. } => Halt::Mend { reason },
            ProviderError::Unknown => Halt::Retry { after_ms: silent_ms, reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_is_a_refusal_or_weather() {
        let says = || "is busy".to_owned();
        let table = [
            (ProviderError::Rejected { code: "POLICY".to_owned() }, "Refuse(\"POLICY\")"),
            (ProviderError::TryLater { after_ms: 5, says: says() }, "Retry { after_ms: 5, reason: \"is busy\" }"),
            (ProviderError::Mend { says: says() }, "Mend { reason: \"is busy\" }"),
            (ProviderError::Unknown, "Retry { after_ms: 7, reason: \"the outcome is unknown\" }"),
        ];
        for (failure, expected) in table {
            assert_eq!(format!("{:?}", failure.halt(7, |code| code)), expected);
        }
    }
}
