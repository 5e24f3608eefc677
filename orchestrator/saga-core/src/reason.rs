//! Why a step or its undo waits for a person: closed lists of the engine's own reasons, and beside them a code of a
//! module.
//!
//! Facts keep the code as text. It becomes a reason where the text is read: no decision compares codes.

use crate::limits;
use crate::outcome::{Refused, UNNAMED};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A code that means nothing to the engine: a module's own, or one of a newer program. It is kept and shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A code that is not the engine's own.
            Told(Told),
        }
        impl $name {
            /// The code, as it is recorded and shown.
            pub fn code(&self) -> &str {
                match self {
                    $($name::$variant => $code,)+
                    $name::Told(code) => &code.0,
                }
            }
            /// A bug that a module reported under a code of its own, with its message within the bounds of a fact. A
            /// code that only the engine may use moves into the message.
            pub fn bug(code: String, message: String) -> (Self, String) {
                let Refused { code, reason: message, .. } = Refused::new(code, message).bounded();
                let reason = Self::from(code);
                if matches!(reason, $name::Fault | $name::Told(_)) {
                    return (reason, message);
                }
                ($name::Fault, limits::cut(&format!("{reason}: {message}")))
            }
        }
        /// As a recorded fact has it.
        impl From<String> for $name {
            fn from(code: String) -> Self {
                match code.as_str() {
                    $($code => $name::$variant,)+
                    _ => $name::Told(Told(code)),
                }
            }
        }
        impl From<$name> for String {
            fn from(reason: $name) -> String {
                match reason {
                    $name::Told(code) => code.0,
                    $($name::$variant => $code.to_owned(),)+
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

reasons! {
    /// Why a step is parked.
    ParkReason {
        /// The pivot never answered: whether it was passed is not known. Its answer ends it.
        PivotUnknown = "PIVOT_UNKNOWN",
        /// Nobody answered in all its tries. An answer ends it.
        RetriesExhausted = "RETRIES_EXHAUSTED",
        /// It said no behind the pivot, where nothing is undone any more.
        RefusedAfterPivot = "REFUSED_AFTER_PIVOT",
        /// The module keeps an answer to another payload under its key: two stores do not belong together.
        KeyReused = "KEY_REUSED",
        /// It happened, and its output is larger than a fact can hold.
        TooLarge = "TOO_LARGE",
        /// No store can keep what was decided about it.
        Unstorable = "UNSTORABLE",
        /// A bug in a function of the saga.
        Fault = "FAULT",
    }
}
reasons! {
    /// Why an undo is not tried again.
    UndoFailure {
        /// Nobody answered in all its tries.
        Exhausted = "UNDO_FAILED",
        /// The module keeps an answer to another payload under its key: under another one it would be undone twice.
        KeyReused = "KEY_REUSED",
        /// A bug in a function of the saga.
        Fault = "FAULT",
        /// No store can keep what was decided about it.
        Unstorable = "UNSTORABLE",
    }
}

impl ParkReason {
    /// Whether nothing is wrong but that no answer came: when it comes, the saga goes on.
    pub fn is_silence(&self) -> bool {
        match self {
            ParkReason::PivotUnknown | ParkReason::RetriesExhausted => true,
            ParkReason::RefusedAfterPivot
            | ParkReason::KeyReused
            | ParkReason::TooLarge
            | ParkReason::Unstorable
            | ParkReason::Fault
            | ParkReason::Told(_) => false,
        }
    }
}

impl UndoFailure {
    /// A refusal to undo, which is the recorded answer to its key. A code that would say that there is none moves into
    /// the reason.
    pub fn refused(refused: Refused) -> (Self, String) {
        let Refused { code, reason, .. } = refused.bounded();
        match Self::from(code) {
            // The barrier's own word is its refusal, too.
            theirs @ (UndoFailure::Told(_) | UndoFailure::KeyReused) => (theirs, reason),
            taken @ (UndoFailure::Exhausted | UndoFailure::Fault | UndoFailure::Unstorable) => {
                (UndoFailure::Told(Told(UNNAMED.to_owned())), limits::cut(&format!("{taken}: {reason}")))
            }
        }
    }
    /// Whether the key of the undo may have its answer already: a further try is another deed, under another key.
    pub fn is_answered(&self) -> bool {
        match self {
            UndoFailure::Exhausted | UndoFailure::KeyReused | UndoFailure::Fault => false,
            UndoFailure::Unstorable | UndoFailure::Told(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_recorded_as_its_code_and_read_as_what_it_was() {
        for code in [
            "PIVOT_UNKNOWN",
            "RETRIES_EXHAUSTED",
            "REFUSED_AFTER_PIVOT",
            "KEY_REUSED",
            "TOO_LARGE",
            "UNSTORABLE",
            "FAULT",
        ] {
            let reason = ParkReason::from(code.to_owned());
            assert!(!matches!(reason, ParkReason::Told(_)), "{code}");
            let told = ParkReason::bug(code.to_owned(), "why".to_owned());
            let aside = if code == "FAULT" { "why".to_owned() } else { format!("{code}: why") };
            assert_eq!(told, (ParkReason::Fault, aside), "{code}: only the engine can mean it");
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("{code:?}"));
        }
        for code in ["UNDO_FAILED", "FAULT", "UNSTORABLE"] {
            assert!(!matches!(UndoFailure::from(code.to_owned()), UndoFailure::Told(_)), "{code}");
            let (told, reason) = UndoFailure::refused(Refused::new(code, "no"));
            assert_eq!((told.code(), told.is_answered(), reason), ("REFUSED", true, format!("{code}: no")));
        }
        for code in ["SG0201", "OUT_OF_CHEESE", "NOTHING_KNOWN", ""] {
            let reason: ParkReason = serde_json::from_str(&format!("{code:?}")).unwrap();
            assert_eq!((reason.code(), reason.is_silence()), (code, false), "of a newer program: kept and shown");
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("{code:?}"));
        }
    }
}
