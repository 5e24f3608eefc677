//! The laws of a saga: it completes, unwinds, repeats harmlessly, and survives a crash anywhere.

use crate::audit::audit_logs;
use crate::event::EventSet;
use crate::fact::SagaFact;
use crate::fates::{Fate, Fates};
use crate::id::{Position, SagaId};
use crate::view::SagaState;
use crate::world::{Faults, World};
use std::future::Future;

/// A world with one started saga, and how people answer its gates.
pub struct Case {
    /// The world; nothing has run yet.
    pub world: World,
    /// The saga.
    pub saga: SagaId,
    /// Called whenever the world is at rest and the saga is not over: answers what is open.
    pub answer: fn(&mut World, SagaId),
}

/// How often people are asked before the law says that they are not asked for anything that helps.
const ROUNDS_MAX: u32 = 50;

impl Case {
    /// Runs to the end: people answer, deadlines pass.
    pub async fn run(&mut self) -> Result<SagaState, String> {
        for _ in 0..ROUNDS_MAX {
            self.world.run().await?;
            let state = self.world.state(self.saga).await?;
            if state.is_end() || state.needs_person() {
                return Ok(state);
            }
            (self.answer)(&mut self.world, self.saga);
        }
        Err(format!("still {}", self.world.state(self.saga).await?.word()))
    }
    /// Whether every promise holds, now that nothing is under way.
    pub async fn audited(&self) -> Result<(), String> {
        let logs = self.world.logs();
        let verdicts =
            audit_logs(self.world.definitions().clone(), &logs, true).await.map_err(|why| why.to_string())?;
        if verdicts.findings.is_empty() { Ok(()) } else { Err(format!("{:#?}", verdicts.findings)) }
    }
    /// The paths of the steps that were dispatched, in order.
    async fn dispatched(&self) -> Result<Vec<String>, String> {
        let mut steps = Vec::new();
        let logs = self.world.logs();
        let log = logs[0].1.read_log(Position::ZERO, usize::MAX).await.map_err(|why| why.to_string())?;
        for recorded in &log {
            if let Ok(SagaFact::StepDispatched(fact)) = SagaFact::of(recorded)
                && !steps.contains(&fact.step)
            {
                steps.push(fact.step);
            }
        }
        Ok(steps)
    }
}

/// **completes**: without faults the saga completes, and every promise holds.
pub async fn completes<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    let mut case = make().await;
    let state = case.run().await?;
    if state != SagaState::Completed {
        return Err(format!("ended {}: {:#?}", state.word(), case.world.story(case.saga).await?));
    }
    case.audited().await
}

async fn with_fault<F: Future<Output = Case>>(
    make: &impl Fn() -> F,
    faults: Faults,
) -> Result<(Case, SagaState), String> {
    let mut case = make().await;
    case.world.faults = faults;
    let state = case.run().await.map_err(|why| format!("{:?}: {why}", case.world.faults))?;
    let story = case.world.story(case.saga).await?;
    case.audited().await.map_err(|why| format!("{:?}: {why}\n{story:#?}", case.world.faults))?;
    Ok((case, state))
}

/// **unwinds**: a refusal and a silence at every step lead to a clean slate (or, behind the pivot, to a person).
pub async fn unwinds<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    let mut clean = make().await;
    clean.run().await?;
    for step in clean.dispatched().await? {
        let kinds = [
            Faults { refuse: Some(step.clone()), ..Faults::default() },
            Faults { silence: Some((step.clone(), false)), ..Faults::default() },
            Faults { silence: Some((step.clone(), true)), ..Faults::default() },
        ];
        for faults in kinds {
            let (case, state) = with_fault(&make, faults).await?;
            let at = format!("{:?}", case.world.faults);
            if case.world.reached == 0 {
                return Err(format!("{at}: the fault was never reached"));
            }
            if !(state == SagaState::Compensated || state == SagaState::Parked || state == SagaState::Completed) {
                return Err(format!("{at}: ended {}: {:#?}", state.word(), case.world.story(case.saga).await?));
            }
        }
    }
    Ok(())
}

/// More answers than any policy has tries: weather is not counted.
const WEATHER_ANSWERS: u64 = 60;

