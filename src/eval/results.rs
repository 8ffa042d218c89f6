//! What a run found, as it is stored: `results.json`, version 1.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::case::{Case, Kind, Words};
use super::gates::{Gate, GateResult};
use super::observed::Observed;
use super::rates::{self, LATENCY, Measure};
use super::score::score;
use super::suite::Suite;
use crate::domain::Language;

/// The version of the format. A reader refuses a newer one.
pub const VERSION: u32 = 1;

/// A run of one or more suites with one model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// The version of the format.
    pub version: u32,
    /// The program's version.
    pub sportello: String,
    /// The model's name.
    pub model: String,
    /// The variant of the shop, when it was not the shop itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The suites.
    pub suites: Vec<String>,
    /// How often every case ran.
    pub repeats: u32,
    /// Whether every threshold and gate held.
    pub passed: bool,
    /// Whether it broke off before its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The kinds that have cases.
    pub kinds: Vec<KindReport>,
    /// Every measure, over all cases of a kind and over slices of them.
    pub figures: Vec<Measure>,
    /// The suites' gates and whether they held.
    pub gates: Vec<GateResult>,
    /// Every case and repeat, in the suites' order.
    pub cases: Vec<CaseResult>,
    /// Tokens that models read and wrote, as counted or reported.
    pub tokens: [u64; 2],
    /// What that cost, where a price was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Milliseconds for everything; left out where a run must be the same to the byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
}

/// What a run found for one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KindReport {
    /// The kind.
    pub kind: Kind,
    /// All its cases.
    #[serde(flatten)]
    pub all: Share,
    /// The share that must pass, when a suite says so; of several suites, what they must reach together.
    pub threshold: Option<f64>,
    /// Whether that is reached.
    pub reached: bool,
    /// By language, as far as the cases name one.
    pub languages: BTreeMap<Language, Share>,
}

/// How many of how many cases passed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many there are.
    pub cases: usize,
    /// How many passed.
    pub passed: usize,
    /// The share that passed, in [0, 1].
    pub rate: f64,
}

/// What came of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseResult {
    /// Its suite.
    pub suite: String,
    /// Its kind.
    pub kind: Kind,
    /// Its name, or its message.
    pub case: String,
    /// What the customer wrote, where neither the name nor what was seen says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// Its language.
    pub language: Option<Language>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Which repeat this is, counted from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub repeat: u32,
    /// What was expected, where that is one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What came instead, or the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// Whether it passed.
    pub passed: bool,
    /// Whether it was not run; then it counts nowhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Scores by metric, in [0, 1].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, f64>,
    /// What was seen: enough to judge it again.
    #[serde(default, skip_serializing_if = "Observed::is_unkept")]
    pub observed: Observed,
    /// What the model was last asked, message by message, where the case failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompt: Vec<[String; 2]>,
}

fn said(case: &Case, observed: &Observed) -> Vec<String> {
    if let Observed::Talked(_) = observed {
        return Vec::new();
    }
    let (id, text) = match case {
        Case::Intent(one) => (&one.id, &one.text),
        Case::Sentiment(one) => (&one.id, &one.text),
        Case::Language(one) => (&one.id, &one.text),
        Case::Retrieval(one) => (&one.id, &one.text),
        Case::ToolCall(one) => {
            let words = one.before.iter().chain([&one.say]);
            return words.flat_map(Words::texts).collect();
        }
        Case::Conversation(_) | Case::Simulation(_) | Case::Safety(_) => return Vec::new(),
    };
    id.iter().map(|_| text.clone()).collect()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands it over by reference"
)]
fn is_first(repeat: &u32) -> bool {
    *repeat == 0
}

/// Why a stored run cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ResultsFault(String);

impl CaseResult {
    /// Judges what was seen of a case.
    #[must_use]
    pub fn new(suite: &str, case: &Case, repeat: u32, observed: Observed) -> Self {
        let scored = score(case, &observed);
        let language = if let Observed::Ranked { language, .. } = &observed {
            Some(*language)
        } else {
            case.language()
        };
        Self {
            suite: suite.to_owned(),
            kind: case.kind(),
            case: case.name().to_owned(),
            said: said(case, &observed),
            language,
            tags: case.tags(),
            repeat,
            expected: scored.expected,
            got: scored.got,
            passed: scored.faults.is_empty(),
            skipped: matches!(observed, Observed::Skipped { .. }),
            faults: scored.faults,
            scores: scored.scores,
            observed,
            prompt: Vec::new(),
        }
    }

