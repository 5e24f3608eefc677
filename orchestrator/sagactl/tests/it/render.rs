//! The state fixtures in every face of the command line, at three widths, in colour, without, in ASCII, and into a pipe.

use saga_core::codes;
use saga_core::control::ask::{self, Ask};
use saga_core::control::{Asks, ControlError, Moment, Selector};
use saga_core::envelope::Actor;
use saga_testkit::fixtures::{self, NOW, Zoo};
use sagactl::print::style::Style;
use sagactl::print::{error, history, list, module, show, verdicts, why};

fn styles() -> Vec<(&'static str, Style)> {
    let at = |width| Style::terminal(NOW, width);
    vec![
        ("60", at(60)),
        ("80", at(80)),
        ("120", at(120)),
        ("no-color", Style { colour: false, ..at(80) }),
        ("ascii", Style { colour: false, ascii: true, ..at(80) }),
        ("wide", Style { colour: false, wide: true, ..at(80) }),
        ("pipe", Style::pipe(NOW)),
    ]
}

/// Compares one picture for each style; escape bytes are written as a sign.
fn check(name: &str, render: impl Fn(&Style) -> String) {
    for (style_name, style) in styles() {
        let text = render(&style);
        for line in text.lines().filter(|_| style.terminal && !style.colour) {
            assert!(!line.contains(|c: char| c.is_control()), "{name} {style_name}: {line:?}");
        }
        if style.ascii {
            assert!(text.is_ascii(), "{name}: {text}");
        }
        if !style.colour {
            assert!(!text.contains('\u{1b}'), "{name} {style_name}");
        }
        insta::assert_snapshot!(format!("{name}@{style_name}"), text.replace('\u{1b}', "␛"));
    }
}

fn shown(page: &saga_core::control::Page<saga_core::view::SagaRow>) -> list::Shown {
    let mut shown = list::Shown::default();
    shown.add(&page.items);
    shown
}
async fn look<A: Ask>(what: A) -> A::View {
    Zoo::with_findings().ask(&Actor::operator("ann"), what).await.unwrap()
}

#[tokio::test]
async fn lists() {
    let all = Selector { all: true, ..Selector::default() };
    let page = look(all).await;
    check("list", |style| {
        let rendered = list::render(&page, style);
        format!("{}{}\n", rendered.text, list::footer(&page, &shown(&page), &rendered.dropped, style))
    });
    let some = Selector { limit: 3, ..Selector::default() };
    let page = look(some).await;
    assert!(list::footer(&page, &shown(&page), &[], &Style::pipe(NOW)).starts_with("3 of 7 shown"));
}

#[test]
fn shows() {
    for saga in fixtures::shows() {
        check(&format!("show-{}", saga.row.state.word()), |style| show::render(&saga, style));
    }
}

#[tokio::test]
async fn shows_with_data() {
    let saga = look(ask::Saga { id: "9f3ac2d1".into(), data: true, at: None }).await;
    insta::assert_snapshot!("show-data", show::render(&saga, &Style::pipe(NOW)));
}

#[tokio::test]
async fn a_saga_as_it_was() {
    let saga = look(ask::Saga { id: "9f3ac2d1".into(), data: false, at: Some(Moment::Rev(2)) }).await;
    check("show-as-it-was", |style| show::render(&saga, style));
}

#[tokio::test]
async fn histories() {
    let page = look(ask::History { id: "9f3ac2d1".into(), after: 0, limit: 10 }).await;
    check("history", |style| history::render(&page, style).text);
}

#[tokio::test]
async fn causes() {
    for id in ["c41d90e7", "0c51aa97"] {
        let found = look(ask::WhyStuck { id: id.into() }).await;
        check(&format!("why-{}", found.saga.state.word()), |style| why::render(&found, style));
    }
}

#[tokio::test]
async fn modules_and_definitions() {
    let page = look(ask::Modules {}).await;
    check("modules", |style| module::render(&page, style).text);
    let page = look(ask::Definitions {}).await;
    check("definitions", |style| module::definitions(&page, style).text);
}

#[tokio::test]
async fn checked_promises() {
    let found = look(ask::Verify {}).await;
    check("verify", |style| verdicts::render(&found, style));
}

#[test]
fn errors_for_people() {
    let error = ControlError::new(codes::WRONG_STATE, format!("9f3ac2d1 cannot be retried: {}", fixtures::HOSTILE))
        .hint("resume first       sagactl saga resume 9f3ac2d1")
        .hint("then again         sagactl saga retry 9f3ac2d1");
    check("error", |style| error::human(&error, style));
}

#[test]
fn no_line_is_wider_than_the_terminal_where_columns_can_give() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { panic!("no runtime") };
    let all = Selector { all: true, ..Selector::default() };
    let page = runtime.block_on(look(all));
    for width in [40, 60, 80, 100, 120, 200] {
        let style = Style { colour: false, ..Style::terminal(NOW, width) };
        let rendered = list::render(&page, &style);
        assert!(!rendered.dropped.contains(&"STATE") && rendered.text.contains("ID"), "{width}");
        for line in rendered.text.lines() {
            assert!(sagactl::print::style::width(line) <= width, "{width}: {line}");
        }
    }
}
