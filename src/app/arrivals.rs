//! Working in what the WhatsApp door has stored: oldest first, in batches, after the door has answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::dead_letters::sorter;
use super::open::App;
use crate::failpoint;
use crate::store::{ReadItem, Store, StoreError, WaitingItem};
use crate::whatsapp::intake::Sorter;

/// Items of one transaction: the door waits for no longer.
const BATCH: i64 = 2;
/// The same when nothing more comes and more waits.
const BACKLOG: i64 = 64;
/// So many more are worked in along with them when they came at the same moment: messages of one delivery are one burst.
const TOGETHER: i64 = 16;
/// Without a ring it looks so often: another process may have stored something and died.
const IDLE: Duration = Duration::from_secs(1);
/// While deliveries keep coming, the door has the database for so many times as long.
const DOOR: u32 = 3;
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// An item that cannot be worked in is put aside after so many attempts.
const ATTEMPTS: u32 = 3;
/// More is not read between two other things.
const LARGE: usize = 64 * 1024;

/// Works items in.
pub struct Reception {
    store: Store,
    sorter: Arc<Sorter>,
    arrivals: Arc<Notify>,
    inbox: Arc<Notify>,
}

impl Reception {
    /// For everything that this app's door stores.
    #[must_use]
    pub fn new(app: &App) -> Self {
        Self {
            store: app.store.clone(),
            sorter: Arc::new(sorter(&app.config)),
            arrivals: Arc::clone(&app.arrivals),
            inbox: Arc::clone(&app.inbox),
        }
    }

    /// Works until told to stop; what waits then is worked in at the next start.
    pub async fn run(self, stop: CancellationToken) {
        let mut batch = BATCH;
        while !stop.is_cancelled() {
            let started = Instant::now();
            match self.batch(batch).await {
                Ok(None) => self.wait(&stop).await,
                Ok(Some(more)) => {
                    self.inbox.notify_one();
                    if self.arrivals.notified().now_or_never().is_some() {
                        batch = BATCH;
                        let pause = (started.elapsed() * DOOR).min(LONGEST_PAUSE);
                        tokio::time::sleep(pause).await;
                    } else {
                        batch = if more { BACKLOG } else { BATCH };
                        if !more {
                            self.wait(&stop).await;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "what was delivered is not worked in yet; trying again");
                    tokio::time::sleep(IDLE).await;
                }
            }
        }
    }

    async fn wait(&self, stop: &CancellationToken) {
        tokio::select! {
            () = self.arrivals.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Works in what has waited longest; whether more waits. None when nothing did.
    async fn batch(&self, limit: i64) -> Result<Option<bool>, StoreError> {
        let mut waiting = self.store.arrivals(limit + TOGETHER).await?;
        let read = waiting.len();
        let limit = usize::try_from(limit).unwrap_or(read).min(read);
        let Some(last) = waiting.get(limit.saturating_sub(1)) else {
            return Ok(None);
        };
        let moment = last.received_at;
        let along = waiting[limit..]
            .iter()
            .take_while(|item| item.received_at == moment);
        waiting.truncate(limit + along.count());
        let more = waiting.len() < read;
        let waiting = Arc::new(waiting);
        failpoint::point("arrivals read");
        match self.store.work_in(self.read(&waiting).await).await {
            Ok(()) => {}
            Err(StoreError::Failed(_)) => self.one_by_one(&waiting).await?,
            Err(error) => return Err(error),
        }
        failpoint::point("arrivals worked in");
        Ok(Some(more))
    }

    async fn read(&self, waiting: &Arc<Vec<WaitingItem>>) -> Vec<ReadItem> {
        let size: usize = waiting.iter().map(|item| item.body.len()).sum();
        if size > LARGE {
            let (sorter, waiting) = (Arc::clone(&self.sorter), Arc::clone(waiting));
            let read = tokio::task::spawn_blocking(move || sorter.read(&waiting)).await;
            if let Ok(read) = read {
                return read;
            }
        }
        self.sorter.read(waiting)
    }

    /// One item that cannot be worked in costs its neighbours nothing.
    async fn one_by_one(&self, waiting: &[WaitingItem]) -> Result<(), StoreError> {
        for item in waiting {
            let mut attempts = 0;
            loop {
                attempts += 1;
                let read = self.sorter.read(std::slice::from_ref(item));
                match self.store.work_in(read).await {
                    Ok(()) => break,
                    Err(StoreError::Failed(reason)) if attempts == ATTEMPTS => {
                        tracing::error!(item = item.id, "a delivered item is put aside");
                        let reason =
                            format!("it could not be worked in, {ATTEMPTS} times: {reason}");
                        self.store.put_aside(item.clone(), reason).await?;
                        break;
                    }
                    Err(StoreError::Failed(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}
