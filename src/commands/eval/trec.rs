//! `sportello eval trec`.

use std::path::{Path, PathBuf};

use super::file;
use super::run::suites;
use crate::commands::Failure;
use crate::commands::output::{json, line, note};
use crate::eval::{Ranked, Results, TrecFault, TrecFigures, TrecQrels, TrecRun};

/// `eval trec`.
#[derive(Debug, clap::Args)]
pub struct Trec {
    /// Relevance judgments: `query iteration document grade`
    #[arg(
        long,
        value_name = "FILE",
        requires = "run",
        conflicts_with = "results"
    )]
    qrels: Option<PathBuf>,
    /// A run: `query Q0 document rank score tag`
    #[arg(long, value_name = "FILE", requires = "qrels")]
    run: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long, conflicts_with = "results")]
    json: bool,
    /// A stored run of `eval run`, whose searches to write
    #[arg(long, value_name = "FILE", required_unless_present = "qrels")]
    results: Option<PathBuf>,
    /// The suites of that run, which have the grades; without them every relevant document has the grade 1
    #[arg(long, value_name = "FILE", requires = "results")]
    suite: Vec<PathBuf>,
    /// Write its searches as a run
    #[arg(long, value_name = "FILE", requires = "results")]
    write_run: Option<PathBuf>,
    /// Write what is relevant to them as judgments
    #[arg(long, value_name = "FILE", requires = "results")]
    write_qrels: Option<PathBuf>,
}

/// Scores a run, or writes one.
pub fn run(args: &Trec) -> Result<(), Failure> {
    match (&args.qrels, &args.run, &args.results) {
        (Some(qrels), Some(run), _) => score(qrels, run, args.json),
        (_, _, Some(results)) => convert(results, args),
        _ => Err(Failure::Wrong(
            "give --qrels and --run, or --results".to_owned(),
        )),
    }
}

fn score(qrels: &Path, run: &Path, as_json: bool) -> Result<(), Failure> {
    let of = |file: &Path, fault: TrecFault| {
        Failure::Wrong(format!(
            "{}:{}: {}",
            file.display(),
            fault.line,
            fault.message
        ))
    };
    let judged = TrecQrels::read(&file::read(qrels)?).map_err(|fault| of(qrels, fault))?;
    let found = TrecRun::read(&file::read(run)?).map_err(|fault| of(run, fault))?;
    let figures = TrecFigures::new(&judged, &found);
    if figures.queries == 0 {
        let message = format!("{}: there is no judgment", qrels.display());
        return Err(Failure::Wrong(message));
    }
    if as_json {
        return json(&figures);
    }
    figures.lines().iter().try_for_each(|text| line(text))
}

fn convert(file: &Path, args: &Trec) -> Result<(), Failure> {
    if args.write_run.is_none() && args.write_qrels.is_none() {
        let message = "say where to write: --write-run FILE, --write-qrels FILE";
        return Err(Failure::Wrong(message.to_owned()));
    }
    let results = Results::read(file).map_err(|fault| Failure::Wrong(fault.to_string()))?;
    let searches = Ranked::of(&results, &suites(&args.suite)?);
    if searches.is_empty() {
        let message = format!("{}: no search was run", file.display());
        return Err(Failure::Wrong(message));
    }
    if let Some(out) = &args.write_run {
        file::write(out, Ranked::run(&searches, "sportello"))?;
    }
    if let Some(out) = &args.write_qrels {
        file::write(out, Ranked::qrels(&searches))?;
        if args.suite.is_empty() {
            note("every relevant document has the grade 1; --suite FILE gives the suite's grades");
        }
    }
    note(&format!("{} searches", searches.len()));
    Ok(())
}
