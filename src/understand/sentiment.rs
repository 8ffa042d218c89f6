//! How the customer feels: a linear head over the sentence vector, the words and the tone of a message.
//!
//! The weights that ship (`sentiment.bin`) are numbers only, fitted on the tweets of UMSAB in English,
//! Italian, Spanish, Portuguese, German and French (cardiffnlp/xlm-t, tweets under research terms, the
//! texts are not part of the program) and on the shop's own messages, which count more: in a
//! customer-service register a plain question is neutral. [`SentimentModel::fit`] is deterministic, so
//! the file can be made again from the same examples.

use super::features::Vocabulary;
use super::linear::{self, Head, Options, Sample, softmax};
use super::tone::{SIGNS, Tone};
use crate::domain::{Polarity, Sentiment};

mod file;

pub use file::BrokenModel;

/// Length of the words' part beside the sentence vector's, which is 1.
const WORDS_SCALE: f32 = 1.4;
/// Most word features; the file must stay small.
const LARGEST_VOCABULARY: usize = 16_384;
/// The head's classes in their order.
const CLASSES: [Polarity; 3] = [Polarity::Negative, Polarity::Neutral, Polarity::Positive];
/// The weights that are part of the program.
const BUILTIN: &[u8] = include_bytes!("sentiment.bin");

/// An example to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct MoodExample {
    /// What somebody wrote.
    pub text: String,
    /// How they felt.
    pub label: Polarity,
    /// How much it counts beside the others; 1 is usual.
    pub weight: f32,
}

/// A fitted sentiment head.
#[derive(Debug, Clone, PartialEq)]
pub struct SentimentModel {
    vocabulary: Vocabulary,
    head: Head,
}

impl SentimentModel {
    /// The weights that are part of the program, for the vectors of the built-in sentence encoder.
    #[must_use]
    pub fn builtin() -> Self {
        Self::from_bytes(BUILTIN).unwrap_or_else(|_| Self {
            vocabulary: Vocabulary::default(),
            head: Head::flat(CLASSES.len(), SIGNS, 0),
        })
    }

    /// Fits on labelled texts and their sentence vectors (`vectors[i]` belongs to `examples[i]`, all of one
    /// length; examples beyond the shorter of both are ignored). The weights are rounded as the file
    /// stores them, so that a model equals the one read back.
    #[must_use]
    pub fn fit(examples: &[MoodExample], vectors: &[Vec<f32>]) -> Self {
        let vocabulary = Vocabulary::of(
            examples.iter().map(|example| example.text.as_str()),
            2,
            LARGEST_VOCABULARY,
        );
        let width = vectors.first().map_or(0, Vec::len);
        let pairs = || {
            examples
                .iter()
                .zip(vectors)
                .filter(|(_, vector)| vector.len() == width)
        };
        let dense: Vec<Vec<f32>> = pairs()
            .map(|(example, vector)| dense(vector, width, &Tone::of(&example.text)))
            .collect();
        let sparse: Vec<Vec<(u32, f32)>> = pairs()
            .map(|(example, _)| vocabulary.encode(&example.text, WORDS_SCALE))
            .collect();
        let samples: Vec<Sample> = pairs()
            .zip(dense.iter().zip(&sparse))
            .map(|((example, _), (dense, sparse))| Sample {
                dense,
                sparse,
                class: class(example.label),
                weight: example.weight,
            })
            .collect();
        let options = Options {
            penalty: 3e-4,
            iterations: 80,
            tolerance: 1e-5,
        };
        let shape = Head::flat(CLASSES.len(), width + SIGNS, vocabulary.len());
        let head = linear::fit(&samples, &shape, options);
        let exact = Self { vocabulary, head };
        Self::from_bytes(&exact.to_bytes()).unwrap_or(exact)
    }

    /// The mood of a message, from its text and its sentence vector.
    #[must_use]
    pub fn score(&self, text: &str, vector: &[f32]) -> Sentiment {
        let tone = Tone::of(text);
        let width = self.head.dense.saturating_sub(SIGNS);
        let sparse = self.vocabulary.encode(text, WORDS_SCALE);
        let mut shares = self.head.logits(&dense(vector, width, &tone), &sparse);
        softmax(&mut shares);
        let [negative, neutral, positive] = shares[..] else {
            return CALM;
        };
        judged([negative, neutral, positive], &tone)
    }
}

