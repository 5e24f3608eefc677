//! What the first steps would make of a form, decided by their own functions with nothing recorded. Pure.

use crate::api::dtos::{IntakeForm, NormalizedBrief};
use crate::api::events::IntakeRef;
use crate::internal::form::check;
use crate::internal::intake::Form;
use crate::internal::normalize::{Reading, missing_in, normalize};
use events::ids::{BriefId, ClientId, IntakeId};
use saga_core::id::{Direction, StepKey};
use uuid::Uuid;

/// The brief that capturing, normalising and validating a form comes to, under ids that are nobody's; or the sentence with
/// which one of the three would refuse it.
pub fn rehearse(form: &IntakeForm) -> Result<NormalizedBrief, String> {
    let captured = check(form).map_err(|refused| refused.to_string())?;
    let deed = StepKey::derive(Uuid::nil(), "rehearsal", Direction::Do);
    let intake = IntakeRef { id: IntakeId(Uuid::nil()), version: 1 };
    let reading = Reading { brief_id: BriefId(Uuid::nil()), client_id: ClientId(Uuid::nil()), intake, deed };
    let form = Form::of(form.language.as_deref(), captured.responses, form.attachments.clone());
    let (brief, _) = normalize(reading, &form, None).map_err(|refused| refused.to_string())?;
    match missing_in(&brief).as_slice() {
        [] => Ok(NormalizedBrief::from(&brief)),
        names => Err(format!("the brief lacks {}", names.join(", "))),
    }
}
