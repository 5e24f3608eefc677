//! The laws of a saga: it completes, unwinds, repeats harmlessly, may be asked twice, and survives a crash anywhere.
//!
//! Effects outside of all logs are compared too: [`Effects`](crate::effects::Effects), and whatever the world is told
//! to [observe](World::observe). Taken back it is as before; repeated, it changed once.
#![expect(clippy::panic, reason = "a law is a test that other crates run: it speaks by panicking")]

use crate::fates::{Fate, Fates};
use crate::world::{Faults, World};
use saga_core::event::EventSet;
use saga_core::fact::SagaFact;
use saga_core::id::{Position, SagaId};
use saga_core::view::SagaState;
use saga_engine::audit::audit_logs;
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
        let lines = verdicts.findings.iter().map(|found| format!("{} {}: {}", found.promise, found.place, found.says));
        let lines: Vec<String> = lines.collect();
        if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
    }
    /// A sentence about this case, with what went wrong on purpose, and the saga's history below.
    async fn says(&self, what: impl std::fmt::Display) -> Result<String, String> {
        let (faults, story) = (&self.world.faults, self.world.told_story(self.saga).await?);
        Ok(format!("{faults}:\n{what}\nthe history of the saga:\n{story}"))
    }
    /// The paths of the steps that were dispatched, in order.
    async fn dispatched(&self) -> Result<Vec<String>, String> {
        let mut steps = Vec::new();
        let logs = self.world.logs();
        let log = logs[0].1.read_log(Position::ZERO, usize::MAX).await.map_err(|why| why.to_string())?;
        for recorded in &log {
            if let Ok(SagaFact::StepDispatched(fact)) = SagaFact::of(recorded)
                && !steps.iter().any(|step| fact.step == *step)
            {
                steps.push(fact.step.to_string());
            }
        }
        Ok(steps)
    }
}

/// The result of a run.
struct Ran {
    case: Case,
    ending: SagaState,
    /// What there was to see at its end.
    seen: String,
}

/// Runs a case to its end with these faults. Every promise holds then, and what was taken back is as before.
async fn ran<F: Future<Output = Case>>(make: &impl Fn() -> F, faults: Faults) -> Result<Ran, String> {
    let mut case = make().await;
    case.world.faults = faults;
    let before = case.world.observed();
    let ending = match case.run().await {
        Ok(ending) => ending,
        Err(why) => return Err(case.says(why).await?),
    };
    if let Err(broken) = case.audited().await {
        return Err(case.says(broken).await?);
    }
    let seen = case.world.observed();
    if ending == SagaState::Compensated && seen != before {
        let what =
            format!("everything was taken back, and it is not as before:\n   before  {before}\n   now     {seen}");
        return Err(case.says(what).await?);
    }
    Ok(Ran { case, ending, seen })
}
/// Runs with more faults than a run that is known: it ends like that one, and there is the same to see.
async fn as_ever<F: Future<Output = Case>>(make: &impl Fn() -> F, faults: Faults, known: &Ran) -> Result<Ran, String> {
    let again = ran(make, faults).await?;
    if again.ending != known.ending {
        let what = format!("ended {}, not {}", again.ending.word(), known.ending.word());
        return Err(again.case.says(what).await?);
    }
    if again.seen != known.seen {
        let (then, now) = (&known.seen, &again.seen);
        let what = format!("what happened once has to stay once:\n   without  {then}\n   with     {now}");
        return Err(again.case.says(what).await?);
    }
    Ok(again)
}
/// How it runs without faults.
async fn clean<F: Future<Output = Case>>(make: &impl Fn() -> F) -> Result<Ran, String> {
    ran(make, Faults::default()).await
}
fn refused_at(step: Option<String>) -> Faults {
    Faults { refuse: step, ..Faults::default() }
}

/// **completes**: without faults the saga completes, and every promise holds.
pub async fn completes<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    let ran = clean(&make).await?;
    if ran.ending == SagaState::Completed {
        return Ok(());
    }
    Err(ran.case.says(format!("ended {}", ran.ending.word())).await?)
}

/// **unwinds**: a refusal and a silence at every step lead to a clean slate (or, behind the pivot, to a person).
pub async fn unwinds<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    for step in clean(&make).await?.case.dispatched().await? {
        let kinds = [
            refused_at(Some(step.clone())),
            Faults { silence: Some((step.clone(), false)), ..Faults::default() },
            Faults { silence: Some((step.clone(), true)), ..Faults::default() },
        ];
        for faults in kinds {
            let Ran { case, ending, .. } = ran(&make, faults).await?;
            if case.world.reached == 0 {
                return Err(case.says("the fault was never reached").await?);
            }
            if !matches!(ending, SagaState::Compensated | SagaState::Parked | SagaState::Completed) {
                return Err(case.says(format!("ended {}", ending.word())).await?);
            }
        }
    }
    Ok(())
}

/// More answers than any policy has tries: weather is not counted.
const WEATHER_ANSWERS: u64 = 60;

