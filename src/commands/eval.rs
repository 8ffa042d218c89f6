//! `sportello eval`.

use std::fs::File;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::output::{json, line, note, progress};
use super::session::Local;
use super::{Failure, Shared};
use crate::app::{AppError, knowledge_source};
use crate::config::{Config, PaymentProvider};
use crate::eval::{self, ComparisonVerdict, RecordedRun, Report, RunFault, Suite};
use crate::store::StoreError;
use crate::telemetry;

/// What `eval` does.
#[derive(Debug, clap::Subcommand)]
pub enum Eval {
    /// Run a suite in a data folder of its own, which is removed afterwards; what was embedded and fitted is kept
    /// in `eval` in the data folder
    Run {
        /// The suite
        suite: PathBuf,
        /// Write the results as JSON; `-` is standard output, and the table goes to standard error
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Compare two runs of the same cases: what got better, what got worse, and whether that is more than chance.
    /// Exit code 1 when something regressed
    Compare {
        /// The results of before
        base: PathBuf,
        /// The results in question
        candidate: PathBuf,
        /// The smallest difference that matters, in points of 100
        #[arg(long, value_name = "POINTS", default_value_t = 1.0)]
        minimum: f64,
        /// Print the comparison as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs a suite, or compares runs.
pub async fn run(shared: Shared, eval: Eval) -> Result<(), Failure> {
    match eval {
        Eval::Run { suite, json } => run_suite(shared, &suite, json.as_deref()).await,
        Eval::Compare {
            base,
            candidate,
            minimum,
            json,
        } => compare(&base, &candidate, minimum, json),
    }
}

fn compare(base: &Path, candidate: &Path, minimum: f64, as_json: bool) -> Result<(), Failure> {
    if !(0.0..=100.0).contains(&minimum) {
        return Err(Failure::Wrong(
            "--minimum is a number of points from 0 to 100".to_owned(),
        ));
    }
    let wrong = |fault: RunFault| Failure::Wrong(fault.to_string());
    let base = RecordedRun::read(base).map_err(wrong)?;
    let candidate = RecordedRun::read(candidate).map_err(wrong)?;
    let comparison = eval::compare(&base, &candidate, minimum / 100.0).map_err(wrong)?;
    if as_json {
        json(&comparison)?;
    } else {
        comparison.lines().iter().try_for_each(|text| line(text))?;
    }
    if comparison.verdict == ComparisonVerdict::Regressed {
        return Err(Failure::Check("regressed".to_owned()));
    }
    Ok(())
}

async fn run_suite(shared: Shared, suite: &Path, file: Option<&Path>) -> Result<(), Failure> {
    telemetry::logs("error", false);
    let suite = Suite::load(suite).map_err(|fault| Failure::Wrong(fault.to_string()))?;
    let folder = Temporary::new();
    let local = open(shared, &suite, &folder.0).await?;
    local.work()?;
    let report = eval::run(&local.app, &local.prepared, &suite, progress("cases")).await;
    local.close().await;
    drop(folder);
    show(&report?, file)
}

/// The shop as the suite wants it, in a folder of its own. It starts as a copy of a folder in which only the shop's
/// own texts are ever embedded and fitted, so that a second run does neither.
async fn open(shared: Shared, suite: &Suite, folder: &Path) -> Result<Local, Failure> {
    let config = isolated(shared.config);
    let kept = shared.data.join("eval");
    let (from, to) = (kept.clone(), folder.to_owned());
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
    Local::up_to_date(Shared {
        config: varied(config, suite, folder)?,
        data: folder.to_owned(),
    })
    .await
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

/// The shop as the suite wants it.
fn varied(mut config: Config, suite: &Suite, folder: &Path) -> Result<Config, Failure> {
    if let Some(hours) = &suite.desk_hours {
        config.desk.hours.clone_from(hours);
    }
    if let Some(extra) = &suite.knowledge {
        let path = folder.join("knowledge");
        eval::lay_over(&knowledge_source(&config), extra, &path)
            .map_err(|error| Failure::Machine(format!("the suite's knowledge: {error}")))?;
        config.knowledge.path = Some(path);
    }
    Ok(config)
}

fn show(report: &Report, file: Option<&Path>) -> Result<(), Failure> {
    let to_stdout = file.is_some_and(|file| file.as_os_str() == "-");
    for text in report.lines() {
        if to_stdout {
            note(&text);
        } else {
            line(&text)?;
        }
    }
    match file {
        Some(_) if to_stdout => json(report)?,
        Some(file) => {
            let text = serde_json::to_string_pretty(report)
                .map_err(|error| Failure::Machine(error.to_string()))?;
            std::fs::write(file, text + "\n").map_err(|error| {
                Failure::Machine(format!("{} cannot be written: {error}", file.display()))
            })?;
        }
        None => {}
    }
    if report.passed {
        return Ok(());
    }
    let missed = report.missed().join(", ");
    Err(Failure::Check(format!("below the threshold: {missed}")))
}
