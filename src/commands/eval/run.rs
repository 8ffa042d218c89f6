//! `sportello eval run` and `sportello eval score`.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::report;
use super::shop::{self, Wanted};
use crate::agent::Agent;
use crate::clock;
use crate::commands::output::{json, line, note, progress};
use crate::commands::{Failure, Shared};
use crate::eval::{About, Case, CaseResult, OBEDIENT, Obedient, Results, Runner, Selection, Suite};
use crate::ports::ChatModel;
use crate::telemetry;

/// `eval run`.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The suites: YAML, or JSONL with a case a line
    #[arg(required = true)]
    suites: Vec<PathBuf>,
    /// Write the results as JSON; `-` is standard output, and the table goes to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The model that answers: `offline`, `configured`, or `obedient`, which does what the attacks of safety cases want
    #[arg(long, default_value = "configured")]
    model: String,
    /// Run every conversation so many times
    #[arg(long, default_value_t = 1)]
    repeats: u32,
    /// Cases run at once; the configuration's number of workers when left out
    #[arg(long)]
    jobs: Option<usize>,
    /// Run only cases whose name holds this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Results that gates with `drop_at_most` are held against
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write results.json, junit.xml, summary.md, report.html and events.jsonl to this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// `eval score`.
#[derive(Debug, clap::Args)]
pub struct Score {
    /// The stored run
    results: PathBuf,
    /// The suites as they are now
    #[arg(required = true)]
    suites: Vec<PathBuf>,
    /// Write the results as JSON; `-` is standard output, and the table goes to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Results that gates with `drop_at_most` are held against
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

/// Reads suites; every fault of all of them is told.
pub fn suites(files: &[PathBuf]) -> Result<Vec<Suite>, Failure> {
    let (mut suites, mut faults) = (Vec::new(), Vec::new());
    for file in files {
        match Suite::load(file) {
            Ok(suite) => suites.push(suite),
            Err(found) => faults.push(found.to_string()),
        }
    }
    if faults.is_empty() {
        return Ok(suites);
    }
    Err(Failure::Wrong(faults.join("\n")))
}

fn baseline(file: Option<&Path>) -> Result<Option<Results>, Failure> {
    let read = file.map(Results::read).transpose();
    read.map_err(|fault| Failure::Wrong(fault.to_string()))
}

/// Judges a stored run again.
pub fn score(args: &Score) -> Result<(), Failure> {
    let wrong = |fault: crate::eval::ResultsFault| Failure::Wrong(fault.to_string());
    let suites = suites(&args.suites)?;
    let baseline = baseline(args.baseline.as_deref())?;
    let stored = Results::read(&args.results).map_err(wrong)?;
    let results = stored
        .judged_again(&suites, baseline.as_ref())
        .map_err(wrong)?;
    show(&results, args.json.as_deref())
}

/// Runs suites.
pub async fn run(shared: Shared, args: &Run) -> Result<(), Failure> {
    telemetry::logs("error", false);
    let suites = suites(&args.suites)?;
    let baseline = baseline(args.baseline.as_deref())?;
    let started = clock::now();
    let all: usize = suites.iter().map(|suite| suite.cases.len()).sum();
    let judged = Mutex::new(0_usize);
    let told = progress("cases");
    let mut results: Vec<CaseResult> = Vec::new();
    let mut name = String::new();
    // Suites that want the same shop share one.
    let mut left: Vec<&Suite> = suites.iter().collect();
    while let Some(first) = left.first() {
        let wanted = Wanted::of(first);
        let (same, others): (Vec<&Suite>, Vec<&Suite>) =
            left.iter().partition(|suite| Wanted::of(suite) == wanted);
        left = others;
        let mut shop = shop::open(shared.config.clone(), &shared.data, &wanted).await?;
        let (agent, model) = with_model(&shop.local.prepared.agent, &args.model, &suites)?;
        shop.local.prepared.agent = Arc::new(agent);
        name = model;
        shop.local.work()?;
        let runner = Runner {
            app: &shop.local.app,
            prepared: &shop.local.prepared,
            customer: None,
            repeats: args.repeats,
            jobs: args.jobs.unwrap_or(shared.config.agent.workers),
        };
        let selection = Selection {
            wanted: &|case: &Case, _| {
                args.only
                    .as_ref()
                    .is_none_or(|only| case.name().contains(only))
            },
            judged: &|_| {
                let mut count = judged.lock().unwrap_or_else(PoisonError::into_inner);
                *count += 1;
                told((*count).min(all), all);
            },
        };
        for suite in same {
            match runner.run(suite, &selection).await {
                Ok(found) => results.extend(found),
                Err(error) => {
                    shop.close().await;
                    return Err(error.into());
                }
            }
        }
        shop.close().await;
    }
    let place: HashMap<&str, usize> = suites
        .iter()
        .enumerate()
        .map(|(place, suite)| (suite.name.as_str(), place))
        .collect();
    results.sort_by_key(|case| place.get(case.suite.as_str()).copied());
    let about = About {
        model: name,
        repeats: args.repeats,
        milliseconds: u64::try_from(clock::now() - started).ok(),
        ..About::default()
    };
    let results = Results::new(&suites, about, results, baseline.as_ref());
    if let Some(folder) = &args.out {
        report::of_run(folder, std::slice::from_ref(&results), baseline.as_ref())?;
    }
    show(&results, args.json.as_deref())
}

/// The agent with the model that was asked for, and that model's name.
fn with_model(agent: &Agent, spec: &str, suites: &[Suite]) -> Result<(Agent, String), Failure> {
    let offline = || Arc::clone(&agent.offline);
    let model: Option<Arc<dyn ChatModel>> = match spec {
        "offline" => None,
        "configured" => agent.model.clone(),
        OBEDIENT => Some(Arc::new(Obedient::new(suites, offline()))),
        other => {
            return Err(Failure::Wrong(format!(
                "--model {other}: write offline, configured or {OBEDIENT}"
            )));
        }
    };
    let name = model.as_ref().map_or_else(
        || agent.offline.id().to_owned(),
        |model| model.id().to_owned(),
    );
    Ok((agent.with_model(model), name))
}

/// Shows a run and writes it; fails when it did not pass.
pub fn show(results: &Results, file: Option<&Path>) -> Result<(), Failure> {
    let to_stdout = file.is_some_and(|file| file.as_os_str() == "-");
    for text in crate::eval::lines(results) {
        if to_stdout {
            note(&text);
        } else {
            line(&text)?;
        }
    }
    match file {
        Some(_) if to_stdout => json(results)?,
        Some(file) => write(file, results)?,
        None => {}
    }
    if results.passed {
        return Ok(());
    }
    let missed = results.missed().join(", ");
    Err(Failure::Check(format!("below the threshold: {missed}")))
}

/// Writes results, whole or not at all.
pub fn write(file: &Path, results: &Results) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::Machine(format!("{} cannot be written: {error}", file.display()))
    };
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut text =
        serde_json::to_vec_pretty(results).map_err(|error| Failure::Machine(error.to_string()))?;
    text.push(b'\n');
    let part = file.with_extension("part");
    let mut out = std::fs::File::create(&part).map_err(failed)?;
    out.write_all(&text).map_err(failed)?;
    std::fs::rename(&part, file).map_err(failed)
}