    /// What makes it the same case in another run.
    #[must_use]
    pub fn key(&self) -> (Kind, Option<Language>, &str) {
        (self.kind, self.language, &self.case)
    }

    /// The name with kind and language, as lists show it.
    #[must_use]
    pub fn title(&self) -> String {
        let language = self.language.map_or(String::new(), |code| code.to_string());
        format!("{} [{language}]: {}", self.kind.name(), self.case)
    }
}

/// What a run was, beside its cases.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The model's name.
    pub model: String,
    /// The variant's name.
    pub variant: Option<String>,
    /// How often every case ran.
    pub repeats: u32,
    /// Milliseconds for everything.
    pub milliseconds: Option<u64>,
    /// What it cost.
    pub cost: Option<f64>,
    /// Whether it broke off before its end.
    pub partial: bool,
}

impl Results {
    /// Sums up the results of suites. Gates that speak of a baseline are judged against `baseline`.
    #[must_use]
    pub fn new(
        suites: &[Suite],
        about: About,
        cases: Vec<CaseResult>,
        baseline: Option<&Self>,
    ) -> Self {
        let counted: Vec<&CaseResult> = cases.iter().filter(|case| !case.skipped).collect();
        let mut thresholds: BTreeMap<(&str, Kind), f64> = BTreeMap::new();
        for suite in suites {
            for (kind, threshold) in &suite.thresholds {
                thresholds.insert((&suite.name, *kind), *threshold);
            }
        }
        let mut by_kind: BTreeMap<Kind, Vec<&CaseResult>> = BTreeMap::new();
        for case in &counted {
            by_kind.entry(case.kind).or_default().push(case);
        }
        let kinds: Vec<KindReport> = by_kind
            .iter()
            .map(|(kind, cases)| KindReport::new(*kind, cases, &thresholds))
            .collect();
        let figures = rates::measures(&counted);
        let gates: Vec<&Gate> = suites.iter().flat_map(|suite| &suite.gates).collect();
        let gates = super::gates::judge(&gates, &figures, baseline);
        let tokens = counted.iter().flat_map(|case| case.observed.turns()).fold(
            [0, 0],
            |[input, output], turn| {
                let (read, written) = turn.tokens();
                [input + read, output + written]
            },
        );
        Self {
            version: VERSION,
            sportello: env!("CARGO_PKG_VERSION").to_owned(),
            model: about.model,
            variant: about.variant,
            suites: suites.iter().map(|suite| suite.name.clone()).collect(),
            repeats: about.repeats.max(1),
            passed: kinds.iter().all(|kind| kind.reached) && gates.iter().all(|gate| gate.held),
            partial: about.partial,
            kinds,
            figures,
            gates,
            cases,
            tokens,
            cost: about.cost,
            milliseconds: about.milliseconds,
        }
    }

