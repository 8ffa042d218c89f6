//! One writer with group commit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::Connection as _;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::dialect::{self, BEGIN, Connection};
use super::{Store, StoreError};

/// At most so many jobs share a transaction.
const BATCH: usize = 256;

/// The handle to the writer.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
    stop: CancellationToken,
    task: Arc<Mutex<Option<tokio::task::JoinHandle<()>>>>,
}

/// A write that waits for the next transaction.
pub trait Job: Send {
    /// Does it.
    fn run<'c>(
        &'c mut self,
        connection: &'c mut Connection,
    ) -> BoxFuture<'c, Result<(), StoreError>>;
    /// Answers whoever waits, once it is known whether the transaction was committed.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
    /// Whether it must be on the disk before anyone is answered.
    fn lasts(&self) -> bool {
        true
    }
}

/// What a write does in its transaction.
pub trait Work<T>:
    for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static
{
}

impl<T, F> Work<T> for F where
    F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static
{
}

struct Pending<T, F> {
    work: Option<F>,
    result: Option<T>,
    lasts: bool,
    waiting: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: Work<T>> Job for Pending<T, F> {
    fn run<'c>(
        &'c mut self,
        connection: &'c mut Connection,
    ) -> BoxFuture<'c, Result<(), StoreError>> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.result = Some(work(connection).await?);
            }
            Ok(())
        })
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match (failure, self.result) {
            (None, Some(result)) => Ok(result),
            (Some(failure), _) => Err(failure),
            (None, None) => Err(StoreError::Failed("the write did not run".to_owned())),
        };
        // Whoever asked may be gone; the write is done all the same.
        let _ = self.waiting.send(result);
    }

    fn lasts(&self) -> bool {
        self.lasts
    }
}

impl Writer {
    /// Starts the writer on its own connection.
    pub fn start(connection: Connection) -> Self {
        let (jobs, queue) = mpsc::channel(4096);
        let stop = CancellationToken::new();
        let task = tokio::spawn(write(connection, queue, stop.clone()));
        Self {
            jobs,
            stop,
            task: Arc::new(Mutex::new(Some(task))),
        }
    }

    /// A place in the queue.
    ///
    /// # Errors
    /// [`StoreError::Full`] once the store is closed.
    pub async fn place(&self) -> Result<mpsc::Permit<'_, Box<dyn Job>>, StoreError> {
        let place = self.jobs.reserve().await;
        place.map_err(|_| StoreError::Full("the store is closed".to_owned()))
    }

    /// Commits what was handed in, refuses what comes later, and waits until the file is closed.
    pub async fn stop(&self) {
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take() {
            // A writer that died has nothing to wait for.
            let _ = task.await;
        }
    }
}

impl Store {
    /// Runs a write in the writer's next transaction; returns after the commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl Work<T>,
    ) -> Result<T, StoreError> {
        self.hand_in(work, true).await
    }

    /// The same for a write that is done again after a crash: nobody waits for the disk. The next lasting commit
    /// takes it along.
    pub(super) async fn write_repeatable<T: Send + 'static>(
        &self,
        work: impl Work<T>,
    ) -> Result<T, StoreError> {
        self.hand_in(work, false).await
    }

    async fn hand_in<T: Send + 'static>(
        &self,
        work: impl Work<T>,
        lasts: bool,
    ) -> Result<T, StoreError> {
        let (waiting, done) = oneshot::channel();
        let job = Pending {
            work: Some(work),
            result: None,
            lasts: lasts && self.lasts,
            waiting,
        };
        self.writer.place().await?.send(Box::new(job));
        done.await
            .map_err(|_| StoreError::Full("the store is closed".to_owned()))?
    }
}

