//! Figures with intervals: a card for each kind, and runs side by side.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::eval::case::Kind;
use crate::eval::draw::{Lane, lane};
use crate::eval::rates::Measure;
use crate::eval::report::words::{between, name, overall, percent, value};
use crate::eval::results::{KindReport, Results};

/// What was below its threshold or gate.
#[derive(Serialize)]
pub struct Missed {
    what: String,
    found: String,
}

/// What was missed, thresholds first.
pub fn missed(run: &Results) -> Vec<Missed> {
    let kinds = run.kinds.iter().filter(|kind| !kind.reached);
    let kinds = kinds.map(|kind| Missed {
        what: format!(
            "{} at least {}",
            kind.kind.name(),
            percent(kind.threshold.unwrap_or_default())
        ),
        found: percent(kind.all.rate),
    });
    let gates = run.gates.iter().filter(|gate| !gate.held);
    let gates = gates.map(|gate| Missed {
        what: gate.name.clone(),
        found: gate.found.clone(),
    });
    kinds.chain(gates).collect()
}

/// A rate on a track.
#[derive(Serialize)]
pub struct Row {
    pub label: String,
    pub cases: usize,
    pub rate: String,
    pub interval: String,
    pub lane: String,
}

impl Row {
    /// A share with its interval.
    pub fn share(
        label: String,
        cases: usize,
        rate: f64,
        interval: Option<[f64; 2]>,
        threshold: Option<f64>,
    ) -> Self {
        let tone = match threshold {
            Some(threshold) if rate < threshold => "bad",
            Some(_) => "good",
            None => "plain",
        };
        let shown = interval.map_or(String::new(), between);
        let words = format!("{label}: {}, 95 % interval {shown}", percent(rate));
        let drawn = lane(&Lane {
            value: rate,
            interval,
            mark: threshold,
            range: [0.0, 1.0],
            tone,
            label: &words,
        });
        Self {
            label,
            cases,
            rate: percent(rate),
            interval: shown,
            lane: drawn,
        }
    }
}

/// All figures of a kind.
#[derive(Serialize)]
pub struct Card {
    title: String,
    passed: usize,
    all: Row,
    threshold: Option<String>,
    reached: bool,
    languages: Vec<Row>,
    tags: Vec<Row>,
    measures: Vec<[String; 3]>,
    classes: Vec<[String; 5]>,
}

/// A card for each kind.
pub fn cards(run: &Results) -> Vec<Card> {
    run.kinds.iter().map(|kind| card(run, kind)).collect()
}

fn card(run: &Results, kind: &KindReport) -> Card {
    let interval = |slice: &str| {
        run.figure(kind.kind, "pass_rate", slice)
            .and_then(|figure| figure.interval)
    };
    let all = Row::share(
        title(kind.kind),
        kind.all.cases,
        kind.all.rate,
        interval("all"),
        kind.threshold,
    );
    let languages = kind.languages.iter().map(|(language, share)| {
        let interval = interval(&format!("language={language}"));
        Row::share(
            language.to_string(),
            share.cases,
            share.rate,
            interval,
            kind.threshold,
        )
    });
    let own = || run.figures.iter().filter(|one| one.kind == kind.kind);
    let tags = own()
        .filter(|one| one.metric == "pass_rate")
        .filter_map(|one| {
            let tag = one.slice.strip_prefix("tag=")?;
            Some(Row::share(
                tag.to_owned(),
                one.cases,
                one.value,
                one.interval,
                None,
            ))
        });
    let measures = own()
        .filter(|one| one.slice == "all" && one.metric != "pass_rate")
        .map(|one| {
            [
                one.metric.clone(),
                value(&one.metric, one.value),
                range(one),
            ]
        });
    Card {
        title: title(kind.kind),
        passed: kind.all.passed,
        all,
        threshold: kind.threshold.map(percent),
        reached: kind.reached,
        languages: languages.collect(),
        tags: tags.collect(),
        measures: measures.collect(),
        classes: classes(run, kind.kind),
    }
}

