//! A mistake: a story in streams that are named after another module.
use saga::core::event::Owner;
use saga::prelude::*;

enum Shop {}
impl Owner for Shop {
    const MODULE: &'static str = "shop";
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OrderPlaced {}
saga::story! { enum OrderEvent of Shop in "order" { OrderPlaced } }
fn main() {
    let _ = OrderEvent::from(OrderPlaced {});
}
