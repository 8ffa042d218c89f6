//! Measures of classifiers. Pure; shares and scores are in [0, 1].

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Bins of a calibration curve.
pub const BINS: usize = 15;
const RESAMPLES: usize = 1_000;
const SEED: u64 = 20_261_121;
/// Quantiles of the normal distribution.
const Z_975: f64 = 1.959_963_985;
const Z_80: f64 = 0.841_621_234;

/// The share of hits; 0 where there are none to count.
pub fn share(hits: impl IntoIterator<Item = bool>) -> f64 {
    let (mut hit, mut all) = (0_u32, 0_u32);
    for each in hits {
        hit += u32::from(each);
        all += 1;
    }
    f64::from(hit) / f64::from(all.max(1))
}

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The middle one; of two in the middle the upper. 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Probability that something inside scores higher than something outside; ties count half.
pub fn auroc(inside: &[f64], outside: &[f64]) -> f64 {
    let mut below: Vec<f64> = outside.to_vec();
    below.sort_by(f64::total_cmp);
    let wins = inside.iter().map(|score| {
        let lower = below.partition_point(|other| other < score);
        let upto = below.partition_point(|other| other <= score);
        (lower + upto) as f64 / 2.0
    });
    wins.sum::<f64>() / (inside.len() * outside.len()).max(1) as f64
}

/// The share of what is inside that is both accepted and right, when the lowest scores are refused until
/// at least `recall` of what is outside is.
pub fn accuracy_at_recall(inside: &[(f64, bool)], outside: &[f64], recall: f64) -> f64 {
    let mut sorted = outside.to_vec();
    sorted.sort_by(f64::total_cmp);
    let refused = (recall * sorted.len() as f64).ceil() as usize;
    let bar = refused
        .checked_sub(1)
        .and_then(|last| sorted.get(last))
        .copied()
        .unwrap_or(f64::NEG_INFINITY);
    share(inside.iter().map(|(score, right)| *right && *score > bar))
}

/// Guesses whose scores are alike.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub count: usize,
    /// Their mean score.
    pub score: f64,
    /// The share of them that is right.
    pub right: f64,
}

/// Guesses by score, in [`BINS`] bins of equal width; the empty ones are left out.
pub fn calibration(guesses: &[(f64, bool)]) -> Vec<Bin> {
    let mut bins = [Bin::default(); BINS];
    for (score, right) in guesses {
        let bin = &mut bins[((score * BINS as f64) as usize).min(BINS - 1)];
        bin.count += 1;
        bin.score += score;
        bin.right += f64::from(u8::from(*right));
    }
    let filled = bins.into_iter().filter(|bin| bin.count > 0);
    let averaged = filled.map(|bin| Bin {
        score: bin.score / bin.count as f64,
        right: bin.right / bin.count as f64,
        ..bin
    });
    averaged.collect()
}

/// The expected calibration error: how far score and share of hits lie apart, on average over the guesses.
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let all: usize = bins.iter().map(|bin| bin.count).sum();
    let apart = bins
        .iter()
        .map(|bin| bin.count as f64 * (bin.score - bin.right).abs());
    apart.sum::<f64>() / all.max(1) as f64
}

/// A 95 % interval of a statistic by the bootstrap: `statistic` gets places among `count` cases, drawn with
/// replacement. The same input gives the same interval.
pub fn interval(count: usize, statistic: impl Fn(&[usize]) -> f64) -> [f64; 2] {
    if count == 0 {
        return [0.0; 2];
    }
    let mut random = StdRng::seed_from_u64(SEED);
    let mut values: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<usize> = (0..count).map(|_| random.random_range(0..count)).collect();
            statistic(&drawn)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    [RESAMPLES / 40, RESAMPLES - RESAMPLES / 40 - 1].map(|place| values[place])
}

/// A 95 % interval of the mean over groups that are drawn whole: a case with its repeats, a conversation with its turns.
pub fn clustered_interval(groups: &[Vec<f64>]) -> [f64; 2] {
    let sums: Vec<(f64, usize)> = groups
        .iter()
        .map(|group| (group.iter().sum(), group.len()))
        .collect();
    interval(sums.len(), |drawn| {
        let (sum, count) = drawn
            .iter()
            .map(|place| sums[*place])
            .fold((0.0, 0), |(sum, count), (more, further)| {
                (sum + more, count + further)
            });
        sum / count.max(1) as f64
    })
}

/// The 95 % score interval of a share (Wilson 1927): holds its promise for few cases and for shares near 0 and 1.
pub fn wilson(hits: usize, all: usize) -> [f64; 2] {
    if all == 0 {
        return [0.0, 1.0];
    }
    let (n, z) = (all as f64, Z_975);
    let share = hits as f64 / n;
    let middle = share + z * z / (2.0 * n);
    let width = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    [
        ((middle - width) / whole).max(0.0),
        ((middle + width) / whole).min(1.0),
    ]
}

