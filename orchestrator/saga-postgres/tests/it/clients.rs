//! A server lets in so many clients and no more: a process says before it begins how many it may need, holds no more, and names
//! the server's limit when it meets it.

use crate::database::{Database, MODULES, append, passwords, prepare};
use futures::future::join_all;
use saga_core::batch::Commit;
use saga_core::id::{Position, StepKey, Version};
use saga_core::ports::{Claim, Documents as _, EventStore as _, Leases as _, OpenError};
use saga_postgres::{CONNECTIONS_MAX, Migration, PostgresStores, ROLE_CONNECTIONS_MAX, migrate};
use sqlx::AssertSqlSafe;
use sqlx::{Connection as _, PgConnection};
use std::sync::Arc;
use std::time::Duration;
use test_servers::postgres::Postgres;
use uuid::Uuid;

/// A server that lets in twenty clients, three of them administrators.
async fn small() -> Database {
    let server =
        Arc::new(Postgres::with_settings(&[("max_connections", "20"), ("superuser_reserved_connections", "3")]));
    prepare(&server, "d").await;
    Database { server, name: "d".to_owned() }
}
async fn refusal(stores: &PostgresStores, module: &str) -> String {
    match stores.open_store(module).await {
        Err(OpenError::Unavailable { why, .. }) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("must not open"),
    }
}

#[tokio::test]
async fn a_process_that_needs_more_than_the_server_has_is_told_at_once() {
    let database = small().await;
    let stores = database.stores();
    for module in &MODULES[..2] {
        stores.open_store(module).await.unwrap();
    }
    let why = refusal(&stores, MODULES[2]).await;
    for words in ["21 connections, 7 for each of 3 stores", "lets in 20, 3 of them", "max_connections", "SG0322"] {
        assert!(why.contains(words), "{words}: {why}");
    }
    // A process that only looks opens one store after another, and needs no more than there is.
    let looks = PostgresStores::new(database.credentials().as_auditor(), crate::database::clock());
    for module in MODULES {
        looks.open_store(module).await.unwrap();
    }
    looks.close().await;
    stores.close().await;
}

#[tokio::test]
async fn the_servers_own_words_are_told_when_it_lets_nobody_in() {
    let database = small().await;
    let stores = database.stores();
    let store = stores.open_store("m").await.unwrap();
    // Other clients have taken all that there are.
    let mut others = Vec::new();
    while let Ok(other) = crate::privileges::try_login(&database, "n").await {
        others.push(other);
    }
    assert!(others.len() > 10, "{}", others.len());
    let why = refusal(&stores, "n").await;
    assert!(why.contains("connection slots are reserved") || why.contains("too many clients"), "{why}");
    assert!(why.contains("max_connections") && why.contains("SG0322"), "{why}");
    let Commit::Retryable(cause) = store.commit(append("a", 0, [1])).await else { panic!("there is no room to write") };
    assert!(cause.0.contains("max_connections") && cause.0.contains("SG0322"), "{cause:?}");
    stores.close().await;
}

async fn migrated(server: &Postgres) {
    let how = Migration::default().with_password_folder(passwords(server));
    migrate(&server.url("d"), MODULES, &how).await.unwrap();
}
/// A server of its own, with the roles as they are made where nobody says otherwise.
async fn limited() -> Database {
    let server = Arc::new(Postgres::start());
    server.run("postgres", "CREATE DATABASE d");
    migrated(&server).await;
    Database { server, name: "d".to_owned() }
}
/// What a role may have at most; -1 where that is not bounded.
async fn limit(database: &Database) -> i32 {
    let mut admin = PgConnection::connect(&database.server.url("d")).await.unwrap();
    let sql = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'aicmo_m'";
    sqlx::query_scalar(sql).fetch_one(&mut admin).await.unwrap()
}

#[tokio::test]
async fn one_module_cannot_take_the_connections_of_all_others() {
    let database = limited().await;
    assert_eq!(limit(&database).await, i32::try_from(ROLE_CONNECTIONS_MAX).unwrap());
    let mut greedy = Vec::new();
    let refused = loop {
        match crate::privileges::try_login(&database, "m").await {
            Ok(one) => greedy.push(one),
            Err(why) => break why.to_string(),
        }
    };
    assert!(
        greedy.len() == ROLE_CONNECTIONS_MAX as usize && refused.contains("for role"),
        "{}: {refused}",
        greedy.len()
    );
    // Its neighbour works, and its own processes are told what the cause is.
    let stores = database.stores();
    let neighbour = stores.open_store("n").await.unwrap();
    assert!(matches!(neighbour.commit(append("a", 0, [1])).await, Commit::Ok(_)));
    let why = refusal(&stores, "m").await;
    assert!(why.contains("this role holds as many as it may") && !why.contains("raise max_connections"), "{why}");
    drop(greedy);
    assert!(stores.unlimited().is_empty());
    stores.close().await;
}

/// Roles of an older version have no limit: it is told, and the next migration gives them one, but to no role that has another.
#[tokio::test]
async fn a_role_without_a_limit_is_named_until_it_is_migrated() {
    let database = limited().await;
    for (given, kept) in [("-1", i32::try_from(ROLE_CONNECTIONS_MAX).unwrap()), ("70", 70)] {
        database.server.run("d", &format!("ALTER ROLE aicmo_m CONNECTION LIMIT {given}"));
        let stores = database.stores();
        stores.open_store("m").await.unwrap();
        assert_eq!(stores.unlimited().contains("aicmo_m"), given == "-1");
        stores.close().await;
        migrated(&database.server).await;
        assert_eq!(limit(&database).await, kept);
    }
    database.server.run("d", "ALTER ROLE aicmo_m CONNECTION LIMIT 3");
    let why = refusal(&database.stores(), "m").await;
    assert!(why.contains("its role may have 3") && why.contains("SG0322"), "{why}");
}

#[tokio::test]
async fn a_store_holds_no_more_connections_than_it_says() {
    let database = Database::of_its_own().await;
    let stores = database.stores();
    let store = stores.open_store("m").await.unwrap();
    assert!(matches!(store.commit(append("a", 0, [1])).await, Commit::Ok(_)));
    let stream = crate::database::stream("a");
    let everything = (0..64_u128).map(|number| {
        let (store, stream) = (Arc::clone(&store), stream.clone());
        async move {
            let key = |n| StepKey::from_uuid(Uuid::from_u128(n));
            let asks = async { store.answered(Uuid::nil(), key(number), key(number + 99)).await.unwrap() };
            let reads = async { store.read(&stream, Version(0), 9).await.unwrap() };
            let pages = async { store.read_log(Position::ZERO, 9_999).await.unwrap() };
            let finds = async { store.get("p", 1, "k").await.unwrap() };
            let claim = Claim { want: Vec::new(), leave: Vec::new() };
            let leases = async { store.lease(Uuid::nil(), &claim, Duration::from_secs(9)).await.unwrap() };
            let _answers = tokio::join!(asks, reads, pages, finds, leases);
        }
    });
    join_all(everything).await;
    let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'aicmo_m'";
    let mut admin = PgConnection::connect(&database.server.url("d")).await.unwrap();
    let held: i64 = sqlx::query_scalar(AssertSqlSafe(count.to_owned())).fetch_one(&mut admin).await.unwrap();
    assert!((4..=i64::from(CONNECTIONS_MAX)).contains(&held), "{held}");
    stores.close().await;
}
