//! The main run against the one before.

use serde::Serialize;

use super::cases::Failing;
use crate::eval::compare::{Comparison, ComparisonVerdict, Slice};
use crate::eval::draw::{Lane, lane};
use crate::eval::report::words::{percent, points, thousands};

/// Slices that are shown unfolded.
const SHOWN: usize = 12;
/// Ends that the scale of differences may have, in [0, 1].
const ENDS: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// What a comparison says.
#[derive(Serialize)]
pub struct Baseline {
    base: String,
    candidate: String,
    verdict: &'static str,
    tone: &'static str,
    end: String,
    first: Vec<Difference>,
    others: Vec<Difference>,
    lost: Vec<Flip>,
    won: Vec<Flip>,
    flaky: Vec<String>,
    unpaired: Vec<String>,
}

#[derive(Serialize)]
struct Difference {
    name: String,
    cases: usize,
    before: String,
    now: String,
    points: String,
    interval: String,
    p: String,
    verdict: &'static str,
    tone: &'static str,
    needed: Option<String>,
    lane: String,
}

/// A case whose outcome changed, and where it is told.
#[derive(Serialize)]
struct Flip {
    title: String,
    anchor: Option<String>,
}

/// Prepares a comparison. Slices that tell something come first, then those that changed most.
pub fn baseline(comparison: &Comparison, failing: &Failing) -> Baseline {
    let mut slices: Vec<&Slice> = comparison.slices.iter().collect();
    if let Some(parts) = slices.get_mut(1..) {
        parts.sort_by(|left, right| {
            let none = |slice: &Slice| slice.verdict == ComparisonVerdict::NoEvidence;
            let size = right.difference.abs().total_cmp(&left.difference.abs());
            none(left).cmp(&none(right)).then(size)
        });
    }
    // Small parts have intervals from end to end; they shall not flatten those that tell something.
    let far = slices
        .iter()
        .take(SHOWN)
        .flat_map(|slice| slice.interval)
        .fold(0.0, |most: f64, end| most.max(end.abs()));
    let end = ENDS.into_iter().find(|end| *end >= far).unwrap_or(1.0);
    let mut first: Vec<Difference> = slices.iter().map(|slice| difference(slice, end)).collect();
    let others = first.split_off(first.len().min(SHOWN));
    let (verdict, tone) = words(comparison.verdict);
    let flips = |cases: &[String]| {
        let flip = |title: &String| Flip {
            anchor: failing.anchor(title),
            title: title.clone(),
        };
        cases.iter().map(flip).collect()
    };
    Baseline {
        base: comparison.base.clone(),
        candidate: comparison.candidate.clone(),
        verdict,
        tone,
        end: format!("{:.0}", 100.0 * end),
        first,
        others,
        lost: flips(&comparison.flips.lost),
        won: flips(&comparison.flips.won),
        flaky: comparison.flaky.clone(),
        unpaired: comparison.unpaired.clone(),
    }
}

fn words(verdict: ComparisonVerdict) -> (&'static str, &'static str) {
    let tone = match verdict {
        ComparisonVerdict::Improved => "good",
        ComparisonVerdict::Regressed => "bad",
        ComparisonVerdict::NoEvidence => "plain",
    };
    (verdict.name(), tone)
}

fn difference(slice: &Slice, end: f64) -> Difference {
    let (verdict, tone) = words(slice.verdict);
    let interval = format!(
        "{} to {}",
        points(slice.interval[0]),
        points(slice.interval[1])
    );
    let change = points(slice.difference);
    let label = format!("{}: {change} points, 95 % interval {interval}", slice.name);
    Difference {
        cases: slice.cases,
        before: percent(slice.base.value),
        now: percent(slice.candidate.value),
        points: change,
        interval,
        p: format!("{:.4}", slice.p_adjusted),
        verdict,
        tone,
        needed: slice.needed.map(|needed| thousands(needed as u64)),
        lane: lane(&Lane {
            value: slice.difference,
            interval: Some(slice.interval),
            mark: Some(0.0),
            range: [-end, end],
            tone,
            label: &label,
        }),
        name: slice.name.clone(),
    }
}
