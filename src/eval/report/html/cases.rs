//! Cases: those that failed with everything that was seen of them, and a list of all.

mod turn;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::figures;
use crate::domain::Language;
use crate::eval::case::Kind;
use crate::eval::observed::Observed;
use crate::eval::report::words::{name, shortened};
use crate::eval::results::{CaseResult, Results};
use turn::{Call, TurnView, pretty};

/// Failing cases of a run that are told in full. What is beyond is in `results.json`.
const FULL: usize = 300;
/// Cases that stand open at first.
const OPEN: usize = 3;
/// Characters of one text.
pub(super) const TEXT: usize = 20_000;

/// The failing cases of all runs, and what they can be filtered by.
#[derive(Serialize)]
pub struct Failing {
    pub runs: Vec<FailingRun>,
    pub kinds: Vec<Choice>,
    pub languages: Vec<Choice>,
}

/// The failing cases of a run.
#[derive(Serialize)]
pub struct FailingRun {
    name: Option<String>,
    cases: Vec<CaseView>,
    all: usize,
    more: usize,
}

/// Something that the cases shown can be narrowed to.
#[derive(Serialize)]
pub struct Choice {
    pub class: String,
    label: String,
}

#[derive(Serialize)]
struct CaseView {
    anchor: String,
    title: String,
    place: usize,
    open: bool,
    classes: String,
    kind: String,
    language: Option<String>,
    name: String,
    suite: String,
    tags: Vec<String>,
    repeat: Option<u32>,
    faults: Vec<String>,
    said: Vec<String>,
    facts: Vec<[String; 2]>,
    ranked: Vec<Ranked>,
    turns: Vec<TurnView>,
    calls: Vec<Call>,
    answer: Option<String>,
    broke_off: Option<String>,
    state: Option<String>,
    prompt: Vec<[String; 2]>,
    scores: Vec<[String; 2]>,
    others: Vec<Other>,
}

/// How the case went in another run.
#[derive(Serialize)]
struct Other {
    run: String,
    passed: u32,
    all: u32,
}

#[derive(Serialize)]
struct Ranked {
    document: String,
    score: String,
    wanted: bool,
}

impl Failing {
    /// Where a case is told, by the title that comparisons give it.
    pub fn anchor(&self, title: &str) -> Option<String> {
        let main = self.runs.first()?;
        let found = main.cases.iter().find(|case| case.title == title);
        found.map(|case| case.anchor.clone())
    }
}

type Key<'a> = (Kind, Option<Language>, &'a str);

/// Prepares the failing cases of all runs.
pub fn failing(runs: &[Results]) -> Failing {
    let passes: Vec<BTreeMap<Key, (u32, u32)>> = runs.iter().map(passes).collect();
    let several = runs.len() > 1;
    let told = runs.iter().enumerate().map(|(place, run)| {
        let cases = run.cases.iter().enumerate();
        let all: Vec<(usize, &CaseResult)> = cases
            .filter(|(_, case)| !case.passed && !case.skipped)
            .collect();
        let views = all
            .iter()
            .take(FULL)
            .enumerate()
            .map(|(nth, (index, case))| {
                let mut view = view(case, place + 1, index + 1);
                view.open = place == 0 && nth < OPEN;
                let others = runs.iter().zip(&passes).enumerate();
                let others = others.filter(|(other, _)| *other != place);
                view.others = others
                    .filter_map(|(_, (run, passes))| {
                        let (passed, all) = *passes.get(&case.key())?;
                        let run = name(run);
                        Some(Other { run, passed, all })
                    })
                    .collect();
                view
            });
        FailingRun {
            name: several.then(|| name(run)),
            cases: views.collect(),
            all: all.len(),
            more: all.len().saturating_sub(FULL),
        }
    });
    let all = || runs.iter().flat_map(|run| &run.cases);
    let kinds: BTreeSet<Kind> = all().map(|case| case.kind).collect();
    let languages: BTreeSet<Language> = all().filter_map(|case| case.language).collect();
    Failing {
        runs: told.collect(),
        kinds: kinds
            .into_iter()
            .map(|kind| Choice {
                class: kind_class(kind),
                label: figures::title(kind),
            })
            .collect(),
        languages: languages
            .into_iter()
            .map(|language| Choice {
                class: language_class(language),
                label: language.to_string(),
            })
            .collect(),
    }
}

fn passes(run: &Results) -> BTreeMap<Key<'_>, (u32, u32)> {
    let mut passes: BTreeMap<Key, (u32, u32)> = BTreeMap::new();
    for case in run.cases.iter().filter(|case| !case.skipped) {
        let (passed, all) = passes.entry(case.key()).or_default();
        *passed += u32::from(case.passed);
        *all += 1;
    }
    passes
}

fn kind_class(kind: Kind) -> String {
    format!("kind-{}", kind.name())
}

fn language_class(language: Language) -> String {
    format!("language-{language}")
}

fn classes(case: &CaseResult) -> String {
    let language = case.language.map_or(String::new(), language_class);
    format!("{} {language}", kind_class(case.kind))
}

