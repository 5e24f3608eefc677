//! A module, a saga that asks it, and their tests with the harness. `docs/test.md` goes through it.
#![expect(clippy::print_stdout, reason = "an example prints")]

use saga::core::aggregate::Aggregate;
use saga::core::command::Common;
use saga::core::event::Owner;
use saga::core::module::{Cx, Handled, Module, OrRefuse, OrRetry};
use saga::core::port;
use saga::prelude::*;
use std::sync::Arc;

// -- a module: it keeps articles for customers until they are sent
enum Store {}
impl Owner for Store {
    const MODULE: &'static str = "store";
}
const MODULE: &str = "store";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    article: String,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct GivenBack {}
saga::story! {
    /// The story of one thing that is kept.
    enum KeepEvent of Store in "store_keep" { Kept, GivenBack }
}
#[derive(Default)]
struct Keep {
    kept: bool,
}
impl Aggregate for Keep {
    type Event = KeepEvent;
    fn evolve(&mut self, event: &KeepEvent) {
        self.kept = matches!(event, KeepEvent::Kept(_));
    }
}

/// Keeps an article for a customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeepOne {
    article: String,
}
/// Gives it back.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct GiveBack {
    deed: StepKey,
}
port!(MODULE: KeepOne -> (), Common, undo GiveBack: |_, deed| GiveBack { deed });
port!(MODULE: GiveBack -> (), Common);
async fn keep(cx: Cx<()>, cmd: KeepOne) -> Handled<KeepOne> {
    let known = cmd.article == "bread";
    known.then_some(()).ok_or(Common::NotFound { what: cmd.article.clone() }).or_refuse()?;
    let keep = cx.load::<Keep>(cx.key()).await.or_retry()?;
    Ok(cx.done(()).append(&keep, [Kept { article: cmd.article }.into()]))
}
async fn give_back(cx: Cx<()>, cmd: GiveBack) -> Handled<GiveBack> {
    let keep = cx.load::<Keep>(cmd.deed).await.or_retry()?;
    let event = keep.state.kept.then(|| GivenBack {}.into());
    Ok(cx.done(()).append(&keep, event))
}
fn store() -> Module {
    Module::new::<Store, ()>("1.0", ()).command(keep).command(give_back).build()
}

// -- outside: a courier that is called with a key; the same key is the same pickup
trait Courier: Send + Sync {
    fn pick_up(&self, key: StepKey, address: &str) -> Result<(), String>;
}
struct Couriers(Arc<dyn Courier>);

// -- the saga
#[derive(Serialize, Deserialize)]
struct Gift {
    article: String,
    address: String,
}
#[derive(Serialize, Deserialize)]
struct Signed {
    by: String,
}
const SIGNED: Gate<Signed> = Gate::named("signed").example(r#"{"by":"Ida"}"#);

impl Saga for Gift {
    const NAME: &'static str = "gift";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.ask("keep", |In(gift): In<Gift>| KeepOne { article: gift.article })
            .wait("card", SIGNED, Deadline::days(2))
            .pivot("send", send)
            .end()
    }
}
async fn send(key: StepKey, In(gift): In<Gift>, Out(card): Out<Signed>, Using(out): Using<Couriers>) -> Step<String> {
    out.0.pick_up(key, &gift.address).map_err(retry)?;
    Ok(format!("{} from {}", gift.article, card.by))
}

/// Prints where it would drive.
struct Printed;
impl Courier for Printed {
    fn pick_up(&self, key: StepKey, address: &str) -> Result<(), String> {
        println!("to {address}, as {}", key.short());
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), saga::Error> {
    let couriers = Couriers(Arc::new(Printed));
    let sagas = Orchestrator::in_memory().module(store()).register::<Gift>().using(couriers).start().await?;
    let gift = Gift { article: "wine".to_owned(), address: "Quayside 4".to_owned() };
    println!("{}", sagas.run(gift).await?);
    sagas.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga::core::view::SagaState;
    use saga_testkit::calls::Calls;
    use saga_testkit::harness::Harness;
    use std::time::Duration;

    /// A courier that remembers its calls, and fails as the test says.
    #[derive(Default, Clone)]
    struct FakeCourier(Calls<(StepKey, String), String>);
    impl Courier for FakeCourier {
        fn pick_up(&self, key: StepKey, address: &str) -> Result<(), String> {
            self.0.call((key, address.to_owned()))
        }
    }

    fn harness(courier: &FakeCourier) -> Harness {
        Harness::of([store()]).saga::<Gift>().using(Couriers(Arc::new(courier.clone())))
    }
    fn bread() -> Gift {
        Gift { article: "bread".to_owned(), address: "Quayside 4".to_owned() }
    }
    fn ida() -> Signed {
        Signed { by: "Ida".to_owned() }
    }

    #[test]
    fn a_gift_is_kept_signed_and_sent() {
        let courier = FakeCourier::default();
        let mut shop = harness(&courier);
        let gift = shop.start(&bread());
        assert_eq!(shop.state(gift), SagaState::Waiting);
        shop.answer(gift, &SIGNED, &ida());
        assert_eq!(shop.state(gift), SagaState::Completed);
        assert_eq!(shop.output::<String>(gift, "send"), "bread from Ida");
        assert_eq!(courier.0.all().len(), 1);
        shop.check();
    }

    #[test]
    fn a_module_is_tested_without_a_saga() {
        let mut shop = Harness::of([store()]);
        shop.send(&KeepOne { article: "bread".to_owned() });
        assert_eq!(shop.refused(&KeepOne { article: "wine".to_owned() }).code, "NOT_FOUND");
        assert_eq!(shop.events::<Kept>(), [Kept { article: "bread".to_owned() }]);
    }

    #[test]
    fn a_card_that_nobody_signs_gives_the_gift_back() {
        let mut shop = harness(&FakeCourier::default());
        let gift = shop.start(&bread());
        shop.pass(Duration::from_secs(2 * 86_400 - 1));
        assert_eq!(shop.state(gift), SagaState::Waiting);
        shop.pass(Duration::from_secs(1));
        assert_eq!(shop.state(gift), SagaState::Compensated);
        assert_eq!(shop.events::<GivenBack>().len(), 1);
        assert_eq!(shop.now().to_string(), "2025-12-15T12:00:00.000000Z");
    }

    #[test]
    fn a_courier_who_is_away_is_called_again_with_the_same_key() {
        let courier = FakeCourier::default();
        courier.0.fail_next("away".to_owned());
        let mut shop = harness(&courier);
        let gift = shop.start(&bread());
        shop.answer(gift, &SIGNED, &ida());
        assert_eq!(shop.state(gift), SagaState::Completed);
        let calls = courier.0.all();
        assert_eq!((calls.len(), &calls[0]), (2, &calls[1]));
    }

    #[test]
    fn two_runs_write_the_same_bytes() {
        let run = |seed| {
            let couriers = Couriers(Arc::new(FakeCourier::default()));
            let mut shop = Harness::seeded(seed, [store()]).saga::<Gift>().using(couriers);
            let gift = shop.start(&bread());
            shop.answer(gift, &SIGNED, &ida());
            shop.dump()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn it_runs() {
        main().unwrap();
    }
}
