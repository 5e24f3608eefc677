//! The connection, and a new one in its place when it has died: there are messages that no client survives.

use crate::connect::{self, Complaints, ConnectError, Options};
use async_nats::Client;
use async_nats::connection::State;
use futures::FutureExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use tokio::sync::watch;

/// Why an answer is not waited for any more.
pub(crate) const REMADE: &str = "the connection was lost and made anew; nobody knows";

/// Hands out the client that lives.
pub(crate) struct Link {
    client: RwLock<Client>,
    options: Options,
    complaints: Complaints,
    reviving: tokio::sync::Mutex<()>,
    replaced: AtomicU64,
}

impl Link {
    pub(crate) async fn connect(options: Options) -> Result<Self, ConnectError> {
        let complaints = Complaints::default();
        let client = RwLock::new(connect::connect(&options, &complaints).await?);
        Ok(Self { client, options, complaints, reviving: tokio::sync::Mutex::default(), replaced: AtomicU64::new(0) })
    }
    /// The client, whatever its state.
    pub(crate) fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// The client, after a look whether it lives. A dead one is replaced, as far as one answer's patience reaches.
    pub(crate) async fn ready(&self) -> Client {
        let client = self.client();
        if is_alive(&client) {
            return client;
        }
        let _turn = self.reviving.lock().await;
        let client = self.client();
        if is_alive(&client) {
            return client;
        }
        tracing::error!("the client has died, perhaps of a message that it could not read; connecting anew");
        self.complaints.set("the client has died and was replaced".to_owned());
        let connecting = connect::connect(&self.options, &self.complaints);
        if let Ok(Ok(fresh)) = tokio::time::timeout(self.options.answer_within, connecting).await {
            *self.client.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            self.replaced.fetch_add(1, Ordering::SeqCst);
        }
        self.client()
    }
    /// How often the client was replaced: subscriptions of an earlier one are dead.
    pub(crate) fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::SeqCst)
    }
    pub(crate) fn is_connected(&self) -> bool {
        let client = self.client();
        is_alive(&client) && client.connection_state() == State::Connected
    }
    /// The same without asking the client: whether it is connected, as it last knew.
    pub(crate) fn is_up(&self) -> bool {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        client.connection_state() == State::Connected
    }
    /// Messages may have been lost: something that holds them had to be made anew.
    pub(crate) fn lost(&self) {
        self.complaints.lost();
    }
    /// How often messages may have been lost; a new connection counts.
    pub(crate) fn losses(&self) -> watch::Receiver<u64> {
        self.complaints.losses()
    }
    /// Waits for the answer to a question, but not past the connection on which it was asked: it never comes on the
    /// next one. A question without a connection is sent as soon as there is one, and its answer awaited in the
    /// ordinary way.
    pub(crate) async fn answer<T>(&self, client: &Client, answer: impl Future<Output = T>) -> Option<T> {
        if client.connection_state() != State::Connected {
            return Some(answer.await);
        }
        let mut losses = self.losses();
        tokio::select! {
            biased;
            answer = answer => Some(answer),
            Ok(()) = losses.changed() => None,
        }
    }
    pub(crate) fn last_complaint(&self) -> Option<String> {
        self.complaints.last()
    }
}

/// A client whose connection task has ended refuses everything at once, and says "connected" for ever.
fn is_alive(client: &Client) -> bool {
    !matches!(client.flush().now_or_never(), Some(Err(_)))
}
