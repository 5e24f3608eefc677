//! One brief as a story: normalised, validated, reverted, cancelled, and by which deed. Pure.

use crate::api::commands::RevertBriefNormalization;
use crate::api::dtos::{BriefStatus, CallNotes, NormalizedBrief};
use crate::api::events::{BriefCancelled, BriefEvent, BriefNormalizationReverted, BriefNormalized, BriefValidated};
use crate::api::refusals::BriefRefused;
use crate::internal::intake::Intake;
use crate::internal::normalize::{Reading, missing_in, normalize};
use events::ids::BriefId;
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;
use saga_core::id::{Direction, StepKey};

/// Before its first event a brief is captured: its intake is there, and nothing was read from it.
#[derive(Debug, Default)]
pub(super) struct Brief {
    phase: Phase,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Captured,
    Normalized(Box<BriefNormalized>),
    Validated {
        brief: Box<BriefNormalized>,
        by: Option<StepKey>,
    },
    Reverted,
    Cancelled,
}

impl Aggregate for Brief {
    type Event = BriefEvent;
    fn evolve(&mut self, event: &BriefEvent) {
        let phase = std::mem::take(&mut self.phase);
        self.phase = match event {
            BriefEvent::BriefNormalized(brief) => Phase::Normalized(Box::new(brief.clone())),
            BriefEvent::BriefValidated(validated) => match phase {
                Phase::Normalized(brief) => Phase::Validated { brief, by: validated.deed },
                Phase::Captured | Phase::Validated { .. } | Phase::Reverted | Phase::Cancelled => phase,
            },
            BriefEvent::BriefNormalizationReverted(_) => Phase::Reverted,
            BriefEvent::BriefCancelled(_) => Phase::Cancelled,
        };
    }
}

impl Brief {
    fn status(&self) -> BriefStatus {
        match &self.phase {
            Phase::Captured => BriefStatus::Captured,
            Phase::Normalized(_) => BriefStatus::Normalized,
            Phase::Validated { .. } => BriefStatus::Validated,
            Phase::Reverted => BriefStatus::Reverted,
            Phase::Cancelled => BriefStatus::Cancelled,
        }
    }
    fn wrong_state(&self) -> Common {
        Common::wrong_state(self.status().word())
    }
}

/// What normalising comes to: perhaps an event, perhaps a text to keep, always the brief.
#[derive(Debug)]
pub(super) struct Normalized {
    pub(super) event: Option<BriefNormalized>,
    pub(super) kept: Option<String>,
    pub(super) reply: NormalizedBrief,
}

/// Reads the newest form, unless that was done before and nothing new was said.
pub(super) fn decide_normalize(
    brief: &Brief,
    intake: &Intake,
    brief_id: BriefId,
    notes: Option<&CallNotes>,
    deed: StepKey,
) -> Result<Normalized, BriefRefused> {
    let Some(client_id) = intake.client() else { return Err(not_found(brief_id).into()) };
    let Some((version, form)) = intake.newest() else {
        return Err(Common::wrong_state("WITHDRAWN").into());
    };
    let intake = crate::api::events::IntakeRef { id: crate::api::events::intake_of(brief_id), version };
    match &brief.phase {
        Phase::Captured | Phase::Reverted => {
            let (event, kept) = normalize(Reading { brief_id, client_id, intake, deed }, form, notes)?;
            Ok(Normalized { reply: NormalizedBrief::from(&event), event: Some(event), kept })
        }
        // A second run over a finished brief reads it as it is; it belongs to the deed that normalised it.
        Phase::Normalized(known) | Phase::Validated { brief: known, .. } => {
            if known.intake != intake || notes.is_some() {
                return Err(brief.wrong_state().into());
            }
            Ok(Normalized { event: None, kept: None, reply: NormalizedBrief::from(known.as_ref()) })
        }
        Phase::Cancelled => Err(brief.wrong_state().into()),
    }
}

/// Nothing required may be missing; validating what is valid changes nothing.
pub(super) fn decide_validate(
    brief: &Brief,
    brief_id: BriefId,
    deed: StepKey,
) -> Result<Option<BriefValidated>, BriefRefused> {
    match &brief.phase {
        Phase::Normalized(known) => {
            let names = missing_in(known);
            if !names.is_empty() {
                return Err(BriefRefused::MissingFields { names });
            }
            Ok(Some(BriefValidated {
                brief_id,
                client_id: known.client_id,
                scope_deliverables: known.scope.deliverables.clone(),
                deed: Some(deed),
            }))
        }
        Phase::Validated { .. } => Ok(None),
        Phase::Captured | Phase::Reverted | Phase::Cancelled => Err(brief.wrong_state().into()),
    }
}

/// An undo takes back what its deed did, and is content with anything else; a person is told what there is instead.
pub(super) fn decide_revert(
    brief: &Brief,
    cmd: &RevertBriefNormalization,
    direction: Direction,
) -> Result<Option<BriefNormalizationReverted>, Common> {
    let reverted = || BriefNormalizationReverted { brief_id: cmd.brief_id, reason: cmd.reason.clone() };
    let own = |known: &BriefNormalized, by: &Option<StepKey>| match cmd.deed {
        None => true,
        deed @ Some(_) => known.deed == deed || *by == deed,
    };
    match &brief.phase {
        Phase::Normalized(known) => Ok(own(known, &None).then(reverted)),
        Phase::Validated { brief: known, by } => Ok(own(known, by).then(reverted)),
        Phase::Reverted => Ok(None),
        Phase::Captured | Phase::Cancelled => match direction {
            Direction::Undo => Ok(None),
            Direction::Do => Err(brief.wrong_state()),
        },
    }
}

/// Whatever its state; cancelling what is cancelled changes nothing.
pub(super) fn decide_cancel(brief: &Brief, brief_id: BriefId) -> Option<BriefCancelled> {
    match &brief.phase {
        Phase::Cancelled => None,
        Phase::Captured | Phase::Normalized(_) | Phase::Validated { .. } | Phase::Reverted => {
            Some(BriefCancelled { brief_id })
        }
    }
}

pub(super) fn not_found(brief_id: BriefId) -> Common {
    Common::not_found("brief", brief_id)
}
