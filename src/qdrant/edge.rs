//! Qdrant Edge: the engine in the process, one folder per generation.
//!
//! The folder belongs to the index alone: `<generation>/` are the engine's files, `current.json`
//! says which is live, `lock` keeps a second process out.

mod folders;
mod pointer;
mod shard;

use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;

use self::folders::Folders;
use self::shard::Shard;
use super::prepare;
use crate::ports::{Generation, Index, IndexError, IndexPoint, Legs, SearchRequest};

/// The index in a folder, for one process at a time.
pub struct EdgeIndex {
    inner: Arc<Inner>,
}

struct Inner {
    folders: Arc<Folders>,
    live: ArcSwapOption<Shard>,
    begun: Mutex<Option<Shard>>,
    /// Held until the last shard is closed.
    _lock: File,
}

impl EdgeIndex {
    /// Opens the folder, creating it when missing, and loads the live generation.
    ///
    /// # Errors
    /// `Locked` when another process has it, `Unusable` when the files are damaged (they can be
    /// rebuilt), `Unavailable` when the folder cannot be created or read.
    pub fn open(folder: &Path) -> Result<Self, IndexError> {
        fs::create_dir_all(folder).map_err(|error| unavailable(folder, &error))?;
        let lock = lock(folder)?;
        let folders = Folders::new(folder);
        let live = match pointer::read(folder)? {
            Some(generation) => Some(Arc::new(Shard::load(&folders, generation)?)),
            None => None,
        };
        let inner = Inner {
            folders,
            live: ArcSwapOption::new(live),
            begun: Mutex::default(),
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Runs engine calls where they may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|_| {
            Err(IndexError::Unusable(
                "the engine gave up in the middle of a call; the disk may be full".to_owned(),
            ))
        })
    }
}

#[async_trait]
impl Index for EdgeIndex {
    async fn live(&self) -> Result<Option<Generation>, IndexError> {
        Ok(self
            .inner
            .live
            .load()
            .as_ref()
            .map(|shard| shard.generation().clone()))
    }

    async fn begin(&self, generation: &Generation) -> Result<(), IndexError> {
        let generation = generation.clone();
        self.blocking(move |inner| inner.begin(generation)).await
    }

    async fn add(&self, points: &[IndexPoint]) -> Result<(), IndexError> {
        let points = points.to_vec();
        self.blocking(move |inner| inner.add(&points)).await
    }

    async fn commit(&self) -> Result<(), IndexError> {
        self.blocking(Inner::commit).await
    }

    async fn search(&self, request: &SearchRequest) -> Result<Legs, IndexError> {
        let request = request.clone();
        self.blocking(move |inner| inner.search(&request)).await
    }
}

impl Inner {
    fn begin(&self, generation: Generation) -> Result<(), IndexError> {
        prepare::check_generation(&generation)?;
        let mut begun = self.begun();
        if let Some(unfinished) = begun.take() {
            unfinished.discard();
        }
        let swept = self.folders.sweep();
        swept.map_err(|error| unavailable(self.folders.root(), &error))?;
        *begun = Some(Shard::create(&self.folders, generation)?);
        Ok(())
    }

    fn add(&self, points: &[IndexPoint]) -> Result<(), IndexError> {
        let begun = self.begun();
        let shard = begun.as_ref().ok_or_else(prepare::not_begun)?;
        shard.add(prepare::points(points, shard.generation())?)
    }

    fn commit(&self) -> Result<(), IndexError> {
        let mut begun = self.begun();
        begun
            .as_ref()
            .ok_or_else(prepare::not_begun)?
            .check_complete()?;
        let complete = begun.take().ok_or_else(prepare::not_begun)?;
        let settled = Arc::new(complete.settle()?);
        pointer::write(self.folders.root(), settled.generation())?;
        if let Some(old) = self.live.swap(Some(settled)) {
            old.discard();
        }
        Ok(())
    }

    fn search(&self, request: &SearchRequest) -> Result<Legs, IndexError> {
        let shard = self.live.load_full().ok_or_else(prepare::not_built)?;
        shard.search(&prepare::search(request, shard.generation())?)
    }

    /// A panic of the engine leaves nothing half-written in our own state.
    fn begun(&self) -> MutexGuard<'_, Option<Shard>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    /// The engine flushes when it is closed and panics when the disk refuses; a process that is
    /// ending must not stumble over that.
    fn drop(&mut self) {
        let live = self.live.swap(None);
        let begun = self.begun().take();
        if catch_unwind(AssertUnwindSafe(|| drop((live, begun)))).is_err() {
            tracing::error!("the index could not be flushed when it was closed");
        }
    }
}

fn lock(folder: &Path) -> Result<File, IndexError> {
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| unavailable(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(IndexError::Locked(format!(
            "another process is using the index in `{}`; stop it, or choose another folder with --data",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unavailable(&path, &error)),
    }
}

fn unavailable(path: &Path, error: &io::Error) -> IndexError {
    IndexError::Unavailable(format!("`{}`: {error}", path.display()))
}

/// Why files that were written before cannot be used, and what to do about it.
fn damaged(folder: &Path, reason: impl std::fmt::Display) -> IndexError {
    IndexError::Unusable(format!(
        "the files in `{}` are damaged ({reason}); everything in it can be rebuilt: \
         delete that folder and run `sportello index`",
        folder.display()
    ))
}
