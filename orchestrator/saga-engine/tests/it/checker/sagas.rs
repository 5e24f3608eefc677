//! Histories of sagas, completed and compensated, and what modules did, each broken in one way.

use super::{Break, Logs, at_each, by, compensated, completed, expect, relinked, step_of};
use saga_core::envelope::Recorded;
use saga_core::fact::{
    CompensationDispatched, CompensationSkipped, OperatorNote, SagaCompleted, SagaFact, StepCompensated, StepProbed,
    StepSucceeded,
};
use saga_core::json::Payload;
use saga_core::path::StepPath;
use saga_engine::audit::Audit;
use uuid::Uuid;

#[tokio::test]
async fn what_is_wrong_with_a_completed_saga_is_found() {
    let completed = completed().await;
    let of = |ways: Break, promise: &str, says: &str| expect(&completed, promise, says, ways);
    of(
        |logs| relinked(at_each(logs, vec![logs.facts.len()], |broken, at| broken.insert(at, probed("a")))),
        "S2",
        "follows the end",
    );
    of(
        |logs| relinked(at_each(logs, vec![logs.facts.len()], |broken, at| broken.insert(at, SagaCompleted {}))),
        "S2",
        "SagaCompleted follows the end",
    );
    of(
        // What happened before it was asked for: the two facts in the wrong order.
        |logs| {
            let places = logs.places(|fact| matches!(fact, SagaFact::StepDispatched(_)));
            let followed = |at: &usize| match (logs.fact(*at), logs.fact(at + 1)) {
                (SagaFact::StepDispatched(sent), SagaFact::StepSucceeded(done)) => sent.step == done.step,
                _ => false,
            };
            let places = places.into_iter().filter(followed).collect();
            relinked(at_each(logs, places, |broken, at| broken.facts.swap(at, at + 1)))
        },
        "S10",
        "succeeded without having been dispatched",
    );
    of(
        |logs| {
            let places = logs.places(|fact| matches!(fact, SagaFact::StepSucceeded(_)));
            relinked(at_each(logs, places, |broken, at| drop(broken.facts.remove(at))))
        },
        "S3",
        "did not happen",
    );
    of(
        |logs| {
            let done = logs.places(|fact| matches!(fact, SagaFact::StepSucceeded(_)));
            relinked(at_each(logs, done, |broken, at| {
                let step = step_of(&broken.fact(at));
                let end = broken.last_step();
                broken.insert(end, StepCompensated { step, nothing: false });
            }))
        },
        "S3",
        "was undone",
    );
    of(
        |logs| {
            let passed = logs.places(|fact| matches!(fact, SagaFact::PivotPassed(_)));
            relinked(at_each(logs, passed, |broken, at| {
                let last = broken.places(|fact| matches!(fact, SagaFact::StepSucceeded(_)));
                let last = last.into_iter().rfind(|done| *done + 2 < at).unwrap();
                let step = step_of(&broken.fact(last));
                broken.insert(at + 1, CompensationDispatched { step, attempt: 1 });
            }))
        },
        "S8",
        "behind a passed pivot",
    );
    of(
        // The log ends in the midst of it, and nothing is under way.
        |logs| {
            let sent = logs.places(|fact| matches!(fact, SagaFact::StepDispatched(_)));
            at_each(logs, sent, |broken, at| {
                broken.facts.truncate(at + 1);
                broken.ledger.clear();
            })
        },
        "S1",
        "nothing is under way",
    );
}
fn probed(step: &str) -> StepProbed {
    StepProbed { step: step.parse().unwrap() }
}

