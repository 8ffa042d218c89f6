//! `sportello eval run` and `sportello eval score`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::file;
use super::journal::Journal;
use super::models::{Asked, Models, Purse};
use super::report;
use super::shop::{Shop, Shops, Wanted};
use crate::clock;
use crate::commands::output::{json, line, note, progress};
use crate::commands::{Failure, Shared};
use crate::eval::{
    About, Case, CaseResult, Kind, LastAsked, MissingRecording, Results, Runner, Selection, Suite,
    Variant, absent, recording, stabilise,
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
    /// Run a variant of the shop: NAME=FOLDER with `prompts/` and `tools/`, which take the place of the program's texts,
    /// and `knowledge/`, which is laid over the shop's; NAME alone is the shop as it is. Every variant runs with every
    /// model
    #[arg(long, value_name = "VARIANT")]
    variant: Vec<Variant>,
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

/// Makes a baseline of a stored run. A case is a line, so that a difference can be read.
pub fn baseline(results: &Path, out: &Path) -> Result<(), Failure> {
    let results = Results::read(results).map_err(|fault| Failure::Wrong(fault.to_string()))?;
    let text = results.as_baseline().one_a_line();
    file::write(
        out,
        text.map_err(|error| Failure::Machine(error.to_string()))?,
    )
}

fn before(file: Option<&Path>) -> Result<Option<Results>, Failure> {
    let read = file.map(Results::read).transpose();
    read.map_err(|fault| Failure::Wrong(fault.to_string()))
}

/// Judges a stored run again.
pub fn score(args: &Score) -> Result<(), Failure> {
    let wrong = |fault: crate::eval::ResultsFault| Failure::Wrong(fault.to_string());
    let suites = suites(&args.suites)?;
    let baseline = before(args.baseline.as_deref())?;
    let stored = Results::read(&args.results).map_err(wrong)?;
    let results = stored
        .judged_again(&suites, baseline.as_ref())
        .map_err(wrong)?;
    show(&results, args.json.as_deref())
}

/// Runs suites, with one variant and one model after the other.
pub async fn run(shared: Shared, args: &Run) -> Result<(), Failure> {
    telemetry::logs("error", false);
    let suites = suites(&args.suites)?;
    let baseline = before(args.baseline.as_deref())?;
    let asked = args.models.asked()?;
    let purse = Purse::new(&args.models);
    let wanted_at_once = args.jobs.unwrap_or(shared.config.agent.workers);
    let jobs = purse.paces.conversations(wanted_at_once.max(1));
    let shops = Shops::open(&shared.config, &shared.data, jobs).await?;
    let variants: Vec<Option<&Variant>> = match args.variant.as_slice() {
        [] => vec![None],
        variants => variants.iter().map(Some).collect(),
    };
    let (mut runs, mut ended) = (Vec::new(), None);
    for (variant, model) in variants
        .iter()
        .flat_map(|variant| asked.iter().map(move |model| (*variant, model)))
    {
        let journal = args.out.as_ref();
        let journal = journal.map(|out| out.join(format!("journal-{}.jsonl", runs.len())));
        let mut journal = Journal::open(journal, args.resume)?;
        let results = journal.known();
        let once = Once {
            shops: &shops,
            args,
            suites: &suites,
            variant,
            model,
            purse: &purse,
            journal: &journal,
            jobs,
            results,
            name: model.name(),
            missing: Vec::new(),
        };
        let (results, ending) = once.whole(baseline.as_ref()).await;
        runs.push(results);
        ended = ending;
        if ended.is_some() {
            break;
        }
    }
    shops.close().await;
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
    let mut places: HashMap<(&str, Kind, &str), (usize, usize)> = HashMap::new();
    for (number, suite) in suites.iter().enumerate() {
        for (place, case) in suite.cases.iter().enumerate() {
            places.insert((&suite.name, case.kind(), case.name()), (number, place));
        }
    }
    results.sort_by_key(|case| {
        let place = places.get(&(case.suite.as_str(), case.kind, case.case.as_str()));
        (place.copied(), case.repeat)
    });
}

/// One variant with one model, over all suites.
struct Once<'a> {
    shops: &'a Shops,
    args: &'a Run,
    suites: &'a [Suite],
    variant: Option<&'a Variant>,
    model: &'a Asked,
    purse: &'a Purse,
    journal: &'a Journal,
    /// Cases run at once.
    jobs: usize,
    results: Vec<CaseResult>,
    name: String,
    missing: Vec<MissingRecording>,
}

