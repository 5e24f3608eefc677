//! Lists while sagas begin and end: pages concatenate, nothing is missed, and what is not known is said. Nothing here
//! sleeps: what the board has not folded yet is read from the log, so no list waits for it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]

use saga::core::control::{Asks, Control, ControlError, Order, OrderKind, Page, Selector, What};
use saga::core::envelope::Actor;
use saga::core::id::{RequestId, SagaId};
use saga::core::json::Payload;
use saga::core::ports::Stores;
use saga::core::uuid::Uuid;
use saga::core::view::{SagaRow, SagaState};
use saga::prelude::*;
use saga::{LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use std::collections::BTreeSet;
use std::sync::Arc;
use test_servers::waiting::within;

const GO: Gate<bool> = Gate::named("go");

#[derive(Serialize, Deserialize)]
struct Held;
impl Saga for Held {
    const NAME: &'static str = "held";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.wait("approval", GO, Deadline::days(9)).pivot("post", post).end()
    }
}
async fn post() -> Step<()> {
    Ok(())
}
#[derive(Serialize, Deserialize)]
struct Broken;
impl Saga for Broken {
    const NAME: &'static str = "broken";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.pivot("post", bug).end()
    }
}
async fn bug() -> Step<()> {
    panic!("a bug")
}

fn stores() -> Arc<dyn Stores> {
    Arc::new(MemoryStores::new(Arc::new(SystemClock)))
}
async fn on(stores: &Arc<dyn Stores>, groups: u16) -> Sagas {
    let on = Orchestrator::on(Arc::clone(stores)).groups(groups);
    on.register::<Held>().register::<Broken>().start().await.unwrap()
}
struct Desk {
    sagas: Sagas,
    control: LocalControl,
    orders: u128,
}
impl Desk {
    fn at(sagas: Sagas) -> Self {
        let control = LocalControl::new(sagas.clone(), "memory", "in process");
        Self { sagas, control, orders: 0 }
    }
    async fn begin(&self, kind: &str, key: &str) -> SagaId {
        let saga = self.sagas.start_raw(kind, None, Some(key), Payload::null(), None).await.unwrap().saga;
        if kind == "broken" {
            within("the end of a saga", self.sagas.wait(saga)).await.unwrap();
        }
        saga
    }
    async fn order(&mut self, what: What) {
        self.orders += 1;
        let request = RequestId(Uuid::from_u128(self.orders));
        let order = Order { request, reason: Some("because".to_owned()), what, if_rev: None };
        self.control.act(&Actor::operator("dana"), order).await.unwrap();
    }
    async fn end(&mut self, saga: SagaId) {
        self.order(OrderKind::Cancel { abandon: true }.of(saga.to_string())).await;
        within("the end of a saga", self.sagas.wait(saga)).await.unwrap();
    }
    async fn page(&self, selector: &Selector) -> Result<Page<SagaRow>, ControlError> {
        self.control.ask(&Actor::operator("dana"), selector.clone()).await
    }
    /// Every page of a list, with something done between two of them.
    async fn pages(&mut self, mut selector: Selector, mut between: Vec<Move>) -> Vec<SagaRow> {
        let mut rows = Vec::new();
        loop {
            let page = self.page(&selector).await.unwrap();
            assert!(page.items.len() <= selector.limit && page.limit == selector.limit);
            assert_eq!(page.truncated, page.next.is_some());
            rows.extend(page.items);
            match page.next {
                Some(next) => selector.cursor = Some(next),
                None => return rows,
            }
            match between.pop() {
                Some(Move::Begin(kind, key)) => drop(self.begin(kind, &key).await),
                Some(Move::End(saga)) => self.end(saga).await,
                None => {}
            }
        }
    }
    async fn close(self) {
        self.sagas.shutdown().await.unwrap();
    }
}
enum Move {
    Begin(&'static str, String),
    End(SagaId),
}
fn all(limit: usize) -> Selector {
    Selector { all: true, limit, ..Selector::default() }
}
fn ids(rows: &[SagaRow]) -> Vec<SagaId> {
    rows.iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn pages_of_any_size_concatenate_to_the_whole_list_sorted_and_filtered() {
    let mut desk = Desk::at(on(&stores(), 3).await);
    let mut held = Vec::new();
    for number in 0..17 {
        held.push(desk.begin("held", &format!("h{number}")).await);
        if number % 5 == 0 {
            desk.begin("broken", &format!("b{number}")).await;
        }
    }
    for saga in held.iter().step_by(2) {
        desk.end(*saga).await;
    }
    let ended = Selector { states: vec![SagaState::Cancelled, SagaState::Completed], ..Selector::default() };
    let some = Selector { key: Some("h*".to_owned()), kind: Some("held".to_owned()), ..all(0) };
    let attention = Selector { attention: true, ..Selector::default() };
    for (selector, count) in [(all(0), 21), (Selector::default(), 12), (ended, 9), (some, 17), (attention, 4)] {
        let whole = desk.page(&selector).await.unwrap();
        assert_eq!((whole.items.len(), whole.total, whole.next), (count, Some(count as u64), None), "{selector:?}");
        let order = |row: &SagaRow| (!row.state.needs_person(), std::cmp::Reverse(row.started_at));
        assert!(whole.items.is_sorted_by_key(order));
        for limit in [1, 2, 5, 7, 50] {
            let pages = desk.pages(Selector { limit, ..selector.clone() }, Vec::new()).await;
            assert_eq!(ids(&pages), ids(&whole.items), "limit {limit} of {selector:?}");
        }
    }
    desk.close().await;
}

#[tokio::test]
async fn no_saga_is_missed_or_seen_twice_while_sagas_begin_and_end() {
    let mut desk = Desk::at(on(&stores(), 2).await);
    let mut held = Vec::new();
    for number in 0..12 {
        held.push(desk.begin("held", &format!("h{number}")).await);
    }
    desk.begin("broken", "b").await;
    let before: BTreeSet<SagaId> = ids(&desk.page(&all(0)).await.unwrap().items).into_iter().collect();
    // Ends one that was shown, one that will be, and so on; between them others begin, or come to need a person.
    let mut moves = Vec::new();
    for number in 0..12 {
        let turn = if number % 2 == 0 { number / 2 } else { 11 - number / 2 };
        moves.push(Move::End(held[turn]));
        moves.push(Move::Begin(if number % 3 == 0 { "broken" } else { "held" }, format!("later{number}")));
    }
    let seen = ids(&desk.pages(all(1), moves).await);
    let once: BTreeSet<SagaId> = seen.iter().copied().collect();
    assert_eq!(seen.len(), once.len(), "none twice");
    assert!(before.is_subset(&once), "none missed");
    desk.close().await;
}

#[tokio::test]
async fn a_list_has_what_has_just_begun_and_just_ended() {
    let mut desk = Desk::at(on(&stores(), 1).await);
    for number in 0..20 {
        let saga = desk.begin("held", &format!("k{number}")).await;
        assert_eq!(ids(&desk.page(&all(1)).await.unwrap().items), [saga]);
        desk.end(saga).await;
        let page = desk.page(&all(0)).await.unwrap();
        let row = page.items.iter().find(|row| row.id == saga).unwrap();
        assert_eq!((row.state, row.reason.as_deref(), page.notes.len()), (SagaState::Cancelled, Some("because"), 0));
        assert_eq!(page.items.len(), number + 1);
        let ended = Selector { states: vec![SagaState::Cancelled], ..Selector::default() };
        assert_eq!(desk.page(&ended).await.unwrap().total, Some(number as u64 + 1));
    }
    desk.close().await;
}

#[tokio::test]
async fn a_list_right_after_a_start_is_whole() {
    let stores = stores();
    let desk = Desk::at(on(&stores, 1).await);
    for number in 0..300 {
        desk.begin("held", &format!("k{number}")).await;
    }
    desk.begin("broken", "b").await;
    desk.close().await;
    for _ in 0..5 {
        let desk = Desk::at(on(&stores, 1).await);
        let page = desk.page(&Selector { limit: 7, ..Selector::default() }).await.unwrap();
        assert_eq!((page.total, page.troubled, page.items[0].state), (Some(301), Some(1), SagaState::Parked));
        assert_eq!(page.notes, Vec::<String>::new());
        desk.close().await;
    }
}

#[tokio::test]
async fn counts_are_of_all_pages_and_a_foreign_cursor_is_refused() {
    let desk = Desk::at(on(&stores(), 2).await);
    for number in 0..4 {
        desk.begin("held", &format!("h{number}")).await;
        desk.begin("broken", &format!("b{number}")).await;
    }
    let page = desk.page(&Selector { limit: 2, ..Selector::default() }).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.troubled, page.truncated), (2, Some(8), Some(4), true));
    let cursor = page.next;
    for (cursor, selector) in [(cursor, all(2)), (Some("banane".to_owned()), all(2)), (Some("1".to_owned()), all(0))] {
        let error = desk.page(&Selector { cursor, ..selector }).await.unwrap_err();
        assert_eq!(error.code, "SG0315");
    }
    desk.close().await;
}
