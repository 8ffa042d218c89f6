//! The space in which questions and passages are compared.
//!
//! With the encoders in the process a vector has two parts: E5's, which knows what answers what, and a smaller one of
//! the sentence encoder, which errs on other texts. From each part its encoder's usual direction is taken off
//! (`centre.bin`), so that unrelated texts have a cosine near zero instead of 0.8. A passage's vector leans
//! towards its title, which says in few words what it is about.

mod centre;

use std::sync::Arc;

pub use centre::{Centre, CentreTexts};

use super::build::{IndexingError, embed_cached};
use crate::domain::Language;
use crate::ports::{EmbedError, Embedder};
use crate::store::Store;

/// What a title's vector counts beside its text's. Chosen with [`SENTENCE`] on `eval/data/search_dev.jsonl`.
const TITLE: f32 = 0.4;
/// What the sentence encoder's cosine counts beside E5's.
const SENTENCE: f32 = 0.2;

/// Makes the vectors of an index and of the questions to it.
pub struct Space {
    id: String,
    parts: Parts,
}

enum Parts {
    /// One model as it is: the sentence encoder.
    Sentence(Arc<dyn Embedder>),
    /// One model as it is: an endpoint.
    Endpoint(Arc<dyn Embedder>),
    /// E5 with the sentence encoder beside it.
    Both {
        retrieval: Arc<dyn Embedder>,
        sentence: Arc<dyn Embedder>,
    },
}

/// The vectors of a message, as far as they were made already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// From the sentence encoder.
    pub sentence: Option<&'a [f32]>,
    /// From E5, as of a query.
    pub retrieval: Option<&'a [f32]>,
}

impl Space {
    /// The space of the sentence encoder.
    #[must_use]
    pub fn sentence(embedder: Arc<dyn Embedder>) -> Self {
        Self {
            id: embedder.id().to_owned(),
            parts: Parts::Sentence(embedder),
        }
    }

    /// The space of an endpoint's model.
    #[must_use]
    pub fn endpoint(embedder: Arc<dyn Embedder>) -> Self {
        Self {
            id: embedder.id().to_owned(),
            parts: Parts::Endpoint(embedder),
        }
    }

    /// The space of E5 and the sentence encoder together.
    #[must_use]
    pub fn both(retrieval: Arc<dyn Embedder>, sentence: Arc<dyn Embedder>) -> Self {
        Self {
            id: format!("{}+{}/1", retrieval.id(), sentence.id()),
            parts: Parts::Both {
                retrieval,
                sentence,
            },
        }
    }

    /// Names the space; vectors of different ids are never compared.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Length of a vector; 0 while an endpoint has not told it.
    #[must_use]
    pub fn dimension(&self) -> usize {
        match &self.parts {
            Parts::Sentence(one) | Parts::Endpoint(one) => one.dimension(),
            Parts::Both {
                retrieval,
                sentence,
            } => retrieval.dimension() + sentence.dimension(),
        }
    }

    /// Whether unrelated texts have a cosine near zero here.
    #[must_use]
    pub fn is_centred(&self) -> bool {
        matches!(self.parts, Parts::Both { .. })
    }

    /// The vector of a question from those that are known; none when one is missing.
    #[must_use]
    pub fn known(&self, language: Language, known: Known<'_>) -> Option<Vec<f32>> {
        match &self.parts {
            Parts::Sentence(_) => known.sentence.map(<[f32]>::to_vec),
            Parts::Endpoint(_) => None,
            Parts::Both { .. } => Some(joined(
                Centre::builtin().query(language, known.retrieval?),
                Centre::builtin().sentence_query(known.sentence?),
            )),
        }
    }

    /// The vector of a question.
    ///
    /// # Errors
    /// What the embedder says.
    pub async fn query(&self, language: Language, text: &str) -> Result<Vec<f32>, EmbedError> {
        let texts = [text.to_owned()];
        let one = |vectors: Vec<Vec<f32>>| {
            let missing = || EmbedError::Unusable("no vector came back".to_owned());
            vectors.into_iter().next().ok_or_else(missing)
        };
        match &self.parts {
            Parts::Sentence(embedder) | Parts::Endpoint(embedder) => {
                one(embedder.embed_queries(&texts).await?)
            }
            Parts::Both {
                retrieval,
                sentence,
            } => {
                let retrieval = one(retrieval.embed_queries(&texts).await?)?;
                let sentence = one(sentence.embed_queries(&texts).await?)?;
                let known = Known {
                    sentence: Some(&sentence),
                    retrieval: Some(&retrieval),
                };
                let missing = || EmbedError::Unusable("no vector came back".to_owned());
                self.known(language, known).ok_or_else(missing)
            }
        }
    }