impl Once<'_> {
    /// Runs everything; what was found, and why it broke off, when it did.
    async fn whole(mut self, baseline: Option<&Results>) -> (Results, Option<Failure>) {
        let started = clock::now();
        let went = self.run().await;
        let partial = went.is_err() || self.purse.is_spent();
        let ending = went
            .err()
            .or_else(|| self.purse.fault().map(Failure::Machine))
            .or_else(|| lacking(&self.missing));
        in_order(&mut self.results, self.suites);
        self.say_what_is_missing();
        let replayed = self.args.models.replays();
        if replayed {
            stabilise(&mut self.results);
        }
        let about = About {
            model: self.name,
            variant: self.variant.map(|variant| variant.name.clone()),
            repeats: self.args.repeats,
            milliseconds: u64::try_from(clock::now() - started)
                .ok()
                .filter(|_| !replayed),
            cost: self.purse.cost(),
            partial,
        };
        if ending.is_none() {
            self.journal.remove();
        }
        let run = Results::new(self.suites, about, self.results, baseline);
        (run, ending)
    }

    /// Puts the difference to the nearest recording to the cases that lack one.
    fn say_what_is_missing(&mut self) {
        let mut lacking: HashMap<&str, Vec<String>> = HashMap::new();
        for missing in &self.missing {
            let lines = missing.lines().join("\n");
            lacking.entry(&missing.case).or_default().push(lines);
        }
        for case in &mut self.results {
            if let Some(lines) = lacking.get(recording(case.kind, &case.case).as_str()) {
                case.passed = false;
                case.faults.extend_from_slice(lines);
            }
        }
    }

    async fn run(&mut self) -> Result<(), Failure> {
        // Suites that want the same shop share one.
        let mut left: Vec<&Suite> = self.suites.iter().collect();
        while let Some(first) = left.first() {
            let wanted = Wanted::of(first, self.variant);
            let (same, others): (Vec<&Suite>, Vec<&Suite>) = left
                .iter()
                .partition(|suite| Wanted::of(suite, self.variant) == wanted);
            left = others;
            let shop = self.shops.shop(&wanted).await?;
            let went = self.in_shop(&shop, &same).await;
            shop.close().await;
            went?;
            if self.purse.is_spent() {
                break;
            }
        }
        Ok(())
    }

    async fn in_shop(&mut self, shop: &Shop, suites: &[&Suite]) -> Result<(), Failure> {
        let variant = self.variant.map(|variant| variant.name.as_str());
        let varied = variant.filter(|_| self.args.variant.len() > 1);
        let models = &self.args.models;
        let ready = self
            .model
            .ready(shop, models, self.purse, self.suites, varied)?;
        self.name.clone_from(&ready.name);
        let asked = LastAsked::default();
        let prepared = ready.watched(&asked);
        shop.local.work_with(&prepared)?;
        let absent = absent(&shop.local.app, suites);
        if !absent.is_empty() {
            note(&format!(
                "sportello: the suites name what the shop does not have: {}",
                absent.join(", ")
            ));
        }
        let all: usize = self.suites.iter().map(|suite| suite.cases.len()).sum();
        let count = Mutex::new(self.results.len());
        let told = progress("cases");
        let done: HashSet<(String, Kind, String, u32)> = self.results.iter().map(key).collect();
        let (player, judge) = (ready.player(), ready.judge());
        let runner = Runner {
            app: &shop.local.app,
            prepared: &prepared,
            customer: player.as_deref(),
            judge: judge.as_deref(),
            direct: &|run| ready.direct(run),
            book: ready.book(),
            asked: &asked,
            repeats: self.args.repeats,
            jobs: self.jobs,
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
                    named && !done.contains(&key) && !self.purse.is_spent()
                },
                judged: &|result| {
                    if self.args.repeats <= 1 {
                        ready.judged(&recording(result.kind, &result.case));
                    }
                    // What had no budget or no recording is run again by the next run.
                    if !self.purse.is_spent() && !ready.lacks() {
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