fn view(case: &CaseResult, run: usize, place: usize) -> CaseView {
    let mut said = case.said.clone();
    let single = matches!(
        case.observed,
        Observed::Understood { .. } | Observed::Ranked { .. }
    );
    if said.is_empty() && single {
        said.push(case.case.clone());
    }
    let mut view = CaseView {
        anchor: format!("run-{run}-case-{place}"),
        title: case.title(),
        place,
        open: false,
        classes: classes(case),
        kind: figures::title(case.kind),
        language: case.language.map(|language| language.to_string()),
        name: shortened(&case.case, 200),
        suite: case.suite.clone(),
        tags: case.tags.clone(),
        repeat: (case.repeat > 0).then_some(case.repeat + 1),
        faults: faults(case),
        said,
        facts: Vec::new(),
        ranked: Vec::new(),
        turns: case.observed.turns().iter().map(TurnView::of).collect(),
        calls: Vec::new(),
        answer: None,
        broke_off: None,
        state: None,
        prompt: case
            .prompt
            .iter()
            .map(|[role, text]| [role.clone(), shortened(text, TEXT)])
            .collect(),
        scores: case
            .scores
            .iter()
            .map(|(metric, score)| [metric.clone(), format!("{score:.3}")])
            .collect(),
        others: Vec::new(),
    };
    seen(&mut view, case);
    view
}

/// Why a case failed, without what its transcript says anyway.
fn faults(case: &CaseResult) -> Vec<String> {
    let repeats = |fault: &str| {
        let said = fault
            .strip_prefix("turn ")
            .and_then(|rest| rest.split_once(' '));
        said.is_some_and(|(_, rest)| rest.starts_with("said: "))
    };
    let faults = case.faults.iter();
    faults.filter(|fault| !repeats(fault)).cloned().collect()
}

fn seen(view: &mut CaseView, case: &CaseResult) {
    match &case.observed {
        Observed::Understood {
            intent,
            intent_score,
            language,
            language_score,
            sentiment,
            polarity,
        } => {
            view.facts = vec![
                [
                    "language".to_owned(),
                    sure(language.code(), *language_score),
                ],
                ["intent".to_owned(), sure(intent, *intent_score)],
                [
                    "mood".to_owned(),
                    format!("{} {polarity:+.2}", sentiment.name()),
                ],
            ];
        }
        Observed::Ranked {
            language,
            documents,
            scores,
            ..
        } => {
            view.facts = vec![["searched in".to_owned(), language.to_string()]];
            let wanted: Vec<&str> = case
                .expected
                .iter()
                .flat_map(|all| all.split(", "))
                .collect();
            view.ranked = documents
                .iter()
                .enumerate()
                .map(|(place, document)| Ranked {
                    document: document.clone(),
                    score: scores
                        .get(place)
                        .map_or(String::new(), |score| format!("{score:.3}")),
                    wanted: wanted.contains(&document.as_str()),
                })
                .collect();
        }
        Observed::Called { calls, text } => {
            view.calls = calls
                .iter()
                .map(|(name, arguments)| Call::asked(name, arguments))
                .collect();
            view.answer = Some(shortened(text, TEXT)).filter(|text| !text.is_empty());
        }
        Observed::Talked(talked) => {
            view.broke_off.clone_from(&talked.broke_off);
            let empty = match &talked.state {
                Value::Null => true,
                Value::Object(fields) => fields.is_empty(),
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
            };
            view.state = (!empty).then(|| pretty(&talked.state));
        }
        Observed::Failed { reason } | Observed::Skipped { reason } => {
            view.broke_off = Some(reason.clone());
        }
        Observed::Unkept => {}
    }
}

/// A guess with how sure it is.
pub(super) fn sure(what: &str, score: f64) -> String {
    format!("{what} {:.0} %", 100.0 * score)
}

/// A case in the list of all.
#[derive(Serialize)]
pub struct EveryCase {
    classes: String,
    state: &'static str,
    kind: String,
    language: String,
    name: String,
    repeat: Option<u32>,
    anchor: Option<String>,
    scores: String,
}

/// Every case of the main run.
pub fn every(run: &Results, failing: &Failing) -> Vec<EveryCase> {
    let told: BTreeSet<usize> = failing
        .runs
        .first()
        .into_iter()
        .flat_map(|run| run.cases.iter().map(|case| case.place))
        .collect();
    let cases = run.cases.iter().enumerate().map(|(place, case)| {
        let state = match (case.skipped, case.passed) {
            (true, _) => "skipped",
            (false, true) => "passed",
            (false, false) => "failed",
        };
        let scores = case
            .scores
            .iter()
            .map(|(metric, score)| format!("{metric} {score:.2}"));
        EveryCase {
            classes: format!("{} is-{state}", classes(case)),
            state,
            kind: figures::title(case.kind),
            language: case.language.map_or(String::new(), |code| code.to_string()),
            name: shortened(&case.case, 160),
            repeat: (case.repeat > 0).then_some(case.repeat + 1),
            anchor: told
                .contains(&(place + 1))
                .then(|| format!("run-1-case-{}", place + 1)),
            scores: scores.collect::<Vec<_>>().join(", "),
        }
    });
    cases.collect()
}
