//! A mistake: an event that cannot be stored.
use saga::core::event::Owner;

enum Shop {}
impl Owner for Shop {
    const MODULE: &'static str = "shop";
}
#[derive(Debug, Clone, PartialEq)]
struct OrderPlaced {}
saga::story! { enum OrderEvent of Shop in "shop_order" { OrderPlaced } }
fn main() {
    let _ = OrderEvent::from(OrderPlaced {});
}
