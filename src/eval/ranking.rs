//! Measures of a ranking, as `ranx` and trec_eval define them. Pure.

use std::collections::BTreeMap;

/// How deep rankings are looked at.
pub const DEPTH: usize = 10;

/// Recall at 1, 3, 5 and 10, the reciprocal rank and the normalised discounted gain of the first ten, each in
/// [0, 1]. `found` has the grade of each document in the order found, `relevant` the grades of all relevant ones.
#[must_use]
pub fn scores(found: &[u32], relevant: &[u32]) -> BTreeMap<String, f64> {
    let mut scores = BTreeMap::new();
    for k in [1, 3, 5, DEPTH] {
        scores.insert(format!("recall@{k}"), recall(found, relevant.len(), k));
    }
    scores.insert(format!("mrr@{DEPTH}"), reciprocal_rank(found, DEPTH));
    scores.insert(format!("ndcg@{DEPTH}"), ndcg(found, relevant, DEPTH));
    scores
}

/// The share of the relevant documents among the first `k`.
#[must_use]
pub fn recall(found: &[u32], relevant: usize, k: usize) -> f64 {
    let hits = found.iter().take(k).filter(|grade| **grade > 0).count();
    hits as f64 / relevant.max(1) as f64
}

/// One divided by the rank of the first relevant document; 0 when it is not among the first `k`.
#[must_use]
pub fn reciprocal_rank(found: &[u32], k: usize) -> f64 {
    let first = found.iter().take(k).position(|grade| *grade > 0);
    first.map_or(0.0, |place| 1.0 / (place + 1) as f64)
}

/// The discounted gain of the first `k` (Järvelin and Kekäläinen 2002: the grade over log2 of the rank plus one),
/// divided by that of the best order.
#[must_use]
pub fn ndcg(found: &[u32], relevant: &[u32], k: usize) -> f64 {
    let gain = |grades: &[u32]| -> f64 {
        let ranked = grades.iter().take(k).enumerate();
        ranked
            .map(|(place, grade)| f64::from(*grade) / ((place + 2) as f64).log2())
            .sum()
    };
    let mut best = relevant.to_vec();
    best.sort_unstable_by(|one, other| other.cmp(one));
    let best = gain(&best);
    if best > 0.0 { gain(found) / best } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn rankings_are_scored_by_hand() {
        let (found, relevant) = ([0, 2, 0, 1], [2, 1, 1]);
        close(recall(&found, 3, 1), 0.0);
        close(recall(&found, 3, 3), 1.0 / 3.0);
        close(recall(&found, 3, 10), 2.0 / 3.0);
        close(reciprocal_rank(&found, 10), 0.5);
        close(reciprocal_rank(&found, 1), 0.0);
        let gained = 2.0 / 3.0_f64.log2() + 1.0 / 5.0_f64.log2();
        let best = 2.0 + 1.0 / 3.0_f64.log2() + 0.5;
        close(ndcg(&found, &relevant, 10), gained / best);
        close(ndcg(&[], &relevant, 10), 0.0);
        close(ndcg(&[0], &[], 10), 0.0);
    }
}
