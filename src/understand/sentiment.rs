//! How the customer feels: linear heads over the vectors, the words and the tone of a message.
//!
//! There are two: one for the sentence vector, and one that reads the retrieval vector beside it where that is there.
//! The weights that ship (`sentiment.bin`) are numbers only, fitted on the tweets of UMSAB in English,
//! Italian, Spanish, Portuguese, German and French (cardiffnlp/xlm-t, tweets under research terms, the
//! texts are not part of the program) and on the shop's own messages, which count more: in a
//! customer-service register a plain question is neutral. [`SentimentModel::fit`] is deterministic, so
//! the file can be made again from the same examples.

use super::features::Vocabulary;
use super::linear::softmax;
use super::tone::Tone;
use super::vectors::{Vectors, VectorsOf};
use crate::domain::{Language, Polarity, Sentiment};

mod file;
mod head;

pub use file::BrokenModel;
use head::{MoodHead, OWN, WORDS_SCALE};

/// Most word features; the file must stay small.
const LARGEST_VOCABULARY: usize = 32_768;
/// The heads' classes in their order.
const CLASSES: [Polarity; 3] = [Polarity::Negative, Polarity::Neutral, Polarity::Positive];
/// The languages with weights of their own, in the file's order.
const LANGUAGES: [Language; OWN] = [
    Language::EN,
    Language::IT,
    Language::ES,
    Language::PT,
    Language::DE,
    Language::FR,
];
/// What polarity mockery leaves at most.
const MOCKED: f32 = -0.45;
/// What a polite complaint keeps of its heat.
const CIVIL: f32 = 0.85;
/// The weights that are part of the program.
const BUILTIN: &[u8] = include_bytes!("sentiment.bin");

/// An example to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct MoodExample {
    /// What somebody wrote.
    pub text: String,
    /// In which language, if that is known.
    pub language: Option<Language>,
    /// How they felt.
    pub label: Polarity,
    /// How much it counts beside the others; 1 is usual.
    pub weight: f32,
}

/// Fitted sentiment heads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SentimentModel {
    vocabulary: Vocabulary,
    /// Reads the sentence vector.
    plain: MoodHead,
    /// Reads both vectors; of no width when it was fitted without retrieval vectors.
    joint: MoodHead,
}

impl SentimentModel {
    /// The weights that are part of the program, for the vectors of the built-in encoders.
    #[must_use]
    pub fn builtin() -> Self {
        Self::from_bytes(BUILTIN).unwrap_or_default()
    }

    /// Fits on labelled texts and their vectors (those at place `i` belong to `examples[i]`; what lacks either
    /// is ignored). The weights are rounded as the file stores them, so that a model equals the one read back.
    #[must_use]
    pub fn fit(examples: &[MoodExample], vectors: VectorsOf) -> Self {
        let texts = examples.iter().map(|example| example.text.as_str());
        let vocabulary = Vocabulary::of(texts, 2, LARGEST_VOCABULARY);
        let plain = MoodHead::fit(examples, VectorsOf::sentence(vectors.sentence), &vocabulary);
        let joint = match vectors.retrieval {
            Some(_) => MoodHead::fit(examples, vectors, &vocabulary),
            None => MoodHead::empty(vocabulary.len()),
        };
        let exact = Self {
            vocabulary,
            plain,
            joint,
        };
        Self::from_bytes(&exact.to_bytes()).unwrap_or(exact)
    }

    /// The mood of a message in this language, from its text and its vectors.
    #[must_use]
    pub fn score(&self, text: &str, language: Language, vectors: Vectors) -> Sentiment {
        let tone = Tone::of(text);
        match self.shares(text, language, vectors, &tone) {
            Some(shares) => judged(shares, &tone),
            None => CALM,
        }
    }

    /// Probabilities of negative, neutral and positive, as the head alone sees them.
    fn shares(
        &self,
        text: &str,
        language: Language,
        vectors: Vectors,
        tone: &Tone,
    ) -> Option<[f32; 3]> {
        let retrieval = vectors.retrieval.map_or(0, <[f32]>::len);
        let both = retrieval > 0 && retrieval == self.joint.widths[1];
        let head = if both { &self.joint } else { &self.plain };
        let words = self.vocabulary.encode(text, WORDS_SCALE);
        let mut shares = head.logits(vectors, tone, &words, column(language));
        softmax(&mut shares);
        <[f32; 3]>::try_from(shares).ok()
    }
}

/// The place of a language's own weights.
fn column(language: Language) -> Option<usize> {
    LANGUAGES.iter().position(|known| *known == language)
}

const CALM: Sentiment = Sentiment {
    label: Polarity::Neutral,
    polarity: 0.0,
    intensity: 0.0,
};

