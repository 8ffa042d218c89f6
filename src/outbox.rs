//! Sends what waits in the outbox, in order per conversation.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::failpoint;
use crate::ports::{Messenger, SendError};
use crate::store::{OutboxRow, OutboxState, Store, StoreError};

/// After so many tries a message is given up.
const TRIES: i64 = 6;
/// The first wait before another try, milliseconds; it doubles.
const WAIT: i64 = 1_000;
/// An idle sender looks again after this time at the latest.
const IDLE: Duration = Duration::from_secs(1);

/// A sender. Several may run in one process.
#[derive(Clone)]
pub struct Sender {
    /// The store.
    pub store: Store,
    /// The channel.
    pub messenger: Arc<dyn Messenger>,
    /// Rings when something is to be sent.
    pub outbox: Arc<Notify>,
}

impl Sender {
    /// Sends until told to stop; the message at hand is finished first.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.store.take_outgoing(clock::now()).await {
                Ok(Some(row)) => {
                    if let Err(error) = self.send(row).await {
                        tracing::error!(%error, "what became of a message could not be recorded");
                    }
                }
                Ok(None) => self.wait(&stop).await,
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read");
                    self.wait(&stop).await;
                }
            }
        }
    }

    async fn wait(&self, stop: &CancellationToken) {
        tokio::select! {
            () = self.outbox.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn send(&self, row: OutboxRow) -> Result<(), StoreError> {
        failpoint::point("message taken");
        let sent = self.messenger.send(&row.message).await;
        failpoint::point("message sent");
        let now = clock::now();
        let id = &row.message.id;
        let (state, external_id, fault, due_at) = match sent {
            Ok(sent) => (OutboxState::Sent, Some(sent.external_id), None, now),
            Err(SendError::Retry(fault)) if row.attempts < TRIES => (
                OutboxState::Queued,
                None,
                Some(fault),
                now + backoff(row.attempts),
            ),
            Err(SendError::Retry(fault) | SendError::Rejected(fault)) => {
                tracing::error!(outbox = %id, fault, "a message was not sent");
                (OutboxState::Failed, None, Some(fault), now)
            }
            Err(SendError::Ambiguous(fault)) => {
                tracing::warn!(outbox = %id, fault, "a message was perhaps sent");
                (OutboxState::Unknown, None, Some(fault), now)
            }
        };
        metrics::counter!("sportello_messages_sent_total", "state" => format!("{state:?}").to_lowercase()).increment(1);
        self.store
            .record_sending(id, state, external_id, fault, due_at, now)
            .await?;
        failpoint::point("sending recorded");
        Ok(())
    }
}

/// Doubles with every try, with up to a quarter of jitter.
fn backoff(attempts: i64) -> i64 {
    let wait = WAIT << attempts.clamp(0, 8);
    wait + rand::random_range(0..=wait / 4)
}
