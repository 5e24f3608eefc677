//! Plans that are refused before anything runs, each with its code and sentence; and what a digest depends on.

use crate::everything::Everything;
use crate::linear::Linear;
use saga_core::definition::{Canonical, CanonicalStep, Definition, How, Node, locate, walk};
use saga_core::path::StepPath;
use saga_core::policy::{AtMost, Deadline, OnUnknown, Retry};
use saga_core::saga::{Plan, Saga, define};
use saga_core::soundness::{check, check_graph};
use saga_core::step::{In, Item, Maybe, Out, Outs, Step, Stop, Undoing, Until};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct X;
#[derive(Debug, Serialize, Deserialize)]
struct Other;

async fn make_x() -> Step<X> {
    Ok(X)
}
async fn needs_x(Out(_): Out<X>) -> Step<()> {
    Ok(())
}
async fn maybe_x(Maybe(_): Maybe<X>) -> Step<()> {
    Ok(())
}
async fn all_x(Outs(_): Outs<X>) -> Step<()> {
    Ok(())
}
async fn other_input(In(_): In<Other>) -> Step<()> {
    Ok(())
}
async fn item(Item(_): Item<u32>) -> Step<()> {
    Ok(())
}
async fn unit() -> Step<()> {
    Ok(())
}
async fn undoing(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}
fn yes() -> bool {
    true
}
fn words() -> Vec<String> {
    Vec::new()
}

/// A definition named `bad` with this plan.
macro_rules! plan {
    (|$plan:ident| $body:expr) => {{
        #[derive(Serialize, Deserialize)]
        struct Bad;
        impl Saga for Bad {
            const NAME: &'static str = "bad";
            const VERSION: u16 = 1;
            fn plan($plan: Plan) -> Definition {
                $body
            }
        }
        define::<Bad>()
    }};
}
fn sentences(definition: &Definition) -> Vec<String> {
    check(definition).iter().map(ToString::to_string).collect()
}
fn refused(definition: Definition, sentence: &str) {
    assert_eq!(sentences(&definition), [sentence]);
}

#[test]
fn an_output_that_is_not_there_is_named() {
    refused(
        plan!(|plan| plan.step("use", needs_x, undoing).pivot("end", unit).end()),
        r#"SG0007 saga "bad": step "use" needs Out<X>, but no earlier step returns X"#,
    );
    refused(
        plan!(|plan| plan.step("make", make_x, needs_x).pivot("end", unit).end()),
        r#"SG0007 saga "bad": the undo of step "make" needs Out<X>, but no earlier step returns X"#,
    );
    refused(
        plan!(|plan| plan.read("many", all_x).end()),
        r#"SG0007 saga "bad": step "many" needs Outs<X>, but no earlier step returns X"#,
    );
    refused(
        plan!(|plan| plan.read("in", other_input).end()),
        r#"SG0007 saga "bad": step "in" needs In<Other>, but the input is Bad"#,
    );
    refused(
        plan!(|plan| plan.read("early", undoing).end()),
        r#"SG0007 saga "bad": step "early" takes Undoing, which only an undo can"#,
    );
    refused(
        plan!(|plan| plan.each("list", words, AtMost(2), |p| p.read("one", item)).end()),
        r#"SG0007 saga "bad": step "list/one" needs Item<u32>, but the innermost `each` around it gives String"#,
    );
    refused(
        plan!(|plan| plan.read("one", item).end()),
        r#"SG0007 saga "bad": step "one" needs Item<u32>, but the innermost `each` around it gives nothing"#,
    );
    refused(
        plan!(|plan| plan.each("list", words, AtMost(2), |p| p.read("make", make_x)).read("use", needs_x).end()),
        r#"SG0007 saga "bad": step "use" needs Out<X>, but a fan-out gives many; take Outs<X>"#,
    );
}