    /// Reads a stored run.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: &Path) -> Result<Self, ResultsFault> {
        let fault = |reason: String| ResultsFault(format!("{}: {reason}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
        let results: Self = serde_json::from_slice(&bytes).map_err(|error| {
            fault(format!(
                "these are no results of `sportello eval run` ({error}); give a file that `--json` or `--out` wrote"
            ))
        })?;
        if results.version > VERSION {
            return Err(fault(format!(
                "these results have version {}, this program reads up to {VERSION}; use a newer sportello",
                results.version
            )));
        }
        Ok(results)
    }

    /// Judges a stored run again, with suites as they are now. Cases that the suites do not have any more are left
    /// out; cases that were not run are not there.
    ///
    /// # Errors
    /// When the suites have none of its cases.
    pub fn judged_again(
        self,
        suites: &[Suite],
        baseline: Option<&Self>,
    ) -> Result<Self, ResultsFault> {
        let mut known: BTreeMap<(Kind, Option<Language>, &str), (&str, &Case)> = BTreeMap::new();
        for suite in suites {
            for case in &suite.cases {
                known.insert(
                    (case.kind(), case.language(), case.name()),
                    (&suite.name, case),
                );
            }
        }
        let about = About {
            model: self.model,
            variant: self.variant,
            repeats: self.repeats,
            milliseconds: self.milliseconds,
            cost: self.cost,
            partial: self.partial,
        };
        let cases: Vec<CaseResult> = self
            .cases
            .into_iter()
            .filter_map(|result| {
                let (kind, language, name) = result.key();
                // The language of a search was detected where its case names none.
                let found = known
                    .get(&(kind, language, name))
                    .or_else(|| known.get(&(kind, None, name)));
                let (suite, case) = found.filter(|_| !result.observed.is_unkept())?;
                let judged = CaseResult::new(suite, case, result.repeat, result.observed);
                Some(CaseResult {
                    prompt: result.prompt,
                    ..judged
                })
            })
            .collect();
        if cases.is_empty() {
            return Err(ResultsFault(
                "the suites have none of the cases of this run, or it is a baseline, which keeps nothing to judge; \
                 name a run and the suites that it ran"
                    .to_owned(),
            ));
        }
        Ok(Self::new(suites, about, cases, baseline))
    }

    /// What comparisons and gates need of a run, without what was seen: small enough to stand beside the suites.
    #[must_use]
    pub fn as_baseline(mut self) -> Self {
        for case in &mut self.cases {
            case.observed = Observed::Unkept;
            case.said.clear();
            case.prompt.clear();
            case.faults.clear();
        }
        self.figures
            .retain(|figure| !figure.metric.starts_with(LATENCY));
        self.milliseconds = None;
        self
    }

    /// The same as JSON with one entry of every list a line, so that versions of it can be compared.
    ///
    /// # Errors
    /// What serde says.
    pub fn one_a_line(&self) -> Result<String, serde_json::Error> {
        let Value::Object(fields) = serde_json::to_value(self)? else {
            return Ok(String::new());
        };
        let fields = fields.iter().map(|(name, value)| {
            let Value::Array(entries) = value else {
                return format!("\"{name}\": {value}");
            };
            let entries: Vec<String> = entries.iter().map(Value::to_string).collect();
            format!("\"{name}\": [\n{}\n]", entries.join(",\n"))
        });
        let fields: Vec<String> = fields.collect();
        Ok(format!("{{\n{}\n}}\n", fields.join(",\n")))
    }

    /// A measure of the run.
    #[must_use]
    pub fn figure(&self, kind: Kind, metric: &str, slice: &str) -> Option<&Measure> {
        let mut figures = self.figures.iter();
        figures.find(|one| one.kind == kind && one.metric == metric && one.slice == slice)
    }

    /// What was below its threshold or gate.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        let kinds = self.kinds.iter().filter(|kind| !kind.reached);
        let gates = self.gates.iter().filter(|gate| !gate.held);
        kinds
            .map(|kind| kind.kind.name().to_owned())
            .chain(gates.map(|gate| gate.name.clone()))
            .collect()
    }

    /// Cases that passed in some repeats only, with how often they passed.
    #[must_use]
    pub fn flaky(&self) -> Vec<(String, u32)> {
        let mut passes: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        for case in self.cases.iter().filter(|case| !case.skipped) {
            let (passed, all) = passes.entry(case.title()).or_default();
            *passed += u32::from(case.passed);
            *all += 1;
        }
        let mixed = passes
            .into_iter()
            .filter(|(_, (passed, all))| *passed > 0 && passed < all);
        mixed.map(|(title, (passed, _))| (title, passed)).collect()
    }
}

impl KindReport {
    /// A kind is reached when each suite that sets a threshold for it reaches that. What these suites must reach
    /// together is told.
    fn new(kind: Kind, cases: &[&CaseResult], thresholds: &BTreeMap<(&str, Kind), f64>) -> Self {
        let mut by_language: BTreeMap<Language, Vec<&CaseResult>> = BTreeMap::new();
        for case in cases {
            if let Some(language) = case.language {
                by_language.entry(language).or_default().push(case);
            }
        }
        let mut reached = true;
        let (mut wanted, mut counted) = (0.0, 0);
        for ((suite, _), threshold) in thresholds.iter().filter(|((_, of), _)| *of == kind) {
            let own = cases.iter().filter(|case| case.suite == *suite).copied();
            let share = Share::of(&own.collect::<Vec<_>>());
            reached &= share.cases == 0 || share.rate >= *threshold;
            wanted += threshold * share.cases as f64;
            counted += share.cases;
        }
        Self {
            kind,
            all: Share::of(cases),
            // Rounded, so that one suite's threshold is told as it is written.
            threshold: (counted > 0).then(|| (wanted / counted as f64 * 1e9).round() / 1e9),
            reached,
            languages: by_language
                .into_iter()
                .map(|(language, cases)| (language, Share::of(&cases)))
                .collect(),
        }
    }
}

impl Share {
    /// Counts cases.
    #[must_use]
    pub fn of(cases: &[&CaseResult]) -> Self {
        let passed = cases.iter().filter(|case| case.passed).count();
        Self {
            cases: cases.len(),
            passed,
            rate: passed as f64 / cases.len().max(1) as f64,
        }
    }
}
