//! One intake as a story: forms with numbers that are never used again. Pure.

use crate::api::commands::{CaptureIntake, WithdrawIntake};
use crate::api::events::{Attachment, IntakeCaptured, IntakeEvent, IntakeWithdrawn};
use crate::api::refusals::CaptureRefused;
use crate::internal::form::{Checked, invalid};
use events::ids::{BriefId, ClientId, IntakeId};
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is known of one form.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    pub(super) language: String,
    pub(super) responses: Map<String, Value>,
    pub(super) attachments: Vec<Attachment>,
    withdrawn: bool,
}

impl Form {
    /// A form as its capture will tell it.
    pub(super) fn of(language: Option<&str>, responses: Map<String, Value>, attachments: Vec<Attachment>) -> Self {
        Self { language: given(language).unwrap_or("und").to_owned(), responses, attachments, withdrawn: false }
    }
}

/// The state before the first form is `OPEN`.
#[derive(Debug, Default)]
pub(super) struct Intake {
    of: Option<(BriefId, ClientId)>,
    forms: BTreeMap<u32, Form>,
}

impl Aggregate for Intake {
    type Event = IntakeEvent;
    fn evolve(&mut self, event: &IntakeEvent) {
        match event {
            IntakeEvent::IntakeCaptured(captured) => {
                self.of = Some((captured.brief_id, captured.client_id));
                let form = Form {
                    language: captured.language.clone(),
                    responses: captured.responses.clone(),
                    attachments: captured.attachments.clone(),
                    withdrawn: false,
                };
                self.forms.insert(captured.form_version, form);
            }
            IntakeEvent::IntakeWithdrawn(withdrawn) => {
                if let Some(form) = self.forms.get_mut(&withdrawn.version) {
                    form.withdrawn = true;
                }
            }
        }
    }
}

impl Intake {
    /// The client that it belongs to.
    pub(super) fn client(&self) -> Option<ClientId> {
        self.of.map(|(_, client)| client)
    }
    /// The newest form that counts.
    pub(super) fn newest(&self) -> Option<(u32, &Form)> {
        self.forms.iter().rev().find(|(_, form)| !form.withdrawn).map(|(version, form)| (*version, form))
    }
    fn last(&self) -> u32 {
        self.forms.last_key_value().map_or(0, |(version, _)| *version)
    }
}

/// The form as it will be recorded.
pub(super) fn decide_capture(
    intake: &Intake,
    intake_id: IntakeId,
    brief_id: BriefId,
    cmd: &CaptureIntake,
    checked: Checked,
) -> Result<IntakeCaptured, CaptureRefused> {
    let (brief_id, form_version) = match (cmd.next_of, intake.of) {
        (None, None) => (brief_id, 1),
        (None, Some(_)) => return Err(Common::already_exists("intake", intake_id).into()),
        (Some(_), None) => return Err(not_found(intake_id).into()),
        (Some(next), Some((brief_id, client_id))) => {
            if client_id != cmd.client_id {
                return Err(invalid("client_id", "the intake belongs to another client".to_owned()));
            }
            if intake.newest().is_none() {
                return Err(Common::wrong_state("WITHDRAWN").into());
            }
            if next.version != intake.last() + 1 {
                return Err(Common::VersionConflict { actual: u64::from(intake.last()) }.into());
            }
            (brief_id, next.version)
        }
    };
    Ok(IntakeCaptured {
        client_id: cmd.client_id,
        brief_id,
        form_version,
        intake_id,
        language: given(cmd.form.language.as_deref()).unwrap_or("und").to_owned(),
        responses: checked.responses,
        attachments: cmd.form.attachments.clone(),
        submitted_at: cmd.form.submitted_at,
    })
}

/// A text that says something.
pub(super) fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// Withdrawing what is withdrawn changes nothing.
pub(super) fn decide_withdraw(intake: &Intake, cmd: &WithdrawIntake) -> Result<Option<IntakeWithdrawn>, Common> {
    match intake.forms.get(&cmd.version) {
        None => Err(Common::NotFound { what: format!("form {} of intake {}", cmd.version, cmd.intake_id) }),
        Some(form) if form.withdrawn => Ok(None),
        Some(_) => Ok(Some(IntakeWithdrawn {
            intake_id: cmd.intake_id,
            version: cmd.version,
            reason: cmd.reason.clone(),
            brief_id: intake.of.map(|(brief, _)| brief),
        })),
    }
}

fn not_found(intake_id: IntakeId) -> Common {
    Common::not_found("intake", intake_id)
}
