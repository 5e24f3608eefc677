//! The client's half of a stream of changes: it comes back with its cursor when the stream ends, breaks off or falls silent.

use crate::client::AdminClient;
use crate::sse::{HEARTBEAT, Heard, Reader};
use async_trait::async_trait;
use reqwest::Response;
use saga_core::codes;
use saga_core::control::{Change, Changes, ControlError, Watch};
use saga_core::envelope::Actor;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Half a minute: a process that is replaced is back by then, and so is one whose group has to be taken over.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// 200 ms before it asks again.
const AGAIN: Duration = Duration::from_millis(200);
/// Longer than a heartbeat may be on its way.
const SILENCE: Duration = Duration::from_secs(2 * HEARTBEAT.as_secs());

impl AdminClient {
    /// Follows what is asked for.
    pub(crate) async fn follow(&self, by: &Actor, what: Watch) -> Result<Box<dyn Changes>, ControlError> {
        let response = self.stream(by, &what, None).await?;
        let open = Some((response, Reader::default()));
        let (client, by, cursor, now) = (self.clone(), by.clone(), String::new(), Instant::now());
        let mut following = Following { client, by, what, cursor, open, heard: now, lost: None, again: now };
        // A server says first where it begins.
        let first = timeout(self.within().look, following.next()).await;
        first.map_err(|_| self.strange("it does not say where its changes begin"))??;
        Ok(Box::new(following))
    }
}

struct Following {
    client: AdminClient,
    by: Actor,
    what: Watch,
    cursor: String,
    open: Option<(Response, Reader)>,
    /// When bytes came last: silence is noticed by a caller that waits in short pieces, too.
    heard: Instant,
    /// Since when the server does not answer, and the first error.
    lost: Option<(Instant, ControlError)>,
    /// Not before this is the server asked again.
    again: Instant,
}

impl Following {
    /// Everything that was heard and not told yet; nothing when that is nothing.
    fn told(&mut self) -> Result<Option<Vec<Change>>, ControlError> {
        let Some((_, reader)) = &mut self.open else { return Ok(None) };
        let (mut told, mut moved) = (Vec::new(), false);
        while let Some(heard) = reader.heard() {
            match heard {
                Heard::Change(change) => {
                    self.cursor.clone_from(&change.cursor);
                    told.push(*change);
                }
                Heard::Place(cursor) => {
                    moved |= self.cursor != cursor;
                    self.cursor = cursor;
                }
                Heard::Failed(error) => {
                    self.away(error)?;
                    break;
                }
            }
        }
        let any = moved || !told.is_empty();
        Ok(any.then_some(told))
    }
    /// The stream is over; whether that may pass is the error's to say.
    fn away(&mut self, error: ControlError) -> Result<(), ControlError> {
        self.open = None;
        self.again = Instant::now() + AGAIN;
        let (since, _) = self.lost.get_or_insert_with(|| (Instant::now(), error.clone()));
        if !error.retryable || since.elapsed() > BACK_WITHIN {
            return Err(error);
        }
        Ok(())
    }
    /// Hears a little more, or comes back.
    async fn listen(&mut self) -> Result<(), ControlError> {
        let Some((response, reader)) = &mut self.open else {
            sleep_until(self.again).await;
            let after = Some(self.cursor.as_str()).filter(|cursor| !cursor.is_empty());
            return match self.client.stream(&self.by, &self.what, after).await {
                Ok(response) => {
                    self.open = Some((response, Reader::default()));
                    self.heard = Instant::now();
                    Ok(())
                }
                Err(error) => self.away(error),
            };
        };
        let lost = match timeout_at(self.heard + SILENCE, response.chunk()).await {
            Ok(Ok(Some(piece))) => {
                (self.lost, self.heard) = (None, Instant::now());
                return reader.push(&piece).map_err(|why| self.client.strange(&why));
            }
            Ok(Ok(None)) => "the stream of changes has ended".to_owned(),
            Ok(Err(why)) => format!("the stream of changes broke off: {why}"),
            Err(_) => format!("nothing came for {} s", SILENCE.as_secs()),
        };
        self.away(ControlError::new(codes::UNREACHABLE, format!("{}: {lost}", self.client.url())))
    }
}

#[async_trait]
impl Changes for Following {
    fn cursor(&self) -> &str {
        &self.cursor
    }
    async fn next(&mut self) -> Result<Vec<Change>, ControlError> {
        loop {
            if let Some(told) = self.told()? {
                return Ok(told);
            }
            self.listen().await?;
        }
    }
}
