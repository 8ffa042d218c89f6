//! Finding passages: both legs of a search fused by reciprocal rank, and the building of the index.

mod build;
mod fuse;
pub mod vocabulary;

pub use build::{BuildReport, Builder, IndexingError, embed_cached, embed_queries_cached};

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::domain::{Language, Passage};
use crate::knowledge::Knowledge;
use crate::ports::{Embedder, Filter, Index, IndexError, SearchRequest};

/// Passages per leg before fusing.
const LEG: usize = 50;
/// The longest a search waits for its vector; the words answer alone then.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many of the best passages decide whether anything was found at all.
const TOP: usize = 3;

/// Searches the index.
pub struct Retriever {
    index: Arc<dyn Index>,
    embedder: Arc<dyn Embedder>,
    knowledge: Arc<ArcSwap<Knowledge>>,
}

/// What to search for.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// The words.
    pub text: &'a str,
    /// Their vector, when it is known already.
    pub vector: Option<&'a [f32]>,
    /// The language of the words, and of the passages that are preferred.
    pub language: Language,
    /// At most so many passages, one per document.
    pub limit: usize,
    /// What passages must be.
    pub filter: Filter,
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
}

impl Retriever {
    /// A retriever over an index, an embedder and the knowledge that the index was built from.
    #[must_use]
    pub fn new(
        index: Arc<dyn Index>,
        embedder: Arc<dyn Embedder>,
        knowledge: Arc<ArcSwap<Knowledge>>,
    ) -> Self {
        Self {
            index,
            embedder,
            knowledge,
        }
    }

    /// Whether queries are embedded by this model, so that a vector of it can be reused.
    #[must_use]
    pub fn embeds_with(&self, model: &str) -> bool {
        self.embedder.id() == model
    }

    async fn vector(&self, text: &str) -> Option<Vec<f32>> {
        let texts = [text.to_owned()];
        match tokio::time::timeout(PATIENCE, self.embedder.embed_queries(&texts)).await {
            Ok(Ok(vectors)) => vectors.into_iter().next(),
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
            });
        };
        let usable = live.vectors && live.model == self.embedder.id();
        let vector = match query.vector {
            Some(vector) if usable => Some(vector.to_vec()),
            None if usable => self.vector(query.text).await,
            Some(_) | None => None,
        };
        let mode = if vector.is_some() {
            Mode::Hybrid
        } else {
            Mode::Bm25
        };
        let mut request = SearchRequest {
            words: Some((query.text.to_owned(), query.language)),
            vector,
            limit: LEG,
            filter: query.filter.clone(),
        };
        if request.filter.languages.is_empty() {
            request.filter.languages = vec![query.language];
        }
        let mut passages = fuse::fuse(self.index.search(&request).await?);
        if query.filter.languages.is_empty() {
            passages = self.with_other_languages(query, request, passages).await?;
        }
        let asked = query.text.split_whitespace().count();
        let relevant = passages
            .iter()
            .take(TOP)
            .any(|passage| fuse::relevant(passage, mode, asked));
        passages.truncate(query.limit);
        Ok(Found {
            passages,
            mode,
            relevant,
        })
    }

    /// Adds documents that do not exist in the query's language.
    async fn with_other_languages(
        &self,
        query: &Query<'_>,
        mut request: SearchRequest,
        mut passages: Vec<Passage>,
    ) -> Result<Vec<Passage>, IndexError> {
        let knowledge = self.knowledge.load();
        let missing = knowledge.documents_without(query.language);
        if missing.is_empty() {
            return Ok(passages);
        }
        request.filter.languages.clear();
        let others = fuse::fuse(self.index.search(&request).await?);
        let known: HashSet<String> = passages
            .iter()
            .map(|passage| passage.document.clone())
            .collect();
        passages.extend(others.into_iter().filter(|passage| {
            missing.contains(passage.document.as_str()) && !known.contains(&passage.document)
        }));
        fuse::sort(&mut passages);
        Ok(passages)
    }
}
