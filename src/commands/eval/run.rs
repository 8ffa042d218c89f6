//! `sportello eval run` and `sportello eval score`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::file;
use super::journal::Journal;
use super::models::{Asked, Models, Purse};
use super::report;
use super::shop::{self, Shop, Wanted};
use crate::clock;
use crate::commands::output::{json, line, note, progress};
use crate::commands::{Failure, Shared};
use crate::eval::{
    About, Case, CaseResult, Kind, MissingRecording, Results, Runner, Selection, Suite,
};
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
    /// Write results.json, junit.xml, summary.md, report.html and events.jsonl to this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with a run that broke off: what is in the folder of `--out` is not run again
    #[arg(long, requires = "out")]
    resume: bool,
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
    #[command(flatten)]
    models: Models,
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

/// Runs suites, with one model after the other.
pub async fn run(shared: Shared, args: &Run) -> Result<(), Failure> {
    telemetry::logs("error", false);
    let suites = suites(&args.suites)?;
    let baseline = baseline(args.baseline.as_deref())?;
    let asked = args.models.asked()?;
    let purse = Purse::new(&args.models);
    let mut runs = Vec::new();
    let mut ended = None;
    for (number, model) in asked.iter().enumerate() {
        let started = clock::now();
        let journal = args
            .out
            .as_ref()
            .map(|out| out.join(format!("journal-{number}.jsonl")));
        let journal = Journal::open(journal, args.resume)?;
        let mut once = Once {
            shared: &shared,
            args,
            suites: &suites,
            model,
            purse: &purse,
            journal: &journal,
            results: journal.known(),
            name: model.name(),
            missing: Vec::new(),
        };
        let went = once.run().await;
        let Once {
            mut results,
            name,
            missing,
            ..
        } = once;
        in_order(&mut results, &suites);
        let ending = went
            .err()
            .or_else(|| purse.spent().map(Failure::Machine))
            .or_else(|| lacking(&missing));
        let replayed = args.models.replays();
        let about = About {
            model: name,
            variant: None,
            repeats: args.repeats,
            milliseconds: u64::try_from(clock::now() - started)
                .ok()
                .filter(|_| !replayed),
            cost: purse.cost(),
            partial: ending.is_some(),
        };
        if ending.is_none() {
            journal.remove();
        }
        let mut run = Results::new(&suites, about, results, baseline.as_ref());
        if replayed {
            run = run.stable();
        }
        runs.push(run);
        ended = ending;
        if ended.is_some() {
            break;
        }
    }
    if let Some(folder) = &args.out {
        report::of_run(folder, &runs, baseline.as_ref())?;
    }
    let shown = shown(&runs, args.json.as_deref());
    // What broke the run off matters more than what it found.
    ended.map_or(shown, Err)
}

/// Shows every run; the first is written.
fn shown(runs: &[Results], file: Option<&Path>) -> Result<(), Failure> {
    let mut failed = Ok(());
    for (number, results) in runs.iter().enumerate() {
        let shown = show(results, file.filter(|_| number == 0));
        failed = failed.and(shown);
    }
    failed
}

fn in_order(results: &mut [CaseResult], suites: &[Suite]) {
    let mut places: HashMap<(&str, Kind, &str), usize> = HashMap::new();
    for (number, suite) in suites.iter().enumerate() {
        for (place, case) in suite.cases.iter().enumerate() {
            places.insert(
                (&suite.name, case.kind(), case.name()),
                number * 1_000_000 + place,
            );
        }
    }
    results.sort_by_key(|case| {
        let place = places.get(&(case.suite.as_str(), case.kind, case.case.as_str()));
        (place.copied(), case.repeat)
    });
}

/// One model, over all suites.
struct Once<'a> {
    shared: &'a Shared,
    args: &'a Run,
    suites: &'a [Suite],
    model: &'a Asked,
    purse: &'a Purse,
    journal: &'a Journal,
    results: Vec<CaseResult>,
    name: String,
    missing: Vec<MissingRecording>,
}

impl Once<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        // Suites that want the same shop share one.
        let mut left: Vec<&Suite> = self.suites.iter().collect();
        while let Some(first) = left.first() {
            let wanted = Wanted::of(first);
            let (same, others): (Vec<&Suite>, Vec<&Suite>) =
                left.iter().partition(|suite| Wanted::of(suite) == wanted);
            left = others;
            let shop = shop::open(self.shared.config.clone(), &self.shared.data, &wanted).await?;
            let went = self.in_shop(&shop, &same).await;
            shop.close().await;
            went?;
            if self.purse.spent().is_some() {
                break;
            }
        }
        Ok(())
    }

    async fn in_shop(&mut self, shop: &Shop, suites: &[&Suite]) -> Result<(), Failure> {
        let ready = self
            .model
            .ready(shop, &self.args.models, self.purse, self.suites)?;
        self.name.clone_from(&ready.name);
        shop.local.work_with(&ready.prepared)?;
        let all: usize = self.suites.iter().map(|suite| suite.cases.len()).sum();
        let count = Mutex::new(self.results.len());
        let told = progress("cases");
        let done: HashSet<(String, Kind, String, u32)> = self.results.iter().map(key).collect();
        let player = ready.player();
        let wanted_at_once = self.args.jobs.unwrap_or(self.shared.config.agent.workers);
        let runner = Runner {
            app: &shop.local.app,
            prepared: &ready.prepared,
            customer: player.as_deref(),
            direct: &|run| ready.direct(run),
            repeats: self.args.repeats,
            jobs: self.purse.paces.conversations(wanted_at_once),
        };
        for suite in suites {
            let selection = Selection {
                wanted: &|case: &Case, repeat| {
                    let key = (
                        suite.name.clone(),
                        case.kind(),
                        case.name().to_owned(),
                        repeat,
                    );
                    let named = self
                        .args
                        .only
                        .as_ref()
                        .is_none_or(|only| case.name().contains(only));
                    named && !done.contains(&key) && self.purse.spent().is_none()
                },
                judged: &|result| {
                    // What had no budget or no recording is run again by the next run.
                    if self.purse.spent().is_none() && ready.missing().is_empty() {
                        self.journal.add(result);
                    }
                    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
                    *count += 1;
                    told((*count).min(all), all);
                },
            };
            let found = runner.run(suite, &selection).await?;
            self.results.extend(found);
        }
        ready.finish().map_err(Failure::Machine)?;
        self.missing.extend(ready.missing());
        Ok(())
    }
}

fn key(case: &CaseResult) -> (String, Kind, String, u32) {
    (
        case.suite.clone(),
        case.kind,
        case.case.clone(),
        case.repeat,
    )
}

/// The failure of a run that lacks recordings.
fn lacking(missing: &[MissingRecording]) -> Option<Failure> {
    if missing.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = missing
        .iter()
        .take(20)
        .flat_map(MissingRecording::lines)
        .collect();
    lines.push(format!(
        "{} calls have no recording; make them with --record-missing and a model",
        missing.len()
    ));
    Some(Failure::Unrecorded(lines.join("\n")))
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
        Some(file) => file::write(file, file::pretty(results)?)?,
        None => {}
    }
    if results.passed {
        return Ok(());
    }
    let missed = results.missed().join(", ");
    Err(Failure::Check(format!("below the threshold: {missed}")))
}
