//! One writer with group commit.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::Connection as _;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::dialect::{BEGIN, Connection};
use super::{Store, StoreError};

/// At most so many jobs share a transaction.
const BATCH: usize = 256;

/// The handle to the writer.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
    task: Arc<Mutex<Option<tokio::task::JoinHandle<()>>>>,
}

trait Job: Send {
    fn run<'c>(
        &'c mut self,
        connection: &'c mut Connection,
    ) -> BoxFuture<'c, Result<(), StoreError>>;
    /// Answers whoever waits, once it is known whether the transaction was committed.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Pending<T, F> {
    work: Option<F>,
    result: Option<T>,
    waiting: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Pending<T, F>
where
    T: Send,
    F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, StoreError>> + Send,
{
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
}

impl Writer {
    /// Starts the writer on its own connection.
    pub fn start(connection: Connection) -> Self {
        let (jobs, queue) = mpsc::channel(4096);
        let task = tokio::spawn(write(connection, queue));
        Self {
            jobs,
            task: Arc::new(Mutex::new(Some(task))),
        }
    }

    /// Stops the writer; what was not committed yet is refused.
    pub async fn stop(&self) {
        if let Some(task) = self.task.lock().await.take() {
            task.abort();
        }
    }
}

impl Store {
    /// Runs a write in the writer's next transaction; returns after the commit.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, StoreError>>
            + Send
            + 'static,
    {
        let (waiting, done) = oneshot::channel();
        let job = Pending {
            work: Some(work),
            result: None,
            waiting,
        };
        let stopped = || StoreError::Failed("the store is closed".to_owned());
        self.writer
            .jobs
            .send(Box::new(job))
            .await
            .map_err(|_| stopped())?;
        done.await.map_err(|_| stopped())?
    }
}

async fn write(mut connection: Connection, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut failures: Vec<Option<StoreError>> = vec![None; batch.len()];
        if let Err(error) = commit(&mut connection, &mut batch, &mut failures).await {
            failures.iter_mut().for_each(|failure| {
                failure.get_or_insert_with(|| error.clone());
            });
        }
        for (job, failure) in batch.drain(..).zip(failures) {
            job.answer(failure);
        }
    }
}

/// Each job stands behind a savepoint, so that one that fails takes nothing of the others with it.
async fn commit(
    connection: &mut Connection,
    batch: &mut [Box<dyn Job>],
    failures: &mut [Option<StoreError>],
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    for (job, failure) in batch.iter_mut().zip(failures.iter_mut()) {
        sqlx::query("SAVEPOINT job")
            .execute(&mut *transaction)
            .await?;
        if let Err(error) = job.run(&mut transaction).await {
            *failure = Some(error);
            sqlx::query("ROLLBACK TO SAVEPOINT job")
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query("RELEASE SAVEPOINT job")
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}
