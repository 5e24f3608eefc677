//! Rehearses a brief before its saga starts, up to the judged texts, so that nobody approves what cannot be delivered.
//! Pure.

use super::client_to_delivery::{CONTENT_TYPE, essentials, form_of, judgement_of, pieces};
use crate::api::dtos::ClientToDelivery;
use crate::api::providers::{Performers, Unwritten};
use onboarding::api::dtos::NormalizedBrief;
use production::api::dtos::{AssetCopy, AssetSpec, BriefEssentials, StrategySnapshot};
use production::api::providers::{CopyOrder, DraftOrder};
use qc::api::events::{Severity, Subject, SubjectKind, Verdict};
use saga_core::input::Misfit;
use saga_core::time::Timestamp;
use uuid::Uuid;

const DEMANDS: &str = "/brief/constraints/must_include";
const FORBIDDEN: &str = "/brief/constraints/must_avoid";
const LANGUAGE: &str = "/language";
const BRIEF: &str = "/brief";

/// What one of the later steps would refuse of an input that its door takes.
pub(super) fn rehearse(input: &ClientToDelivery, performers: &dyn Performers) -> Vec<Misfit> {
    let read = onboarding::api::rehearse(&form_of(input.0.clone(), Timestamp::default()));
    let brief = match read {
        Ok(brief) => brief,
        Err(why) => return vec![Misfit::at("", why)],
    };
    let (draft, copies) = match written(&brief, performers) {
        Ok(written) => written,
        Err(misfit) => return vec![misfit],
    };
    let subject = Subject { kind: SubjectKind::Draft, id: Uuid::nil(), version: 1 };
    let made = copies.iter().map(|(spec, copy)| (spec, copy));
    let language = brief.language.clone();
    match qc::api::rehearse(&judgement_of(subject, draft, language, brief, made)) {
        Ok(judged) if judged.verdict != Verdict::Fail => Vec::new(),
        Ok(judged) => {
            let blocks = judged.issues.iter().any(|issue| issue.severity == Severity::Blocker);
            let counts = judged.issues.iter().filter(|issue| !blocks || issue.severity == Severity::Blocker);
            let reasons: Vec<_> = counts.map(|issue| issue.reason.as_str()).collect();
            let forbidden = judged.issues.iter().any(|issue| issue.check == "forbidden_words");
            let place = if forbidden { FORBIDDEN } else { BRIEF };
            vec![Misfit::at(
                place,
                format!("expected a brief whose texts pass quality control: {}", reasons.join("; ")),
            )]
        }
        Err(refused) => vec![Misfit::at(BRIEF, refused.to_string())],
    }
}

type Written = (String, Vec<(AssetSpec, AssetCopy)>);

/// Everything that would be written. A person is asked about the strategy, and no writer of these depends on it.
fn written(brief: &NormalizedBrief, performers: &dyn Performers) -> Result<Written, Misfit> {
    let strategy = StrategySnapshot::default;
    let (content_type, language) = (CONTENT_TYPE.to_owned(), brief.language.clone());
    let order = DraftOrder { content_type, language, strategy: strategy(), brief: essentials(brief) };
    let draft = performers.would_draft(&order).map_err(|why| unwritten(why, &order.brief, "the draft"))?;
    let mut copies = Vec::new();
    for spec in pieces(brief) {
        let what = format!("a {} for {}", spec.format, spec.platform);
        let (brief, draft_body, language) = (essentials(brief), Some(draft.clone()), &brief.language);
        let order = CopyOrder { spec, strategy: strategy(), brief, draft_body, brief_language: Some(language.clone()) };
        let copy = performers.would_copy(&order).map_err(|why| unwritten(why, &order.brief, &what))?;
        copies.push((order.spec, copy));
    }
    Ok((draft, copies))
}

fn unwritten(why: Unwritten, brief: &BriefEssentials, what: &str) -> Misfit {
    match why {
        Unwritten::DemandsTooLong(most) => {
            let chars: usize = brief.must_include.iter().map(|text| text.chars().count()).sum();
            let room = format!("{what} has {most} characters, and a first line and a call beside them");
            Misfit::at(
                DEMANDS,
                format!("expected texts that fit every piece of the plan: these have {chars} characters, {room}"),
            )
        }
        Unwritten::Other(why) if why.starts_with("LANGUAGE_UNSUPPORTED") => Misfit::at(LANGUAGE, why),
        Unwritten::Other(why) => Misfit::at(BRIEF, why),
    }
}