fn range(measure: &Measure) -> String {
    let text = |[from, to]: [f64; 2]| format!("{from:.3}–{to:.3}");
    measure.interval.map_or(String::new(), text)
}

/// Class, cases, precision, recall and F1.
fn classes(run: &Results, kind: Kind) -> Vec<[String; 5]> {
    let named: Vec<&str> = run
        .figures
        .iter()
        .filter(|one| one.kind == kind && one.metric == "recall")
        .filter_map(|one| one.slice.strip_prefix("class="))
        .collect();
    let cell = |class: &str, metric: &str| {
        let found = run.figure(kind, metric, &format!("class={class}"));
        found.map_or(String::new(), |one| format!("{:.3}", one.value))
    };
    named
        .into_iter()
        .map(|class| {
            let recall = run.figure(kind, "recall", &format!("class={class}"));
            [
                class.to_owned(),
                recall.map_or(String::new(), |one| one.cases.to_string()),
                cell(class, "precision"),
                cell(class, "recall"),
                cell(class, "f1"),
            ]
        })
        .collect()
}

/// A kind as a title.
pub fn title(kind: Kind) -> String {
    let name = kind.name().replace('_', " ");
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Runs beside each other.
#[derive(Serialize)]
pub struct SideBySide {
    models: Vec<String>,
    /// A row for each variant of the shop; a cell is empty where that was not run.
    variants: Vec<Line>,
    runs: Vec<String>,
    /// A row for each kind.
    kinds: Vec<Line>,
}

/// A row of rates.
#[derive(Serialize)]
pub struct Line {
    name: String,
    cells: Vec<Option<Cell>>,
}

/// A rate in a table.
#[derive(Serialize)]
pub struct Cell {
    row: Row,
    best: bool,
}

/// A matrix of variants and models, and each kind in every run.
pub fn side_by_side(runs: &[Results]) -> SideBySide {
    let models = distinct(runs.iter().map(|run| run.model.clone()));
    let variants = distinct(runs.iter().map(|run| run.variant.clone()));
    let variants = variants.into_iter().map(|variant| {
        let found = models.iter().map(|model| {
            let mut same = runs
                .iter()
                .filter(|run| run.model == *model && run.variant == variant);
            let run = same.next()?;
            let (rate, interval) = overall(run)?;
            let cases = run.cases.iter().filter(|case| !case.skipped).count();
            Some((rate, interval, cases))
        });
        line(
            variant
                .clone()
                .unwrap_or_else(|| "the shop as it is".to_owned()),
            found.collect(),
        )
    });
    let kinds: BTreeSet<Kind> = runs
        .iter()
        .flat_map(|run| run.kinds.iter().map(|kind| kind.kind))
        .collect();
    let kinds = kinds.into_iter().map(|kind| {
        let found = runs.iter().map(|run| {
            let report = run.kinds.iter().find(|one| one.kind == kind)?;
            let measure = run.figure(kind, "pass_rate", "all")?;
            Some((measure.value, measure.interval?, report.all.cases))
        });
        line(title(kind), found.collect())
    });
    SideBySide {
        variants: variants.collect(),
        kinds: kinds.collect(),
        runs: runs.iter().map(name).collect(),
        models,
    }
}

/// Each once, in the order in which they came.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}

fn line(name: String, found: Vec<Option<(f64, [f64; 2], usize)>>) -> Line {
    let best = found.iter().flatten().map(|(rate, _, _)| *rate);
    let best = best.fold(f64::NEG_INFINITY, f64::max);
    let cells = found.into_iter().map(|cell| {
        cell.map(|(rate, interval, cases)| Cell {
            row: Row::share(name.clone(), cases, rate, Some(interval), None),
            best: rate >= best,
        })
    });
    Line {
        cells: cells.collect(),
        name,
    }
}
