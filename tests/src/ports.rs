//! Every port of every module as data: a list that is compared with what the modules answer, because a route forgets the
//! types that it reads and writes.

use saga_core::command::{Command, Compensable, Query};
use schemars::{JsonSchema, Schema};
use std::marker::PhantomData;

/// Who takes a deed back: module, command, version.
pub type Undo = (&'static str, &'static str, u16);

/// A request that a module answers.
#[derive(Debug, Clone)]
pub struct Port {
    /// Who answers.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// From 1.
    pub version: u16,
    /// What is asked.
    pub request: Schema,
    /// What comes back.
    pub answer: Answer,
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Of a command.
    Deed {
        /// The success answer.
        reply: Schema,
        /// The business no.
        refusal: Schema,
        /// The command that takes it back, if one does.
        undo: Option<Undo>,
    },
    /// Of a query.
    Finding(Schema),
}

impl Port {
    /// `command` or `query`, as in file names.
    pub fn kind(&self) -> &'static str {
        match self.answer {
            Answer::Deed { .. } => "command",
            Answer::Finding(_) => "query",
        }
    }
}

/// What may be asked: fields with a default may be left out.
pub(crate) fn asked<T: JsonSchema>() -> Schema {
    schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}
/// What is answered: fields that are always written are required.
fn answered<T: JsonSchema>() -> Schema {
    schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

fn command<C: Command + JsonSchema>(undo: Option<Undo>) -> Port
where
    C::Reply: JsonSchema,
    C::Refusal: JsonSchema,
{
    let answer = Answer::Deed { reply: answered::<C::Reply>(), refusal: answered::<C::Refusal>(), undo };
    Port { module: C::MODULE, name: C::NAME, version: C::VERSION, request: asked::<C>(), answer }
}
fn query<Q: Query + JsonSchema>() -> Port
where
    Q::Answer: JsonSchema,
{
    let answer = Answer::Finding(answered::<Q::Answer>());
    Port { module: Q::MODULE, name: Q::NAME, version: Q::VERSION, request: asked::<Q>(), answer }
}

/// Asks a command for its undo. The compiler prefers a type's own method to a trait's, so that a compensable command
/// answers by the first of the two and every other one by the second.
struct Asked<C>(PhantomData<C>);
impl<C: Compensable> Asked<C> {
    fn undo(&self) -> Option<Undo> {
        Some((C::Undo::MODULE, C::Undo::NAME, C::Undo::VERSION))
    }
}
trait Final {
    fn undo(&self) -> Option<Undo>;
}
impl<C> Final for Asked<C> {
    fn undo(&self) -> Option<Undo> {
        None
    }
}

/// Modules in other languages, which no crate owns, with the folder below `tests/foreign` that holds each and its schemas.
pub const FOREIGN: [(&str, &str); 2] = [("printshop", "python"), ("courier", "javascript")];

macro_rules! ports {
    ($name:ident: $words:literal; $($module:ident::$file:ident { commands: $($command:ident),*; queries: $($query:ident),*; })+) => {
        #[doc = $words]
        pub fn $name() -> Vec<Port> {
            vec![$(
                $(command::<$module::api::$file::$command>(Asked::<$module::api::$file::$command>(PhantomData).undo()),)*
                $(query::<$module::api::$file::$query>(),)*
            )+]
        }
    };
}
ports! {
    ports: "Every port of a module that is hosted here.";
    delivery::ports {
        commands: CancelPublish, CreatePackage, DeliverPackage, ExecutePublish, QueuePublish, ReleasePublish,
            ResolvePublish, RestoreExecution, RetractPublish, RetryPublish, SetExecution, SetPaymentRule,
            WithdrawPackage;
        queries: Execution, GetJob, GetPackage, Jobs, Packages, Timeline, Unresolved;
    }
    onboarding::ports {
        commands: CancelBrief, CaptureIntake, CloseProject, CreateProject, NormalizeBrief, RevertBriefNormalization,
            ValidateBrief, WithdrawIntake;
        queries: Funnel, GetBrief, GetIntake, GetProject, ListBriefs, Status;
    }
    production::ports {
        commands: ApproveAsset, ArchiveAsset, AssembleBundle, CreateAsset, DiscardAsset, DiscardBundle, DiscardDraft,
            EditAsset, GenerateDraft, MarkAssetPublished, MarkAssetRetracted, RegenerateAsset, ReleaseDraft,
            RevertAssetEdit, RevertRevision, ReviseDraft, RevokeAssetApproval;
        queries: Asset, Bundle, Draft, Gallery, Lineage;
    }
    qc::ports {
        commands: EvaluateContent, VoidQcResult, WaiveQc;
        queries: Failing, History, Result;
    }
    strategy::ports {
        commands: AmendStrategy, ApproveStrategy, DiscardStrategy, GenerateStrategy, RejectStrategy,
            RevokeStrategyApproval, SubmitStrategy, WithdrawSubmission;
        queries: Current, Diff, Get, ListVersions, PendingApprovals, Shelf;
    }
}
ports! {
    foreign: "What sagas ask of the modules in other languages.";
    orchestration::foreign {
        commands: BookPickup, CancelPickup, CancelProof, PrintProof;
        queries: ;
    }
}
