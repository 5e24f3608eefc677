//! Reactors: events, of whichever module, become commands of the reactor's own.

use crate::command::Command;
use crate::envelope::Recorded;
use crate::event::{DecodeError, Event, Owner};
use crate::json::Payload;
use crate::projection::{At, read_as};
use std::sync::Arc;

type ReactFn = Arc<dyn Fn(&Recorded, &At) -> Result<Vec<Reaction>, DecodeError> + Send + Sync>;

/// A reaction to an event: commands of the reactor's own module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Command name.
    pub command: &'static str,
    /// Its version.
    pub version: u16,
    /// Its JSON.
    pub payload: Payload,
}
/// Turns events into commands of its own module. Never replayed unless asked.
#[derive(Clone)]
pub struct Reactor {
    /// Name within the module.
    pub name: &'static str,
    /// `(module, event, reaction)`.
    pub reactions: Vec<(&'static str, &'static str, ReactFn)>,
}

impl Reactor {
    /// A reactor that listens to nothing yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, reactions: Vec::new() }
    }
    /// For each event `E`: which command follows, if any. The deed's key is derived from event, reactor and command.
    #[must_use]
    pub fn on<E: Event, C: Command>(mut self, react: impl Fn(&E, &At) -> Option<C> + Send + Sync + 'static) -> Self {
        let wrapped: ReactFn = Arc::new(move |recorded, at| {
            let event = read_as::<E>(recorded)?;
            let Some(command) = react(&event, at) else { return Ok(Vec::new()) };
            let payload = Payload::of(&command).map_err(|why| DecodeError::Malformed {
                of: E::NAME,
                version: E::VERSION,
                why: why.to_string(),
            })?;
            Ok(vec![Reaction { command: C::NAME, version: C::VERSION, payload }])
        });
        self.reactions.push((E::Owner::MODULE, E::NAME, wrapped));
        self
    }
    /// The consumer name of its checkpoint for one source.
    pub fn consumer(&self, module: &str, source: &str) -> String {
        format!("reactor:{module}.{}@{source}", self.name)
    }
    /// The modules it listens to, each once.
    pub fn sources(&self) -> Vec<&'static str> {
        let mut sources: Vec<_> = self.reactions.iter().map(|(module, ..)| *module).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }
}
