//! Three small modules, each with a store of its own, and sagas that ask one after the other.

use saga::prelude::*;
use std::time::Duration;

/// Long enough for an answer on a busy machine, short enough for a test that waits for its end often.
const PATIENCE: Deadline = Deadline::millis(1_500);
/// Of the saga that is timed by the clock: longer than anything else in such a run.
pub(crate) const LONG_PATIENCE: Deadline = Deadline::seconds(30);

/// A module that puts notes down and takes them back.
macro_rules! ledger {
    ($module:ident, $category:literal) => {
        pub(crate) mod $module {
            use saga_core::aggregate::Aggregate;
            use saga_core::command::{Command, Common, Compensable};
            use saga_core::event::Owner;
            use saga_core::id::StepKey;
            use saga_core::module::{Cx, Halt, Handled, Module, OrRetry};
            use serde::{Deserialize, Serialize};

            enum Ledger {}
            impl Owner for Ledger {
                const MODULE: &'static str = stringify!($module);
            }
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            struct PutDown {}
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            struct TakenBack {}
            saga_core::story! { enum NoteEvent of Ledger in $category { PutDown, TakenBack } }

            #[derive(Default)]
            struct Note {
                lies: bool,
            }
            impl Aggregate for Note {
                type Event = NoteEvent;
                fn evolve(&mut self, event: &NoteEvent) {
                    self.lies = matches!(event, NoteEvent::PutDown(_));
                }
            }

            #[derive(Debug, Clone, Serialize, Deserialize)]
            pub(crate) struct Put {
                pub(crate) refuse: bool,
            }
            #[derive(Debug, Clone, Serialize, Deserialize)]
            pub(crate) struct TakeBack {
                deed: StepKey,
            }
            impl Command for Put {
                const MODULE: &'static str = stringify!($module);
                const NAME: &'static str = "Put";
                type Reply = ();
                type Refusal = Common;
            }
            impl Command for TakeBack {
                const MODULE: &'static str = stringify!($module);
                const NAME: &'static str = "TakeBack";
                type Reply = ();
                type Refusal = Common;
            }
            impl Compensable for Put {
                type Undo = TakeBack;
                fn undo(&self, deed: StepKey) -> TakeBack {
                    TakeBack { deed }
                }
            }
            pub(crate) fn module() -> Module {
                Module::new::<Ledger, ()>("1.0", ()).command(put).command(take_back).build()
            }
            async fn put(cx: Cx<()>, cmd: Put) -> Handled<Put> {
                if cmd.refuse {
                    return Err(Halt::Refuse(Common::WrongState { state: "full".to_owned() }));
                }
                let note = cx.load::<Note>(cx.key()).await.or_retry()?;
                Ok(cx.done(()).append(&note, [PutDown {}.into()]))
            }
            async fn take_back(cx: Cx<()>, cmd: TakeBack) -> Handled<TakeBack> {
                let note = cx.load::<Note>(cmd.deed).await.or_retry()?;
                let events = note.state.lies.then(|| TakenBack {}.into());
                Ok(cx.done(()).append(&note, events))
            }
        }
    };
}
ledger!(one, "one_note");
ledger!(two, "two_note");
ledger!(three, "three_note");

/// The modules, which are called like the steps that ask them.
pub(crate) const MODULES: [&str; 3] = ["one", "two", "three"];

/// Asks all three; the last may refuse, and the others are undone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Chain {
    pub(crate) refuse: bool,
}
impl Saga for Chain {
    const NAME: &'static str = "chain";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan_of(plan, PATIENCE, |chain: &Chain| chain.refuse)
    }
}
/// The same with more patience; nobody refuses.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PatientChain {}
impl Saga for PatientChain {
    const NAME: &'static str = "patient-chain";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan_of(plan, LONG_PATIENCE, |_: &PatientChain| false)
    }
}
fn plan_of<S: Saga>(plan: Plan, patience: Deadline, refuses: fn(&S) -> bool) -> Definition {
    let often = Retry::brief().tries(40).pausing(Duration::from_millis(50), Duration::from_millis(500));
    plan.ask("one", |_: In<S>| one::Put { refuse: false })
        .patience(patience)
        .retry(often)
        .undo_retry(often)
        .ask("two", |_: In<S>| two::Put { refuse: false })
        .patience(patience)
        .retry(often)
        .undo_retry(often)
        .ask("three", move |In(input): In<S>| three::Put { refuse: refuses(&input) })
        .patience(patience)
        .retry(often)
        .undo_retry(often)
        .end()
}
