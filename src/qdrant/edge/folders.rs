//! The folders of generations: which are open, which may go.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The index's folder, with one folder per generation in it.
pub(super) struct Folders {
    root: PathBuf,
    open: Mutex<HashSet<String>>,
}

/// A generation's folder while its files are open.
pub(super) struct Folder {
    folders: Arc<Folders>,
    name: String,
    path: PathBuf,
    discarded: AtomicBool,
}

impl Folders {
    pub(super) fn new(root: &Path) -> Arc<Self> {
        Arc::new(Self {
            root: root.to_owned(),
            open: Mutex::default(),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Takes a generation's folder; none while it is in use.
    pub(super) fn enter(self: &Arc<Self>, name: &str) -> Option<Folder> {
        self.open().insert(name.to_owned()).then(|| Folder {
            folders: Arc::clone(self),
            name: name.to_owned(),
            path: self.root.join(name),
            discarded: AtomicBool::new(false),
        })
    }

    /// Removes what an interrupted build or swap left behind: folders that are not in use.
    pub(super) fn sweep(&self) -> io::Result<()> {
        let open = self.open();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let leftover = !open.contains(entry.file_name().to_string_lossy().as_ref());
            if leftover && entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    fn open(&self) -> MutexGuard<'_, HashSet<String>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Folder {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn root(&self) -> &Path {
        &self.folders.root
    }

    /// The folder goes once nobody has it open.
    pub(super) fn discard(&self) {
        self.discarded.store(true, Ordering::Release);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.discarded.load(Ordering::Acquire)
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(generation = %self.name, %error, "an old index stays until the next build");
        }
        // Only now may a sweep or a new generation of this name touch the folder.
        self.folders.open().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_swept_only_when_nobody_has_it_open() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::new(root.path());
        for name in ["live", "leftover"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        fs::write(root.path().join("current.json"), "{}").unwrap();
        let live = folders.enter("live").unwrap();
        assert!(folders.enter("live").is_none());
        folders.sweep().unwrap();
        assert!(live.path().exists());
        assert!(!root.path().join("leftover").exists());
        assert!(root.path().join("current.json").exists());
        live.discard();
        assert!(live.path().exists());
        drop(live);
        assert!(!root.path().join("live").exists());
        assert!(folders.enter("live").is_some());
    }
}
