//! Long lists over HTTP and through the binary: pages concatenate, all means all, and half a document is none.

use crate::served::{Served, run};
use async_trait::async_trait;
use saga_core::codes;
use saga_core::control::{AwaitSaga, Changes, Control, ControlError, Look, Order, Page, Receipt, View, Watch};
use saga_core::envelope::Actor;
use saga_core::id::SagaId;
use saga_core::time::Timestamp;
use saga_core::view::{SagaRow, SagaShow, SagaState};
use saga_engine::listing::{Asked, Part, Place, merge};
use saga_testkit::fixtures;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Knows this many ended sagas, and fails after some pages.
struct Crowd {
    rows: usize,
    pages: AtomicUsize,
}

impl Crowd {
    fn served(rows: usize, pages: usize) -> Served {
        Served::with(Arc::new(Crowd { rows, pages: AtomicUsize::new(pages) }))
    }
    fn page(&self, asked: &Asked) -> Page<SagaRow> {
        let sample = fixtures::rows().into_iter().find(|row| row.state == SagaState::Completed).unwrap();
        let mut part = Part::default();
        for number in 0..self.rows {
            let id = SagaId(uuid::Uuid::from_u128(number as u128 * 7_919 % 1_000_003));
            let started = Timestamp(fixtures::NOW.0 - (number as i64 / 3) * 1_000_000);
            let place = Place { calm: true, started, id };
            part.rows.push((place, SagaRow { id, started_at: started, key: format!("k{number}"), ..sample.clone() }));
        }
        let (items, next) = merge(vec![part], asked);
        let next = next.map(|place| asked.cursor(place));
        Page { limit: asked.limit, truncated: next.is_some(), next, total: None, ..Page::whole(items) }
    }
}

#[async_trait]
impl Control for Crowd {
    async fn look(&self, _: &Actor, what: Look) -> Result<View, ControlError> {
        let Look::Sagas(selector) = what else { return Err(ControlError::new(codes::NOT_HERE, "only lists")) };
        if self.pages.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(ControlError::new(codes::STORE_UNAVAILABLE, "the disk went away"));
        }
        Ok(View::SagaList(self.page(&Asked::page(selector, fixtures::NOW)?)))
    }
    async fn act(&self, _: &Actor, _: Order) -> Result<Receipt, ControlError> {
        Err(ControlError::new(codes::NOT_HERE, "only lists"))
    }
    async fn outcome(&self, _: &Actor, _: AwaitSaga, _: Duration) -> Result<Option<SagaShow>, ControlError> {
        Err(ControlError::new(codes::NOT_HERE, "only lists"))
    }
    async fn watch(&self, _: &Actor, _: Watch) -> Result<Box<dyn Changes>, ControlError> {
        Err(ControlError::new(codes::NOT_HERE, "only lists"))
    }
}

fn ids(document: &Value) -> Vec<String> {
    document["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn pages_of_every_size_are_the_whole_list() {
    let served = Crowd::served(230, usize::MAX);
    let page = |more: &[&str]| {
        let words = [&["saga", "list", "--all", "-o", "json"], more].concat();
        let (exit, stdout, stderr) = run(served.sagactl(&words));
        assert_eq!((exit, stderr.as_str()), (0, ""), "{words:?}");
        serde_json::from_str::<Value>(&stdout).unwrap()
    };
    let whole = page(&["--limit", "0"]);
    assert_eq!((&whole["page"]["total"], &whole["page"]["truncated"]), (&Value::from(230), &Value::from(false)));
    for limit in ["37", "100"] {
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let more = cursor.iter().flat_map(|cursor| ["--cursor", cursor.as_str()]);
            let part = page(&["--limit", limit].into_iter().chain(more).collect::<Vec<_>>());
            assert_eq!(part["page"]["limit"].to_string(), limit);
            seen.extend(ids(&part));
            cursor = part["page"]["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids(&whole), "limit {limit}");
    }
}

#[test]
fn all_is_all_in_every_format() {
    let served = Crowd::served(2_300, usize::MAX);
    for (format, heading) in [("json", 0), ("ndjson", 0), ("id", 0), ("table", 1)] {
        let (exit, stdout, _) = run(served.sagactl(&["saga", "list", "-a", "--limit", "0", "-o", format]));
        assert_eq!(exit, 0, "{format}");
        if format == "json" {
            let document: Value = serde_json::from_str(&stdout).unwrap();
            let distinct: BTreeSet<String> = ids(&document).into_iter().collect();
            assert_eq!((distinct.len(), &document["page"]["total"]), (2_300, &Value::from(2_300)));
        } else {
            let distinct: BTreeSet<&str> = stdout.lines().collect();
            assert_eq!((stdout.lines().count(), distinct.len()), (2_300 + heading, 2_300 + heading), "{format}");
        }
    }
    let (_, stdout, stderr) = run(served.sagactl(&["saga", "list", "-a", "--limit", "1500"]));
    assert_eq!(stdout.lines().count(), 1_501);
    assert!(stderr.starts_with("1,500 shown, there are more"), "{stderr}");
}

#[test]
fn a_document_that_does_not_become_whole_is_not_begun() {
    let served = Crowd::served(2_300, 2);
    let (exit, stdout, stderr) = run(served.sagactl(&["saga", "list", "-a", "--limit", "0", "-o", "json"]));
    assert_eq!((exit, stdout.as_str()), (9, ""));
    assert!(stderr.contains("SG0003"), "{stderr}");
}

#[test]
fn a_cursor_of_something_else_is_refused_with_its_code() {
    let served = Crowd::served(9, usize::MAX);
    let (exit, stdout, stderr) = run(served.sagactl(&["saga", "list", "-a", "--cursor", "banane", "-o", "json"]));
    assert_eq!((exit, stdout.as_str()), (2, ""));
    assert!(stderr.contains("\"code\":\"SG0315\""), "{stderr}");
}
