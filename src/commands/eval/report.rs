//! `sportello eval report`, and what `sportello eval run --out` writes.

use std::path::{Path, PathBuf};

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
        let mut text = serde_json::to_string_pretty(run)
            .map_err(|error| Failure::Machine(error.to_string()))?;
        text.push('\n');
        all.push((name, text));
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

/// Writes all files, or none: each is written whole beside its place before the first is put there.
fn write(folder: &Path, files: Files) -> Result<(), Failure> {
    let part = |name: &str| folder.join(format!("{name}.part"));
    let all = || -> Result<(), (PathBuf, std::io::Error)> {
        std::fs::create_dir_all(folder).map_err(|error| (folder.to_owned(), error))?;
        for (name, text) in &files {
            std::fs::write(part(name), text).map_err(|error| (part(name), error))?;
        }
        for (name, _) in &files {
            let place = folder.join(name);
            std::fs::rename(part(name), &place).map_err(|error| (place, error))?;
        }
        Ok(())
    };
    if let Err((path, error)) = all() {
        for (name, _) in &files {
            let _ = std::fs::remove_file(part(name));
        }
        return Err(Failure::Machine(format!(
            "{} cannot be written: {error}",
            path.display()
        )));
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    note(&format!("{}: {}", folder.display(), names.join(", ")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_all_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("deep/out");
        let file = |name: &str| (name.to_owned(), "text".to_owned());
        write(&out, vec![file("a"), file("b")]).unwrap();
        assert_eq!(std::fs::read_to_string(out.join("b")).unwrap(), "text");
        std::fs::create_dir(out.join("c.part")).unwrap();
        let failed = write(&out, vec![("a".to_owned(), "new".to_owned()), file("c")]);
        assert!(matches!(failed, Err(Failure::Machine(_))), "{failed:?}");
        assert_eq!(std::fs::read_to_string(out.join("a")).unwrap(), "text");
        assert!(!out.join("a.part").exists());
    }
}
