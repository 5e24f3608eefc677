//! What holds a saga up, made real over a broker with the shipped accounts: a module that nobody serves, an answer that nobody
//! can read, dead letters in another account, and a coordinator that is gone.

use crate::accounts::{Login, System};
use serde_json::Value;
use test_servers::nats::Version;

/// Asks until all of this is said, and gives the exit code.
fn says(system: &System, words: &[&str], parts: &[&str]) -> i32 {
    let exit = std::cell::Cell::new(0);
    system.until(&format!("{words:?} says {parts:?}"), || {
        let (code, said, _) = system.sagactl(words);
        exit.set(code);
        parts.iter().all(|part| said.contains(part))
    });
    exit.get()
}

#[test]
fn what_holds_a_saga_up_is_told_over_the_newest_broker() {
    what_holds_a_saga_up_is_told(Version::Newest);
}
/// Across accounts it says to nobody that nobody answers.
#[test]
fn what_holds_a_saga_up_is_told_over_an_older_broker() {
    what_holds_a_saga_up_is_told(Version::Debian);
}

fn what_holds_a_saga_up_is_told(version: Version) {
    let mut system = System::prepare(version);
    // Nobody takes over before the test is done.
    system.environment.push(("SAGACTL__COORDINATOR__LEASE_MS", "300000"));
    let url = system.start("coordinator", &["--coordinator"]);
    system.until("it is ready", || system.sagactl(&["doctor", "--probe", "ready", "--url", &url]).0 == 0);
    let begin = ["saga", "start", "printed-proof", "--example", "--key", "k", "--url", &url];
    let (exit, _, errors) = system.sagactl(&begin);
    assert_eq!(exit, 0, "{errors}");
    let why = ["saga", "why-stuck", "printed-proof/k", "--url", &url];
    says(&system, &why, &["NO_CONSUMER", "nobody serves printshop"]);
    says(&system, &["module", "list", "--url", &url], &["printshop", "elsewhere; nobody says how it is"]);
    says(&system, &["doctor", "--url", &url], &["nobody who serves it: printshop", "no process asks for them"]);

    // Its own account may put letters aside, and the coordinator sees them.
    Login::of(&system.nats, "printshop").publish("aicmo.dlq.printshop", "_INBOX.x", "{}");
    let exit = says(&system, &["doctor", "--url", &url], &["1 dead letter of printshop lies aside", "dlq.printshop"]);
    assert_eq!(exit, 6, "a person is needed");
    says(&system, &["module", "list", "-o", "json", "--url", &url], &["\"parked\":1"]);

    let (_, shown, errors) = system.sagactl(&["saga", "show", "printed-proof/k", "-o", "json", "--url", &url]);
    let shown: Value = serde_json::from_str(&shown).unwrap_or_else(|why| panic!("{why}: {shown}{errors}"));
    let key = shown["waiting"][0]["key"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned();
    let mut printshop = Login::of(&system.nats, "printshop");
    for group in 0..16 {
        // No reply: it lacks every header. What it has of one is the key.
        printshop.publish(
            &format!("aicmo.reply.g{group:02}.printshop"),
            "_INBOX.x",
            &format!("{{\"stepkey\":\"{key}\"}}"),
        );
    }
    says(&system, &why, &["REPLY_REJECTED", "an answer for print-proof came, and could not be taken"]);

    let (_, mut gone) = system.processes.remove(0);
    gone.kill().unwrap();
    gone.wait().unwrap();
    let url = system.start("successor", &["--coordinator"]);
    let why = ["saga", "why-stuck", "printed-proof/k", "--url", &url];
    says(&system, &why, &["LEASE", "has no owner that answers within 2 s"]);
}
