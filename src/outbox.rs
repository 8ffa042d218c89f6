//! Sends what waits in the outbox: replies before bulk, in order per conversation, each row under a lease.

mod seen;

pub use seen::{Presence, Typing};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::domain::ConversationId;
use crate::events::{Event, Events};
use crate::failpoint;
use crate::ports::{Messenger, SendError, SentMessage};
use crate::store::{Ending, OutboxRow, Store, StoreError, Taker};

/// A channel that cannot be reached is tried so often: about twelve hours, so that an outage loses no answer, and
/// still within the day in which WhatsApp takes one.
const TRIES: i64 = 160;
/// The first wait before another try, milliseconds; it doubles.
const WAIT: i64 = 1_000;
/// So many times.
const DOUBLINGS: i64 = 8;
/// An idle sender looks again after this time at the latest.
const IDLE: Duration = Duration::from_secs(1);
/// And not before this one.
const BRIEF: Duration = Duration::from_millis(5);
/// The first wait before the store is asked again to record what became of a message; it doubles.
const STORE_WAIT: Duration = Duration::from_millis(500);
/// The longest such wait.
const STORE_PATIENCE: Duration = Duration::from_secs(30);
/// So often is looked after rows whose sender died, that were perhaps sent, that have expired.
const TENDING: Duration = Duration::from_secs(10);

/// A sender. Several may run, in one process or in many.
#[derive(Clone)]
pub struct Sender {
    /// The store.
    pub store: Store,
    /// The channel.
    pub messenger: Arc<dyn Messenger>,
    /// Rings when something is to be sent.
    pub outbox: Arc<Notify>,
    /// Tells those who watch.
    pub events: Events,
    /// Who sends, for how long a row is theirs, and how fast. The lease is longer than the channel may take.
    pub taker: Taker,
    /// So long the channel may take, milliseconds: a row with less left of its lease is not begun.
    pub longest: i64,
}

impl Sender {
    /// Sends until told to stop; the message at hand is finished first.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.store.take_outgoing(&self.taker, clock::now()).await {
                Ok(taken) => {
                    self.tell(&taken.handed_over);
                    match taken.row {
                        Some(row) => self.send(row, &stop).await,
                        None => self.wait(taken.next_at, &stop).await,
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read");
                    self.wait(None, &stop).await;
                }
            }
        }
    }

    /// Looks after what no send ends: rows of a sender that died, messages that were perhaps sent, messages
    /// that nobody delivers any more. One is enough for a process.
    pub async fn tend(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.tend_once(clock::now()).await {
                tracing::error!(%error, "the outbox cannot be tended");
            }
            tokio::select! {
                () = tokio::time::sleep(TENDING) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Tells the desk at once of conversations that come to a person because of what the channel tells of our
    /// messages. One is enough for a process.
    pub async fn heed(self, stop: CancellationToken) {
        let mut handed_over = self.store.handed_over();
        loop {
            let received = tokio::select! {
                received = handed_over.recv() => received,
                () = stop.cancelled() => return,
            };
            match received {
                Ok(conversation) => self.tell(&[conversation]),
                // The desk reads its whole list again by itself.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn tend_once(&self, now: i64) -> Result<(), StoreError> {
        let recovered = self.store.recover_outbox(now).await?;
        if recovered > 0 {
            tracing::warn!(
                recovered,
                "rows of a sender that died are sent again, as repeated"
            );
            self.outbox.notify_waiters();
        }
        let tended = self.store.tend_outbox(now).await?;
        self.tell(&tended.handed_over);
        if tended.expired > 0 {
            metrics::counter!("sportello_messages_expired_total").increment(tended.expired);
        }
        Ok(())
    }

    fn tell(&self, handed_over: &[ConversationId]) {
        for conversation in handed_over {
            tracing::warn!(%conversation, "a message was not sent; a person has the conversation");
            metrics::counter!("sportello_messages_held_total").increment(1);
            self.events.tell(conversation, Event::Holder);
        }
    }

    async fn wait(&self, next_at: Option<i64>, stop: &CancellationToken) {
        let wait = next_at.map_or(IDLE, |at| {
            Duration::from_millis(u64::try_from(at - clock::now()).unwrap_or(0)).clamp(BRIEF, IDLE)
        });
        tokio::select! {
            () = self.outbox.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn send(&self, row: OutboxRow, stop: &CancellationToken) {
        failpoint::point("message taken");
        let now = clock::now();
        let ending = if now + self.longest > row.lease_until {
            // Asleep since it was taken: somebody else may take it before the channel answers.
            Ending::Again {
                due_at: now,
                fault: "its lease had run out".to_owned(),
            }
        } else {
            let sent = self.messenger.send(&row.message).await;
            failpoint::point("message sent");
            ending(&row, sent)
        };
        count(&ending);
        self.record(&row, &ending, stop).await;
        failpoint::point("sending recorded");
    }

    /// Records until it is recorded: a row that stays `sending` holds up its conversation. When the
    /// program stops first, the row is sent again once its lease has run out, as after a crash.
    async fn record(&self, row: &OutboxRow, ending: &Ending, stop: &CancellationToken) {
        let id = &row.message.id;
        let mut wait = STORE_WAIT;
        loop {
            let recorded = self
                .store
                .record_sending(row, ending.clone(), clock::now())
                .await;
            let error = match recorded {
                Ok(handed_over) => {
                    if handed_over {
                        self.tell(std::slice::from_ref(&row.conversation));
                    }
                    return;
                }
                Err(StoreError::Stale) => {
                    tracing::warn!(outbox = %id, "a row was taken by another sender meanwhile");
                    return;
                }
                Err(error) => error,
            };
            tracing::error!(outbox = %id, %error, "what became of a message could not be recorded");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
            wait = (wait * 2).min(STORE_PATIENCE);
        }
    }
}

fn ending(row: &OutboxRow, sent: Result<SentMessage, SendError>) -> Ending {
    let id = &row.message.id;
    match sent {
        Ok(sent) => Ending::Sent(sent.external_id),
        Err(SendError::Retry(fault)) if row.attempts < TRIES => Ending::Again {
            due_at: clock::now() + backoff(row.attempts),
            fault,
        },
        Err(SendError::Refused {
            class,
            code,
            reason,
        }) => {
            tracing::warn!(outbox = %id, code, class = class.name(), "a message was refused");
            metrics::counter!("sportello_messages_refused_total", "class" => class.name())
                .increment(1);
            Ending::Refused {
                class,
                code,
                fault: reason,
            }
        }
        Err(SendError::Retry(fault) | SendError::Rejected(fault)) => {
            tracing::error!(outbox = %id, fault, "a message was not sent");
            Ending::Failed(fault)
        }
        Err(SendError::Ambiguous(fault)) => {
            tracing::warn!(outbox = %id, fault, "a message was perhaps sent");
            Ending::Unknown(fault)
        }
    }
}

fn count(ending: &Ending) {
    let state = match ending {
        Ending::Sent(_) => "sent",
        Ending::Again { .. } => "queued",
        Ending::Refused { .. } => "refused",
        Ending::Failed(_) => "failed",
        Ending::Unknown(_) => "unknown",
    };
    metrics::counter!("sportello_messages_sent_total", "state" => state).increment(1);
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
