//! Recorded runs: our own `results.json`, and the results of tau2-bench.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::eval::Results;

/// A run as it was recorded.
#[derive(Debug, Clone)]
pub struct RecordedRun {
    pub(super) name: String,
    pub(super) cases: Vec<RecordedCase>,
}

/// A case and how it went.
#[derive(Debug, Clone)]
pub(super) struct RecordedCase {
    /// Unique in its run.
    pub(super) id: String,
    /// The parts of the run that it belongs to.
    pub(super) slices: Vec<String>,
    /// One for each repeat, in [0, 1]; never empty.
    pub(super) scores: Vec<f64>,
}

impl RecordedCase {
    pub(super) fn score(&self) -> f64 {
        super::mean(&self.scores)
    }

    /// Whether it ran once and either passed or failed.
    pub(super) fn is_yes_no(&self) -> bool {
        self.scores.len() == 1 && (self.always_passed() || self.never_passed())
    }

    pub(super) fn always_passed(&self) -> bool {
        self.scores.iter().all(|score| super::is_pass(*score))
    }

    pub(super) fn never_passed(&self) -> bool {
        self.scores.iter().all(|score| *score < 1e-9)
    }
}

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// A file that cannot be read.
    #[error("{path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// A file that holds something else.
    #[error(
        "{path} holds no results: {reason}; give a file written by `sportello eval run SUITE --json FILE`, or the \
         results of tau2-bench"
    )]
    NoResults {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Two runs of different cases.
    #[error("{base} and {candidate} have no case in common; compare runs of the same suite")]
    Nothing {
        /// The one.
        base: String,
        /// The other.
        candidate: String,
    },
}

impl RecordedRun {
    /// Reads a file of either kind.
    ///
    /// # Errors
    /// [`RunFault`], which says what to give instead.
    pub fn read(path: &Path) -> Result<Self, RunFault> {
        let text = std::fs::read(path).map_err(|error| RunFault::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        let no_results = |reason: String| RunFault::NoResults {
            path: path.to_owned(),
            reason,
        };
        let file: File = serde_json::from_slice(&text)
            .map_err(|error| no_results(format!("it is not JSON of either shape ({error})")))?;
        let run = Self::of_scored(path.display().to_string(), file.scored());
        if run.cases.is_empty() {
            return Err(no_results("it has no case with a result".to_owned()));
        }
        Ok(run)
    }

    /// A run of ours that is at hand.
    #[must_use]
    pub fn of(name: &str, results: &Results) -> Self {
        let cases = results.cases.iter().map(|case| Ours {
            kind: case.kind.name().to_owned(),
            case: case.case.clone(),
            language: case.language.map(|language| language.to_string()),
            tags: case.tags.clone(),
            passed: case.passed,
            skipped: case.skipped,
        });
        Self::of_scored(name.to_owned(), cases.filter_map(Ours::scored).collect())
    }

    /// Repeats of a case become several scores of one.
    fn of_scored(name: String, scored: Vec<Scored>) -> Self {
        let mut cases: BTreeMap<String, RecordedCase> = BTreeMap::new();
        for (id, slices, score) in scored {
            let case = cases.entry(id.clone()).or_insert_with(|| RecordedCase {
                id,
                slices,
                scores: Vec::new(),
            });
            case.scores.push(score);
        }
        Self {
            name,
            cases: cases.into_values().collect(),
        }
    }
}

/// Id, slices and score of a repeat.
type Scored = (String, Vec<String>, f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Ours { cases: Vec<Ours> },
    Tau { simulations: Vec<Simulation> },
}

#[derive(Deserialize)]
struct Ours {
    kind: String,
    case: String,
    language: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    passed: bool,
    #[serde(default)]
    skipped: bool,
}

#[derive(Deserialize)]
struct Simulation {
    task_id: String,
    reward_info: Option<Reward>,
}

#[derive(Deserialize)]
struct Reward {
    reward: f64,
}

impl File {
    /// Every repeat. A simulation that broke off without a reward failed; a skipped case counts nowhere.
    fn scored(self) -> Vec<Scored> {
        match self {
            Self::Ours { cases } => cases.into_iter().filter_map(Ours::scored).collect(),
            Self::Tau { simulations } => simulations
                .into_iter()
                .map(|one| {
                    let reward = one.reward_info.map_or(0.0, |info| info.reward);
                    (one.task_id, Vec::new(), reward.clamp(0.0, 1.0))
                })
                .collect(),
        }
    }
}

impl Ours {
    fn scored(self) -> Option<Scored> {
        if self.skipped {
            return None;
        }
        let language = self.language.unwrap_or_default();
        let id = format!("{} [{language}]: {}", self.kind, self.case);
        let mut slices = vec![self.kind.clone()];
        if !language.is_empty() {
            slices.push(format!("{}, {language}", self.kind));
        }
        for tag in self.tags {
            let slice = format!("tag={tag}");
            if !slices.contains(&slice) {
                slices.push(slice);
            }
        }
        Some((id, slices, f64::from(u8::from(self.passed))))
    }
}
