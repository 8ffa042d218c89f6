//! The shop behind a command: the running server on the same data folder, else the folder itself.

use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::output::{note, progress};
use super::{Failure, Shared};
use crate::app::{App, AppError, Command, Encoders, Prepared, Remote, perform};
use crate::retrieval::IndexingError;
use crate::store::Store;

/// The shop behind a command.
pub enum Session {
    /// A running server.
    Remote(Box<Remote>),
    /// This process.
    Local(Box<Local>),
}

/// The folder, opened by this process.
pub struct Local {
    /// The parts.
    pub app: Arc<App>,
    /// The agent.
    pub prepared: Prepared,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Session {
    /// Finds the server, or opens the folder. The index is built when there is none yet.
    pub async fn open(shared: Shared) -> Result<Self, Failure> {
        if let Some(remote) = Remote::find(&shared.data).await {
            return Ok(Self::Remote(Box::new(remote)));
        }
        Ok(Self::Local(Box::new(Local::open(shared).await?)))
    }

    /// Finds the server, or opens the folder as it is.
    pub async fn without_index(shared: Shared) -> Result<Self, Failure> {
        if let Some(remote) = Remote::find(&shared.data).await {
            return Ok(Self::Remote(Box::new(remote)));
        }
        Ok(Self::Local(Box::new(Local::without_index(shared).await?)))
    }

    /// Asks for something.
    pub async fn ask(&mut self, command: Command) -> Result<Value, Failure> {
        match self {
            Self::Remote(remote) => Ok(remote.ask(&command, progress("index")).await?),
            Self::Local(local) => {
                Ok(perform(&local.app, &local.prepared, command, progress("index")).await?)
            }
        }
    }

    /// Finishes what is at hand.
    pub async fn close(self) {
        if let Self::Local(local) = self {
            local.close().await;
        }
    }
}

impl Local {
    /// Opens the folder in this process. The index is built when there is none yet.
    pub async fn open(shared: Shared) -> Result<Self, Failure> {
        let local = Self::without_index(shared).await?;
        local.first_index().await?;
        Ok(local)
    }

    async fn without_index(shared: Shared) -> Result<Self, Failure> {
        let public_url = public_url(&shared);
        let app = App::open(shared.config, &shared.data, &public_url).await?;
        Self::of(app).await
    }

    async fn of(app: App) -> Result<Self, Failure> {
        let app = Arc::new(app);
        let prepared = app.prepare().await?;
        Ok(Self {
            app,
            prepared,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// Opens the folder of a store in this process, the index up to date with the knowledge.
    pub async fn up_to_date(
        store: Store,
        encoders: Encoders,
        shared: Shared,
    ) -> Result<Self, Failure> {
        let public_url = public_url(&shared);
        let app = App::with(store, encoders, shared.config, &shared.data, &public_url);
        let local = Self::of(app.await?).await?;
        local.index().await?;
        Ok(local)
    }

    /// Builds the index where there is none with vectors.
    async fn first_index(&self) -> Result<(), Failure> {
        let live = self.app.builder.index.live().await;
        let live = live.map_err(AppError::from)?;
        if live.is_some_and(|live| live.vectors) {
            return Ok(());
        }
        note("sportello: building the index for the first time");
        self.index().await
    }

    /// Brings the index up to date. Without the embedding endpoint, words have to do.
    async fn index(&self) -> Result<(), Failure> {
        match self.app.index(progress("index")).await {
            Err(AppError::Indexing(IndexingError::Embed(error))) => {
                note(&format!("sportello: searching by words only: {error}"));
                let words = self.app.builder.build_words(self.app.points()).await;
                Ok(words.map_err(AppError::from)?)
            }
            other => {
                other?;
                Ok(())
            }
        }
    }

    /// Starts the workers, for commands that talk.
    pub fn work(&self) -> Result<(), Failure> {
        self.work_with(&self.prepared)
    }

    /// The same with another agent.
    pub fn work_with(&self, prepared: &Prepared) -> Result<(), Failure> {
        Ok(self.app.start_workers(prepared, &self.stop, &self.tasks)?)
    }

    /// Finishes what is at hand.
    pub async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.app.store.close().await;
    }
}

/// How the outside reaches a server with this configuration.
pub fn public_url(shared: &Shared) -> String {
    let listen = &shared.config.server.listen;
    shared
        .config
        .server
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{listen}"))
}
