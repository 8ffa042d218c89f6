//! The usual directions of the two encoders' vectors, as a small file that is part of the program.
//!
//! Means over the demo shop's own texts: of E5 over questions and over passages, each as half the mean of all and half
//! that of the text's language, and of the sentence encoder over both. `sportello fit centre` makes the file again.

use std::sync::LazyLock;

use super::super::build::passage_text;
use super::{PassageText, leaning, unit};
use crate::domain::Language;
use crate::ports::{EmbedError, Embedder, IndexPoint};

/// The languages with a direction of their own; the first place of each row is for all others.
const LANGUAGES: [Language; 5] = [
    Language::EN,
    Language::IT,
    Language::ES,
    Language::PT,
    Language::DE,
];
const RETRIEVAL: usize = 384;
const SENTENCE: usize = 512;
const ROWS: usize = LANGUAGES.len() + 1;
const BUILTIN: &[u8] = include_bytes!("../centre.bin");

/// Directions that are taken off vectors before they are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Centre {
    /// Queries of E5: for unknown languages, then for each known one.
    queries: Vec<Vec<f32>>,
    passages: Vec<Vec<f32>>,
    sentence_query: Vec<f32>,
    sentence_passage: Vec<f32>,
}

/// A text's language, E5's vector of it and the sentence encoder's.
pub type CentreText = (Language, Vec<f32>, Vec<f32>);

/// Vectors that a centre is fitted on.
#[derive(Debug, Clone, Default)]
pub struct CentreTexts {
    /// Of questions.
    pub queries: Vec<CentreText>,
    /// Of passages.
    pub passages: Vec<CentreText>,
}

impl CentreTexts {
    /// Vectors of questions.
    ///
    /// # Errors
    /// What an embedder says.
    pub async fn queries(
        sentence: &dyn Embedder,
        retrieval: &dyn Embedder,
        texts: &[(String, Language)],
    ) -> Result<Vec<CentreText>, EmbedError> {
        let words: Vec<String> = texts.iter().map(|(text, _)| text.clone()).collect();
        let retrieval = retrieval.embed_queries(&words).await?;
        let sentence = sentence.embed_queries(&words).await?;
        let languages = texts.iter().map(|(_, language)| *language);
        Ok(together(languages, retrieval, sentence))
    }

    /// Vectors of passages, each leaning towards its title.
    ///
    /// # Errors
    /// What an embedder says.
    pub async fn passages(
        sentence: &dyn Embedder,
        retrieval: &dyn Embedder,
        points: &[IndexPoint],
    ) -> Result<Vec<CentreText>, EmbedError> {
        let texts: Vec<PassageText> = points.iter().map(passage_text).collect();
        let titles: Vec<String> = texts.iter().map(|text| text.title.clone()).collect();
        let wholes: Vec<String> = texts.iter().map(|text| text.text.clone()).collect();
        let leaned = |titles: Vec<Vec<f32>>, wholes: Vec<Vec<f32>>| {
            let pairs = titles.into_iter().zip(wholes);
            pairs.map(|(title, whole)| leaning(&title, &whole))
        };
        let retrieval = leaned(
            retrieval.embed(&titles).await?,
            retrieval.embed(&wholes).await?,
        );
        let sentence = leaned(
            sentence.embed(&titles).await?,
            sentence.embed(&wholes).await?,
        );
        let languages = texts.iter().map(|text| text.language);
        Ok(together(languages, retrieval, sentence))
    }
}

fn together(
    languages: impl Iterator<Item = Language>,
    retrieval: impl IntoIterator<Item = Vec<f32>>,
    sentence: impl IntoIterator<Item = Vec<f32>>,
) -> Vec<CentreText> {
    languages
        .zip(retrieval)
        .zip(sentence)
        .map(|((language, retrieval), sentence)| (language, retrieval, sentence))
        .collect()
}

