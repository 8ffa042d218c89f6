//! Finding passages: both legs of a search fused by a weighted sum, and the building of the index.

mod build;
mod corpus;
mod diversity;
mod fuse;
mod relevance;
mod space;

pub use build::{BuildReport, Builder, IndexingError, embed_cached, embed_queries_cached};
pub use corpus::{CorpusFault, read_corpus};
pub use space::{Centre, CentreTexts, Known, Space};

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Language, Passage};
use crate::ports::{Filter, Generation, Index, IndexError, SearchRequest};
use relevance::Asked;

/// Passages per leg before fusing.
const LEG: usize = 100;
/// The longest a search waits for its vector; the words answer alone then.
const PATIENCE: Duration = Duration::from_secs(5);
/// Characters of a query that are read; a question is shorter, and what strangers send is not always one.
const LONGEST_QUERY: usize = 2_000;
/// From this probability on, the best passage is taken to be about the question.
const RELEVANT: f32 = 0.5;

/// Searches the index.
pub struct Retriever {
    index: Arc<dyn Index>,
    space: Arc<Space>,
}

/// What to search for.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// The words.
    pub text: &'a str,
    /// Their vector in the index's space, when it is known already: see [`Retriever::known`].
    pub vector: Option<&'a [f32]>,
    /// The language of the words, and of the passages that are preferred.
    pub language: Language,
    /// At most so many passages, one per document.
    pub limit: usize,
    /// What passages must be.
    pub filter: Filter,
    /// What repeating an earlier passage costs, in units of the score: see `retrieval.diversity`.
    pub diversity: f32,
    /// Which legs are used; for measuring one of them alone.
    pub legs: SearchLegs,
}

/// The legs of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SearchLegs {
    /// Vectors and BM25, as far as they are there.
    #[default]
    Both,
    /// Vectors only.
    Dense,
    /// BM25 only.
    Bm25,
}

/// How a search was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Vectors and BM25.
    Hybrid,
    /// BM25 only: the vectors are not there yet, or the embedding endpoint is down.
    Bm25,
    /// Not at all: there is no index yet.
    None,
}

impl Mode {
    /// The name in traces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Bm25 => "bm25",
            Self::None => "none",
        }
    }
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The passages, best first, the best of each document.
    pub passages: Vec<Passage>,
    /// How it was run.
    pub mode: Mode,
    /// Whether one of the best passages is about the question at all.
    pub relevant: bool,
    /// The probability of that, in [0, 1]; calibrated for the encoders in the process.
    pub probability: f32,
}

impl Retriever {
    /// A retriever over an index and the space of its vectors.
    #[must_use]
    pub fn new(index: Arc<dyn Index>, space: Arc<Space>) -> Self {
        Self { index, space }
    }

    /// The vector of a question from those that were made of it already; none when it must be made anew.
    #[must_use]
    pub fn known(&self, language: Language, known: Known<'_>) -> Option<Vec<f32>> {
        self.space.known(language, known)
    }

    /// Searches. Documents that exist in the query's language answer in it; the others in any.
    ///
    /// # Errors
    /// When the index does not answer.
    pub async fn search(&self, query: &Query<'_>) -> Result<Found, IndexError> {
        let Some(live) = self.index.live().await? else {
            return Ok(Found {
                passages: Vec::new(),
                mode: Mode::None,
                relevant: false,
                probability: 0.0,
            });
        };
        let text = match query.text.char_indices().nth(LONGEST_QUERY) {
            Some((end, _)) => &query.text[..end],
            None => query.text,
        };
        let usable =
            live.vectors && live.model == self.space.id() && query.legs != SearchLegs::Bm25;
        let vector = match query.vector {
            Some(vector) if usable => Some(vector.to_vec()),
            None if usable => self.vector(text, query.language).await,
            Some(_) | None => None,
        };
        let mode = if vector.is_some() {
            Mode::Hybrid
        } else {
            Mode::Bm25
        };
        let asked = text.split_whitespace().count();
        let mut passages = Vec::new();
        for (filter, language) in searches(query, &live) {
            let request = SearchRequest {
                words: (query.legs != SearchLegs::Dense).then(|| (text.to_owned(), language)),
                instead: Vec::new(),
                vector: vector.clone(),
                limit: LEG,
                filter,
            };
            passages.extend(fuse::fuse(self.index.search(&request).await?, asked));
        }
        fuse::sort(&mut passages);
        let mut seen = HashSet::new();
        passages.retain(|passage| seen.insert(passage.document.clone()));
        let probability = relevance::probability(
            &passages,
            Asked {
                mode,
                centred: self.space.is_centred(),
                words: asked,
            },
        );
        Ok(Found {
            passages: diversity::diversify(passages, query.limit, query.diversity),
            mode,
            relevant: probability >= RELEVANT,
            probability,
        })
    }

    async fn vector(&self, text: &str, language: Language) -> Option<Vec<f32>> {
        match tokio::time::timeout(PATIENCE, self.space.query(language, text)).await {
            Ok(Ok(vector)) => Some(vector),
            Ok(Err(error)) => {
                tracing::warn!(%error, "no vector for a query");
                None
            }
            Err(_) => {
                tracing::warn!("no vector for a query in time");
                None
            }
        }
    }
}

/// What to search in: the documents of the query's language, then those that do not exist in it, each with the
/// language whose stemmer reads the words.
fn searches(query: &Query<'_>, live: &Generation) -> Vec<(Filter, Language)> {
    if !query.filter.languages.is_empty() {
        return vec![(query.filter.clone(), query.language)];
    }
    let own = live.languages.get(&query.language).copied().unwrap_or(0);
    let mut searches = Vec::with_capacity(2);
    if own > 0 {
        let languages = vec![query.language];
        let filter = Filter {
            languages,
            ..query.filter.clone()
        };
        searches.push((filter, query.language));
    }
    // An index that does not say its languages is searched whole.
    if own < live.documents || live.languages.is_empty() {
        let others = live
            .languages
            .iter()
            .filter(|(language, _)| **language != query.language);
        let most = others.max_by_key(|(_, documents)| **documents);
        let filter = Filter {
            missing_in: (own > 0).then_some(query.language),
            ..query.filter.clone()
        };
        searches.push((
            filter,
            most.map_or(query.language, |(language, _)| *language),
        ));
    }
    searches
}
