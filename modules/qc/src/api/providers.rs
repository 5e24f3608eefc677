//! What quality control needs from outside. The composition root brings it.

/// Whether a command may force its verdict. Off everywhere but in a harness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Forcing {
    /// `force` is refused.
    #[default]
    Forbidden,
    /// `force` is obeyed.
    Allowed,
}

/// What quality control needs from outside: nothing but to know whether it stands in a harness.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    pub forcing: Forcing,
}
