//! Pages concatenate, whichever part has which rows; a cursor of another list is refused.

use super::*;
use proptest::prelude::*;
use saga_core::view::SagaState;

fn row(number: u64, troubled: bool) -> (Place, SagaRow) {
    let id = SagaId(Uuid::from_u128(u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
    let started = Timestamp(i64::try_from(number / 3).unwrap_or(0));
    let row = SagaRow {
        id,
        kind: "post".to_owned(),
        version: 1,
        key: number.to_string(),
        state: if troubled { SagaState::Parked } else { SagaState::Completed },
        step: None,
        undoing: false,
        attempt: None,
        started_at: started,
        ended_at: None,
        reason: None,
        waiting: Vec::new(),
    };
    (Place { calm: !troubled, started, id }, row)
}

fn asked(limit: usize, cursor: Option<String>) -> Asked {
    let selector = Selector { all: true, limit, cursor, ..Selector::default() };
    Asked::page(selector, Timestamp(7)).unwrap()
}

/// What a source answers that has these rows and looks through no more than `most` of them.
fn answer(mut rows: Vec<(Place, SagaRow)>, asked: &Asked, most: usize) -> Part {
    rows.sort_by_key(|(place, _)| *place);
    rows.retain(|(place, _)| asked.is_behind(*place));
    let end = (rows.len() > most).then(|| rows[most - 1].0);
    rows.truncate(most);
    Part { rows, end, ..Part::default() }
}

proptest! {
    #[test]
    fn pages_of_any_size_concatenate_to_the_whole_list(
        rows in prop::collection::vec((0_u64..60, any::<bool>(), 0_usize..3), 0..50),
        limit in 1_usize..9,
        most in 1_usize..12,
    ) {
        let mut sources = vec![Vec::new(); 3];
        for (number, troubled, source) in &rows {
            sources[*source].push(row(*number, *troubled));
        }
        let mut whole: Vec<_> = sources.iter().flatten().cloned().collect();
        whole.sort_by_key(|(place, _)| *place);
        let mut wanted: Vec<SagaId> = whole.into_iter().map(|(_, row)| row.id).collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        for _ in 0..500 {
            let asked = asked(limit, cursor);
            let parts = sources.iter().map(|rows| answer(rows.clone(), &asked, most)).collect();
            let (page, next) = merge(parts, &asked);
            prop_assert!(page.len() <= limit);
            seen.extend(page.into_iter().map(|row| row.id));
            cursor = next.map(|next| asked.cursor(next));
            if cursor.is_none() {
                break;
            }
        }
        prop_assert!(cursor.is_none(), "it comes to an end");
        // A saga that two sources know at two places may be on two pages; at one place it is one row.
        let twice = |ids: &mut Vec<SagaId>| { let mut seen = BTreeSet::new(); ids.retain(|id| seen.insert(*id)); };
        twice(&mut wanted);
        twice(&mut seen);
        prop_assert_eq!(seen, wanted);
    }

    #[test]
    fn a_cursor_survives_and_a_changed_one_is_refused(number in any::<u64>(), since in any::<i64>(), at in 0_usize..84) {
        let selector = Selector { key: Some("a*".to_owned()), limit: 5, ..Selector::default() };
        let cursor = Cursor { after: row(number, number % 2 == 0).0, since: Timestamp(since) };
        let text = cursor.write(&selector);
        prop_assert_eq!(Cursor::read(&text, &Selector { limit: 9, ..selector.clone() }), Ok(cursor));
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).unwrap();
        prop_assert_eq!(Cursor::read(&changed, &selector).unwrap_err().code, "SG0315");
    }
}

#[test]
fn a_cursor_of_another_question_is_refused() {
    let asked = asked(3, None);
    let text = asked.cursor(row(4, false).0);
    let other = |change: fn(&mut Selector)| {
        let mut selector = asked.selector.clone();
        change(&mut selector);
        Cursor::read(&text, &selector).map(drop).map_err(|why| why.code)
    };
    let refused = Err("SG0315".to_owned());
    assert_eq!(other(|_| {}), Ok(()));
    assert_eq!(other(|selector| selector.limit = 50), Ok(()));
    assert_eq!(other(|selector| selector.all = false), refused);
    assert_eq!(other(|selector| selector.states = vec![SagaState::Parked]), refused);
    assert_eq!(other(|selector| selector.kind = Some("post".to_owned())), refused);
    assert_eq!(other(|selector| selector.key = Some("*".to_owned())), refused);
    assert_eq!(other(|selector| selector.attention = true), refused);
    assert_eq!(other(|selector| selector.since = Some(Timestamp(1))), refused);
    for text in ["", "banane", "1", "18446744073709551615", &"0".repeat(84), &"ü".repeat(42), &text[1..]] {
        assert_eq!(Cursor::read(text, &asked.selector).map_err(|why| why.code), Err("SG0315".to_owned()), "{text}");
    }
}

#[test]
fn those_that_need_a_person_are_first_then_the_newest() {
    let mut places = [row(3, false), row(9, false), row(3, true), row(9, true)].map(|(place, _)| place);
    places.sort();
    assert_eq!(places.map(|place| (place.calm, place.started.0)), [(false, 3), (false, 1), (true, 3), (true, 1)]);
}
