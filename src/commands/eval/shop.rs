//! The shops that an evaluation runs against, each in a data folder of its own that goes when its cases have run.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::fs::SeekFrom as Extent;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::app::{AppError, Encoders, folder, knowledge_source};
use crate::commands::session::Local;
use crate::commands::{Failure, Shared};
use crate::config::{Config, PaymentProvider};
use crate::eval::{self, Suite, Variant};
use crate::knowledge;
use crate::store::{Store, StoreError};

/// What a shop differs in from the configured one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// When someone is at the desk.
    desk_hours: Option<String>,
    /// Folders laid over the knowledge, one after the other.
    knowledge: Vec<PathBuf>,
    /// The folder whose texts take the place of the program's.
    texts: Option<PathBuf>,
}

impl Wanted {
    /// What a suite wants of a variant.
    pub fn of(suite: &Suite, variant: Option<&Variant>) -> Self {
        let own = variant.and_then(Variant::knowledge);
        Self {
            desk_hours: suite.desk_hours.clone(),
            knowledge: own.into_iter().chain(suite.knowledge.clone()).collect(),
            texts: variant.and_then(|variant| variant.folder.clone()),
        }
    }
}

/// Opens shops. What takes long is kept in `eval` in the data folder: the shop as it is configured, embedded and
/// fitted, of which every one starts as a copy, and the vectors of everything that any of them ever embedded.
pub struct Shops {
    config: Config,
    kept: PathBuf,
    encoders: Encoders,
    vectors: Store,
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

impl Shops {
    /// Brings what is kept up to date. At least `workers` answer at once.
    pub async fn open(config: &Config, data: &Path, workers: usize) -> Result<Self, Failure> {
        let mut config = isolated(config.clone());
        config.agent.workers = config.agent.workers.max(workers);
        let kept = data.join("eval");
        let vectors = kept.join("vectors");
        folder(&vectors)?;
        let open = async || Store::open(&vectors).await.map_err(AppError::from);
        let vectors = renewed(&vectors, open).await?;
        let encoders = eval::remembering(Encoders::open(&config)?, &vectors);
        let shops = Self {
            config,
            kept: kept.join("shop"),
            encoders,
            vectors,
        };
        let lock = shops.lock().await?;
        let (stamp, file) = (shops.stamp()?, kept.join("stamp"));
        if !std::fs::read(&file).is_ok_and(|known| known == stamp.as_bytes()) {
            shops.warm().await?;
            std::fs::write(&file, stamp).map_err(|error| failed(&file, &error))?;
        }
        drop(lock);
        Ok(shops)
    }

    /// Opens a shop.
    pub async fn shop(&self, wanted: &Wanted) -> Result<Shop, Failure> {
        let folder = Temporary::new();
        let lock = self.lock().await?;
        let (from, to) = (self.kept.clone(), folder.0.clone());
        blocking(&self.kept, move || copy(&from, &to)).await?;
        drop(lock);
        let shared = Shared {
            config: self.varied(wanted, &folder.0)?,
            data: folder.0.clone(),
        };
        let store = Store::fleeting(&folder.0).await.map_err(AppError::from)?;
        let local = Local::up_to_date(store, self.encoders.clone(), shared).await?;
        Ok(Shop { local, folder })
    }

    /// Closes what is kept.
    pub async fn close(self) {
        self.vectors.close().await;
    }

    /// Two runs at once take turns with the folder that is kept.
    async fn lock(&self) -> Result<File, Failure> {
        let file = self.kept.with_extension("lock");
        blocking(&self.kept, move || {
            let lock = File::create(file)?;
            lock.lock()?;
            Ok(lock)
        })
        .await
    }

    /// What the kept shop is made of. One that changed without it is brought up to date in every copy.
    fn stamp(&self) -> Result<String, Failure> {
        let config = &self.config;
        let knowledge = knowledge::load(&knowledge_source(config), config.shop.currency);
        let knowledge = knowledge.map_err(AppError::Knowledge)?;
        let program = std::env::current_exe().and_then(|path| path.metadata()?.modified());
        let made_of = format!(
            "{program:?} {:?} {:?} {:?} {}",
            config.shop, config.embedding, config.retrieval, knowledge.fingerprint
        );
        Ok(hex::encode(Sha256::digest(made_of)))
    }

    /// Brings the kept shop up to date. It is only a cache: what another version has made is made anew.
    async fn warm(&self) -> Result<(), Failure> {
        let shared = || Shared {
            config: self.config.clone(),
            data: self.kept.clone(),
        };
        folder(&self.kept)?;
        let open = async || {
            let store = Store::open(&self.kept).await.map_err(AppError::from)?;
            Local::up_to_date(store, self.encoders.clone(), shared()).await
        };
        renewed(&self.kept, open).await?.close().await;
        Ok(())
    }

    /// The configuration of a shop as it is wanted.
    fn varied(&self, wanted: &Wanted, folder: &Path) -> Result<Config, Failure> {
        let mut config = self.config.clone();
        if let Some(hours) = &wanted.desk_hours {
            config.desk.hours.clone_from(hours);
        }
        if let Some(texts) = &wanted.texts {
            config.agent.texts = Some(texts.clone());
        }
        for (number, extra) in wanted.knowledge.iter().enumerate() {
            let path = folder.join(format!("knowledge-{number}"));
            eval::lay_over(&knowledge_source(&config), extra, &path)
                .map_err(|error| failed(extra, &error))?;
            config.knowledge.path = Some(path);
        }
        Ok(config)
    }
}

/// Opens what is only a cache; one that cannot be read is made anew.
async fn renewed<T, E>(folder: &Path, open: impl AsyncFn() -> Result<T, E>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    match open().await.map_err(Failure::from) {
        Err(Failure::App(AppError::Store(StoreError::Newer(_) | StoreError::Unusable(_)))) => {
            std::fs::remove_dir_all(folder).map_err(|error| failed(folder, &error))?;
            std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
            Ok(open().await?)
        }
        opened => opened,
    }
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::Machine(error.to_string()))?
        .map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Machine(format!("{}: {error}", path.display()))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            copy_data(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Copies what is written in a file: most of the index is holes.
fn copy_data(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = File::create(to)?;
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut place = 0;
    while place < length {
        let start = match rustix::fs::seek(&source, Extent::Data(place)) {
            Ok(start) => start,
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(&source, Extent::Hole(start))?;
        source.seek(SeekFrom::Start(start))?;
        target.seek(SeekFrom::Start(start))?;
        std::io::copy(&mut (&source).take(end - start), &mut target)?;
        place = end;
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_copy_has_the_holes_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let mut file = File::create(&from).unwrap();
        file.write_all(b"begin").unwrap();
        file.seek(SeekFrom::Start(3 << 20)).unwrap();
        file.write_all(b"end").unwrap();
        file.set_len(9 << 20).unwrap();
        copy_data(&from, &to).unwrap();
        assert_eq!(std::fs::read(&from).unwrap(), std::fs::read(&to).unwrap());
        let blocks = |path: &Path| {
            use std::os::unix::fs::MetadataExt as _;
            path.metadata().unwrap().blocks()
        };
        assert!(blocks(&to) <= blocks(&from).max(64), "{}", blocks(&to));
        File::create(&from).unwrap();
        copy_data(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"");
    }
}
