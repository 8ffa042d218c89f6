//! `sportello eval`.

mod file;
mod from_conversation;
mod import;
mod journal;
mod models;
mod report;
mod run;
mod shop;
mod trec;

use std::path::{Path, PathBuf};

use super::output::{json, line};
use super::{Failure, Shared};
use crate::eval::{self, ComparisonVerdict, RecordedRun, RunFault};

/// What `eval` does.
#[derive(Debug, clap::Subcommand)]
pub enum Eval {
    /// Run suites in a data folder of their own, which is removed afterwards; what was embedded and fitted is kept in
    /// `eval` in the data folder
    Run(Box<run::Run>),
    /// Judge a stored run again with changed expectations, thresholds or gates, without running anything
    Score(run::Score),
    /// Make a case of a stored conversation: what the customer wrote and what came of it, with personal data replaced by
    /// stand-ins that are the same for the same
    FromConversation(from_conversation::FromConversation),
    /// Write a suite from the files of another tool; what cannot be taken over is told by name
    Import(import::Import),
    /// Score a TREC run against judgments, or write a stored run's searches as one
    Trec(trec::Trec),
    /// Make reports of stored runs: a page, a summary for a pull request, JUnit XML and OpenTelemetry events; several
    /// runs stand side by side
    Report(report::Report),
    /// Make a baseline of a stored run: what comparisons and gates need of it, without what was seen
    Baseline {
        /// The stored run
        results: PathBuf,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the JSON Schema of suites; editors complete and check with it
    Schema,
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

/// Runs suites, or does something with runs.
pub async fn run(shared: Shared, eval: Eval) -> Result<(), Failure> {
    match eval {
        Eval::Run(args) => run::run(shared, &args).await,
        Eval::Score(args) => run::score(&args),
        Eval::FromConversation(args) => from_conversation::run(&shared, &args).await,
        Eval::Import(args) => import::run(&shared, &args),
        Eval::Trec(args) => trec::run(&args),
        Eval::Report(args) => report::report(&args),
        Eval::Baseline { results, out } => run::baseline(&results, &out),
        Eval::Schema => json(&eval::schema()),
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