#[test]
fn a_type_of_a_closure_has_its_own_name() {
    let define_inside = || {
        #[derive(Serialize, Deserialize)]
        struct Inside;
        impl Saga for Inside {
            const NAME: &'static str = "bad";
            const VERSION: u16 = 1;
            fn plan(plan: Plan) -> Definition {
                plan.read("in", other_input).end()
            }
        }
        define::<Inside>()
    };
    refused(define_inside(), r#"SG0007 saga "bad": step "in" needs In<Other>, but the input is Inside"#);
}

fn both(plan: Plan) -> Plan {
    plan.all("both", |all| all.branch("l", |p| p.read("a", make_x)).branch("r", |p| p.read("b", make_x)))
}

#[test]
fn an_output_of_several_branches_is_nobodys_nearest() {
    let says = |how: &str| {
        format!(
            "SG0007 saga \"bad\": step {how:?} needs X, which several branches give side by side; give each a type of its own"
        )
    };
    refused(plan!(|plan| both(plan).read("one", needs_x).end()), &says("one"));
    refused(plan!(|plan| both(plan).read("maybe", maybe_x).end()), &says("maybe"));
    refused(plan!(|plan| both(plan).read("all", all_x).end()), &says("all"));
    refused(plan!(|plan| plan.read("x", make_x).when("w", yes, both).read("one", needs_x).end()), &says("one"));
    // A later step that gives one is nearer, and what nobody takes harms nobody.
    let nearer = plan!(|plan| both(plan).read("c", make_x).read("one", needs_x).end());
    assert!(check(&nearer).is_empty(), "{:?}", check(&nearer));
    assert!(check(&plan!(|plan| both(plan).end())).is_empty());
}

async fn lasting(Until(_): Until, _: Stop) -> Step<()> {
    Ok(())
}
fn computed(Until(_): Until) -> bool {
    true
}

#[test]
fn only_what_runs_here_has_a_deadline_of_its_own() {
    assert!(check(&plan!(|plan| plan.step("one", lasting, lasting).end())).is_empty());
    refused(
        plan!(|plan| plan.when("w", computed, |p| p.read("one", unit)).end()),
        r#"SG0007 saga "bad": "w" takes Until, Stop or Using, which only a step that runs here can"#,
    );
}

#[test]
fn the_example_of_a_gate_answers_it() {
    use saga_core::step::Gate;
    const GOOD: Gate<bool> = Gate::named("yes").example("true");
    const BAD: Gate<bool> = Gate::named("yes").example(r#"{"yes":true}"#);
    assert!(check(&plan!(|plan| plan.wait("w", GOOD, Deadline::days(1)).end())).is_empty());
    let bad = check(&plan!(|plan| plan.wait("w", BAD, Deadline::days(1)).end()));
    assert!(bad.len() == 1 && bad[0].code.id == "SG0014" && bad[0].says.contains("does not answer it"), "{bad:?}");
    let plain = plan!(|plan| plan.wait("w", Gate::<bool>::named("yes"), Deadline::days(1)).end());
    let told = plan!(|plan| plan.wait("w", GOOD, Deadline::days(1)).end());
    assert_eq!(plain.digest, told.digest, "an example is for people");
}

#[test]
fn an_output_that_a_path_may_lack_is_taken_as_maybe() {
    refused(
        plan!(|plan| plan.when("if", yes, |p| p.read("make", make_x)).read("use", needs_x).end()),
        r#"SG0008 saga "bad": step "use" needs Out<X>, which a path may lack; take Maybe<X>"#,
    );
    assert!(
        sentences(&plan!(|plan| plan.when("if", yes, |p| p.read("make", make_x)).read("use", maybe_x).end()))
            .is_empty()
    );
    // A branch beside this one has not happened yet.
    refused(
        plan!(|plan| plan
            .all("both", |all| all.branch("l", |p| p.read("make", make_x)).branch("r", |p| p.read("use", needs_x)))
            .end()),
        r#"SG0007 saga "bad": step "both/r/use" needs Out<X>, but no earlier step returns X"#,
    );
}

#[test]
fn names_are_once_and_plain() {
    refused(
        plan!(|plan| plan.read("a", unit).read("a", unit).end()),
        r#"SG0006 saga "bad": the name "a" stands twice"#,
    );
    refused(
        plan!(|plan| plan
            .all("both", |all| all.branch("l", |p| p.read("a", unit)).branch("l", |p| p.read("b", unit)))
            .end()),
        r#"SG0006 saga "bad": the name "both/l" stands twice"#,
    );
    refused(
        plan!(|plan| plan.read("a/b", unit).end()),
        r#"SG0014 saga "bad": "a/b" is not a name: `/ # [ ~` belong to paths"#,
    );
    refused(
        plan!(|plan| plan.all("both", |all| all.branch("l[0]", |p| p.read("a", unit))).end()),
        r#"SG0014 saga "bad": "both/l[0]" is not a name: `/ # [ ~` belong to paths"#,
    );
    refused(plan!(|plan| plan.end()), r#"SG0014 saga "bad": the plan has no steps"#);
}

#[test]
fn every_limit_is_bounded() {
    let cases = [
        (
            plan!(|plan| plan.each("l", words, AtMost(0), |p| p.read("a", unit)).end()),
            r#""l" has 0 branches at once, allowed are 1 to 1000"#,
        ),
        (
            plan!(|plan| plan.repeat("r", AtMost(101), yes, |p| p.read("a", unit)).end()),
            r#""r" has 101 rounds, allowed are 1 to 100"#,
        ),
        (
            plan!(|plan| plan.read("a", unit).patience(Deadline::seconds(0)).end()),
            r#""a" has 0 milliseconds of patience, allowed are 1 to 158112000000"#,
        ),
        (
            plan!(|plan| plan.read("a", unit).retry(Retry::brief().tries(10_001)).end()),
            r#""a" has 10001 tries, allowed are 0 to 10000"#,
        ),
        (
            plan!(|plan| plan.read("a", unit).deadline(Deadline::seconds(0)).end()),
            "a deadline of 0 ms is out of bounds",
        ),
        (
            plan!(|plan| plan.step("a", unit, undoing).retry(Retry::for_ever()).end()),
            r#"step "a" is retried for ever before the pivot"#,
        ),
        (
            plan!(|plan| plan.step("a", unit, undoing).on_unknown(OnUnknown::Probe).end()),
            r#"step "a" runs here and keeps no answers that could be probed"#,
        ),
    ];
    for (definition, says) in cases {
        refused(definition, &format!(r#"SG0009 saga "bad": {says}"#));
    }
}

fn graph(steps: &[(&str, &str, Option<&str>)], edges: &[(&str, &str)]) -> Vec<String> {
    let step = |(path, kind, undo): &(&str, &str, Option<&str>)| CanonicalStep {
        path: (*path).to_owned(),
        kind: (*kind).to_owned(),
        performer: "here".to_owned(),
        undo: undo.map(str::to_owned),
        policy: String::new(),
    };
    let canonical = Canonical {
        name: "data".to_owned(),
        version: 1,
        deadline_ms: 1,
        steps: steps.iter().map(step).collect(),
        edges: edges.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect(),
    };
    check_graph(&canonical).iter().map(ToString::to_string).collect()
}

#[test]
fn a_definition_that_came_as_data_is_a_sound_graph() {
    let undo = Some("here");
    let sound = graph(&[("a", "ordinary", undo), ("p", "pivot", None), ("t", "then", None)], &[("a", "p"), ("p", "t")]);
    assert!(sound.is_empty(), "{sound:?}");
    let cases = [
        (
            graph(&[("a", "read", None), ("b", "read", None)], &[("a", "b"), ("b", "a")]),
            r#"SG0011 saga "data": the steps form a cycle: a -> b -> a"#,
        ),
        (graph(&[("a", "ordinary", None)], &[]), r#"SG0012 saga "data": step "a" is before the pivot and has no undo"#),
        (
            graph(&[("p", "pivot", None), ("r", "read", None), ("q", "pivot", None)], &[("p", "r"), ("r", "q")]),
            r#"SG0013 saga "data": "q" is a second pivot on one path"#,
        ),
        (
            graph(&[("p", "pivot", None), ("a", "ordinary", undo)], &[("p", "a")]),
            r#"SG0013 saga "data": "a" can be undone but stands after the pivot"#,
        ),
        (
            graph(&[("t", "then", None)], &[]),
            r#"SG0013 saga "data": "t" is repeated for ever but stands before the pivot"#,
        ),
        (
            graph(&[("a", "read", None)], &[("a", "nowhere")]),
            r#"SG0014 saga "data": an edge names "nowhere", which is not a step"#,
        ),
    ];
    for (found, wanted) in cases {
        assert_eq!(found, [wanted]);
    }
}

#[test]
fn a_digest_moves_with_the_plan_and_with_nothing_else() {
    let base = || plan!(|plan| plan.read("a", unit).read("b", unit).end());
    assert_eq!(base().digest, base().digest);
    let others = [
        plan!(|plan| plan.read("b", unit).read("a", unit).end()),
        plan!(|plan| plan.read("a", unit).read("c", unit).end()),
        plan!(|plan| plan.read("a", unit).end()),
        plan!(|plan| plan.read("a", unit).read("b", unit).retry(Retry::once()).end()),
        plan!(|plan| plan.read("a", unit).read("b", unit).patience(Deadline::seconds(1)).end()),
        plan!(|plan| plan.read("a", unit).read("b", unit).deadline(Deadline::days(1)).end()),
        plan!(|plan| plan.read("a", unit).pivot("b", unit).end()),
    ];
    for (index, other) in others.iter().enumerate() {
        assert_ne!(base().digest, other.digest, "{index}");
    }
    // Another function under the same name is the same plan: what it does is its author's business.
    assert_eq!(base().digest, plan!(|plan| plan.read("a", make_x).read("b", unit).end()).digest);
}

#[test]
fn the_canonical_form_is_this_text_for_ever() {
    let canonical = define::<Linear>().canonical();
    let mut newer = canonical.clone();
    newer.steps[0].performer = "ledger.Put@2".to_owned();
    assert_ne!(newer, canonical, "the version of a command is part of the form");
    let policies = |canonical: &Canonical| canonical.steps.iter().map(|step| step.policy.clone()).collect::<Vec<_>>();
    assert_eq!(
        policies(&canonical)[0],
        r#"{"retry":{"attempts_max":5,"initial_ms":1000,"factor":2,"cap_ms":60000},"undo_retry":{"attempts_max":10,"initial_ms":1000,"factor":2,"cap_ms":3600000},"patience_ms":30000,"on_unknown":"compensate"}"#
    );
    assert_eq!(policies(&canonical)[2], "timer=false deadline_ms=172800000");
    let lines = canonical.steps.iter().map(|step| {
        let undo = step.undo.as_deref().unwrap_or("-");
        format!("{} {} {} {undo}", step.path, step.kind, step.performer)
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "a ordinary ledger.Put@1 ledger.TakeBack@1",
            "b ordinary ledger.Put@1 ledger.TakeBack@1",
            "gate wait gate:approval -",
            "c ordinary ledger.Put@1 ledger.TakeBack@1",
            "d ordinary ledger.Put@1 ledger.TakeBack@1",
            "p pivot ledger.Put@1 -",
            "t then ledger.Put@1 -",
        ]
    );
    let small = plan!(|plan| plan.wait("w", saga_core::step::Gate::timer(), Deadline::seconds(1)).end()).canonical();
    assert_eq!(
        serde_json::to_string(&small).unwrap(),
        r#"{"name":"bad","version":1,"deadline_ms":31622400000,"steps":[{"path":"w","kind":"wait","performer":"gate:timer","undo":null,"policy":"timer=true deadline_ms=1000"}],"edges":[]}"#
    );
}

#[test]
fn every_step_is_found_where_the_walk_says_that_it_stands() {
    let plan = define::<Everything>();
    for times in [1, 2, 3] {
        let mut found = Vec::new();
        walk(&plan.nodes, &|_, _| How::Times(times), &mut |path, depth, node| {
            let Node::Step(step) = node else { return };
            let read: StepPath = path.as_str().parse().unwrap();
            let (named, places) = locate(&plan.nodes, &read).unwrap();
            assert_eq!((named.name, &read), (step.name, path));
            assert!(places.len() > depth, "{path}");
            found.push((places, path.as_written()));
        });
        assert!(found.is_sorted_by(|(before, _), (after, _)| before < after), "in the order of the plan");
        for (written, _) in plan.steps() {
            assert!(found.iter().any(|(_, path)| *path == written), "{written}");
        }
    }
    for nowhere in [
        "",
        "nobody",
        "slot[0]",
        "slot#1",
        "slot/more",
        "has-items/items/put",
        "has-items/items[…]/put",
        "has-items/items#1/put",
    ] {
        assert!(locate(&plan.nodes, &nowhere.parse().unwrap()).is_none(), "{nowhere}");
    }
}
