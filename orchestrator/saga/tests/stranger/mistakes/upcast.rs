//! A mistake: an old shape does not say how it becomes the new one.
use saga::core::event::Owner;
use saga::prelude::*;

enum Shop {}
impl Owner for Shop {
    const MODULE: &'static str = "shop";
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OrderPlacedV1 {}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OrderPlacedV2 {
    pieces: u32,
}
saga::story! { enum OrderEvent of Shop in "shop_order" { OrderPlaced(OrderPlacedV1, OrderPlacedV2) } }
fn main() {
    let _ = OrderEvent::from(OrderPlaced { pieces: 1 });
}