const CALM: Sentiment = Sentiment {
    label: Polarity::Neutral,
    polarity: 0.0,
    intensity: 0.0,
};

/// The label follows the polarity, and the polarity the probabilities, driven further by what shows agitation.
fn judged([negative, neutral, positive]: [f32; 3], tone: &Tone) -> Sentiment {
    let calm = positive - negative;
    let arousal = tone.arousal();
    let agitated = if calm < -0.15 || tone.harsh_words > 0.0 {
        calm - arousal * (1.0 + calm)
    } else if calm > 0.15 {
        calm + arousal * 0.5 * (1.0 - calm)
    } else {
        calm
    };
    let polarity = agitated.clamp(-1.0, 1.0);
    let drawn = tone.glad_emoji + tone.angry_emoji > 0.0 && polarity.abs() > 0.2;
    let changed = drawn || (polarity - calm).abs() > 0.2;
    let label = if (changed || neutral < negative.max(positive)) && polarity < 0.0 {
        Polarity::Negative
    } else if (changed || neutral < positive) && polarity > 0.0 {
        Polarity::Positive
    } else {
        Polarity::Neutral
    };
    let felt = (1.0 - neutral).max(polarity.abs());
    Sentiment {
        label,
        polarity,
        intensity: (0.75 * felt + 0.25 * felt.max(arousal) * arousal).clamp(0.0, 1.0),
    }
}

fn class(label: Polarity) -> usize {
    CLASSES
        .iter()
        .position(|class| *class == label)
        .unwrap_or(1)
}

/// The sentence vector at the fitted width with the tone's signs behind it.
fn dense(vector: &[f32], width: usize, tone: &Tone) -> Vec<f32> {
    let mut dense = vector.to_vec();
    dense.resize(width, 0.0);
    dense.extend(tone.signs());
    dense
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str, label: Polarity) -> MoodExample {
        MoodExample {
            text: text.to_owned(),
            label,
            weight: 1.0,
        }
    }

    fn fitted() -> SentimentModel {
        let examples: Vec<MoodExample> = (0..30)
            .map(|place| match place % 3 {
                0 => example("this is terrible and broken", Polarity::Negative),
                1 => example("where is the shop", Polarity::Neutral),
                _ => example("what a lovely machine", Polarity::Positive),
            })
            .collect();
        let vectors: Vec<Vec<f32>> = (0..30)
            .map(|place| vec![[-1.0, 0.0, 1.0][place % 3], 0.1])
            .collect();
        SentimentModel::fit(&examples, &vectors)
    }

    #[test]
    fn it_learns_and_survives_its_file() {
        let model = fitted();
        assert_eq!(
            model.score("terrible, broken", &[-1.0, 0.1]).label,
            Polarity::Negative
        );
        assert_eq!(
            model.score("where is it", &[0.0, 0.1]).label,
            Polarity::Neutral
        );
        assert_eq!(model.score("lovely", &[1.0, 0.1]).label, Polarity::Positive);
        assert_eq!(
            SentimentModel::from_bytes(&model.to_bytes()),
            Ok(model.clone())
        );
        let bytes = model.to_bytes();
        assert_eq!(
            SentimentModel::from_bytes(&bytes[..bytes.len() - 1]),
            Err(BrokenModel)
        );
        assert_eq!(SentimentModel::from_bytes(b""), Err(BrokenModel));
    }

    #[test]
    fn the_weights_that_ship_are_whole_and_small() {
        let model = SentimentModel::from_bytes(BUILTIN).unwrap();
        assert_eq!(model.head.dense, 512 + SIGNS);
        assert!(BUILTIN.len() < 300_000);
    }

    #[test]
    fn shouting_makes_anger_angrier_and_a_doubled_question_mark_hardly() {
        let model = SentimentModel::builtin();
        let score = |text: &str| model.score(text, &[0.0; 512]);
        assert!(
            score("THIS IS UNACCEPTABLE!!! 😡").polarity < score("this is unacceptable").polarity
        );
        assert!(score("where is it??").polarity - score("where is it?").polarity > -0.2);
        let plain =
            score("È la TERZA volta che scrivo!!! vergogna, voglio parlare con una persona");
        assert!(plain.polarity < -0.75 && plain.intensity > 0.7, "{plain:?}");
    }
}
