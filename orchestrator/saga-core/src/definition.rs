//! The checked, frozen form of a plan.

/// A frozen saga definition.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Name, kebab-case.
    pub name: String,
    /// From 1.
    pub version: u16,
}
