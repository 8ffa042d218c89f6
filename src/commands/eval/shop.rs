//! The shop that an evaluation runs against, in a data folder of its own that goes when the run does.

use std::fs::File;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::app::{AppError, knowledge_source};
use crate::commands::session::Local;
use crate::commands::{Failure, Shared};
use crate::config::{Config, PaymentProvider};
use crate::eval::{self, Suite};
use crate::store::StoreError;

/// What a shop differs in from the configured one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// When someone is at the desk.
    pub desk_hours: Option<String>,
    /// Folders laid over the knowledge, one after the other.
    pub knowledge: Vec<PathBuf>,
}

impl Wanted {
    /// What a suite wants.
    pub fn of(suite: &Suite) -> Self {
        Self {
            desk_hours: suite.desk_hours.clone(),
            knowledge: suite.knowledge.iter().cloned().collect(),
        }
    }
}

/// A shop that is open for an evaluation.
pub struct Shop {
    /// The shop.
    pub local: Local,
    folder: Temporary,
}

impl Shop {
    /// Finishes what is at hand and removes the folder.
    pub async fn close(self) {
        self.local.close().await;
        drop(self.folder);
    }
}

/// Opens a shop. Its folder starts as a copy of one in which only the shop's own texts are ever embedded and
/// fitted, so that a second run does neither.
pub async fn open(config: Config, data: &Path, wanted: &Wanted) -> Result<Shop, Failure> {
    let config = isolated(config);
    let folder = Temporary::new();
    let kept = data.join("eval");
    let (from, to) = (kept.clone(), folder.0.clone());
    let failed = |error: String| Failure::Machine(format!("{}: {error}", from.display()));
    let lock = tokio::task::spawn_blocking({
        let kept = kept.clone();
        move || locked(&kept)
    });
    let lock = lock.await.map_err(|error| failed(error.to_string()))?;
    let lock = lock.map_err(|error| failed(error.to_string()))?;
    warm(&config, &kept).await?;
    let copied = tokio::task::spawn_blocking(move || copy(&kept, &to));
    let copied = copied.await.map_err(|error| failed(error.to_string()))?;
    copied.map_err(|error| failed(error.to_string()))?;
    drop(lock);
    let local = Local::up_to_date(Shared {
        config: varied(config, wanted, &folder.0)?,
        data: folder.0.clone(),
    })
    .await?;
    Ok(Shop { local, folder })
}

/// Brings the kept folder up to date. It is only a cache: one that another version has made is made anew.
async fn warm(config: &Config, kept: &Path) -> Result<(), Failure> {
    let shared = || Shared {
        config: config.clone(),
        data: kept.to_owned(),
    };
    let opened = match Local::up_to_date(shared()).await {
        Err(Failure::App(AppError::Store(StoreError::Newer(_) | StoreError::Unusable(_)))) => {
            std::fs::remove_dir_all(kept)?;
            Local::up_to_date(shared()).await
        }
        opened => opened,
    };
    opened?.close().await;
    Ok(())
}

/// Two runs at once take turns with the folder that is kept.
fn locked(folder: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    let lock = File::create(folder.with_extension("lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A data folder that goes when the run does.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        let name = format!("sportello-eval-{}", Uuid::now_v7().simple());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A run must not touch the shop's own index, take money or write to anyone.
fn isolated(mut config: Config) -> Config {
    config.retrieval.url = None;
    config.retrieval.api_key = None;
    config.whatsapp = crate::config::Whatsapp::default();
    if config.payments.provider == Some(PaymentProvider::Stripe) {
        config.payments.provider = Some(PaymentProvider::Demo);
    }
    config
}

/// The shop as it is wanted.
fn varied(mut config: Config, wanted: &Wanted, folder: &Path) -> Result<Config, Failure> {
    if let Some(hours) = &wanted.desk_hours {
        config.desk.hours.clone_from(hours);
    }
    for (number, extra) in wanted.knowledge.iter().enumerate() {
        let path = folder.join(format!("knowledge-{number}"));
        eval::lay_over(&knowledge_source(&config), extra, &path)
            .map_err(|error| Failure::Machine(format!("{}: {error}", extra.display())))?;
        config.knowledge.path = Some(path);
    }
    Ok(config)
}
