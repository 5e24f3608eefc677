//! Wraps a bus: a wrapper implements only the calls that it changes, and all others go to the bus behind it.

use super::{
    Ailment, Answerer, AnyBus, Aside, Bus, BusError, Calls, DeadLetters, Delivery, Dropped, EventBus, Inbox, Line,
    MadeAnew, Message, Served, Settle, Standing, Tip, Traffic, Upkeep,
};
use crate::envelope::Recorded;
use crate::json::Payload;
use crate::outcome::Refused;
use async_trait::async_trait;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A bus in front of another one. Each part of every port goes onward unless it is said here, so a new part of a port
/// is forgotten by nobody. The parts promise what the ports promise.
#[async_trait]
pub trait Onward: Send + Sync {
    /// The bus behind.
    fn behind(&self) -> &dyn AnyBus;
    /// Part of [`Bus`].
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        self.behind().publish(message).await
    }
    /// Part of [`Bus`].
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        self.behind().receive(inbox, max).await
    }
    /// Part of [`Bus`].
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        self.behind().settle(inbox, settled).await
    }
    /// Part of [`Bus`].
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        self.behind().leave(inbox).await
    }
    /// Part of [`DeadLetters`].
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError> {
        self.behind().put_aside(aside).await
    }
    /// Part of [`DeadLetters`].
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        self.behind().aside_count(module).await
    }
    /// Part of [`DeadLetters`].
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError> {
        self.behind().aside(module, limit).await
    }
    /// Part of [`DeadLetters`].
    async fn dropped(&self) -> Result<Option<Dropped>, BusError> {
        self.behind().dropped().await
    }
    /// Part of [`DeadLetters`].
    fn letters_at(&self, module: &str) -> String {
        self.behind().letters_at(module)
    }
    /// Part of [`Traffic`].
    async fn queued(&self, inbox: &Inbox) -> Result<u64, BusError> {
        self.behind().queued(inbox).await
    }
    /// Part of [`Traffic`].
    async fn served(&self, inbox: &Inbox) -> Result<Served, BusError> {
        self.behind().served(inbox).await
    }
    /// Part of [`Traffic`].
    fn is_deaf(&self, inbox: &Inbox) -> bool {
        self.behind().is_deaf(inbox)
    }
    /// Part of [`Traffic`].
    async fn lost(&self, seen: u64) -> u64 {
        self.behind().lost(seen).await
    }
    /// Part of [`EventBus`].
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        self.behind().publish_events(module, events).await
    }
    /// Part of [`EventBus`].
    async fn tip(&self, module: &str) -> Result<Tip, BusError> {
        self.behind().tip(module).await
    }
    /// Part of [`EventBus`].
    async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        self.behind().events(module, after, max).await
    }
    /// Part of [`EventBus`].
    async fn owner_head(&self, module: &str) -> Result<u64, BusError> {
        self.behind().owner_head(module).await
    }
    /// Part of [`EventBus`].
    async fn standing(&self, module: &str, seq: u64) -> Result<Standing, BusError> {
        self.behind().standing(module, seq).await
    }
    /// Part of [`EventBus`].
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError> {
        self.behind().missing(module, head).await
    }
    /// Part of [`Calls`].
    async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError> {
        self.behind().serve(lines).await
    }
    /// Part of [`Calls`].
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        self.behind().call(line, question, patience).await
    }
    /// Part of [`Upkeep`].
    fn promises(&self) -> Option<String> {
        self.behind().promises()
    }
    /// Part of [`Upkeep`].
    fn ailments(&self) -> Vec<Ailment> {
        self.behind().ailments()
    }
    /// Part of [`Upkeep`].
    async fn tend(&self) {
        self.behind().tend().await;
    }
    /// Part of [`Upkeep`].
    async fn made_anew(&self) -> Result<Vec<MadeAnew>, BusError> {
        self.behind().made_anew().await
    }
}

#[async_trait]
impl<T: Onward> Bus for T {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        Onward::publish(self, message).await
    }
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        Onward::receive(self, inbox, max).await
    }
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        Onward::settle(self, inbox, settled).await
    }
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        Onward::leave(self, inbox).await
    }
}

#[async_trait]
impl<T: Onward> DeadLetters for T {
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError> {
        Onward::put_aside(self, aside).await
    }
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        Onward::aside_count(self, module).await
    }
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError> {
        Onward::aside(self, module, limit).await
    }
    async fn dropped(&self) -> Result<Option<Dropped>, BusError> {
        Onward::dropped(self).await
    }
    fn letters_at(&self, module: &str) -> String {
        Onward::letters_at(self, module)
    }
}

#[async_trait]
impl<T: Onward> Traffic for T {
    async fn queued(&self, inbox: &Inbox) -> Result<u64, BusError> {
        Onward::queued(self, inbox).await
    }
    async fn served(&self, inbox: &Inbox) -> Result<Served, BusError> {
        Onward::served(self, inbox).await
    }
    fn is_deaf(&self, inbox: &Inbox) -> bool {
        Onward::is_deaf(self, inbox)
    }
    async fn lost(&self, seen: u64) -> u64 {
        Onward::lost(self, seen).await
    }
}

#[async_trait]
impl<T: Onward> EventBus for T {
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        Onward::publish_events(self, module, events).await
    }
    async fn tip(&self, module: &str) -> Result<Tip, BusError> {
        Onward::tip(self, module).await
    }
    async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        Onward::events(self, module, after, max).await
    }
    async fn owner_head(&self, module: &str) -> Result<u64, BusError> {
        Onward::owner_head(self, module).await
    }
    async fn standing(&self, module: &str, seq: u64) -> Result<Standing, BusError> {
        Onward::standing(self, module, seq).await
    }
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError> {
        Onward::missing(self, module, head).await
    }
}

#[async_trait]
impl<T: Onward> Calls for T {
    async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError> {
        Onward::serve(self, lines).await
    }
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        Onward::call(self, line, question, patience).await
    }
}

#[async_trait]
impl<T: Onward> Upkeep for T {
    fn promises(&self) -> Option<String> {
        Onward::promises(self)
    }
    fn ailments(&self) -> Vec<Ailment> {
        Onward::ailments(self)
    }
    async fn tend(&self) {
        Onward::tend(self).await;
    }
    async fn made_anew(&self) -> Result<Vec<MadeAnew>, BusError> {
        Onward::made_anew(self).await
    }
}
