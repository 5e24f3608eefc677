//! A command as it reaches a module.

use crate::envelope::Actor;
use crate::id::{Direction, Epoch, StepKey};
use crate::json::Payload;
use crate::module::Deed;
use uuid::Uuid;

/// One delivery of a command to a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Command name.
    pub command: String,
    /// Version of the request.
    pub version: u16,
    /// Its JSON.
    pub payload: Payload,
    /// The deed's envelope.
    pub deed: Deed,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// Both keys of the deed.
    pub keys: (StepKey, StepKey),
}

impl Delivered {
    /// What a person or program asks without a saga: the request id makes it happen once.
    pub fn direct(command: &str, version: u16, payload: Payload, request: Uuid, actor: Actor) -> Self {
        let path = format!("request:{command}");
        let keys = (StepKey::derive(request, &path, Direction::Do), StepKey::derive(request, &path, Direction::Undo));
        let deed = Deed {
            saga: request,
            step: path,
            key: keys.0,
            direction: Direction::Do,
            attempt: 1,
            actor,
            correlation: request,
            causation: request,
            traceparent: None,
            deadline: None,
        };
        Self { command: command.to_owned(), version, payload, deed, epoch: Epoch::ZERO, keys }
    }
}
