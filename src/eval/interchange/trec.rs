//! TREC's formats: relevance judgments (qrels) and runs, scored as `trec_eval` scores them, and written.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::eval::case::{Case, Kind};
use crate::eval::measures::{interval, mean};
use crate::eval::observed::Observed;
use crate::eval::ranking::{ndcg, recall, reciprocal_rank};
use crate::eval::results::Results;
use crate::eval::suite::Suite;

/// Depths at which recall is told.
const RECALL: [usize; 5] = [1, 3, 5, 10, 100];
/// The depth of the discounted gain.
const GAIN: usize = 10;
/// Scores closer than this are told apart by nobody who keeps them in 32 bits.
const STEP: f64 = 1e-6;

/// Why a file is not in one of TREC's formats.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TrecFault {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Grades of documents by query; 0 and below is not relevant.
#[derive(Debug, Default)]
pub struct TrecQrels(BTreeMap<String, BTreeMap<String, i64>>);

/// Documents by query, best first.
#[derive(Debug, Default)]
pub struct TrecRun(BTreeMap<String, Vec<(String, f32)>>);

/// How good a run is.
#[derive(Debug, Serialize)]
pub struct TrecFigures {
    /// Queries with judgments; a figure is the mean over them.
    pub queries: usize,
    /// Queries with judgments that the run does not have; they count as 0.
    pub missing: Vec<String>,
    /// Queries of the run without judgments; they count nowhere.
    pub unjudged: Vec<String>,
    /// Each measure over all queries.
    pub measures: BTreeMap<String, Figure>,
    /// Each measure of each query.
    pub by_query: BTreeMap<String, BTreeMap<String, f64>>,
}

/// A mean over queries.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// The mean, in [0, 1].
    pub value: f64,
    /// Its 95 % interval by the bootstrap over queries.
    pub interval: [f64; 2],
}

impl TrecQrels {
    /// Reads lines of `query iteration document grade`.
    ///
    /// # Errors
    /// The first line that is none.
    pub fn read(text: &str) -> Result<Self, TrecFault> {
        let mut judged: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for (line, columns) in rows(text) {
            let fault = |message: String| TrecFault { line, message };
            let [query, _, document, grade] = columns.as_slice() else {
                let message = "a judgment has four columns: query, iteration, document, grade";
                return Err(fault(message.to_owned()));
            };
            let wrong = |_| fault(format!("the grade `{grade}` is no whole number"));
            let grade: i64 = grade.parse().map_err(wrong)?;
            let documents = judged.entry((*query).to_owned()).or_default();
            if documents.insert((*document).to_owned(), grade).is_some() {
                return Err(fault(format!("`{document}` is judged twice for `{query}`")));
            }
        }
        Ok(Self(judged))
    }
}

impl TrecRun {
    /// Reads lines of `query Q0 document rank score tag`. As in `trec_eval` the rank is not looked at: documents are
    /// sorted by score, which is kept in 32 bits, and those with the same score by their id, the greater first.
    ///
    /// # Errors
    /// The first line that is none.
    pub fn read(text: &str) -> Result<Self, TrecFault> {
        let mut found: BTreeMap<String, Vec<(String, f32)>> = BTreeMap::new();
        let mut seen = HashSet::new();
        for (line, columns) in rows(text) {
            let fault = |message: String| TrecFault { line, message };
            let [query, _, document, _, score, _] = columns.as_slice() else {
                let message =
                    "a line of a run has six columns: query, Q0, document, rank, score, tag";
                return Err(fault(message.to_owned()));
            };
            let score: f32 = match score.parse() {
                Ok(score) if !f32::is_nan(score) => score,
                _ => return Err(fault(format!("the score `{score}` is no number"))),
            };
            if !seen.insert((*query, *document)) {
                return Err(fault(format!("`{document}` is there twice for `{query}`")));
            }
            let documents = found.entry((*query).to_owned()).or_default();
            documents.push(((*document).to_owned(), score));
        }
        for documents in found.values_mut() {
            documents.sort_by(|(one, score), (other, best)| {
                best.total_cmp(score).then_with(|| other.cmp(one))
            });
        }
        Ok(Self(found))
    }
}

/// Lines with something on them, in columns.
fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let rows = (1..).zip(text.lines().map(|line| line.split_whitespace().collect()));
    rows.filter(|(_, columns): &(usize, Vec<&str>)| !columns.is_empty())
}

impl TrecFigures {
    /// Scores a run.
    #[must_use]
    pub fn new(qrels: &TrecQrels, run: &TrecRun) -> Self {
        let none = Vec::new();
        let mut by_query = BTreeMap::new();
        for (query, judged) in &qrels.0 {
            let found = run.0.get(query).unwrap_or(&none);
            by_query.insert(query.clone(), scores(judged, found));
        }
        let lacks = |query: &&String| !run.0.contains_key(*query);
        let unknown = |query: &&String| !qrels.0.contains_key(*query);
        Self {
            queries: qrels.0.len(),
            missing: qrels.0.keys().filter(lacks).cloned().collect(),
            unjudged: run.0.keys().filter(unknown).cloned().collect(),
            measures: measures(&by_query),
            by_query,
        }
    }

