//! Functions that others wrote may panic: the panic becomes words, and nothing else of it gets through.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// 1,000 characters of what a panic said: more is a dump, not a reason.
const WORDS_MAX: usize = 1_000;

/// What a panic said.
pub fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    said.unwrap_or("without a word").chars().take(WORDS_MAX).collect()
}

/// Calls a function; a panic in it comes back as what it said. Only for functions whose half-done work nobody looks at.
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| words(&*panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_said_comes_back() {
        assert_eq!(caught(|| 7), Ok(7));
        assert_eq!(caught(|| -> u8 { panic!("no {}", 7) }), Err("no 7".to_owned()));
        assert_eq!(caught(|| -> u8 { panic!("no") }), Err("no".to_owned()));
        assert_eq!(caught(|| -> u8 { std::panic::panic_any(7) }), Err("without a word".to_owned()));
    }
}