/// **waits**: weather at any step, forward and backward, ends no saga and changes no ending, however often it is answered.
pub async fn waits<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    let known = clean(&make).await?;
    let steps = known.case.dispatched().await?;
    let back = refused_at(steps.last().cloned());
    let known_back = ran(&make, back.clone()).await?;
    for step in steps {
        let weather = Some((step.clone(), false, WEATHER_ANSWERS));
        let again = as_ever(&make, Faults { weather, ..Faults::default() }, &known).await?;
        if again.case.world.reached != WEATHER_ANSWERS {
            return Err(again.case.says("the weather was not reached to its end").await?);
        }
        let weather = Some((step, true, WEATHER_ANSWERS));
        as_ever(&make, Faults { weather, ..back.clone() }, &known_back).await?;
    }
    Ok(())
}

/// Whether a fault that is everywhere changes nothing, on the way forward, and back from the last step.
async fn harmless<F: Future<Output = Case>>(make: &impl Fn() -> F, fault: Faults) -> Result<(), String> {
    let known = clean(make).await?;
    let again = as_ever(make, fault.clone(), &known).await?;
    if again.case.world.reached == 0 {
        return Err(again.case.says("the fault was never reached").await?);
    }
    if let Some(last) = known.case.dispatched().await?.pop() {
        let known = ran(make, refused_at(Some(last.clone()))).await?;
        as_ever(make, Faults { refuse: Some(last), ..fault }, &known).await?;
    }
    Ok(())
}

/// **repeats harmlessly**: every command and reply twice, forward and backward, and the ending is the same.
pub async fn repeats<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    harmless(&make, Faults { twice: true, ..Faults::default() }).await
}

/// **may be asked twice**: the performer does the deed and dies before the answer is recorded, so it is asked again,
/// forward and backward. Its effect outside happens once, because it carried its key.
pub async fn is_asked_twice<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    harmless(&make, Faults { forgets: true, ..Faults::default() }).await
}

/// [`survives_every`] with every point.
pub async fn survives<F: Future<Output = Case>>(make: impl Fn() -> F) -> Result<(), String> {
    survives_every(1, make).await
}

/// **survives**: a crash after every fact, send and acknowledgement, and every [`Fate`] of a commit, change no ending;
/// neither on the way forward nor on the way back. Only every `nth` point is tried: real files are slow.
pub async fn survives_every<F: Future<Output = Case>>(nth: usize, make: impl Fn() -> F) -> Result<(), String> {
    let steps = clean(&make).await?.case.dispatched().await?;
    let refusals = std::iter::once(None).chain(steps.into_iter().map(Some));
    for refuse in refusals {
        let known = ran(&make, refused_at(refuse.clone())).await?;
        for point in (1..).step_by(nth) {
            let faults = Faults { crash_at: Some(point), ..refused_at(refuse.clone()) };
            let again = as_ever(&make, faults, &known).await?;
            if again.case.world.reached <= u64::from(refuse.is_some()) {
                break;
            }
        }
        for fate in Fate::ALL {
            let fates = Fates::Every(2, fate);
            let facts = Faults { facts: fates, ..refused_at(refuse.clone()) };
            let deeds = Faults { deeds: fates, ..refused_at(refuse.clone()) };
            for faults in [Faults { late: true, ..facts.clone() }, facts, deeds] {
                as_ever(&make, faults, &known).await?;
            }
        }
    }
    Ok(())
}

/// Says why a law does not hold, as it is.
#[track_caller]
pub fn holds(law: Result<(), String>) {
    if let Err(why) = law {
        panic!("{why}");
    }
}

/// Writes the law tests of a saga. `$make` is an async function that gives a fresh [`Case`]; `$state`, if there is one, gives
/// what else has to be as before after everything was taken back: `|world: &World| …`, see [`World::observe`].
#[macro_export]
macro_rules! saga_laws {
    ($name:ident, $make:expr, $state:expr) => {
        async fn $name() -> $crate::laws::saga::Case {
            let mut case = $make().await;
            case.world.observe($state);
            case
        }
        $crate::saga_laws! { $name, $name }
    };
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;
            #[test]
            fn completes() {
                $crate::laws::saga::holds($crate::stage::ready($crate::laws::saga::completes($make)));
            }
            #[test]
            fn unwinds_from_a_refusal_and_from_silence_at_every_step() {
                $crate::laws::saga::holds($crate::stage::ready($crate::laws::saga::unwinds($make)));
            }
            #[test]
            fn waits_for_weather_at_every_step_in_both_directions() {
                $crate::laws::saga::holds($crate::stage::ready($crate::laws::saga::waits($make)));
            }
            #[test]
            fn repeats_harmlessly() {
                $crate::laws::saga::holds($crate::stage::ready($crate::laws::saga::repeats($make)));
            }
            #[test]
            fn is_asked_twice_before_its_answer_is_recorded() {
                $crate::laws::saga::holds($crate::stage::ready($crate::laws::saga::is_asked_twice($make)));
            }
            #[test]
            fn survives_a_crash_after_every_fact_send_and_acknowledgement() {
                $crate::laws::saga::holds($crate::stage::ready($crate::laws::saga::survives($make)));
            }
        }
    };
}