/// The probability that chance alone parts `one + other` changed cases at least as unevenly: McNemar's test in
/// its exact form, two-sided.
pub fn mcnemar(one: usize, other: usize) -> f64 {
    let all = one + other;
    let half = -(all as f64) * std::f64::consts::LN_2;
    let mut choose = 0.0_f64;
    let mut tail = 0.0;
    for k in 0..=one.min(other) {
        if k > 0 {
            choose += ((all - k + 1) as f64 / k as f64).ln();
        }
        tail += (choose + half).exp();
    }
    (2.0 * tail).min(1.0)
}

/// P-values adjusted for being several, in their order (Holm 1979).
pub fn holm(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|left, right| values[*left].total_cmp(&values[*right]));
    let mut adjusted = vec![1.0; values.len()];
    let mut least = 0.0_f64;
    for (rank, place) in order.into_iter().enumerate() {
        least = least.max(values[place] * (values.len() - rank) as f64);
        adjusted[place] = least.min(1.0);
    }
    adjusted
}

/// How many pairs of yes and no it takes to see a difference with 80 % probability at the 5 % level, when this
/// share of them changes (Connor 1987, <https://doi.org/10.2307/2531961>).
pub fn pairs_needed(changed: f64, difference: f64) -> usize {
    let difference = difference.abs().max(1e-6);
    let changed = changed.max(difference);
    let root = Z_975 * changed.sqrt() + Z_80 * (changed - difference * difference).max(0.0).sqrt();
    (root / difference).powi(2).ceil() as usize
}

