//! Measures of one ranked list: which documents came, best first, and what each is worth.

use std::collections::{BTreeMap, HashSet};

/// Whether the first document is relevant.
pub fn first_is_relevant<T: AsRef<str>>(ranked: &[T], relevant: &BTreeMap<String, u32>) -> bool {
    let first = ranked.first().and_then(|id| relevant.get(id.as_ref()));
    first.is_some_and(|grade| *grade > 0)
}

/// One over the place of the first relevant document, counted from 1; 0 without one.
pub fn reciprocal_rank<T: AsRef<str>>(ranked: &[T], relevant: &BTreeMap<String, u32>) -> f64 {
    let is_relevant = |id: &T| relevant.get(id.as_ref()).is_some_and(|grade| *grade > 0);
    let place = ranked.iter().position(is_relevant);
    place.map_or(0.0, |place| 1.0 / (place + 1) as f64)
}

/// The discounted gain of the first ten documents beside that of the best order; 0 when nothing is relevant.
/// A document of grade `g` gains `g`; a repeated one gains nothing.
pub fn ndcg_at_10<T: AsRef<str>>(ranked: &[T], relevant: &BTreeMap<String, u32>) -> f64 {
    let mut seen = HashSet::new();
    let gains = ranked.iter().map(|id| {
        let fresh = seen.insert(id.as_ref());
        relevant
            .get(id.as_ref())
            .copied()
            .filter(|_| fresh)
            .unwrap_or(0)
    });
    let found = discounted(gains);
    let mut best: Vec<u32> = relevant.values().copied().collect();
    best.sort_unstable_by_key(|grade| std::cmp::Reverse(*grade));
    let ideal = discounted(best.into_iter());
    if ideal > 0.0 { found / ideal } else { 0.0 }
}

fn discounted(gains: impl Iterator<Item = u32>) -> f64 {
    let discounted = gains
        .take(10)
        .zip(2_u32..)
        .map(|(gain, place)| f64::from(gain) / f64::from(place).log2());
    discounted.sum()
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
