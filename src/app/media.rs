//! Fetches the files of customers, lays them beside the database, has voice notes written down, and removes
//! what was taken back.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::domain::mask_cards;
use crate::openai::Transcriber;
use crate::store::{MediaFile, MediaJob, Store, StoreError};
use crate::whatsapp::media::{Fetched, GraphMedia, MediaError};

/// The folder of the files, in the data folder.
pub const FOLDER: &str = "media";
/// After so many tries a file is given up.
const TRIES: i64 = 6;
/// The first wait before another try, milliseconds; it grows fourfold.
const WAIT: i64 = 2_000;
/// A try that nobody reported on is over after this time, milliseconds.
const LOST: i64 = 10 * 60_000;
/// An idle fetcher looks again after this time.
const IDLE: Duration = Duration::from_millis(500);

/// Fetches files. Several may run in one process.
#[derive(Clone)]
pub struct Fetcher {
    /// The store.
    pub store: Store,
    /// Where the bytes come from.
    pub source: Arc<GraphMedia>,
    /// Who writes voice notes down.
    pub transcriber: Option<Arc<Transcriber>>,
    /// The folder of the files.
    pub folder: PathBuf,
    /// Rings when a voice note was written down, so that its turn begins.
    pub inbox: Arc<Notify>,
    /// Held while a file is laid down or removed: two messages may have the same one.
    pub files: Arc<Mutex<()>>,
}

impl Fetcher {
    /// Fetches until told to stop; the file at hand is finished first.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let now = clock::now();
            match self.store.take_media(now + LOST, now).await {
                Ok(Some(job)) => {
                    if let Err(error) = self.work(&job).await {
                        tracing::error!(message = job.message, %error, "a file stays to be fetched");
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "the files to fetch cannot be read"),
            }
            if let Err(error) = self.sweep().await {
                tracing::error!(%error, "a file that was taken back stays for now");
            }
            tokio::select! {
                () = tokio::time::sleep(IDLE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn work(&self, job: &MediaJob) -> Result<(), StoreError> {
        let result = match self.source.fetch(job).await {
            Ok(fetched) => self.keep(job, &fetched).await.map(|kept| (fetched, kept)),
            Err(error) => Err(error),
        };
        let now = clock::now();
        let outcome = if result.is_ok() { "stored" } else { "failed" };
        metrics::counter!("sportello_media_total", "kind" => job.kind.name(), "result" => outcome)
            .increment(1);
        match result {
            Ok((fetched, true)) if job.kind.is_sound() => self.hear(job, &fetched).await,
            Ok(_) => Ok(()),
            Err(MediaError::Retry(fault)) if job.attempts < TRIES => {
                let wait = WAIT << (2 * (job.attempts - 1)).clamp(0, 16);
                self.store
                    .media_failed(job, fault, Some(now + wait), now)
                    .await
            }
            Err(MediaError::Retry(fault) | MediaError::Final(fault)) => {
                tracing::warn!(message = job.message, fault, "a file is given up");
                self.store.media_failed(job, fault, None, now).await?;
                self.inbox.notify_one();
                Ok(())
            }
        }
    }

    /// Lays the file down; false when its message was taken back meanwhile.
    async fn keep(&self, job: &MediaJob, fetched: &Fetched) -> Result<bool, MediaError> {
        let _held = self.files.lock().await;
        let failed = |error: String| MediaError::Retry(format!("it cannot be laid down: {error}"));
        lay_down(&self.folder, fetched)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let stored = MediaFile {
            file: fetched.hash.clone(),
            mime_type: fetched.mime_type.to_owned(),
            size: i64::try_from(fetched.bytes.len()).unwrap_or(i64::MAX),
        };
        self.store
            .media_stored(job, stored, clock::now())
            .await
            .map_err(|error| failed(error.to_string()))
    }

    async fn hear(&self, job: &MediaJob, fetched: &Fetched) -> Result<(), StoreError> {
        let Some(transcriber) = &self.transcriber else {
            return Ok(());
        };
        let words = transcriber
            .transcribe(&fetched.bytes, fetched.mime_type)
            .await;
        let words = match words {
            Ok(words) => {
                Some(mask_cards(&words).text.into_owned()).filter(|words| !words.is_empty())
            }
            Err(error) => {
                tracing::warn!(message = job.message, %error, "a voice note has no words");
                None
            }
        };
        self.store
            .media_heard(&job.message, words, clock::now())
            .await?;
        self.inbox.notify_one();
        Ok(())
    }

    /// Removes the files of messages that were taken back.
    async fn sweep(&self) -> Result<(), StoreError> {
        let _held = self.files.lock().await;
        for (message, file) in self.store.media_to_remove().await? {
            if let Some(file) = file
                && let Err(error) = tokio::fs::remove_file(self.folder.join(file)).await
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::error!(message, %error, "a file cannot be removed");
                continue;
            }
            self.store.forget_media(&message).await?;
        }
        Ok(())
    }
}

/// Writes the bytes under their hash, whole or not at all.
async fn lay_down(folder: &Path, fetched: &Fetched) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let path = folder.join(&fetched.hash);
    if tokio::fs::try_exists(&path).await? {
        return Ok(());
    }
    let unfinished = folder.join(format!("{}.part", fetched.hash));
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&unfinished).await?;
    file.write_all(&fetched.bytes).await?;
    file.sync_all().await?;
    tokio::fs::rename(&unfinished, &path).await
}