/// What was taken for what.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    /// The classes.
    pub labels: Vec<String>,
    /// One row for each true class, one column for each guess.
    pub counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Counts pairs of truth and guess. Classes beside `labels` are put behind them, sorted.
    pub fn of<'a>(
        labels: &[&str],
        pairs: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Self {
        let mut all: Vec<&str> = labels.to_vec();
        let seen = pairs.clone().into_iter();
        let mut further: Vec<&str> = seen
            .flat_map(|(truth, guess)| [truth, guess])
            .filter(|label| !labels.contains(label))
            .collect();
        further.sort_unstable();
        further.dedup();
        all.extend(further);
        let mut counts = vec![vec![0; all.len()]; all.len()];
        for (truth, guess) in pairs {
            let place = |label| all.iter().position(|known| *known == label);
            if let (Some(row), Some(column)) = (place(truth), place(guess)) {
                counts[row][column] += 1;
            }
        }
        Self {
            labels: all.into_iter().map(str::to_owned).collect(),
            counts,
        }
    }

    /// The mean over the classes of the harmonic mean of precision and recall. Classes that were neither
    /// there nor guessed do not count.
    pub fn macro_f1(&self) -> f64 {
        let scores = (0..self.labels.len()).filter_map(|class| {
            let row: usize = self.counts[class].iter().sum();
            let column: usize = self.counts.iter().map(|row| row[class]).sum();
            let both = self.counts[class][class];
            (row + column > 0).then(|| 2.0 * both as f64 / (row + column) as f64)
        });
        mean(&scores.collect::<Vec<f64>>())
    }

    /// The pairs of different classes that were confused most, with how often and of how many cases.
    pub fn most_confused(&self, most: usize) -> Vec<(&str, &str, usize, usize)> {
        let mut pairs = Vec::new();
        for (truth, row) in self.labels.iter().zip(&self.counts) {
            for (guess, count) in self.labels.iter().zip(row) {
                if truth != guess && *count > 0 {
                    pairs.push((truth.as_str(), guess.as_str(), *count, row.iter().sum()));
                }
            }
        }
        pairs.sort_by_key(|(_, _, count, _)| std::cmp::Reverse(*count));
        pairs.truncate(most);
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn shares_means_and_medians() {
        close(share([true, true, false, true]), 0.75);
        close(share([]), 0.0);
        close(mean(&[1.0, 2.0, 6.0]), 3.0);
        close(median(&[9.0, 1.0, 4.0]), 4.0);
        close(median(&[]), 0.0);
    }

    #[test]
    fn auroc_counts_pairs_and_halves_ties() {
        close(auroc(&[0.9, 0.8], &[0.1, 0.2]), 1.0);
        close(
            auroc(&[0.9, 0.3, 0.5], &[0.5, 0.1]),
            (2.0 + 1.0 + 1.5) / 6.0,
        );
        close(auroc(&[0.5; 3], &[0.5; 2]), 0.5);
    }

    #[test]
    fn accuracy_is_taken_where_enough_outside_is_refused() {
        let inside = [(0.9, true), (0.6, true), (0.4, true), (0.95, false)];
        let outside = [0.1, 0.2, 0.3, 0.5, 0.99];
        close(accuracy_at_recall(&inside, &outside, 0.8), 0.5);
        close(accuracy_at_recall(&inside, &outside, 0.6), 0.75);
        close(accuracy_at_recall(&inside, &outside, 1.0), 0.0);
        close(accuracy_at_recall(&inside, &[], 0.8), 0.75);
    }

    #[test]
    fn calibration_compares_scores_with_hits() {
        let guesses = [(0.95, true), (0.97, false), (0.02, false), (1.0, true)];
        let bins = calibration(&guesses);
        assert_eq!(bins.len(), 2);
        assert_eq!((bins[0].count, bins[1].count), (1, 3));
        close(bins[1].right, 2.0 / 3.0);
        let apart = 0.02 + (2.92_f64 - 2.0).abs();
        close(calibration_error(&bins), apart / 4.0);
        close(calibration_error(&[]), 0.0);
    }

    #[test]
    fn an_interval_holds_the_value_and_stays_the_same() {
        let hits: Vec<bool> = (0..400).map(|place| place % 5 != 0).collect();
        let statistic = |drawn: &[usize]| share(drawn.iter().map(|place| hits[*place]));
        let [low, high] = interval(hits.len(), statistic);
        // The normal approximation gives 0.8 ± 0.039.
        assert!(
            (low - 0.761).abs() < 0.012 && (high - 0.839).abs() < 0.012,
            "{low} {high}"
        );
        assert_eq!([low, high], interval(hits.len(), statistic));
        assert_eq!(interval(0, statistic), [0.0; 2]);
    }

    #[test]
    fn repeats_do_not_make_a_mean_more_certain() {
        let once: Vec<Vec<f64>> = (0..100).map(|place| vec![f64::from(place % 2)]).collect();
        let often: Vec<Vec<f64>> = once.iter().map(|group| vec![group[0]; 20]).collect();
        assert_eq!(clustered_interval(&once), clustered_interval(&often));
    }

    #[test]
    fn intervals_of_shares_are_those_of_the_tables() {
        // scipy.stats.binomtest(8, 10).proportion_ci(method="wilson")
        let [low, high] = wilson(8, 10);
        assert!((low - 0.490_162).abs() < 1e-5 && (high - 0.943_318).abs() < 1e-5);
        assert!(wilson(0, 20)[0].abs() < 1e-12 && wilson(20, 20)[1] > 0.999_999);
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }

    #[test]
    fn changed_pairs_are_weighed_exactly() {
        close(mcnemar(6, 6), 1.0);
        close(mcnemar(0, 12), 2.0 / 4096.0);
        close(mcnemar(12, 0), mcnemar(0, 12));
        // scipy.stats.binomtest(3, 13).pvalue
        assert!((mcnemar(3, 10) - 0.092_285_156).abs() < 1e-8);
        close(mcnemar(0, 0), 1.0);
        assert!(mcnemar(4_000, 6_000) < 1e-80);
    }

    #[test]
    fn several_tests_count_as_several() {
        let adjusted = holm(&[0.04, 0.01, 0.03, 0.5]);
        for (found, expected) in adjusted.iter().zip([0.09, 0.04, 0.09, 0.5]) {
            close(*found, expected);
        }
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn more_pairs_are_needed_for_less() {
        // (1.96·√0.3 + 0.8416·√(0.3 − 0.01))² / 0.01
        assert_eq!(pairs_needed(0.3, 0.1), 234);
        assert!(pairs_needed(0.3, 0.01) > 20_000);
        assert!(pairs_needed(0.0, 0.1) < pairs_needed(0.3, 0.1));
    }

    #[test]
    fn confusion_gives_macro_f1_and_the_worst_pairs() {
        let pairs = [
            ("a", "a"),
            ("a", "b"),
            ("b", "b"),
            ("b", "b"),
            ("c", "other"),
        ];
        let confusion = Confusion::of(&["b", "a", "c", "never"], pairs);
        assert_eq!(confusion.labels, ["b", "a", "c", "never", "other"]);
        assert_eq!(confusion.counts[1], [1, 1, 0, 0, 0]);
        // b: 2·2/(2+3), a: 2·1/(2+1), c: 0, other: 0; "never" does not count.
        close(confusion.macro_f1(), (0.8 + 2.0 / 3.0) / 4.0);
        assert_eq!(confusion.most_confused(1), [("a", "b", 1, 2)]);
    }
}
