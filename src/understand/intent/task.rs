//! The examples of an intent model, checked and taken apart.

use std::collections::{BTreeMap, BTreeSet};

use super::reading::Reading;
use super::{FitError, IntentModel, LabelledText, OUT_OF_SCOPE};
use crate::understand::features::Vocabulary;
use crate::understand::vectors::VectorsOf;

/// Most word features; more of them only make the file longer.
const LARGEST_VOCABULARY: usize = 16_384;

/// Examples from which on fewer folds and rarer words are enough.
const MANY: usize = 4_000;

/// The vectors of one kind.
pub(super) type Block<'a> = &'a [Vec<f32>];

/// The examples in the form that is fitted.
pub(super) struct Task<'a> {
    pub(super) names: Vec<String>,
    pub(super) has_outside: bool,
    pub(super) vocabulary: Vocabulary,
    pub(super) coverage: Vec<f32>,
    pub(super) classes: Vec<usize>,
    pub(super) folds: Vec<usize>,
    pub(super) fold_count: usize,
    examples: &'a [LabelledText],
    vectors: VectorsOf<'a>,
}

impl<'a> Task<'a> {
    /// Checks the input and takes it apart.
    pub(super) fn new(
        examples: &'a [LabelledText],
        vectors: VectorsOf<'a>,
    ) -> Result<Self, FitError> {
        check(examples, vectors.sentence)?;
        vectors
            .retrieval
            .map_or(Ok(()), |retrieval| check(examples, retrieval))?;
        let inside: BTreeSet<&str> = examples
            .iter()
            .map(|example| example.intent.as_str())
            .filter(|name| *name != OUT_OF_SCOPE)
            .collect();
        if inside.is_empty() {
            return Err(FitError::NoExamples);
        }
        let names: Vec<String> = inside.into_iter().map(str::to_owned).collect();
        let class =
            |example: &LabelledText| names.binary_search(&example.intent).unwrap_or(names.len());
        let classes: Vec<usize> = examples.iter().map(class).collect();
        let (fewest, fold_count) = if examples.len() < MANY {
            (1, 8)
        } else {
            (2, 3)
        };
        let texts = || examples.iter().map(|example| example.text.as_str());
        let vocabulary = Vocabulary::of(texts(), fewest, LARGEST_VOCABULARY);
        Ok(Self {
            has_outside: classes.contains(&names.len()),
            coverage: texts().map(|text| vocabulary.coverage(text)).collect(),
            folds: folds(&classes, fold_count),
            fold_count,
            names,
            vocabulary,
            classes,
            examples,
            vectors,
        })
    }

    /// The kinds of vectors to fit on.
    pub(super) fn blocks(&self, with_retrieval: bool) -> Vec<Block<'a>> {
        let retrieval = self.vectors.retrieval.filter(|_| with_retrieval);
        std::iter::once(self.vectors.sentence)
            .chain(retrieval)
            .collect()
    }

    /// The words of every example, of this length.
    pub(super) fn sparse(&self, scale: f32) -> Vec<Vec<(u32, f32)>> {
        self.examples
            .iter()
            .map(|example| self.vocabulary.encode(&example.text, scale))
            .collect()
    }

    /// The model of these readings.
    pub(super) fn model(self, whole: Reading, brief: Option<Reading>) -> IntentModel {
        IntentModel {
            names: self.names,
            vocabulary: self.vocabulary,
            whole,
            brief,
        }
    }
}

fn check(examples: &[LabelledText], vectors: Block) -> Result<(), FitError> {
    if examples.len() != vectors.len() {
        return Err(FitError::Vectors {
            examples: examples.len(),
            vectors: vectors.len(),
        });
    }
    let expected = vectors.first().map_or(0, Vec::len);
    match vectors.iter().position(|vector| vector.len() != expected) {
        Some(example) => Err(FitError::Dimension {
            example,
            found: vectors[example].len(),
            expected,
        }),
        None => Ok(()),
    }
}

/// Folds in blocks of the given order within an intent: neighbours in a file are often paraphrases of each
/// other, and where a file goes language by language a block without its language has to do without.
fn folds(classes: &[usize], count: usize) -> Vec<usize> {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for class in classes {
        *sizes.entry(*class).or_default() += 1;
    }
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    classes
        .iter()
        .map(|class| {
            let before = seen.entry(*class).or_default();
            let block = *before * count / sizes[class];
            *before += 1;
            (block + class) % count
        })
        .collect()
}
