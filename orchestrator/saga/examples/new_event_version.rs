//! An event gets a new shape: the stored bytes stay, the old shape learns to become the new one.
#![expect(clippy::print_stdout, reason = "an example prints")]

use saga::core::event::{EventSet, Origin, Owner, Upcast};
use saga::core::id::EventId;
use saga::core::json::Payload;
use saga::core::time::Timestamp;
use serde::{Deserialize, Serialize};

enum Shop {}
impl Owner for Shop {
    const MODULE: &'static str = "shop";
}
/// As it was: one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CustomerRegisteredV1 {
    name: String,
}
/// As it is: a name in two parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CustomerRegisteredV2 {
    given: String,
    family: String,
}
saga::story! {
    /// The story of one customer. The name alone is the newest shape.
    enum CustomerEvent of Shop in "shop_customer" { CustomerRegistered(CustomerRegisteredV1, CustomerRegisteredV2) }
}
impl Upcast<CustomerRegisteredV2> for CustomerRegisteredV1 {
    fn upcast(self, _: &Origin) -> CustomerRegisteredV2 {
        let (given, family) = self.name.split_once(' ').unwrap_or((&self.name, ""));
        CustomerRegisteredV2 { given: given.to_owned(), family: family.to_owned() }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = Origin { id: EventId(saga::core::uuid::Uuid::nil()), recorded_at: Timestamp(0) };
    let stored = [(1, r#"{"name":"Ada Lovelace"}"#), (2, r#"{"given":"Grace","family":"Hopper"}"#), (3, "{}")];
    for (version, text) in stored {
        match CustomerEvent::decode("CustomerRegistered", version, &Payload::parse(text)?, &origin) {
            Ok(CustomerEvent::CustomerRegistered(event)) => println!("version {version}: {event:?}"),
            Err(why) => println!("version {version}: parked, because {why}"),
        }
    }
    Ok(())
}
