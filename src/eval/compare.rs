//! Two runs of the same cases, compared pair by pair: what got better, what got worse, and whether that is more
//! than chance.

mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;

use super::measures::{holm, interval, mcnemar, mean, pairs_needed, wilson};
use read::RecordedCase;
pub use read::{RecordedRun, RunFault};

/// Below this probability a difference is not put down to chance.
const LEVEL: f64 = 0.05;
/// Draws of the test on scores that are no yes or no.
const DRAWS: u32 = 10_000;
const SEED: u64 = 20_261_121;

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonVerdict {
    /// Better, by more than chance and at least by the minimum effect.
    Improved,
    /// Worse, by more than chance and at least by the minimum effect.
    Regressed,
    /// These cases do not tell.
    NoEvidence,
}

impl ComparisonVerdict {
    /// The words for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Improved => "improved",
            Self::Regressed => "regressed",
            Self::NoEvidence => "no evidence",
        }
    }
}

/// Two runs, compared.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The name of the run that was before.
    pub base: String,
    /// The name of the run in question.
    pub candidate: String,
    /// Regressed when any slice is; else the verdict on all cases.
    pub verdict: ComparisonVerdict,
    /// All cases first, then parts of them.
    pub slices: Vec<Slice>,
    /// Cases that one run passed in every repeat and the other in none.
    pub flips: Flips,
    /// Cases that passed in some repeats of one run only.
    pub flaky: Vec<String>,
    /// Cases that one run has and the other has not; they are left out.
    pub unpaired: Vec<String>,
}

/// Cases whose outcome changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Flips {
    /// Passed before, fail now.
    pub lost: Vec<String>,
    /// Failed before, pass now.
    pub won: Vec<String>,
}

/// Some of the cases in both runs.
#[derive(Debug, Clone, Serialize)]
pub struct Slice {
    /// Which.
    pub name: String,
    /// How many.
    pub cases: usize,
    /// The mean score before.
    pub base: Rate,
    /// The mean score now.
    pub candidate: Rate,
    /// How much it grew, in [-1, 1].
    pub difference: f64,
    /// The 95 % interval of that: cases drawn again and again, in pairs and with all their repeats.
    pub interval: [f64; 2],
    /// How many cases were lost and won, for yes and no.
    pub changed: [usize; 2],
    /// The probability of such a difference by chance: McNemar's exact test for yes and no, else sign flips.
    pub p: f64,
    /// The same after Holm's correction for there being several slices; the first slice stands alone.
    pub p_adjusted: f64,
    /// What that says.
    pub verdict: ComparisonVerdict,
    /// Without evidence: how many cases would show this difference, or the minimum effect where it is smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed: Option<usize>,
    /// The mean square of the cases' differences; for yes and no the share that changed.
    #[serde(skip)]
    squares: f64,
}

/// A mean score in [0, 1] with its 95 % interval: Wilson's for yes and no, else by the bootstrap over cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// The mean.
    pub value: f64,
    /// From and to.
    pub interval: [f64; 2],
}

/// Compares two runs of the same cases. `minimum` is the smallest difference that matters, in [0, 1].
///
/// # Errors
/// [`RunFault::Nothing`] when no case is in both.
pub fn compare(
    base: &RecordedRun,
    candidate: &RecordedRun,
    minimum: f64,
) -> Result<Comparison, RunFault> {
    let (pairs, unpaired) = paired(base, candidate);
    if pairs.is_empty() {
        return Err(RunFault::Nothing {
            base: base.name.clone(),
            candidate: candidate.name.clone(),
        });
    }
    let mut names: BTreeMap<&str, Vec<Pair>> = BTreeMap::new();
    for pair in &pairs {
        for name in &pair.0.slices {
            names.entry(name).or_default().push(*pair);
        }
    }
    // A part that is the whole says nothing of its own.
    names.retain(|_, part| part.len() < pairs.len());
    let mut slices = vec![Slice::of("all", &pairs)];
    slices.extend(names.iter().map(|(name, part)| Slice::of(name, part)));
    let parts: Vec<f64> = slices.iter().skip(1).map(|slice| slice.p).collect();
    let adjusted = holm(&parts);
    for (slice, p) in slices.iter_mut().skip(1).zip(adjusted) {
        slice.p_adjusted = p;
    }
    for slice in &mut slices {
        slice.judge(minimum);
    }
    let regressed = |slice: &Slice| slice.verdict == ComparisonVerdict::Regressed;
    Ok(Comparison {
        base: base.name.clone(),
        candidate: candidate.name.clone(),
        verdict: if slices.iter().any(regressed) {
            ComparisonVerdict::Regressed
        } else {
            slices[0].verdict
        },
        slices,
        flips: flips(&pairs),
        flaky: flaky(&pairs),
        unpaired,
    })
}

impl Comparison {
    /// The lines that a person reads.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{} against {}", self.candidate, self.base),
            format!(
                "{:<24}{:>6}{:>9}{:>9}{:>9}  {:<18}{:>9}  verdict",
                "slice", "cases", "before", "now", "change", "95 % interval", "p"
            ),
        ];
        lines.extend(self.slices.iter().map(Slice::line));
        let mut list = |title: &str, cases: &[String]| {
            if !cases.is_empty() {
                lines.push(String::new());
                lines.push(format!("{title} ({})", cases.len()));
                lines.extend(cases.iter().map(|case| format!("  {case}")));
            }
        };
        list("passed before, fail now", &self.flips.lost);
        list("failed before, pass now", &self.flips.won);
        list("not the same in every repeat", &self.flaky);
        list("in one run only, left out", &self.unpaired);
        lines.push(String::new());
        lines.push(self.verdict.name().to_owned());
        lines
    }
}