/// The label follows the polarity, and the polarity the probabilities, driven further by what shows agitation,
/// turned round by mockery and cooled by manners.
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
    let mocks = tone.mocks();
    let polarity = if mocks {
        agitated.min(MOCKED)
    } else {
        agitated
    }
    .clamp(-1.0, 1.0);
    let drawn = tone.glad_emoji + tone.angry_emoji > 0.0 && polarity.abs() > 0.2;
    let changed = drawn || mocks || (polarity - calm).abs() > 0.2;
    let label = if (changed || neutral < negative.max(positive)) && polarity < 0.0 {
        Polarity::Negative
    } else if (changed || neutral < positive) && polarity > 0.0 {
        Polarity::Positive
    } else {
        Polarity::Neutral
    };
    let civil = label == Polarity::Negative && tone.is_civil();
    let heat = if civil { CIVIL } else { 1.0 };
    let felt = (1.0 - neutral).max(polarity.abs());
    Sentiment {
        label,
        polarity: polarity * heat,
        intensity: heat * (0.75 * felt + 0.25 * felt.max(arousal) * arousal).clamp(0.0, 1.0),
    }
}

fn class(label: Polarity) -> usize {
    CLASSES
        .iter()
        .position(|class| *class == label)
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str, label: Polarity) -> MoodExample {
        MoodExample {
            text: text.to_owned(),
            language: None,
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
        SentimentModel::fit(&examples, VectorsOf::sentence(&vectors))
    }

    #[test]
    fn it_learns_and_survives_its_file() {
        let model = fitted();
        assert_eq!(
            model
                .score(
                    "terrible, broken",
                    Language::EN,
                    Vectors::sentence(&[-1.0, 0.1])
                )
                .label,
            Polarity::Negative
        );
        assert_eq!(
            model
                .score("where is it", Language::EN, Vectors::sentence(&[0.0, 0.1]))
                .label,
            Polarity::Neutral
        );
        assert_eq!(
            model
                .score("lovely", Language::EN, Vectors::sentence(&[1.0, 0.1]))
                .label,
            Polarity::Positive
        );
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
        assert_eq!(model.plain.widths, [512, 0]);
        assert_eq!(model.joint.widths, [512, 384]);
        assert!(BUILTIN.len() < 1_000_000);
    }

    #[test]
    fn shouting_makes_anger_angrier_and_a_doubled_question_mark_hardly() {
        let model = SentimentModel::builtin();
        let score = |text: &str| model.score(text, Language::EN, Vectors::sentence(&[0.0; 512]));
        assert!(
            score("THIS IS UNACCEPTABLE!!! 😡").polarity < score("this is unacceptable").polarity
        );
        assert!(score("where is it??").polarity - score("where is it?").polarity > -0.2);
        let plain =
            score("È la TERZA volta che scrivo!!! vergogna, voglio parlare con una persona");
        assert!(plain.polarity < -0.75 && plain.intensity > 0.7, "{plain:?}");
    }

    #[test]
    fn mockery_is_no_praise_in_any_language() {
        let model = SentimentModel::builtin();
        let nothing = Vectors::sentence(&[0.0; 512]);
        for (language, text) in [
            (Language::EN, "thanks for nothing"),
            (
                Language::EN,
                "Great service, I am still waiting for my parcel 👏",
            ),
            (Language::IT, "Complimenti, è la terza volta che scrivo"),
            (Language::IT, "grazie di niente"),
            (Language::ES, "Enhorabuena, sigo esperando mi pedido"),
            (Language::ES, "gracias por nada"),
            (Language::PT, "Parabéns, continuo à espera da encomenda"),
            (Language::PT, "obrigado por nada"),
            (Language::DE, "Toller Service, ich warte seit drei Wochen"),
            (Language::DE, "na super, danke für nichts"),
            (Language::FR, "Bravo, j'attends toujours mon colis"),
            (Language::FR, "merci pour rien"),
        ] {
            let mood = model.score(text, language, nothing);
            assert_eq!(mood.label, Polarity::Negative, "{text}: {mood:?}");
            assert!(mood.polarity <= MOCKED, "{text}: {mood:?}");
        }
    }

    #[test]
    fn plain_praise_is_no_mockery_and_manners_cool_a_complaint() {
        for text in [
            "bravo, ottimo lavoro!",
            "great service, thank you",
            "Toller Service!",
            "enhorabuena por la tienda",
        ] {
            assert!(!Tone::of(text).mocks(), "{text}");
        }
        let shares = [0.7, 0.2, 0.1];
        for (blunt, civil) in [
            (
                "the machine is broken",
                "could you please help, the machine is broken",
            ),
            (
                "la macchina non va",
                "la macchina non va, potreste gentilmente aiutarmi",
            ),
            (
                "la máquina no funciona",
                "por favor, la máquina no funciona",
            ),
            (
                "a máquina não funciona",
                "por favor, a máquina não funciona",
            ),
            (
                "die Maschine ist kaputt",
                "könnten Sie bitte helfen, die Maschine ist kaputt",
            ),
            (
                "la machine ne marche pas",
                "s'il vous plaît, la machine ne marche pas",
            ),
        ] {
            let (blunt, civil) = (
                judged(shares, &Tone::of(blunt)),
                judged(shares, &Tone::of(civil)),
            );
            assert!(civil.polarity > blunt.polarity && civil.intensity < blunt.intensity);
            assert_eq!(civil.label, Polarity::Negative);
        }
    }
}