#[tokio::test]
async fn a_saga_under_way_is_not_called_stuck() {
    for logs in completed().await {
        for end in 1..logs.facts.len() {
            let mut audit = Audit::new(logs.definitions.clone());
            audit.read("orchestration", &logs.facts[..end]);
            let verdicts = audit.finish(false);
            assert_eq!(verdicts.findings, [], "the first {end} facts are a good history");
            assert!(!verdicts.promises.contains(&"S1".to_owned()), "and nothing is claimed that was not checked");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_compensated_saga_is_found() {
    let compensated = compensated().await;
    let of = |ways: Break, promise: &str, says: &str| expect(&compensated, promise, says, ways);
    of(
        |logs| {
            let end = vec![logs.last_step()];
            relinked(at_each(logs, end, |broken, at| broken.insert(at, compensation("never-sent"))))
        },
        "S5",
        "without having been dispatched",
    );
    of(
        |logs| {
            let end = vec![logs.last_step()];
            relinked(at_each(logs, end, |broken, at| {
                let refused = broken.places(|fact| matches!(fact, SagaFact::StepFailed(_)));
                let step = step_of(&broken.fact(refused[0]));
                broken.insert(at, compensation(&step));
            }))
        },
        "S5",
        "although it was refused",
    );
    of(
        // The first undo and the last one change places.
        |logs| {
            let sent = logs.places(|fact| matches!(fact, SagaFact::CompensationDispatched(_)));
            let (first, last) = (sent[0], sent[sent.len() - 1]);
            let (first, last) = (step_of(&logs.fact(first)), step_of(&logs.fact(last)));
            let mut broken = logs.clone();
            for at in
                logs.places(|fact| matches!(fact, SagaFact::CompensationDispatched(_) | SagaFact::StepCompensated(_)))
            {
                let swap = |step: &StepPath| match step {
                    step if *step == first => last.clone(),
                    step if *step == last => first.clone(),
                    step => step.clone(),
                };
                match broken.fact(at) {
                    SagaFact::CompensationDispatched(fact) => {
                        let step = swap(&fact.step);
                        broken.write(at, &CompensationDispatched { step, ..fact }.into());
                    }
                    SagaFact::StepCompensated(fact) => {
                        let step = swap(&fact.step);
                        broken.write(at, &StepCompensated { step, ..fact }.into());
                    }
                    _ => {}
                }
            }
            vec![broken.relinked()]
        },
        "S6",
        "is sent before that of",
    );
    of(
        |logs| {
            let undone = logs.places(|fact| matches!(fact, SagaFact::StepCompensated(_)));
            relinked(at_each(logs, undone, |broken, at| {
                let again = broken.facts[at].clone();
                broken.facts.insert(at, again);
            }))
        },
        "S4",
        "was undone 2 times",
    );
    of(
        // A person says that it was undone by hand, and it was undone already.
        |logs| {
            let undone = logs.places(|fact| matches!(fact, SagaFact::StepCompensated(_)));
            relinked(at_each(logs, undone, |broken, at| {
                let step = step_of(&broken.fact(at));
                broken.insert(at + 1, CompensationSkipped { step, by: by() });
            }))
        },
        "S4",
        "was undone 2 times",
    );
    of(
        |logs| {
            let undone = logs.places(|fact| matches!(fact, SagaFact::StepCompensated(_)));
            // Only the last of them: without an earlier one, those that follow are sent too early as well.
            let last = undone.into_iter().next_back().into_iter().collect();
            relinked(at_each(logs, last, |broken, at| drop(broken.facts.remove(at))))
        },
        "S4",
        "is not undone",
    );
    of(
        |logs| {
            let sent = logs.places(|fact| matches!(fact, SagaFact::SagaCompensated(_)));
            relinked(at_each(logs, sent, |broken, at| broken.insert(at + 1, probed("a"))))
        },
        "S2",
        "StepProbed follows the end",
    );
}
fn compensation(step: &str) -> CompensationDispatched {
    CompensationDispatched { step: step.parse().unwrap(), attempt: 1 }
}

#[tokio::test]
async fn what_modules_did_against_the_facts_is_found() {
    let all: Vec<Logs> = completed().await.into_iter().chain(compensated().await).collect();
    expect(&all, "X1", "changed the world at position", |logs| {
        // Any deed but the last one, which would still stand together.
        let places = (0..logs.ledger.len() - 1).collect();
        relinked(at_each(logs, places, |broken, at| {
            let again = broken.ledger[at].clone();
            broken.ledger.push(again);
        }))
    });
    expect(&all, "S10", "was done without being recorded", |logs| {
        relinked(at_each(logs, (0..logs.ledger.len()).collect(), |broken, at| {
            let mut meta = broken.ledger[at].metadata().unwrap();
            meta.deed = Some(Uuid::from_u128(5));
            broken.ledger[at].meta = Payload::of(&meta).unwrap();
        }))
    });
    expect(&compensated().await, "S7", "was done after its undo", |logs| {
        let undone = |event: &Recorded| event.name == "TakenBack";
        let places = (0..logs.ledger.len()).filter(|at| undone(&logs.ledger[*at])).collect();
        relinked(at_each(logs, places, |broken, at| {
            let stream = broken.ledger[at].stream.clone();
            let done = broken.ledger.iter().position(|event| event.stream == stream).unwrap();
            let undone = broken.ledger.remove(at);
            broken.ledger.insert(done, undone);
        }))
    });
}

/// The comparison is no stricter than the promise.
#[tokio::test]
async fn a_note_after_the_end_is_allowed() {
    for mut logs in completed().await {
        let end = logs.facts.len();
        logs.insert(end, OperatorNote { text: "seen".to_owned(), by: by() });
        assert_eq!(logs.relinked().findings(), []);
    }
}

/// A success of a step that was never asked for is found wherever it is claimed.
#[tokio::test]
async fn an_invented_success_is_found() {
    expect(&completed().await, "S10", "invented succeeded", |logs| {
        relinked(at_each(logs, (1..logs.last_step()).collect(), |broken, at| {
            broken.insert(at, StepSucceeded { step: "invented".parse().unwrap(), output: Payload::trusted("1") });
        }))
    });
}

#[tokio::test]
async fn a_finding_names_the_fact_that_is_wrong() {
    for logs in completed().await {
        let mut tried = 0;
        for at in 0..logs.last_step() {
            let (SagaFact::StepDispatched(sent), SagaFact::StepSucceeded(done)) = (logs.fact(at), logs.fact(at + 1))
            else {
                continue;
            };
            if sent.step != done.step {
                continue;
            }
            let mut broken = logs.clone();
            broken.facts.swap(at, at + 1);
            // A person counts from one.
            let place = format!(" fact {}", at + 1);
            let findings = broken.relinked().findings();
            assert!(findings.iter().any(|finding| finding.place.ends_with(&place)), "{place}: {findings:#?}");
            tried += 1;
        }
        assert!(tried > 0, "it fits nowhere, so nothing is tried");
    }
}