/// **waits**: weather at any step, forward and backward, ends no saga and changes no ending, however often it is answered.
pub async fn waits<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    let mut clean = make().await;
    let ending = clean.run().await?;
    let steps = clean.dispatched().await?;
    let last = steps.last().cloned();
    for step in steps {
        let weather = Some((step.clone(), false, WEATHER_ANSWERS));
        let (case, state) = with_fault(&make, Faults { weather, ..Faults::default() }).await?;
        if state != ending || case.world.reached != WEATHER_ANSWERS {
            let story = case.world.story(case.saga).await?;
            return Err(format!("weather at {step}: {} not {}: {story:#?}", state.word(), ending.word()));
        }
        let back = Faults { refuse: last.clone(), ..Faults::default() };
        let (_, ending) = with_fault(&make, back.clone()).await?;
        let weather = Some((step.clone(), true, WEATHER_ANSWERS));
        let (case, state) = with_fault(&make, Faults { weather, ..back }).await?;
        if state != ending {
            let story = case.world.story(case.saga).await?;
            return Err(format!("weather at the undo of {step}: {}: {story:#?}", state.word()));
        }
    }
    Ok(())
}

/// **repeats harmlessly**: every command and reply twice, forward and backward, and the ending is the same.
pub async fn repeats<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    let mut clean = make().await;
    clean.run().await?;
    let twice = Faults { twice: true, ..Faults::default() };
    let (case, state) = with_fault(&make, twice).await?;
    if state != SagaState::Completed || case.world.reached == 0 {
        return Err(format!("ended {} after {} repetitions", state.word(), case.world.reached));
    }
    if let Some(last) = clean.dispatched().await?.into_iter().next_back() {
        let faults = Faults { twice: true, refuse: Some(last), ..Faults::default() };
        with_fault(&make, faults).await?;
    }
    Ok(())
}

/// [`survives_every`] with every point.
pub async fn survives<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    survives_every(1, make).await
}

/// **survives**: a crash after every fact, send and acknowledgement, and every [`Fate`] of a commit, change no ending;
/// neither on the way forward nor on the way back. Only every `nth` point is tried: real files are slow.
pub async fn survives_every<F: Future<Output = Case>>(nth: usize, make: impl Fn() -> F) -> Result<(), String> {
    let mut clean = make().await;
    clean.run().await?;
    let steps = clean.dispatched().await?;
    let refusals = std::iter::once(None).chain(steps.into_iter().map(Some));
    for refuse in refusals {
        let (_, ending) = with_fault(&make, Faults { refuse: refuse.clone(), ..Faults::default() }).await?;
        for point in (1..).step_by(nth) {
            let faults = Faults { refuse: refuse.clone(), crash_at: Some(point), ..Faults::default() };
            let (case, state) = with_fault(&make, faults).await?;
            if state != ending {
                let story = case.world.story(case.saga).await?;
                return Err(format!(
                    "crash at {point}, refuse {refuse:?}: {} not {}: {story:#?}",
                    state.word(),
                    ending.word()
                ));
            }
            if case.world.reached <= u64::from(refuse.is_some()) {
                break;
            }
        }
        for (every, fate) in [2, 3, 4].into_iter().flat_map(|every| Fate::ALL.map(|fate| (every, fate))) {
            let fates = Fates::Every(every, fate);
            let facts = Faults { refuse: refuse.clone(), facts: fates, ..Faults::default() };
            let deeds = Faults { refuse: refuse.clone(), deeds: fates, ..Faults::default() };
            for faults in [Faults { late: true, ..facts.clone() }, facts, deeds] {
                let at = format!("{faults:?}");
                let (_, state) = with_fault(&make, faults).await?;
                if state != ending {
                    return Err(format!("{at}: {} not {}", state.word(), ending.word()));
                }
            }
        }
    }
    Ok(())
}

/// Writes the five law tests of a saga. `$make` is an async function that gives a fresh [`Case`].
#[macro_export]
macro_rules! saga_laws {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;
            #[test]
            fn completes() {
                $crate::stage::ready($crate::laws::saga::completes($make)).unwrap();
            }
            #[test]
            fn unwinds_from_a_refusal_and_from_silence_at_every_step() {
                $crate::stage::ready($crate::laws::saga::unwinds($make)).unwrap();
            }
            #[test]
            fn waits_for_weather_at_every_step_in_both_directions() {
                $crate::stage::ready($crate::laws::saga::waits($make)).unwrap();
            }
            #[test]
            fn repeats_harmlessly() {
                $crate::stage::ready($crate::laws::saga::repeats($make)).unwrap();
            }
            #[test]
            fn survives_a_crash_after_every_fact_send_and_acknowledgement() {
                $crate::stage::ready($crate::laws::saga::survives($make)).unwrap();
            }
        }
    };
}