async fn write(
    mut connection: Connection,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    stop: CancellationToken,
) {
    let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(BATCH);
    let mut lasting = true;
    loop {
        let taken = tokio::select! {
            taken = queue.recv_many(&mut batch, BATCH) => taken,
            () = stop.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        if taken == 0 {
            break;
        }
        let mut failures: Vec<Option<StoreError>> = vec![None; batch.len()];
        let committed = async {
            let lasts = batch.iter().any(|job| job.lasts());
            if lasts != lasting {
                dialect::lasting(&mut connection, lasts).await?;
                lasting = lasts;
            }
            commit(&mut connection, &mut batch, &mut failures).await
        };
        if let Err(error) = committed.await {
            failures.iter_mut().for_each(|failure| {
                failure.get_or_insert_with(|| error.clone());
            });
            // Fails when the database has ended the transaction by itself, as on a full disk.
            let _ = sqlx::query("ROLLBACK").execute(&mut connection).await;
        }
        for (job, failure) in batch.drain(..).zip(failures) {
            job.answer(failure);
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database was not closed cleanly");
    }
}

/// Each job of several stands behind a savepoint, so that one that fails takes nothing of the others with it.
/// The statements are plain ones: the library's own transactions lose count, and with it the
/// connection, when the database rolls back by itself.
async fn commit(
    connection: &mut Connection,
    batch: &mut [Box<dyn Job>],
    failures: &mut [Option<StoreError>],
) -> Result<(), StoreError> {
    sqlx::query(BEGIN).execute(&mut *connection).await?;
    if let [job] = &mut *batch {
        run(job, connection).await?;
        sqlx::query("COMMIT").execute(connection).await?;
        return Ok(());
    }
    for (job, failure) in batch.iter_mut().zip(failures.iter_mut()) {
        sqlx::query("SAVEPOINT job")
            .execute(&mut *connection)
            .await?;
        if let Err(error) = run(job, connection).await {
            *failure = Some(error.clone());
            let undone = sqlx::query("ROLLBACK TO SAVEPOINT job")
                .execute(&mut *connection)
                .await;
            if let Err(ended) = undone {
                let full = matches!(error, StoreError::Full(_));
                return Err(if full { error } else { ended.into() });
            }
        }
        sqlx::query("RELEASE SAVEPOINT job")
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(())
}

async fn run(job: &mut Box<dyn Job>, connection: &mut Connection) -> Result<(), StoreError> {
    let ran = AssertUnwindSafe(job.run(connection)).catch_unwind().await;
    ran.unwrap_or_else(|_| Err(StoreError::Failed("a write panicked".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn keep(store: &Store, key: &'static str) -> Result<String, StoreError> {
        store.setting(key, key.to_owned()).await
    }

    #[tokio::test]
    async fn a_write_that_fails_or_panics_takes_nothing_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let wrong = store.write(|connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO settings (key, value) VALUES ('half', 'done')")
                    .execute(connection)
                    .await?;
                Err::<(), _>(StoreError::Stale)
            })
        });
        let panics = store.write(|_| Box::pin(async { panic!("on purpose") }));
        let panics = async { panics.await.map(|(): ()| ()) };
        let (one, wrong, panicked, two) =
            tokio::join!(keep(&store, "one"), wrong, panics, keep(&store, "two"));
        assert_eq!((one.unwrap(), two.unwrap()), ("one".into(), "two".into()));
        assert!(matches!(wrong, Err(StoreError::Stale)), "{wrong:?}");
        assert!(
            matches!(panicked, Err(StoreError::Failed(_))),
            "{panicked:?}"
        );
        let half = store.setting("half", "undone".to_owned()).await.unwrap();
        assert_eq!(half, "undone");
    }

    #[tokio::test]
    async fn only_writes_that_are_done_again_do_not_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        fn level(connection: &mut Connection) -> BoxFuture<'_, Result<i64, StoreError>> {
            Box::pin(async move {
                let read = sqlx::query_scalar("PRAGMA synchronous");
                Ok(read.fetch_one(connection).await?)
            })
        }
        // 2 is FULL, 1 is NORMAL.
        assert_eq!(store.write(level).await.unwrap(), 2);
        assert_eq!(store.write_repeatable(level).await.unwrap(), 1);
        assert_eq!(store.write(level).await.unwrap(), 2);
        let (lasting, along) = tokio::join!(store.write(level), store.write_repeatable(level));
        assert_eq!(lasting.unwrap(), 2);
        assert!(along.unwrap() >= 1);
    }

    #[tokio::test]
    async fn a_write_that_fails_alone_is_undone_and_the_next_one_works() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let wrong = store.write(|connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO settings (key, value) VALUES ('half', 'done')")
                    .execute(connection)
                    .await?;
                Err::<(), _>(StoreError::Stale)
            })
        });
        assert!(matches!(wrong.await, Err(StoreError::Stale)));
        let half = store.setting("half", "undone".to_owned()).await.unwrap();
        assert_eq!(half, "undone");
    }

    #[tokio::test]
    async fn a_transaction_that_the_database_ended_does_not_end_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let ended = store.write(|connection| {
            Box::pin(async move {
                sqlx::query("ROLLBACK").execute(connection).await?;
                Err::<(), _>(StoreError::Full("disk".to_owned()))
            })
        });
        let (before, ended, after) =
            tokio::join!(keep(&store, "before"), ended, keep(&store, "after"));
        assert!(matches!(ended, Err(StoreError::Full(_))), "{ended:?}");
        for beside in [before, after] {
            assert!(matches!(beside, Err(StoreError::Full(_))), "{beside:?}");
        }
        assert_eq!(keep(&store, "later").await.unwrap(), "later");
    }

    #[tokio::test]
    async fn closing_commits_what_was_handed_in_and_refuses_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let (kept, ()) = tokio::join!(keep(&store, "kept"), store.close());
        assert_eq!(kept.unwrap(), "kept");
        let late = keep(&store, "late").await;
        assert!(matches!(late, Err(StoreError::Full(_))), "{late:?}");
        let again = Store::open(folder.path()).await.unwrap();
        let found = again.setting("kept", "lost".to_owned()).await.unwrap();
        assert_eq!(found, "kept");
    }
}
