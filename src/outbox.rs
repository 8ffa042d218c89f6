//! Sends what waits in the outbox, in order per conversation.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::failpoint;
use crate::ports::{Messenger, SendError, SentMessage};
use crate::store::{OutboxRow, OutboxState, Store};

/// After so many tries a message is given up: about twelve hours, so that an outage of the channel loses no
/// answer, and still within the day in which WhatsApp takes one.
const TRIES: i64 = 160;
/// The first wait before another try, milliseconds; it doubles.
const WAIT: i64 = 1_000;
/// So many times.
const DOUBLINGS: i64 = 8;
/// An idle sender looks again after this time at the latest.
const IDLE: Duration = Duration::from_secs(1);
/// The first wait before the store is asked again to record what became of a message; it doubles.
const STORE_WAIT: Duration = Duration::from_millis(500);
/// The longest such wait.
const STORE_PATIENCE: Duration = Duration::from_secs(30);

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
                Ok(Some(row)) => self.send(row, &stop).await,
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

    async fn send(&self, row: OutboxRow, stop: &CancellationToken) {
        failpoint::point("message taken");
        let sent = self.messenger.send(&row.message).await;
        failpoint::point("message sent");
        let ended = Ended::of(&row, sent);
        metrics::counter!("sportello_messages_sent_total", "state" => format!("{:?}", ended.state).to_lowercase()).increment(1);
        self.record(&row, &ended, stop).await;
        failpoint::point("sending recorded");
    }

    /// Records until it is recorded: a row that stays `sending` holds up its conversation. When the
    /// program stops first, the next start sends the row again, as after a crash.
    async fn record(&self, row: &OutboxRow, ended: &Ended, stop: &CancellationToken) {
        let id = &row.message.id;
        let mut wait = STORE_WAIT;
        loop {
            let now = clock::now();
            let (external_id, fault) = (ended.external_id.clone(), ended.fault.clone());
            let recorded = self
                .store
                .record_sending(id, ended.state, external_id, fault, now + ended.wait, now)
                .await;
            let Err(error) = recorded else { return };
            tracing::error!(outbox = %id, %error, "what became of a message could not be recorded");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
            wait = (wait * 2).min(STORE_PATIENCE);
        }
    }
}

/// How sending ended.
struct Ended {
    state: OutboxState,
    external_id: Option<String>,
    fault: Option<String>,
    /// Milliseconds until the next try.
    wait: i64,
}

impl Ended {
    fn of(row: &OutboxRow, sent: Result<SentMessage, SendError>) -> Self {
        let id = &row.message.id;
        let ended = |state, fault| Self {
            state,
            external_id: None,
            fault: Some(fault),
            wait: 0,
        };
        match sent {
            Ok(sent) => Self {
                state: OutboxState::Sent,
                external_id: Some(sent.external_id),
                fault: None,
                wait: 0,
            },
            Err(SendError::Retry(fault)) if row.attempts < TRIES => Self {
                wait: backoff(row.attempts),
                ..ended(OutboxState::Queued, fault)
            },
            Err(SendError::Retry(fault) | SendError::Rejected(fault)) => {
                tracing::error!(outbox = %id, fault, "a message was not sent");
                ended(OutboxState::Failed, fault)
            }
            Err(SendError::Ambiguous(fault)) => {
                tracing::warn!(outbox = %id, fault, "a message was perhaps sent");
                ended(OutboxState::Unknown, fault)
            }
        }
    }
}

/// The wait after so many tries: doubles up to about four minutes, with up to a quarter of jitter.
fn backoff(attempts: i64) -> i64 {
    let wait = WAIT << (attempts - 1).clamp(0, DOUBLINGS);
    wait + rand::random_range(0..=wait / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_and_end() {
        let mut before = 0;
        for attempts in 1..=DOUBLINGS + 1 {
            let wait = backoff(attempts);
            assert!(wait > before, "{wait} after {before}");
            assert!((WAIT << (attempts - 1)..=(WAIT << (attempts - 1)) * 5 / 4).contains(&wait));
            before = wait;
        }
        assert!(backoff(i64::MAX) <= 320 * WAIT);
        let least: i64 = (1..TRIES)
            .map(|attempts| WAIT << (attempts - 1).min(DOUBLINGS))
            .sum();
        let hours = 60 * 60 * 1000;
        assert!((10 * hours..20 * hours).contains(&least), "{least} ms");
    }
}
