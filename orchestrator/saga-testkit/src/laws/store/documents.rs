//! What documents, checkpoints, blobs and snapshots promise.

use super::commit::document;
use super::{Reopen, append, ok, stream};
use saga_core::batch::{Batch, Blob, Commit, DocumentWrite, Mark, Snapshot};
use saga_core::envelope::sha256;
use saga_core::id::{Position, Version};
use saga_core::json::Payload;
use saga_core::ports::{Cached, Document, Find, SharedStore};

/// Both are there with their commit, are changed by the next, and survive a restart.
pub async fn marks_and_documents_move_with_their_commit(store: SharedStore, reopen: Reopen) {
    let mark = |position| vec![Mark { consumer: "shelf@law".to_owned(), position: Position(position) }];
    let commit = |body: &str, position| Batch {
        documents: vec![document("shelf", "k", Some(body))],
        marks: mark(position),
        ..Batch::default()
    };
    ok(&store, commit(r#"{"n": 1}"#, 1)).await;
    ok(&store, commit(r#"{"n": 2}"#, 5)).await;
    let expected = Document { key: "k".to_owned(), body: Payload::trusted(r#"{"n": 2}"#), index: Vec::new() };
    let mut store = store;
    for _ in 0..2 {
        assert_eq!(store.get("shelf", 1, "k").await, Ok(Some(expected.clone())));
        assert_eq!(store.checkpoint("shelf@law").await, Ok(Position(5)));
        drop(store);
        store = reopen().await;
    }
    // A rebuild starts over: a mark may go back.
    ok(&store, Batch { marks: mark(0), ..Batch::default() }).await;
    assert_eq!(store.checkpoint("shelf@law").await, Ok(Position::ZERO));
}

/// Who never came is at the beginning.
pub async fn a_stranger_has_no_checkpoint(store: SharedStore, _reopen: Reopen) {
    assert_eq!(store.checkpoint("nobody@law").await, Ok(Position::ZERO));
}

fn indexed(key: &str, index: &[Option<&str>]) -> DocumentWrite {
    let index = index.iter().map(|value| value.map(str::to_owned)).collect();
    DocumentWrite { index, ..document("list", key, Some(&format!(r#"{{"key":"{key}"}}"#))) }
}
async fn shelf(store: &SharedStore) {
    let documents = vec![
        indexed("e", &[Some("red"), None]),
        indexed("a", &[Some("red"), Some("2")]),
        indexed("d", &[None, Some("1")]),
        indexed("b", &[Some("blue"), Some("2")]),
        indexed("c", &[Some("red"), Some("10")]),
        indexed("ä", &[Some("zinc"), None]),
        indexed("F", &[None, None]),
    ];
    let mut stranger = indexed("a", &[Some("red"), Some("2")]);
    stranger.projection = "elsewhere".to_owned();
    ok(store, Batch { documents, ..Batch::default() }).await;
    ok(store, Batch { documents: vec![stranger], ..Batch::default() }).await;
}
fn everything() -> Find {
    Find {
        projection: "list".to_owned(),
        version: 1,
        filters: Vec::new(),
        order_by: None,
        descending: false,
        after: None,
        limit: 100,
    }
}
async fn keys(store: &SharedStore, find: &Find) -> String {
    let found = store.find(find).await.expect("readable documents");
    found.into_iter().map(|document| document.key).collect::<Vec<_>>().join(" ")
}

/// All filters must match; a missing value matches nothing.
pub async fn documents_are_found_by_filter(store: SharedStore, reopen: Reopen) {
    shelf(&store).await;
    drop(store);
    let store = reopen().await;
    let by = |filters: &[(usize, &str)]| Find {
        filters: filters.iter().map(|(field, value)| (*field, (*value).to_owned())).collect(),
        ..everything()
    };
    for (filters, expected) in [
        (&[(0, "red")][..], "a c e"),
        (&[(0, "red"), (1, "2")], "a"),
        (&[(1, "2")], "a b"),
        (&[(0, "green")], ""),
        (&[(2, "red")], ""),
        (&[(7, "red")], ""),
        (&[], "F a b c d e ä"),
    ] {
        assert_eq!(keys(&store, &by(filters)).await, expected, "{filters:?}");
    }
    let found = store.find(&by(&[(0, "red"), (1, "10")])).await.expect("readable documents");
    let index = vec![Some("red".to_owned()), Some("10".to_owned())];
    assert_eq!(found, [Document { key: "c".to_owned(), body: Payload::trusted(r#"{"key":"c"}"#), index }]);
}

/// Keys are found by how they end, of this projection and version alone.
pub async fn keys_are_found_by_their_ending(store: SharedStore, _reopen: Reopen) {
    let keys = ["saga-12ab", "saga-2ab", "ab", "b", "saga-ab1", "saga-xAB", "%ab", "zä"];
    let documents = keys.iter().map(|key| indexed(key, &[])).collect();
    ok(&store, Batch { documents, ..Batch::default() }).await;
    let mut stranger = indexed("saga-3ab", &[]);
    stranger.version = 2;
    ok(&store, Batch { documents: vec![stranger], ..Batch::default() }).await;
    for (ending, expected) in [
        ("ab", "%ab ab saga-12ab saga-2ab"),
        ("2ab", "saga-12ab saga-2ab"),
        ("saga-2ab", "saga-2ab"),
        ("longer-saga-2ab", ""),
        ("%ab", "%ab"),
        ("_ab", ""),
        ("ä", "zä"),
        ("", "%ab ab b saga-12ab saga-2ab saga-ab1 saga-xAB zä"),
    ] {
        let found = store.keys_ending("list", 1, ending).await.expect("readable keys");
        assert_eq!(found.join(" "), expected, "{ending:?}");
    }
}

/// By bytes; no value before every value; ties by key; descending is the exact reverse.
pub async fn documents_are_ordered(store: SharedStore, _reopen: Reopen) {
    shelf(&store).await;
    for (order_by, expected) in [(None, "F a b c d e ä"), (Some(0), "F d b a c e ä"), (Some(1), "F e ä d c a b")] {
        assert_eq!(keys(&store, &Find { order_by, ..everything() }).await, expected);
        let reverse = keys(&store, &Find { order_by, descending: true, ..everything() }).await;
        assert_eq!(reverse, expected.split(' ').rev().collect::<Vec<_>>().join(" "));
    }
    let filtered = Find { filters: vec![(0, "red".to_owned())], order_by: Some(1), ..everything() };
    assert_eq!(keys(&store, &filtered).await, "e c a");
}

/// Going on after the last document of a page misses none and repeats none.
pub async fn every_page_size_gives_the_same_list(store: SharedStore, _reopen: Reopen) {
    shelf(&store).await;
    for order_by in [None, Some(0), Some(1)] {
        for descending in [false, true] {
            let find = Find { order_by, descending, ..everything() };
            let whole = store.find(&find).await.expect("readable documents");
            for limit in 1..=whole.len() {
                let mut page = Find { limit, ..find.clone() };
                let mut paged = Vec::new();
                loop {
                    let found = store.find(&page).await.expect("readable documents");
                    let Some(last) = found.last() else { break };
                    let value = order_by.and_then(|field| last.index.get(field).cloned().flatten());
                    page.after = Some((value, last.key.clone()));
                    paged.extend(found);
                }
                assert_eq!(paged, whole, "order {order_by:?}, descending {descending}, limit {limit}");
            }
        }
    }
    assert_eq!(keys(&store, &Find { limit: 0, ..everything() }).await, "");
}

/// Removed is gone: by key, by index, after a restart; and may come back.
pub async fn a_removed_document_vanishes(store: SharedStore, reopen: Reopen) {
    shelf(&store).await;
    ok(
        &store,
        Batch { documents: vec![document("list", "a", None), document("list", "no", None)], ..Batch::default() },
    )
    .await;
    drop(store);
    let store = reopen().await;
    let red = Find { filters: vec![(0, "red".to_owned())], ..everything() };
    assert_eq!(keys(&store, &red).await, "c e");
    assert_eq!(store.get("list", 1, "a").await, Ok(None));
    // The last word of a batch counts.
    let documents = vec![indexed("a", &[Some("red"), None]), document("list", "c", None), indexed("c", &[None, None])];
    ok(&store, Batch { documents, ..Batch::default() }).await;
    assert_eq!(keys(&store, &red).await, "a e");
    assert_eq!(keys(&store, &everything()).await, "F a b c d e ä");
}

/// Blue and green do not see each other.
pub async fn versions_of_a_projection_are_apart(store: SharedStore, _reopen: Reopen) {
    let green = DocumentWrite { version: 2, ..document("list", "k", Some("2")) };
    ok(&store, Batch { documents: vec![document("list", "k", Some("1")), green], ..Batch::default() }).await;
    for version in [1, 2] {
        let found = store.get("list", version, "k").await.expect("a readable document");
        assert_eq!(found.map(|document| document.body.to_string()), Some(version.to_string()));
        assert_eq!(keys(&store, &Find { version, ..everything() }).await, "k");
    }
    assert_eq!(store.get("list", 3, "k").await, Ok(None));
}

/// The same bytes twice are one blob; an unknown hash is a miss.
pub async fn blobs_are_kept_by_hash(store: SharedStore, reopen: Reopen) {
    let text = "a long \"text\" ä 𝄞\n".repeat(10_000);
    let blob = Blob { sha256: sha256(text.as_bytes()), bytes: text.clone().into_bytes() };
    let hash = Cached::Blob(blob.sha256);
    assert_eq!(store.cached(&hash).await, Ok(None));
    ok(&store, Batch { blobs: vec![blob.clone()], ..append(&stream("a"), 0, [1]) }).await;
    ok(&store, Batch { blobs: vec![blob], ..append(&stream("b"), 0, [2]) }).await;
    drop(store);
    let found = reopen().await.cached(&hash).await.expect("a readable blob");
    assert_eq!(found.and_then(|text| text.read::<String>().ok()), Some(text));
}

/// A snapshot of another state type is a miss; the newest one replaces the one before.
pub async fn the_last_snapshot_of_the_right_type_is_kept(store: SharedStore, reopen: Reopen) {
    let owner = stream("a");
    let ask = |digest: &str| Cached::Snapshot { stream: owner.clone(), digest: digest.to_owned() };
    let snapshot = |version, digest: &str, state: &str| Batch {
        snapshots: vec![Snapshot {
            stream: owner.clone(),
            version: Version(version),
            digest: digest.to_owned(),
            state: Payload::trusted(state),
        }],
        ..Batch::default()
    };
    let read = |found: Option<Payload>| found.map(|found| found.read::<serde_json::Value>().expect("JSON"));
    assert_eq!(store.cached(&ask("d1")).await, Ok(None));
    assert!(matches!(store.commit(snapshot(1, "d1", r#"{"n":1}"#)).await, Commit::Ok(_)));
    ok(&store, snapshot(2, "d1", r#"{"n":2}"#)).await;
    assert_eq!(store.cached(&ask("d2")).await, Ok(None));
    drop(store);
    let store = reopen().await;
    let found = read(store.cached(&ask("d1")).await.expect("a readable snapshot"));
    assert_eq!(found, Some(serde_json::json!({ "version": 2, "state": { "n": 2 } })));
    ok(&store, snapshot(3, "d2", "[]")).await;
    assert_eq!(store.cached(&ask("d1")).await, Ok(None));
    let found = read(store.cached(&ask("d2")).await.expect("a readable snapshot"));
    assert_eq!(found, Some(serde_json::json!({ "version": 3, "state": [] })));
}
