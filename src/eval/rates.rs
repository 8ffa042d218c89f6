//! Measures of a run, each with its interval, over all cases of a kind and over slices. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::case::Kind;
use super::measures::{
    Confusion, auroc, calibration, calibration_error, clustered_interval, mean, wilson,
};
use super::observed::Observed;
use super::results::CaseResult;
use crate::understand::OUT_OF_SCOPE;

/// How the names of times begin, which differ from run to run.
pub(super) const LATENCY: &str = "latency_";

/// A measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The kind of the cases.
    pub kind: Kind,
    /// Its name: `pass_rate`, `macro_f1`, `ndcg@10`, `latency_p95_ms` …
    pub metric: String,
    /// Which of the cases: `all`, else `language=it`, `tag=typo`, `class=buy`.
    pub slice: String,
    /// How many cases, repeats counted once.
    pub cases: usize,
    /// The value.
    pub value: f64,
    /// Its 95 % interval: Wilson's for shares of cases that ran once, else by the bootstrap over cases with all
    /// their repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

/// All measures of all kinds.
#[must_use]
pub fn measures(cases: &[&CaseResult]) -> Vec<Measure> {
    let kinds: BTreeSet<Kind> = cases.iter().map(|case| case.kind).collect();
    let mut found = Vec::new();
    for kind in kinds {
        let of_kind: Vec<&CaseResult> = cases
            .iter()
            .filter(|case| case.kind == kind)
            .copied()
            .collect();
        slice(kind, "all", &of_kind, &mut found);
        let mut slices: BTreeMap<String, Vec<&CaseResult>> = BTreeMap::new();
        for case in &of_kind {
            let language = case
                .language
                .iter()
                .map(|language| format!("language={language}"));
            let tags = case.tags.iter().map(|tag| format!("tag={tag}"));
            for name in language.chain(tags) {
                slices.entry(name).or_default().push(case);
            }
        }
        for (name, part) in slices {
            slice(kind, &name, &part, &mut found);
        }
    }
    found
}

/// The share of cases that passed, with its interval.
#[must_use]
pub fn pass_rate(cases: &[&CaseResult]) -> (f64, [f64; 2]) {
    passes(cases, &clusters(cases))
}

fn passes(cases: &[&CaseResult], clusters: &[Cluster]) -> (f64, [f64; 2]) {
    let passed = cases.iter().filter(|case| case.passed).count();
    let interval = if clusters.iter().all(|cluster| cluster.len() == 1) {
        wilson(passed, cases.len())
    } else {
        over(clusters, |case| Some(f64::from(u8::from(case.passed))))
    };
    (passed as f64 / cases.len().max(1) as f64, interval)
}

/// A case with all its repeats.
type Cluster<'a> = Vec<&'a CaseResult>;

fn clusters<'a>(cases: &[&'a CaseResult]) -> Vec<Cluster<'a>> {
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    let mut clusters: Vec<Cluster<'a>> = Vec::new();
    for case in cases {
        let place = *places.entry(case.key()).or_insert_with(|| {
            clusters.push(Vec::new());
            clusters.len() - 1
        });
        clusters[place].push(case);
    }
    clusters
}

fn slice(kind: Kind, name: &str, cases: &[&CaseResult], found: &mut Vec<Measure>) {
    let clusters = clusters(cases);
    let mut add = |metric: &str, value: f64, interval: Option<[f64; 2]>| {
        found.push(Measure {
            kind,
            metric: metric.to_owned(),
            slice: name.to_owned(),
            cases: clusters.len(),
            value,
            interval,
        });
    };
    let once = clusters.iter().all(|cluster| cluster.len() == 1);
    let (rate, interval) = passes(cases, &clusters);
    add("pass_rate", rate, Some(interval));
    if !once {
        let repeats = clusters.iter().map(Vec::len).min().unwrap_or(1);
        for k in 2..=repeats {
            add(&format!("pass^{k}"), pass_to_the(k, &clusters), None);
        }
    }
    let metrics: BTreeSet<&str> = cases
        .iter()
        .flat_map(|case| case.scores.keys().map(String::as_str))
        .collect();
    for metric in metrics {
        let of = |case: &CaseResult| case.scores.get(metric).copied();
        let values: Vec<f64> = cases.iter().filter_map(|case| of(case)).collect();
        add(metric, mean(&values), Some(over(&clusters, of)));
    }
    if let Kind::Intent | Kind::Sentiment | Kind::Language = kind {
        classes(cases, &mut add);
        certainty(kind, cases, &mut add);
    }
    if name == "all" {
        latency(cases, &mut add);
    }
    if matches!(kind, Kind::Intent | Kind::Sentiment | Kind::Language) && name == "all" {
        let clusters = clusters.len();
        each_class(kind, cases, clusters, found);
    }
}

/// The interval of a mean over cases, whose repeats stay together.
fn over(clusters: &[Cluster], of: impl Fn(&CaseResult) -> Option<f64>) -> [f64; 2] {
    let values: Vec<Vec<f64>> = clusters
        .iter()
        .map(|cluster| cluster.iter().filter_map(|case| of(case)).collect())
        .filter(|values: &Vec<f64>| !values.is_empty())
        .collect();
    clustered_interval(&values)
}

