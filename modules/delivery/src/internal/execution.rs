//! What may be published, and who pays first: two settings with their stories. Pure.

use crate::api::commands::{RestoreExecution, SetExecution, SetPaymentRule};
use crate::api::dtos::{ExecutionSettings, PLATFORMS};
use crate::api::events::{ExecutionEvent, ExecutionSet, PaymentRuleEvent, PaymentRuleSet};
use crate::api::refusals::{PublishRefused, SettingsRefused};
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;
use saga_core::envelope::{Actor, ActorKind};
use uuid::Uuid;

/// The id of the one story of the execution settings.
pub(super) const SETTINGS: &str = "settings";

/// The settings, and the ones before the last change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Switches {
    pub(super) now: ExecutionSettings,
    before: ExecutionSettings,
    change: Option<Uuid>,
}

impl Aggregate for Switches {
    type Event = ExecutionEvent;
    fn evolve(&mut self, event: &ExecutionEvent) {
        match event {
            ExecutionEvent::ExecutionSet(set) => {
                let new =
                    ExecutionSettings { enabled: set.enabled, dry_run: set.dry_run, channels: set.channels.clone() };
                self.before = std::mem::replace(&mut self.now, new);
                self.change = Some(set.change);
            }
        }
    }
}

/// Whether a client pays first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PaymentRule {
    pub(super) payment_required: bool,
}

impl Aggregate for PaymentRule {
    type Event = PaymentRuleEvent;
    fn evolve(&mut self, event: &PaymentRuleEvent) {
        match event {
            PaymentRuleEvent::PaymentRuleSet(set) => self.payment_required = set.payment_required,
        }
    }
}

/// Whether a job for this platform may enter the queue.
pub(super) fn open(settings: &ExecutionSettings, platform: &str) -> Result<(), PublishRefused> {
    if !settings.enabled {
        return Err(PublishRefused::ExecutionOff);
    }
    if !settings.channels.iter().any(|channel| channel == platform) {
        return Err(PublishRefused::ChannelOff { channel: platform.to_owned() });
    }
    Ok(())
}

/// Operators, and sagas that operators started. An import never enables anything.
pub(super) fn may_switch(actor: &Actor) -> Result<(), Common> {
    match actor.kind {
        ActorKind::Operator | ActorKind::Saga => Ok(()),
        ActorKind::Client | ActorKind::System | ActorKind::Import => {
            Err(Common::not_permitted(actor, "only operators change settings"))
        }
    }
}

/// The new settings, with each channel once and in order.
pub(super) fn decide_set(command: &SetExecution, actor: &Actor, change: Uuid) -> Result<ExecutionSet, SettingsRefused> {
    may_switch(actor)?;
    if let Some(unknown) = command.channels.iter().find(|channel| !PLATFORMS.contains(&channel.as_str())) {
        let why = format!("{unknown:?} is not one of {}", PLATFORMS.join(", "));
        return Err(Common::invalid("channels", why).into());
    }
    let mut channels = command.channels.clone();
    channels.sort();
    channels.dedup();
    Ok(ExecutionSet {
        enabled: command.enabled,
        dry_run: command.dry_run,
        channels,
        actor: actor.clone(),
        reason: command.reason.clone(),
        change,
    })
}

/// Puts back what was before that change, if it is still the last one.
pub(super) fn decide_restore(
    switches: &Switches,
    command: &RestoreExecution,
    actor: &Actor,
    change: Uuid,
) -> Result<Option<ExecutionSet>, SettingsRefused> {
    may_switch(actor)?;
    if switches.change != Some(command.change) {
        return Ok(None);
    }
    let before = switches.before.clone();
    Ok(Some(ExecutionSet {
        enabled: before.enabled,
        dry_run: before.dry_run,
        channels: before.channels,
        actor: actor.clone(),
        reason: command.reason.clone(),
        change,
    }))
}

/// Who pays first.
pub(super) fn decide_payment_rule(command: &SetPaymentRule, actor: &Actor) -> Result<PaymentRuleSet, SettingsRefused> {
    may_switch(actor)?;
    Ok(PaymentRuleSet {
        client_id: command.client_id,
        payment_required: command.payment_required,
        reason: command.reason.clone(),
        actor: actor.clone(),
    })
}
