//! A saga whose participants are a program in Python and a program in JavaScript: forward, backward, refused at once, with
//! weather, lost answers, everything twice, and modules that are killed; and sagas that are started from Python.
//! After every fault each deed has one effect, and each undo another.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod shop;

use serde_json::{Value, json};
use shop::{BOTH, Shop};
use std::os::unix::process::ExitStatusExt as _;
use test_servers::nats::Version;

const PRINTED: &str = "printshop.ProofPrinted.v1";
const UNPRINTED: &str = "printshop.ProofCancelled.v1";
const BOOKED: &str = "courier.PickupBooked.v1";

fn input(title: &str) -> Value {
    json!({"title": title, "copies": 2, "address": "Quayside 4", "parcels": 1})
}
fn input_without_address(title: &str) -> Value {
    json!({"title": title, "copies": 2, "address": "", "parcels": 1})
}
fn start_event(id: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/shop/Café", "type": "orchestration.StartSaga.v1",
           "datacontenttype": "application/json", "data": data})
}

/// The saga completes, and has one effect in each ledger.
fn completes(shop: &Shop, saga: &str) {
    let (state, id) = shop.end(saga);
    assert_eq!(state, "completed", "{saga}\n{}", shop.logs());
    assert_eq!(shop.effects(&id), [PRINTED, BOOKED], "{saga}\n{}", shop.logs());
}
/// The saga is undone, and what was done is undone once.
fn is_undone(shop: &Shop, saga: &str) {
    let (state, id) = shop.end(saga);
    assert_eq!(state, "compensated", "{saga}\n{}", shop.logs());
    assert_eq!(shop.effects(&id), [PRINTED, UNPRINTED], "{saga}\n{}", shop.logs());
}

fn forward_and_backward(shop: &Shop) {
    let (exit, _, errors) =
        shop.sagactl(&["saga", "start", "printed-proof", "--example", "--key", "example", "--wait=2m"]);
    assert_eq!(exit, Some(0), "{errors}\n{}", shop.logs());
    completes(shop, "printed-proof/example");
    is_undone(shop, &shop.order("no-address", &input_without_address("Nowhere")));
    let proofs = shop.ask("printshop.Proofs.v1", &json!({}));
    let found: Vec<_> = proofs["proofs"].as_array().unwrap().iter().map(|p| (&p["title"], &p["cancelled"])).collect();
    assert_eq!(found, [(&json!("Café menu"), &json!(false)), (&json!("Nowhere"), &json!(true))]);
    let pickups = shop.ask("courier.Pickups.v1", &json!({}));
    assert_eq!(pickups["pickups"].as_array().unwrap().len(), 1, "{pickups}");

    let mut too_many = input("Too many");
    too_many["copies"] = json!(1001);
    let (state, id) = shop.end(&shop.order("too-many", &too_many));
    assert_eq!((state.as_str(), shop.effects(&id)), ("compensated", vec![]));
    let said = shop.saga(&id).unwrap().to_string();
    assert!(said.contains("1001 copies, at most 1000 fit the press"), "the module's reason is kept: {said}");
}

/// What the modules have to endure, and play themselves.
fn faults(shop: &mut Shop) {
    for (fault, count) in [("FAIL_FIRST", "2"), ("SILENT_FIRST", "1")] {
        BOTH.iter().for_each(|name| shop.anew(*name, &[(fault, count)]));
        completes(shop, &shop.order(&format!("{fault}-on"), &input(fault)));
        BOTH.iter().for_each(|name| shop.anew(*name, &[(fault, count)]));
        is_undone(shop, &shop.order(&format!("{fault}-back"), &input_without_address(fault)));
    }
    // Dead between the commit and the reply: the answer is found again.
    BOTH.iter().for_each(|name| shop.anew(*name, &[("CRASH_FIRST", "1")]));
    let saga = shop.order("crash", &input("Crash"));
    for name in BOTH {
        assert_eq!(shop.ended(name).signal(), Some(9), "{name:?} killed itself\n{}", shop.logs());
        shop.begin(name, &[]);
    }
    completes(shop, &saga);
}

