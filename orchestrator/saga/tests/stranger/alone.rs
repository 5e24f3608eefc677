//! A program of a stranger that depends on `saga` and on nothing else: a saga, events of its own, ids of its own.
#![deny(warnings)]

use saga::core::event::{Origin, Owner, Upcast};
use saga::prelude::*;

saga::uuid_newtype! {
    /// One parcel.
    ParcelId,
}

pub enum Parcels {}
impl Owner for Parcels {
    const MODULE: &'static str = "parcels";
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "saga::serde")]
pub struct PackedV1 {
    parcel: ParcelId,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "saga::serde")]
pub struct PackedV2 {
    parcel: ParcelId,
    grams: Option<u32>,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "saga::serde")]
pub struct Sent {
    parcel: ParcelId,
}
saga::story! {
    /// What is told of a parcel.
    pub enum ParcelEvent of Parcels in "parcels_parcel" { Packed(PackedV1, PackedV2), Sent }
}
impl Upcast<PackedV2> for PackedV1 {
    fn upcast(self, _: &Origin) -> PackedV2 {
        PackedV2 { parcel: self.parcel, grams: None }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(crate = "saga::serde")]
struct PublishPost {
    words: u32,
}
impl Saga for PublishPost {
    const NAME: &'static str = "publish-post";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", hold_slot, free_slot).pivot("post", post).end()
    }
}
async fn hold_slot(key: StepKey) -> Step<ParcelId> {
    Ok(key.into())
}
async fn free_slot(Undoing(key): Undoing) -> Step<()> {
    println!("slot {} is free again", key.short());
    Ok(())
}
async fn post(In(job): In<PublishPost>, Out(slot): Out<ParcelId>) -> Step<()> {
    println!("{:?}", ParcelEvent::from(Packed { parcel: slot, grams: None }));
    if job.words > 300 { Err(refuse("too long for this channel")) } else { Ok(()) }
}

#[saga::tokio::main(crate = "saga::tokio")]
async fn main() -> Result<(), saga::Error> {
    let sagas = Orchestrator::in_memory().register::<PublishPost>().start().await?;
    println!("{}", sagas.run(PublishPost { words: 400 }).await?);
    sagas.shutdown().await
}
