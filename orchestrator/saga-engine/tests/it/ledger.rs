//! A module for tests: puts notes down and takes them back. Its state is what lies there now.

use saga_core::aggregate::Aggregate;
use saga_core::command::{Command, Common, Compensable};
use saga_core::event::Owner;
use saga_core::id::StepKey;
use saga_core::module::{Cx, Handled, Module, OrRetry};
use serde::{Deserialize, Serialize};

pub(crate) enum Ledger {}
impl Owner for Ledger {
    const MODULE: &'static str = "ledger";
}
macro_rules! event {
    ($name:ident { $($field:ident: $type:ty),* }) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }
    };
}
event!(PutDown { what: String });
event!(TakenBack {});
saga_core::story! { pub(crate) enum NoteEvent of Ledger in "ledger_note" { PutDown, TakenBack } }

#[derive(Default)]
pub(crate) struct Note {
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
    pub(crate) what: String,
}
impl Put {
    pub(crate) fn of(what: impl Into<String>) -> Self {
        Put { what: what.into() }
    }
}
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) what: String,
}
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TakeBack {
    pub(crate) deed: StepKey,
}
impl Command for Put {
    const MODULE: &'static str = "ledger";
    const NAME: &'static str = "Put";
    type Reply = Taken;
    type Refusal = Common;
}
impl Command for TakeBack {
    const MODULE: &'static str = "ledger";
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

pub(crate) fn ledger() -> Module {
    Module::new::<Ledger, ()>("1.0", ()).command(put).command(take_back).build()
}
async fn put(cx: Cx<()>, cmd: Put) -> Handled<Put> {
    let note = cx.load::<Note>(cx.key()).await.or_retry()?;
    let reply = Taken { what: cmd.what.clone() };
    Ok(cx.done(reply).append(&note, [PutDown { what: cmd.what }.into()]))
}
async fn take_back(cx: Cx<()>, cmd: TakeBack) -> Handled<TakeBack> {
    let note = cx.load::<Note>(cmd.deed).await.or_retry()?;
    let events = note.state.lies.then(|| TakenBack {}.into());
    Ok(cx.done(()).append(&note, events))
}
