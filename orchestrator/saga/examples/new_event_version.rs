//! An event gets a new shape: the stored bytes stay, the old shape learns to become the new one.
#![expect(clippy::print_stdout, reason = "an example prints")]

use saga::core::event::{Event, Genesis, Origin, Owner, Upcast};
use saga::core::id::EventId;
use saga::core::json::Payload;
use saga::core::time::Timestamp;
use serde::{Deserialize, Serialize};

enum Shop {}
impl Owner for Shop {
    const MODULE: &'static str = "shop";
}
/// As it was: one name.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CustomerRegisteredV1 {
    name: String,
}
/// As it is: a name in two parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CustomerRegistered {
    given: String,
    family: String,
}
impl Event for CustomerRegistered {
    type Owner = Shop;
    const NAME: &'static str = "CustomerRegistered";
    const VERSION: u16 = 2;
    type Previous = CustomerRegisteredV1;
}
impl Event for CustomerRegisteredV1 {
    type Owner = Shop;
    const NAME: &'static str = "CustomerRegistered";
    const VERSION: u16 = 1;
    type Previous = Genesis;
}
impl Upcast<CustomerRegistered> for CustomerRegisteredV1 {
    fn read(version: u16, data: &Payload, origin: &Origin) -> Result<Self, saga::core::event::DecodeError> {
        <Self as Event>::decode(version, data, origin)
    }
    fn upcast(self, _: &Origin) -> CustomerRegistered {
        let (given, family) = self.name.split_once(' ').unwrap_or((&self.name, ""));
        CustomerRegistered { given: given.to_owned(), family: family.to_owned() }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = Origin { id: EventId(saga::core::uuid::Uuid::nil()), recorded_at: Timestamp(0) };
    let stored = [(1, r#"{"name":"Ada Lovelace"}"#), (2, r#"{"given":"Grace","family":"Hopper"}"#), (3, "{}")];
    for (version, text) in stored {
        match <CustomerRegistered as Event>::decode(version, &Payload::parse(text)?, &origin) {
            Ok(event) => println!("version {version}: {event:?}"),
            Err(why) => println!("version {version}: parked, because {why}"),
        }
    }
    Ok(())
}
