//! Measures of one ranked list: which documents came, best first, and what each is worth.

use std::collections::{BTreeMap, HashSet};

use crate::eval::ranking::{self, DEPTH};

/// Whether the first document is relevant.
pub fn first_is_relevant<T: AsRef<str>>(ranked: &[T], relevant: &BTreeMap<String, u32>) -> bool {
    gains(ranked, relevant)
        .first()
        .is_some_and(|gain| *gain > 0)
}

/// One over the place of the first relevant document, counted from 1; 0 without one.
pub fn reciprocal_rank<T: AsRef<str>>(ranked: &[T], relevant: &BTreeMap<String, u32>) -> f64 {
    ranking::reciprocal_rank(&gains(ranked, relevant), usize::MAX)
}

/// The discounted gain of the first ten documents beside that of the best order; 0 when nothing is relevant.
pub fn ndcg_at_10<T: AsRef<str>>(ranked: &[T], relevant: &BTreeMap<String, u32>) -> f64 {
    let best: Vec<u32> = relevant.values().copied().collect();
    ranking::ndcg(&gains(ranked, relevant), &best, DEPTH)
}

/// A document of grade `g` gains `g`; a repeated one gains nothing.
fn gains<T: AsRef<str>>(ranked: &[T], relevant: &BTreeMap<String, u32>) -> Vec<u32> {
    let mut seen = HashSet::new();
    let gain = |id: &T| {
        let grade = relevant.get(id.as_ref()).copied();
        grade
            .filter(|_| seen.insert(id.as_ref().to_owned()))
            .unwrap_or(0)
    };
    ranked.iter().map(gain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relevant(grades: &[(&str, u32)]) -> BTreeMap<String, u32> {
        let owned = grades.iter().map(|(id, grade)| ((*id).to_owned(), *grade));
        owned.collect()
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn the_first_place_and_its_reciprocal() {
        let wanted = relevant(&[("b", 1), ("c", 0)]);
        assert!(first_is_relevant(&["b", "a"], &wanted));
        assert!(!first_is_relevant(&["c", "b"], &wanted));
        assert!(!first_is_relevant::<&str>(&[], &wanted));
        close(reciprocal_rank(&["c", "b"], &wanted), 0.5);
        close(reciprocal_rank(&["a"], &wanted), 0.0);
    }

    #[test]
    fn gains_are_discounted_by_place() {
        let wanted = relevant(&[("a", 2), ("b", 1)]);
        close(ndcg_at_10(&["a", "b"], &wanted), 1.0);
        let ideal = 2.0 + 1.0 / 3.0_f64.log2();
        close(
            ndcg_at_10(&["b", "x", "a"], &wanted),
            (1.0 + 2.0 / 2.0) / ideal,
        );
        close(ndcg_at_10(&["a", "a", "a"], &wanted), 2.0 / ideal);
        close(ndcg_at_10(&["a"], &relevant(&[])), 0.0);
        let far: Vec<String> = (0..10)
            .map(|place| place.to_string())
            .chain(["a".to_owned()])
            .collect();
        close(ndcg_at_10(&far, &wanted), 0.0);
    }
}
