//! A question whose connection breaks: the caller hears at once that the result is not known, and not that nobody was
//! asked.

use crate::support::{DEADLINE, connect, on_both, options, until};
use saga_core::bus::{Answerer, BusError, Calls, Line};
use saga_core::json::Payload;
use saga_nats::Nats;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use test_servers::nats::{Nats as Server, Version};
use test_servers::proxy::Proxy;

async fn what_was_asked_on_a_connection_that_breaks_is_not_known(version: Version) {
    let server = Server::start(version);
    let (owner, proxy) = (connect(&server).await, Proxy::nats(server.port()));
    let asker = Nats::connect(options(proxy.url())).await.unwrap();
    let (asked, mut serves) = (Arc::new(AtomicU32::new(0)), tokio::task::JoinSet::new());
    let count = Arc::clone(&asked);
    // The proxy takes it for an acknowledgement, and loses it with the connection.
    let answer: Answerer = Arc::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(Payload::trusted(r#"{"stream":"x","seq":1}"#))))
    });
    serves.spawn(async move { owner.serve(vec![(Line::Group(3), answer)]).await });
    let ask = async || asker.call(&Line::Group(3), &Payload::null(), DEADLINE * 2).await;
    let served = until("served", || async { ask().await.map_err(|why| why.to_string()) }).await;
    assert!(served.is_ok());
    let before = asked.load(Ordering::SeqCst);
    proxy.cut_after("aicmo.ctl.", 1);
    // Long before the patience ends.
    let told = tokio::time::timeout(DEADLINE, ask()).await;
    assert!(matches!(told, Ok(Err(BusError::Unanswered(_)))), "{told:?}");
    assert_eq!((proxy.cuts(), asked.load(Ordering::SeqCst)), (1, before + 1));
    let again = until("the connection is back", || async { ask().await.map_err(|why| why.to_string()) }).await;
    assert!(again.is_ok());
}

async fn where_nobody_serves_nobody_was_asked(version: Version) {
    let server = Server::start(version);
    let bus = connect(&server).await;
    let told = bus.call(&Line::Group(3), &Payload::null(), DEADLINE).await;
    assert!(matches!(told, Err(BusError::Unavailable(_))), "{told:?}");
}

on_both! { what_was_asked_on_a_connection_that_breaks_is_not_known, where_nobody_serves_nobody_was_asked }