    /// The figures as lines of a table.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} queries, {} of them not in the run; {} of the run without judgments",
            self.queries,
            self.missing.len(),
            self.unjudged.len()
        )];
        for (name, figure) in &self.measures {
            let [low, high] = figure.interval;
            lines.push(format!(
                "{name:<11} {:.4}  [{low:.4}, {high:.4}]",
                figure.value
            ));
        }
        lines
    }
}

fn scores(judged: &BTreeMap<String, i64>, found: &[(String, f32)]) -> BTreeMap<String, f64> {
    let grade = |grade: &i64| u32::try_from(*grade).unwrap_or(0);
    let relevant: Vec<u32> = judged
        .values()
        .map(grade)
        .filter(|grade| *grade > 0)
        .collect();
    let grades: Vec<u32> = found
        .iter()
        .map(|(document, _)| judged.get(document).map_or(0, grade))
        .collect();
    let recalls = RECALL.iter().map(|depth| {
        let value = recall(&grades, relevant.len(), *depth);
        (format!("recall@{depth}"), value)
    });
    let mut scores: BTreeMap<String, f64> = recalls.collect();
    scores.insert("mrr".to_owned(), reciprocal_rank(&grades, usize::MAX));
    scores.insert(format!("ndcg@{GAIN}"), ndcg(&grades, &relevant, GAIN));
    scores
}

fn measures(by_query: &BTreeMap<String, BTreeMap<String, f64>>) -> BTreeMap<String, Figure> {
    let mut columns: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for (name, value) in by_query.values().flatten() {
        columns.entry(name).or_default().push(*value);
    }
    let figure = |values: Vec<f64>| Figure {
        value: mean(&values),
        interval: interval(values.len(), |drawn| {
            let drawn: Vec<f64> = drawn.iter().map(|place| values[*place]).collect();
            mean(&drawn)
        }),
    };
    let figures = columns.into_iter();
    figures
        .map(|(name, values)| (name.clone(), figure(values)))
        .collect()
}

/// A search of a stored run.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// The query's name, without white space, unique.
    pub query: String,
    /// Documents with their scores, best first.
    pub documents: Vec<(String, f64)>,
    /// The relevant documents.
    pub grades: BTreeMap<String, u32>,
}

impl Ranked {
    /// The searches of a stored run. Their grades are in the suites; for a case that no suite has, every relevant
    /// document has the grade 1.
    #[must_use]
    pub fn of(results: &Results, suites: &[Suite]) -> Vec<Self> {
        let mut graded = BTreeMap::new();
        for case in suites.iter().flat_map(|suite| &suite.cases) {
            if let Case::Retrieval(case) = case {
                let name = case.id.as_deref().unwrap_or(&case.text);
                graded.insert((name, case.language), case.relevant.grades());
            }
        }
        let mut names = HashSet::new();
        let mut found = Vec::new();
        for result in results
            .cases
            .iter()
            .filter(|case| case.kind == Kind::Retrieval)
        {
            let Observed::Ranked {
                documents, scores, ..
            } = &result.observed
            else {
                continue;
            };
            let key = |language| (result.case.as_str(), language);
            let known = graded
                .get(&key(result.language))
                .or_else(|| graded.get(&key(None)));
            let relevant = result.expected.as_deref().unwrap_or_default().split(", ");
            let grades: BTreeMap<&str, u32> = known.cloned().unwrap_or_else(|| {
                let named = relevant.filter(|name| !name.is_empty());
                named.map(|name| (name, 1)).collect()
            });
            let mut query = word(&result.case);
            let mut number = 2;
            while !names.insert(query.clone()) {
                query = format!("{}-{number}", word(&result.case));
                number += 1;
            }
            let mut last = f64::INFINITY;
            let documents = documents.iter().zip(scores).map(|(document, score)| {
                // Whoever reads the run sorts by score; the order must stay.
                last = score.min(last - STEP);
                (word(document), last)
            });
            found.push(Self {
                query,
                documents: documents.collect(),
                grades: grades
                    .into_iter()
                    .map(|(name, grade)| (word(name), grade))
                    .collect(),
            });
        }
        found
    }

    /// Searches as a TREC run.
    #[must_use]
    pub fn run(searches: &[Self], tag: &str) -> String {
        let mut run = String::new();
        for search in searches {
            for (rank, (document, score)) in (1..).zip(&search.documents) {
                let rank: usize = rank;
                let _ = writeln!(
                    run,
                    "{} Q0 {document} {rank} {score:.6} {}",
                    search.query,
                    word(tag)
                );
            }
        }
        run
    }

    /// Their judgments as qrels.
    #[must_use]
    pub fn qrels(searches: &[Self]) -> String {
        let mut qrels = String::new();
        for search in searches {
            for (document, grade) in &search.grades {
                let _ = writeln!(qrels, "{} 0 {document} {grade}", search.query);
            }
        }
        qrels
    }
}

/// Columns have no white space in them.
fn word(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join("_")
}
