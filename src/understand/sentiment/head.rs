//! A linear head with a part that all languages share and a part of each language's own.
//!
//! The own part is a second copy of the dense features for each language (Daumé III, "Frustratingly easy domain
//! adaptation", 2007): what two languages have in common is learned once, and how people write in one language, on
//! what and with which habits of labelling, beside it.

use super::super::features::Vocabulary;
use super::super::linear::{self, Head, Options, Sample};
use super::super::tone::{SIGNS, Tone};
use super::super::vectors::{Vectors, VectorsOf};
use super::{CLASSES, MoodExample, column};

/// Languages with a part of their own.
pub(super) const OWN: usize = 6;
/// Length of the words' part beside that of each vector.
pub(super) const WORDS_SCALE: f32 = 4.0;
/// Length that a vector of usual deviations is given.
const VECTOR_SCALE: f32 = 3.0;
const OPTIONS: Options = Options {
    penalty: 4e-3,
    iterations: 150,
    tolerance: 2e-5,
};

/// A fitted head. Rows of weights have one for each class.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct MoodHead {
    /// Widths of the sentence vector and of the retrieval vector; the latter 0 when it reads none.
    pub(super) widths: [usize; 2],
    /// One row for each dense feature: both vectors, then the tone's signs.
    pub(super) shared: Vec<f32>,
    /// The same for each language.
    pub(super) own: Vec<f32>,
    /// One row for each word feature.
    pub(super) words: Vec<f32>,
    /// One row for languages without an own part, then one for each with.
    pub(super) biases: Vec<f32>,
}

impl MoodHead {
    /// A head that finds all classes equally likely and reads no vector.
    pub(super) fn empty(vocabulary: usize) -> Self {
        Self {
            widths: [0, 0],
            shared: vec![0.0; SIGNS * CLASSES.len()],
            own: vec![0.0; OWN * SIGNS * CLASSES.len()],
            words: vec![0.0; vocabulary * CLASSES.len()],
            biases: vec![0.0; (OWN + 1) * CLASSES.len()],
        }
    }

    /// Number of dense features.
    pub(super) fn dense(&self) -> usize {
        self.widths[0] + self.widths[1] + SIGNS
    }

    /// Fits on the examples whose vectors are there; with the retrieval vectors if there are any.
    pub(super) fn fit(
        examples: &[MoodExample],
        vectors: VectorsOf,
        vocabulary: &Vocabulary,
    ) -> Self {
        let widths = [
            vectors.sentence.first().map_or(0, Vec::len),
            vectors
                .retrieval
                .and_then(|all| all.first())
                .map_or(0, Vec::len),
        ];
        let pairs: Vec<(&MoodExample, Vectors)> = examples
            .iter()
            .enumerate()
            .filter_map(|(place, example)| Some((example, vectors.of(place)?)))
            .collect();
        let raw: Vec<Vec<f32>> = pairs
            .iter()
            .map(|(example, vectors)| dense(*vectors, widths, &Tone::of(&example.text)))
            .collect();
        let scaling = Scaling::of(&raw, widths);
        let dense: Vec<Vec<f32>> = raw.iter().map(|row| scaling.apply(row)).collect();
        let width = widths[0] + widths[1] + SIGNS;
        let sparse: Vec<Vec<(u32, f32)>> = pairs
            .iter()
            .zip(&dense)
            .map(|((example, _), dense)| {
                let mut sparse = vocabulary.encode(&example.text, WORDS_SCALE);
                if let Some(column) = example.language.and_then(column) {
                    let first = vocabulary.len() + column * width;
                    let own = (first..)
                        .zip(dense)
                        .map(|(place, value)| (place as u32, *value));
                    sparse.extend(own);
                    sparse.push(((vocabulary.len() + OWN * width + column) as u32, 1.0));
                }
                sparse
            })
            .collect();
        let samples: Vec<Sample> = pairs
            .iter()
            .zip(dense.iter().zip(&sparse))
            .map(|((example, _), (dense, sparse))| Sample {
                dense,
                sparse,
                class: super::class(example.label),
                weight: example.weight,
            })
            .collect();
        let shape = Head::flat(CLASSES.len(), width, vocabulary.len() + OWN * (width + 1));
        let fitted = linear::fit(&samples, &shape, OPTIONS);
        Self::unscaled(&fitted, widths, vocabulary.len(), &scaling)
    }

