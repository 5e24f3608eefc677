//! Which writer is asked when: the first one, its fallback, and weather.

use super::{generate, saga};
use crate::api::commands::GenerateStrategy;
use crate::api::fakes::FakeWriter;
use crate::api::providers::{Needs, ProviderError};
use crate::module;
use saga_testkit::stage::Stage;
use std::sync::Arc;

fn later() -> ProviderError {
    ProviderError::TryLater { after_ms: 7, says: "is busy".to_owned() }
}

#[test]
fn weather_is_not_an_answer_and_the_same_key_asks_again() {
    let writer = Arc::new(FakeWriter::new("first", [Err(later()), Err(ProviderError::Unknown)]));
    let mut stage = Stage::new(module(Needs { writer: writer.clone(), fallback: None }));
    let mut order = generate();
    order.context.insert("reason".to_owned(), "too many channels".to_owned());
    for _ in 0..2 {
        assert_eq!(stage.ask(&order, saga(1), "write").unwrap_err().code, "RETRY");
    }
    stage.ask(&order, saga(1), "write").unwrap();
    let calls = writer.calls();
    assert_eq!((calls.len(), &calls[0], &calls[1]), (3, &calls[2], &calls[2]));
    assert_eq!(calls[0].1, order.context);
}

#[test]
fn the_fallback_writes_when_the_first_writer_fails_and_alone_while_it_is_ill() {
    let first = Arc::new(FakeWriter::new("first", [Err(later()), Err(later()), Err(later())]));
    let fallback = Arc::new(FakeWriter::new("fallback", []));
    let needs = Needs { writer: first.clone(), fallback: Some(fallback.clone()) };
    let mut stage = Stage::new(module(needs));
    let mut wrote = Vec::new();
    for _ in 0..8 {
        wrote.push(stage.send(&generate(), super::ana()).unwrap().writer.provider);
    }
    let expected = ["fallback", "fallback", "fallback", "fallback", "fallback", "fallback", "first", "fallback"];
    assert_eq!(wrote, expected);
    assert_eq!((first.calls().len(), fallback.calls().len()), (4, 7));
}

#[test]
fn a_final_no_is_not_carried_to_the_fallback() {
    let no = Err(ProviderError::Rejected { code: "POLICY".to_owned() });
    let fallback = Arc::new(FakeWriter::new("fallback", []));
    let needs = Needs { writer: Arc::new(FakeWriter::new("first", [no])), fallback: Some(fallback.clone()) };
    let mut stage = Stage::new(module(needs));
    let order: GenerateStrategy = generate();
    assert_eq!(stage.send(&order, super::ana()).unwrap_err().code, "WRITER_REJECTED");
    assert_eq!(fallback.calls(), []);
}
