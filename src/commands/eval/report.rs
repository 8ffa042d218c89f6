//! `sportello eval report`, and what `sportello eval run --out` writes.

use std::path::{Path, PathBuf};

use super::file;
use crate::commands::Failure;
use crate::commands::output::note;
use crate::eval::{self, Comparison, RecordedRun, Results, RunFault};

/// The smallest difference from a baseline that matters, in [0, 1]; as `eval compare` has it.
const MINIMUM: f64 = 0.01;

/// `eval report`.
#[derive(Debug, clap::Args)]
pub struct Report {
    /// Stored runs; the first is the main one, further ones stand beside it
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// The results of before, with which the first run is compared
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// The folder for report.html, summary.md, junit.xml and events.jsonl
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Makes reports of stored runs.
pub fn report(args: &Report) -> Result<(), Failure> {
    let runs = args.results.iter().map(|file| Results::read(file));
    let runs: Vec<Results> = runs
        .collect::<Result<_, _>>()
        .map_err(|fault| Failure::Wrong(fault.to_string()))?;
    let comparison = match (&args.baseline, args.results.first(), runs.first()) {
        (Some(baseline), Some(file), Some(main)) => Some(
            compared(baseline, file, main).map_err(|fault| Failure::Wrong(fault.to_string()))?,
        ),
        _ => None,
    };
    write(&args.out, files(&runs, comparison.as_ref())?)
}

fn compared(baseline: &Path, file: &Path, main: &Results) -> Result<Comparison, RunFault> {
    let before = RecordedRun::read(baseline)?;
    let now = RecordedRun::of(&file.display().to_string(), main);
    eval::compare(&before, &now, MINIMUM)
}

/// Writes runs and their reports to a folder. A baseline without a common case is told and left out, so that what was
/// found is not lost.
pub fn of_run(folder: &Path, runs: &[Results], baseline: Option<&Results>) -> Result<(), Failure> {
    let comparison = match (baseline, runs.first()) {
        (Some(baseline), Some(main)) => {
            let before = RecordedRun::of("the baseline", baseline);
            let now = RecordedRun::of("this run", main);
            eval::compare(&before, &now, MINIMUM)
                .map_err(|fault| note(&fault.to_string()))
                .ok()
        }
        _ => None,
    };
    let mut all = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let name = match place {
            0 => "results.json".to_owned(),
            _ => format!("results-{}.json", place + 1),
        };
        all.push((name, file::pretty(run)?));
    }
    all.extend(files(runs, comparison.as_ref())?);
    write(folder, all)
}

/// Names and contents.
type Files = Vec<(String, String)>;

fn files(runs: &[Results], comparison: Option<&Comparison>) -> Result<Files, Failure> {
    let page = eval::html(runs, comparison)?;
    let files = [
        ("report.html", page),
        ("summary.md", eval::markdown(runs, comparison)),
        ("junit.xml", eval::junit(runs)),
        ("events.jsonl", eval::events(runs)),
    ];
    Ok(files.map(|(name, text)| (name.to_owned(), text)).into())
}

fn write(folder: &Path, files: Files) -> Result<(), Failure> {
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let told = format!("{}: {}", folder.display(), names.join(", "));
    let placed = files
        .into_iter()
        .map(|(name, text)| (folder.join(name), text));
    file::write_all(&placed.collect::<Vec<_>>())?;
    note(&told);
    Ok(())
}
