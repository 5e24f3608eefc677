//! A port as data: who answers what, who takes it back, and the forms of all that travels, where they can be told.
//! [`port!`](crate::port!) writes it beside the request, and a module has it with the handler: there is no list to keep.

#[cfg(feature = "schemas")]
use schemars::generate::SchemaSettings;

/// Who takes a deed back: module, command, version.
pub type Undo = (&'static str, &'static str, u16);

/// A request that a module answers.
#[derive(Debug, Clone)]
pub struct Port {
    /// Who answers.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// From 1.
    pub version: u16,
    /// What is asked: fields with a default may be left out.
    pub request: Shape,
    /// What comes back: fields that are always written are required.
    pub answer: Answer,
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Of a command.
    Deed {
        /// The success answer.
        reply: Shape,
        /// The business no.
        refusal: Shape,
        /// The command that takes it back, if one does.
        undo: Option<Undo>,
    },
    /// Of a query.
    Finding(Shape),
}

/// The form of something that travels, made when it is asked for. Nothing is known of it without the feature `schemas`, of a
/// type without a schema, and of a request that implements its trait by hand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    #[cfg(feature = "schemas")]
    make: Option<fn() -> schemars::Schema>,
}

impl Port {
    /// `command` or `query`, as in file names.
    pub fn kind(&self) -> &'static str {
        match self.answer {
            Answer::Deed { .. } => "command",
            Answer::Finding(_) => "query",
        }
    }
    /// The command that takes this one back, if one does.
    pub fn undo(&self) -> Option<Undo> {
        match self.answer {
            Answer::Deed { undo, .. } => undo,
            Answer::Finding(_) => None,
        }
    }
}

#[cfg(feature = "schemas")]
impl Shape {
    /// The JSON Schema, if it is known.
    pub fn schema(self) -> Option<schemars::Schema> {
        self.make.map(|make| make())
    }
    /// What may be asked.
    pub fn asked<T: schemars::JsonSchema>() -> Self {
        Self { make: Some(|| SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()) }
    }
    /// What is answered.
    pub fn answered<T: schemars::JsonSchema>() -> Self {
        let make = || SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
        Self { make: Some(make) }
    }
}