    /// The fitted weights for features as they come.
    fn unscaled(fitted: &Head, widths: [usize; 2], vocabulary: usize, scaling: &Scaling) -> Self {
        let classes = CLASSES.len();
        let width = fitted.dense;
        let row = |place: usize| {
            fitted
                .weights
                .get(place * classes..(place + 1) * classes)
                .unwrap_or_default()
        };
        let bias = row(width + fitted.sparse);
        let mut head = Self {
            widths,
            biases: bias.repeat(OWN + 1),
            words: (width..width + vocabulary).flat_map(row).copied().collect(),
            ..Self::default()
        };
        let own = |column: usize| width + vocabulary + column * width;
        for (block, first) in std::iter::once(0).chain((0..OWN).map(own)).enumerate() {
            for feature in 0..width {
                let (middle, factor) = (scaling.middles[feature], scaling.factors[feature]);
                for (class, weight) in row(first + feature).iter().enumerate() {
                    let weight = weight * factor;
                    if block == 0 {
                        head.shared.push(weight);
                    } else {
                        head.own.push(weight);
                    }
                    for (place, bias) in head.biases.chunks_exact_mut(classes).enumerate() {
                        if block == 0 || block == place {
                            bias[class] -= weight * middle;
                        }
                    }
                }
            }
        }
        let constants = width + vocabulary + OWN * width;
        for column in 0..OWN {
            let own = head.biases.iter_mut().skip((column + 1) * classes);
            for (bias, more) in own.zip(row(constants + column)) {
                *bias += more;
            }
        }
        head
    }

    /// The logit of every class.
    pub(super) fn logits(
        &self,
        vectors: Vectors,
        tone: &Tone,
        words: &[(u32, f32)],
        column: Option<usize>,
    ) -> Vec<f32> {
        let classes = CLASSES.len();
        let dense = dense(vectors, self.widths, tone);
        let place = column.map_or(0, |column| column + 1);
        let biases = self.biases.chunks_exact(classes).nth(place);
        let mut logits = biases.map_or_else(|| vec![0.0; classes], <[f32]>::to_vec);
        let mut add = |row: &[f32], value: f32| {
            for (logit, weight) in logits.iter_mut().zip(row) {
                *logit += value * weight;
            }
        };
        for (row, value) in self.shared.chunks_exact(classes).zip(&dense) {
            add(row, *value);
        }
        if let Some(column) = column {
            let own = self.own.chunks_exact(classes).skip(column * self.dense());
            for (row, value) in own.zip(&dense) {
                add(row, *value);
            }
        }
        for (place, value) in words {
            let start = *place as usize * classes;
            if let Some(row) = self.words.get(start..start + classes) {
                add(row, *value);
            }
        }
        logits
    }
}

/// Both vectors at the fitted widths with the tone's signs behind them.
fn dense(vectors: Vectors, widths: [usize; 2], tone: &Tone) -> Vec<f32> {
    let mut dense = vectors.sentence.to_vec();
    dense.resize(widths[0], 0.0);
    dense.extend(vectors.retrieval.unwrap_or_default().iter().take(widths[1]));
    dense.resize(widths[0] + widths[1], 0.0);
    dense.extend(tone.signs());
    dense
}

/// Gives every dimension of a vector the same say. The retrieval vector is centred too, for its texts all point the
/// same way; the sentence vector is not, so that one of zeros, which stands for none, says nothing.
struct Scaling {
    middles: Vec<f32>,
    factors: Vec<f32>,
}

impl Scaling {
    fn of(rows: &[Vec<f32>], widths: [usize; 2]) -> Self {
        let width = widths[0] + widths[1] + SIGNS;
        let count = rows.len().max(1) as f64;
        let mut middles = vec![0.0_f64; width];
        let mut squares = vec![0.0_f64; width];
        for row in rows {
            for ((middle, square), value) in middles.iter_mut().zip(&mut squares).zip(row) {
                *middle += f64::from(*value) / count;
                *square += f64::from(*value).powi(2) / count;
            }
        }
        let mut scaling = Self {
            middles: vec![0.0; width],
            factors: vec![1.0; width],
        };
        let spans = [(0, widths[0]), (widths[0], widths[1])];
        for (from, length) in spans {
            for place in from..from + length {
                let deviation = (squares[place] - middles[place].powi(2)).max(0.0).sqrt();
                let usual = deviation.max(1e-4) * (length as f64).sqrt();
                scaling.factors[place] = VECTOR_SCALE / usual as f32;
                if from > 0 {
                    scaling.middles[place] = middles[place] as f32;
                }
            }
        }
        scaling
    }

    fn apply(&self, row: &[f32]) -> Vec<f32> {
        let scales = self.middles.iter().zip(&self.factors);
        row.iter()
            .zip(scales)
            .map(|(value, (middle, factor))| (value - middle) * factor)
            .collect()
    }
}