fn everything_twice(shop: &Shop) {
    let twice = shop.twice();
    let sagas: Vec<_> = (0..3).map(|n| shop.order(&format!("twice-{n}"), &input("Twice"))).collect();
    let back = shop.order("twice-back", &input_without_address("Twice"));
    sagas.iter().for_each(|saga| completes(shop, saga));
    is_undone(shop, &back);
    let repeated = twice.stop();
    for kind in ["cmd.printshop.PrintProof", "cmd.printshop.CancelProof", "cmd.courier.BookPickup", "reply.g"] {
        let count = repeated.iter().filter(|subject| subject.starts_with(&format!("aicmo.{kind}"))).count();
        assert!(count > 0, "{kind} was never repeated: {repeated:?}");
    }
    // What came late changes nothing any more.
    sagas.iter().for_each(|saga| completes(shop, saga));
    is_undone(shop, &back);
}

fn killed_in_the_middle(shop: &mut Shop) {
    let order = |n: usize| match n % 3 {
        0 => input_without_address("Killed"),
        _ => input("Killed"),
    };
    let sagas: Vec<_> = (0..9)
        .map(|n| {
            let saga = shop.order(&format!("killed-{n}"), &order(n));
            shop.anew(BOTH[n % 2], &[]);
            saga
        })
        .collect();
    for (n, saga) in sagas.iter().enumerate() {
        if n % 3 == 0 { is_undone(shop, saga) } else { completes(shop, saga) }
    }
}

fn from_outside(shop: &Shop) {
    for mode in ["binary", "structured"] {
        let data = json!({"saga": "printed-proof", "key": format!("{mode}-1"), "input": input("From Python: é")});
        let event = start_event(&format!("form {mode}"), &data);
        shop.publish(mode, &event);
        completes(shop, &format!("printed-proof/{mode}-1"));
        // The same again; and the same key under another id.
        shop.publish(mode, &event);
        shop.publish(mode, &start_event(&format!("form {mode} again"), &data));
    }
    shop.all_taken();
    assert_eq!(shop.dead(), Vec::<Value>::new());
    let (exit, said, errors) = shop.sagactl(&["saga", "list", "--all", "--key", "*-1", "-o", "id"]);
    let keyed = |mode: &str| shop.saga(&format!("printed-proof/{mode}-1")).unwrap()["id"].clone();
    assert_eq!(exit, Some(0), "{errors}");
    for mode in ["binary", "structured"] {
        let id = keyed(mode);
        assert_eq!(said.lines().filter(|line| *line == id.as_str().unwrap()).count(), 1, "{said}");
        completes(shop, &format!("printed-proof/{mode}-1"));
    }

    let printed = shop.ask("printshop.Proofs.v1", &json!({}))["proofs"].as_array().unwrap().len();
    let other = json!({"saga": "printed-proof", "key": "binary-1", "input": input("Another")});
    let bad_input = json!({"saga": "printed-proof", "key": "bad", "input": {"title": "Bad", "copies": 0}});
    let cases = [
        ("binary", json!({"saga": "printed-proof"}), "missing field `input`"),
        ("structured", bad_input, "SG"),
        ("binary", json!({"saga": "nothing-like-it", "input": {}}), "nothing-like-it"),
        ("structured", other, "SG"),
    ];
    for (at, (mode, data, reason)) in cases.iter().enumerate() {
        shop.publish(mode, &start_event(&format!("wrong {at}"), data));
        let dead = shop::until(&format!("dead letter {at}"), shop, || shop.dead().get(at).cloned());
        let said = dead["headers"]["dlq-reason"].as_str().unwrap();
        assert!(said.contains(reason), "{said}");
        let kept: Value = serde_json::from_str(dead["body"].as_str().unwrap()).unwrap();
        assert_eq!(if *mode == "binary" { &kept } else { &kept["data"] }, data);
    }
    assert_eq!(shop.ask("printshop.Proofs.v1", &json!({}))["proofs"].as_array().unwrap().len(), printed);
}

fn tell(version: Version) {
    let mut shop = Shop::start(version);
    forward_and_backward(&shop);
    everything_twice(&shop);
    faults(&mut shop);
    killed_in_the_middle(&mut shop);
    from_outside(&shop);
    shop.finds_nothing();
    shop.stop_well();
}

#[test]
fn modules_in_other_languages_take_part_in_a_saga() {
    tell(Version::Newest);
}

#[test]
fn over_the_broker_of_debian_as_well() {
    tell(Version::Debian);
}