    /// The vector of each passage, and how many had to be made now; the same text is embedded once, ever.
    /// `progress` hears how many of how many are done.
    ///
    /// # Errors
    /// What an embedder or the store says.
    pub async fn passages(
        &self,
        store: &Store,
        passages: &[PassageText],
        progress: &(impl Fn(usize, usize) + Send + Sync),
    ) -> Result<(Vec<Vec<f32>>, usize), IndexingError> {
        let texts: Vec<String> = passages.iter().map(|text| text.text.clone()).collect();
        match &self.parts {
            Parts::Sentence(embedder) | Parts::Endpoint(embedder) => {
                let made = embed_cached(store, embedder.as_ref(), &texts, progress).await?;
                let fresh = made.iter().filter(|(_, fresh)| *fresh).count();
                Ok((made.into_iter().map(|(vector, _)| vector).collect(), fresh))
            }
            Parts::Both {
                retrieval,
                sentence,
            } => {
                let titles: Vec<String> = passages.iter().map(|text| text.title.clone()).collect();
                let quiet = |_: usize, _: usize| {};
                let made = embed_cached(store, retrieval.as_ref(), &texts, progress).await?;
                let of_titles = embed_cached(store, retrieval.as_ref(), &titles, &quiet).await?;
                let sentences = embed_cached(store, sentence.as_ref(), &texts, &quiet).await?;
                let title_sentences =
                    embed_cached(store, sentence.as_ref(), &titles, &quiet).await?;
                let fresh = made.iter().filter(|(_, fresh)| *fresh).count();
                let centre = Centre::builtin();
                let vectors = passages
                    .iter()
                    .zip(made.iter().zip(&of_titles))
                    .zip(sentences.iter().zip(&title_sentences))
                    .map(|((passage, (text, title)), (sentence, title_sentence))| {
                        joined(
                            centre.passage(passage.language, &leaning(&title.0, &text.0)),
                            centre.sentence_passage(&leaning(&title_sentence.0, &sentence.0)),
                        )
                    })
                    .collect();
                Ok((vectors, fresh))
            }
        }
    }
}

/// What the vector of a passage is made of.
#[derive(Debug, Clone)]
pub struct PassageText {
    /// Its title.
    pub title: String,
    /// Title and text.
    pub text: String,
    /// Their language.
    pub language: Language,
}

/// A text's vector, drawn towards its title's.
pub(crate) fn leaning(title: &[f32], text: &[f32]) -> Vec<f32> {
    let mut vector: Vec<f32> = title
        .iter()
        .zip(text)
        .map(|(title, text)| TITLE * title + text)
        .collect();
    unit(&mut vector);
    vector
}

/// Two parts as one vector of unit length, so that its cosines are the weighted mean of theirs.
fn joined(retrieval: Vec<f32>, sentence: Vec<f32>) -> Vec<f32> {
    let share = 1.0 / (1.0 + SENTENCE);
    let (first, second) = (share.sqrt(), (SENTENCE * share).sqrt());
    let retrieval = retrieval.into_iter().map(|value| value * first);
    retrieval
        .chain(sentence.into_iter().map(|value| value * second))
        .collect()
}

fn unit(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_weigh_what_they_should() {
        let query = joined(vec![1.0, 0.0], vec![0.0, 1.0]);
        let same = joined(vec![1.0, 0.0], vec![1.0, 0.0]);
        let cosine: f32 = query
            .iter()
            .zip(&same)
            .map(|(one, other)| one * other)
            .sum();
        assert!((cosine - 1.0 / (1.0 + SENTENCE)).abs() < 1e-6);
        let length: f32 = query.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_passage_leans_towards_its_title() {
        let vector = leaning(&[1.0, 0.0], &[0.0, 1.0]);
        assert!((vector[0] / vector[1] - TITLE).abs() < 1e-6);
        assert_eq!(leaning(&[0.0], &[0.0]), [0.0]);
    }
}