type Pair<'a> = (&'a RecordedCase, &'a RecordedCase);

fn paired<'a>(base: &'a RecordedRun, candidate: &'a RecordedRun) -> (Vec<Pair<'a>>, Vec<String>) {
    let by_id = |run: &'a RecordedRun| -> BTreeMap<&'a str, &'a RecordedCase> {
        let cases = run.cases.iter();
        cases.map(|case| (case.id.as_str(), case)).collect()
    };
    let (before, now) = (by_id(base), by_id(candidate));
    let pairs = before
        .iter()
        .filter_map(|(id, case)| Some((*case, *now.get(id)?)))
        .collect();
    let ids = |cases: &BTreeMap<&'a str, &'a RecordedCase>| -> BTreeSet<&'a str> {
        cases.keys().copied().collect()
    };
    let unpaired = ids(&before)
        .symmetric_difference(&ids(&now))
        .map(|id| (*id).to_owned())
        .collect();
    (pairs, unpaired)
}

impl Slice {
    fn of(name: &str, pairs: &[Pair]) -> Self {
        let before: Vec<f64> = pairs.iter().map(|(case, _)| case.score()).collect();
        let now: Vec<f64> = pairs.iter().map(|(_, case)| case.score()).collect();
        let differences: Vec<f64> = before.iter().zip(&now).map(|(a, b)| b - a).collect();
        let yes_no = pairs
            .iter()
            .all(|(before, now)| before.is_yes_no() && now.is_yes_no());
        let count = |sign: f64| {
            let signed = differences.iter().map(|difference| difference * sign);
            signed.filter(|difference| *difference > 0.0).count()
        };
        let changed = [count(-1.0), count(1.0)];
        let p = if yes_no {
            mcnemar(changed[0], changed[1])
        } else {
            sign_flips(&differences)
        };
        let squares: Vec<f64> = differences.iter().map(|one| one * one).collect();
        Self {
            name: name.to_owned(),
            cases: pairs.len(),
            base: Rate::of(&before, yes_no),
            candidate: Rate::of(&now, yes_no),
            difference: mean(&differences),
            interval: interval(differences.len(), |drawn| mean_at(&differences, drawn)),
            changed,
            p,
            p_adjusted: p,
            verdict: ComparisonVerdict::NoEvidence,
            needed: None,
            squares: mean(&squares),
        }
    }

    fn judge(&mut self, minimum: f64) {
        let large = self.difference.abs() >= minimum;
        if self.p_adjusted < LEVEL && large {
            self.verdict = if self.difference > 0.0 {
                ComparisonVerdict::Improved
            } else {
                ComparisonVerdict::Regressed
            };
        } else {
            let effect = self.difference.abs().max(minimum);
            self.needed = Some(pairs_needed(self.squares, effect));
        }
    }

    fn line(&self) -> String {
        let points = |share: f64| format!("{:.1}", 100.0 * share);
        let interval = format!(
            "[{:+.1}, {:+.1}]",
            100.0 * self.interval[0],
            100.0 * self.interval[1]
        );
        let needed = self.needed.map_or(String::new(), |needed| {
            format!(" ({needed} cases would tell)")
        });
        format!(
            "{:<24}{:>6}{:>9}{:>9}{:>+9.1}  {interval:<18}{:>9.4}  {}{needed}",
            self.name,
            self.cases,
            points(self.base.value),
            points(self.candidate.value),
            100.0 * self.difference,
            self.p_adjusted,
            self.verdict.name()
        )
    }
}

impl Rate {
    fn of(scores: &[f64], yes_no: bool) -> Self {
        let passed = scores.iter().filter(|score| is_pass(**score)).count();
        Self {
            value: mean(scores),
            interval: if yes_no {
                wilson(passed, scores.len())
            } else {
                interval(scores.len(), |drawn| mean_at(scores, drawn))
            },
        }
    }
}

fn mean_at(values: &[f64], places: &[usize]) -> f64 {
    let drawn: Vec<f64> = places.iter().map(|place| values[*place]).collect();
    mean(&drawn)
}

fn is_pass(score: f64) -> bool {
    score > 1.0 - 1e-9
}

/// How often differences of this size, each with a sign of its own by chance, have a mean as far from zero.
fn sign_flips(differences: &[f64]) -> f64 {
    let found = mean(differences).abs() - 1e-12;
    let mut random = StdRng::seed_from_u64(SEED);
    let as_far = (0..DRAWS).filter(|_| {
        let flipped = differences.iter().map(|difference| {
            let sign = if random.random::<bool>() { 1.0 } else { -1.0 };
            sign * difference
        });
        mean(&flipped.collect::<Vec<f64>>()).abs() >= found
    });
    (f64::from(u32::try_from(as_far.count()).unwrap_or(DRAWS)) + 1.0) / (f64::from(DRAWS) + 1.0)
}

fn flips(pairs: &[Pair]) -> Flips {
    let ids = |lost: bool| {
        let changed = pairs.iter().filter(|(before, now)| {
            let (had, has) = if lost { (before, now) } else { (now, before) };
            had.always_passed() && has.never_passed()
        });
        changed.map(|(case, _)| case.id.clone()).collect()
    };
    Flips {
        lost: ids(true),
        won: ids(false),
    }
}

fn flaky(pairs: &[Pair]) -> Vec<String> {
    let mixed = |case: &RecordedCase| !case.always_passed() && !case.never_passed();
    pairs
        .iter()
        .filter(|(before, now)| {
            let repeated = before.scores.len() > 1 || now.scores.len() > 1;
            repeated && (mixed(before) || mixed(now))
        })
        .map(|(case, _)| case.id.clone())
        .collect()
}
