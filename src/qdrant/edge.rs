//! Qdrant Edge: the engine in the process, one folder per generation.
//!
//! The folder belongs to the index alone: `<generation>/` are the engine's files, `current.json`
//! says which is live, `lock` keeps a second process out.

mod pointer;
mod shard;

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;

use self::shard::Shard;
use super::prepare;
use crate::ports::{Generation, Index, IndexError, IndexPoint, Legs, SearchRequest};

/// The index in a folder, for one process at a time.
pub struct EdgeIndex {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    live: ArcSwapOption<Shard>,
    writer: Mutex<Writer>,
    /// Held until the last shard is closed.
    _lock: File,
}

#[derive(Default)]
struct Writer {
    begun: Option<Shard>,
    /// Replaced generations that searches may still be reading.
    retired: Vec<Weak<Shard>>,
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
        let live = match pointer::read(folder)? {
            Some(generation) => Some(Arc::new(Shard::load(folder, generation)?)),
            None => None,
        };
        let inner = Inner {
            folder: folder.to_owned(),
            live: ArcSwapOption::new(live),
            writer: Mutex::default(),
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
                "the engine gave up in the middle of a call".to_owned(),
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
        let mut writer = self.writer();
        if let Some(unfinished) = writer.begun.take() {
            unfinished.discard();
        }
        let in_use = self.in_use(&mut writer);
        if in_use.contains(&generation.name) {
            return Err(prepare::already_live(&generation));
        }
        self.sweep(&in_use)?;
        writer.begun = Some(Shard::create(&self.folder, generation)?);
        Ok(())
    }

    fn add(&self, points: &[IndexPoint]) -> Result<(), IndexError> {
        let writer = self.writer();
        let shard = writer.begun.as_ref().ok_or_else(prepare::not_begun)?;
        shard.add(prepare::points(points, shard.generation())?)
    }

    fn commit(&self) -> Result<(), IndexError> {
        let mut writer = self.writer();
        writer
            .begun
            .as_ref()
            .ok_or_else(prepare::not_begun)?
            .check_complete()?;
        let begun = writer.begun.take().ok_or_else(prepare::not_begun)?;
        let settled = Arc::new(begun.settle(&self.folder)?);
        pointer::write(&self.folder, settled.generation())?;
        if let Some(old) = self.live.swap(Some(settled)) {
            old.discard();
            writer.retired.push(Arc::downgrade(&old));
        }
        Ok(())
    }

    fn search(&self, request: &SearchRequest) -> Result<Legs, IndexError> {
        let shard = self.live.load_full().ok_or_else(prepare::not_built)?;
        shard.search(&prepare::search(request, shard.generation())?)
    }

    /// A panic of the engine leaves nothing half-written in our own state.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_use(&self, writer: &mut Writer) -> HashSet<String> {
        writer.retired.retain(|shard| shard.strong_count() > 0);
        let retired = writer.retired.iter().filter_map(Weak::upgrade);
        self.live
            .load_full()
            .into_iter()
            .chain(retired)
            .map(|shard| shard.generation().name.clone())
            .collect()
    }

    /// Removes what an interrupted build or swap left behind.
    fn sweep(&self, in_use: &HashSet<String>) -> Result<(), IndexError> {
        let failed = |error| unavailable(&self.folder, &error);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let leftover = !in_use.contains(entry.file_name().to_string_lossy().as_ref());
            if leftover && entry.file_type().map_err(failed)?.is_dir() {
                fs::remove_dir_all(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }
}

impl Drop for Inner {
    /// The engine flushes when it is closed and panics when the disk refuses; a process that is
    /// ending must not stumble over that.
    fn drop(&mut self) {
        let live = self.live.swap(None);
        let writer = std::mem::take(&mut *self.writer());
        if catch_unwind(AssertUnwindSafe(|| drop((live, writer)))).is_err() {
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