impl Centre {
    /// The one that is part of the program.
    pub(super) fn builtin() -> &'static Self {
        static SHARED: LazyLock<Centre> = LazyLock::new(|| {
            Centre::from_bytes(BUILTIN).unwrap_or_else(|| Centre::fit(&CentreTexts::default()))
        });
        &SHARED
    }

    /// Means of vectors.
    #[must_use]
    pub fn fit(texts: &CentreTexts) -> Self {
        let sentences =
            |texts: &[CentreText]| mean(texts.iter().map(|(.., sentence)| sentence), SENTENCE);
        Self {
            queries: rows(&texts.queries),
            passages: rows(&texts.passages),
            sentence_query: sentences(&texts.queries),
            sentence_passage: sentences(&texts.passages),
        }
    }

    pub(super) fn query(&self, language: Language, vector: &[f32]) -> Vec<f32> {
        without(vector, row(&self.queries, language))
    }

    pub(super) fn passage(&self, language: Language, vector: &[f32]) -> Vec<f32> {
        without(vector, row(&self.passages, language))
    }

    pub(super) fn sentence_query(&self, vector: &[f32]) -> Vec<f32> {
        without(vector, &self.sentence_query)
    }

    pub(super) fn sentence_passage(&self, vector: &[f32]) -> Vec<f32> {
        without(vector, &self.sentence_passage)
    }

    /// Little-endian f32: six rows of queries, six of passages, then one of each of the sentence encoder.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let rows = self.queries.iter().chain(&self.passages);
        rows.chain([&self.sentence_query, &self.sentence_passage])
            .flatten()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    /// A centre from [`Self::to_bytes`]; none when the bytes are of another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<4>();
        let values: Vec<f32> = chunks
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect();
        if !rest.is_empty() || values.len() != 2 * ROWS * RETRIEVAL + 2 * SENTENCE {
            return None;
        }
        let (retrieval, sentence) = values.split_at(2 * ROWS * RETRIEVAL);
        let mut rows = retrieval.chunks(RETRIEVAL).map(<[f32]>::to_vec);
        let (query, passage) = sentence.split_at(SENTENCE);
        Some(Self {
            queries: rows.by_ref().take(ROWS).collect(),
            passages: rows.collect(),
            sentence_query: query.to_vec(),
            sentence_passage: passage.to_vec(),
        })
    }
}

fn rows(texts: &[CentreText]) -> Vec<Vec<f32>> {
    let all = mean(texts.iter().map(|(_, vector, _)| vector), RETRIEVAL);
    let of = |language: Language| {
        let own = texts.iter().filter(|(known, ..)| *known == language);
        let own = mean(own.map(|(_, vector, _)| vector), RETRIEVAL);
        all.iter()
            .zip(&own)
            .map(|(all, own)| f32::midpoint(*all, *own))
            .collect()
    };
    std::iter::once(all.clone())
        .chain(LANGUAGES.into_iter().map(of))
        .collect()
}

fn mean<'a>(vectors: impl Iterator<Item = &'a Vec<f32>>, length: usize) -> Vec<f32> {
    let mut sum = vec![0.0; length];
    let mut count = 0.0_f32;
    for vector in vectors {
        sum.iter_mut()
            .zip(vector)
            .for_each(|(sum, value)| *sum += value);
        count += 1.0;
    }
    sum.iter_mut().for_each(|value| *value /= count.max(1.0));
    sum
}

fn row(rows: &[Vec<f32>], language: Language) -> &[f32] {
    let known = LANGUAGES.iter().position(|known| *known == language);
    let place = known.map_or(0, |place| place + 1);
    rows.get(place).map_or(&[], Vec::as_slice)
}

/// What is left of a vector without a direction, of unit length.
fn without(vector: &[f32], direction: &[f32]) -> Vec<f32> {
    let mut rest: Vec<f32> = vector
        .iter()
        .zip(direction)
        .map(|(value, usual)| value - usual)
        .collect();
    unit(&mut rest);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_that_ships_is_whole_and_survives_its_file() {
        let centre = Centre::from_bytes(BUILTIN).unwrap();
        assert_eq!(centre.to_bytes(), BUILTIN);
        assert_eq!(Centre::from_bytes(&BUILTIN[4..]), None);
        assert!(centre.queries.iter().chain(&centre.passages).all(|row| {
            let length: f32 = row.iter().map(|value| value * value).sum();
            (0.3..1.0).contains(&length)
        }));
    }

    #[test]
    fn what_all_texts_share_is_taken_off() {
        let text = |language, first: f32| {
            let mut vector = vec![0.0; RETRIEVAL];
            vector[0] = first;
            vector[1] = 0.8;
            (language, vector, vec![0.5; SENTENCE])
        };
        let centre = Centre::fit(&CentreTexts {
            queries: vec![text(Language::EN, 0.6), text(Language::DE, -0.6)],
            passages: Vec::new(),
        });
        let vector = &text(Language::EN, 0.6).1;
        let english = centre.query(Language::EN, vector);
        assert!((english[0] - 1.0).abs() < 1e-6 && english[1].abs() < 1e-6);
        assert_eq!(centre.query(Language::FR, vector), english);
        assert!(centre.query(Language::DE, vector)[0] > 0.99);
        assert_eq!(centre.passage(Language::EN, vector)[1], vector[1]);
    }
}