/// The probability that a case passes `k` times of `k`: its passes over all ways to draw `k` of its repeats (Yao
/// et al. 2024, <https://arxiv.org/abs/2406.12045>).
fn pass_to_the(k: usize, clusters: &[Cluster]) -> f64 {
    let each = clusters.iter().map(|cluster| {
        let passed = cluster.iter().filter(|case| case.passed).count();
        (0..k).fold(1.0, |share, drawn| {
            share * passed.saturating_sub(drawn) as f64 / (cluster.len() - drawn) as f64
        })
    });
    mean(&each.collect::<Vec<f64>>())
}

/// What was taken for what.
#[must_use]
pub fn confusion(cases: &[&CaseResult]) -> Confusion {
    let pairs = cases
        .iter()
        .filter_map(|case| Some((case.expected.as_deref()?, case.got.as_deref()?)));
    Confusion::of(&[], pairs.collect::<Vec<_>>())
}

fn classes(cases: &[&CaseResult], add: &mut impl FnMut(&str, f64, Option<[f64; 2]>)) {
    let value = confusion(cases).macro_f1();
    let interval = super::measures::interval(cases.len(), |drawn| {
        let drawn: Vec<&CaseResult> = drawn.iter().map(|place| cases[*place]).collect();
        confusion(&drawn).macro_f1()
    });
    add("macro_f1", value, Some(interval));
}

fn each_class(kind: Kind, cases: &[&CaseResult], all: usize, found: &mut Vec<Measure>) {
    let confusion = confusion(cases);
    for (place, label) in confusion.labels.iter().enumerate() {
        let both = confusion.counts[place][place];
        let truth: usize = confusion.counts[place].iter().sum();
        let guessed: usize = confusion.counts.iter().map(|row| row[place]).sum();
        for (metric, of) in [("precision", guessed), ("recall", truth)] {
            found.push(Measure {
                kind,
                metric: metric.to_owned(),
                slice: format!("class={label}"),
                cases: of,
                value: both as f64 / of.max(1) as f64,
                interval: Some(wilson(both, of)),
            });
        }
        found.push(Measure {
            kind,
            metric: "f1".to_owned(),
            slice: format!("class={label}"),
            cases: all,
            value: 2.0 * both as f64 / (truth + guessed).max(1) as f64,
            interval: None,
        });
    }
}

/// Scores and whether each was right, for the curve of a report.
#[must_use]
pub fn certainties(kind: Kind, cases: &[&CaseResult]) -> Vec<(f64, bool)> {
    let of = |case: &&CaseResult| match (&case.observed, kind) {
        (Observed::Understood { intent_score, .. }, Kind::Intent) => {
            // The score is that of being in scope and meaning this.
            let in_scope = case.got.as_deref() != Some(OUT_OF_SCOPE);
            in_scope.then_some((*intent_score, case.passed))
        }
        (Observed::Understood { language_score, .. }, Kind::Language) => {
            Some((*language_score, case.passed))
        }
        _ => None,
    };
    cases.iter().filter_map(of).collect()
}

fn certainty(kind: Kind, cases: &[&CaseResult], add: &mut impl FnMut(&str, f64, Option<[f64; 2]>)) {
    let guesses = certainties(kind, cases);
    if !guesses.is_empty() {
        let interval = super::measures::interval(guesses.len(), |drawn| {
            let drawn: Vec<(f64, bool)> = drawn.iter().map(|place| guesses[*place]).collect();
            calibration_error(&calibration(&drawn))
        });
        add(
            "ece",
            calibration_error(&calibration(&guesses)),
            Some(interval),
        );
    }
    if kind != Kind::Intent {
        return;
    }
    let scores = |outside: bool| -> Vec<f64> {
        let of = |case: &&CaseResult| {
            let Observed::Understood { intent_score, .. } = &case.observed else {
                return None;
            };
            let is_outside = case.expected.as_deref() == Some(OUT_OF_SCOPE);
            (is_outside == outside).then_some(*intent_score)
        };
        cases.iter().filter_map(of).collect()
    };
    let (inside, outside) = (scores(false), scores(true));
    if !inside.is_empty() && !outside.is_empty() {
        add("out_of_scope_auroc", auroc(&inside, &outside), None);
    }
}

fn latency(cases: &[&CaseResult], add: &mut impl FnMut(&str, f64, Option<[f64; 2]>)) {
    let turns = cases.iter().flat_map(|case| case.observed.turns());
    let mut times: Vec<u64> = turns
        .map(|turn| turn.milliseconds)
        .filter(|time| *time > 0)
        .collect();
    times.sort_unstable();
    for part in [50, 95, 99] {
        let place = (times.len() * part).div_ceil(100).saturating_sub(1);
        if let Some(time) = times.get(place) {
            add(
                &format!("{LATENCY}p{part}_ms"),
                f64::from(u32::try_from(*time).unwrap_or(u32::MAX)),
                None,
            );
        }
    }
}
