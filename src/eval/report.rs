//! What a run found: a table for people, JSON for machines.

use std::collections::BTreeMap;

use serde::Serialize;

use super::case::Kind;
use super::suite::Suite;
use crate::domain::Language;
use crate::understand::OUT_OF_SCOPE;

/// What a run found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The suite's name.
    pub suite: String,
    /// Whether every kind reached its threshold.
    pub passed: bool,
    /// Milliseconds for all cases.
    pub milliseconds: u64,
    /// The kinds that have cases.
    pub kinds: Vec<KindReport>,
    /// The cases, in the suite's order.
    pub cases: Vec<CaseResult>,
}

/// What a run found for one kind.
#[derive(Debug, Serialize)]
pub struct KindReport {
    /// The kind.
    pub kind: Kind,
    /// All its cases.
    #[serde(flatten)]
    pub all: Share,
    /// The share that must pass, when the suite says so.
    pub threshold: Option<f64>,
    /// Whether that is reached.
    pub reached: bool,
    /// By language, as far as the cases name one.
    pub languages: BTreeMap<Language, Share>,
    /// For intents: cases that mean something the shop does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_scope: Option<Share>,
    /// For intents: cases that do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_scope: Option<Share>,
}

/// How many of how many cases passed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many there are.
    pub cases: usize,
    /// How many passed.
    pub passed: usize,
    /// The share that passed, in [0, 1].
    pub rate: f64,
}

/// What came of one case.
#[derive(Debug, Serialize)]
pub struct CaseResult {
    /// Its kind.
    pub kind: Kind,
    /// Its message, or a conversation's id.
    pub case: String,
    /// Its language.
    pub language: Option<Language>,
    /// What was expected, where that is one thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What came instead, or the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// Whether it passed.
    pub passed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

impl Report {
    /// Sums up the results of a suite.
    #[must_use]
    pub fn new(suite: &Suite, cases: Vec<CaseResult>, milliseconds: u64) -> Self {
        let mut by_kind: BTreeMap<Kind, Vec<&CaseResult>> = BTreeMap::new();
        for case in &cases {
            by_kind.entry(case.kind).or_default().push(case);
        }
        let kinds: Vec<KindReport> = by_kind
            .into_iter()
            .map(|(kind, cases)| KindReport::new(kind, &cases, suite.thresholds.get(&kind)))
            .collect();
        Self {
            suite: suite.name.clone(),
            passed: kinds.iter().all(|kind| kind.reached),
            milliseconds,
            kinds,
            cases,
        }
    }

    /// The kinds below their threshold.
    #[must_use]
    pub fn missed(&self) -> Vec<&'static str> {
        let missed = self.kinds.iter().filter(|kind| !kind.reached);
        missed.map(|kind| kind.kind.name()).collect()
    }

    /// The lines that a person reads: a table, then every case that failed and why.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{} ({:.1} s)", self.suite, seconds(self.milliseconds)),
            format!(
                "{:<14}{:>7}{:>8}{:>8}{:>14}",
                "kind", "cases", "passed", "rate", "threshold"
            ),
        ];
        for kind in &self.kinds {
            lines.push(kind.line());
            let parts = [
                ("in scope", kind.in_scope),
                ("out of scope", kind.out_of_scope),
            ];
            for (name, share) in parts {
                lines.extend(share.map(|share| row(&format!("  {name}"), share, "")));
            }
            for (language, share) in &kind.languages {
                lines.push(row(&format!("  {language}"), *share, ""));
            }
        }
        for case in self.cases.iter().filter(|case| !case.passed) {
            let language = case
                .language
                .map_or(String::new(), |code| format!(" [{code}]"));
            lines.push(String::new());
            lines.push(format!("{}{language}: {}", case.kind.name(), case.case));
            lines.extend(case.faults.iter().map(|fault| format!("  {fault}")));
        }
        lines
    }
}

impl KindReport {
    fn new(kind: Kind, cases: &[&CaseResult], threshold: Option<&f64>) -> Self {
        let mut by_language: BTreeMap<Language, Vec<&CaseResult>> = BTreeMap::new();
        for case in cases {
            if let Some(language) = case.language {
                by_language.entry(language).or_default().push(case);
            }
        }
        let scope = |outside: bool| {
            let is =
                |case: &&&CaseResult| (case.expected.as_deref() == Some(OUT_OF_SCOPE)) == outside;
            let cases: Vec<&CaseResult> = cases.iter().filter(is).copied().collect();
            (kind == Kind::Intent && !cases.is_empty()).then(|| Share::of(&cases))
        };
        let all = Share::of(cases);
        Self {
            kind,
            all,
            threshold: threshold.copied(),
            reached: threshold.is_none_or(|threshold| all.rate >= *threshold),
            languages: by_language
                .into_iter()
                .map(|(language, cases)| (language, Share::of(&cases)))
                .collect(),
            in_scope: scope(false),
            out_of_scope: scope(true),
        }
    }

    fn line(&self) -> String {
        let threshold = match self.threshold {
            Some(threshold) if self.reached => format!("{threshold:.3}"),
            Some(threshold) => format!("{threshold:.3} missed"),
            None => "-".to_owned(),
        };
        row(self.kind.name(), self.all, &threshold)
    }
}

impl Share {
    fn of(cases: &[&CaseResult]) -> Self {
        let passed = cases.iter().filter(|case| case.passed).count();
        Self {
            cases: cases.len(),
            passed,
            rate: count(passed) / count(cases.len()).max(1.0),
        }
    }
}

fn row(name: &str, share: Share, threshold: &str) -> String {
    let Share {
        cases,
        passed,
        rate,
    } = share;
    let line = format!("{name:<14}{cases:>7}{passed:>8}{rate:>8.3}{threshold:>14}");
    line.trim_end().to_owned()
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn seconds(milliseconds: u64) -> f64 {
    f64::from(u32::try_from(milliseconds).unwrap_or(u32::MAX)) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(language: Language, expected: &str, got: &str) -> CaseResult {
        CaseResult {
            kind: Kind::Intent,
            case: "hello".to_owned(),
            language: Some(language),
            expected: Some(expected.to_owned()),
            got: Some(got.to_owned()),
            passed: expected == got,
            faults: Vec::new(),
        }
    }

    #[test]
    fn a_share_below_the_threshold_fails_the_suite() {
        let results = || {
            vec![
                result(Language::IT, "buy", "buy"),
                result(Language::IT, "buy", "human"),
                result(Language::DE, OUT_OF_SCOPE, OUT_OF_SCOPE),
                result(Language::DE, "human", "human"),
            ]
        };
        let suite = |threshold| Suite {
            name: "suite".to_owned(),
            thresholds: BTreeMap::from([(Kind::Intent, threshold)]),
            knowledge: None,
            desk_hours: None,
            cases: Vec::new(),
        };
        let reached = Report::new(&suite(0.75), results(), 0);
        assert!(reached.passed);
        let missed = Report::new(&suite(0.76), results(), 0);
        assert_eq!((missed.passed, missed.missed()), (false, vec!["intent"]));
        let kind = &missed.kinds[0];
        assert_eq!(kind.in_scope.map(|share| share.cases), Some(3));
        assert_eq!(kind.out_of_scope.map(|share| share.passed), Some(1));
        assert_eq!(kind.languages[&Language::IT].passed, 1);
    }
}
