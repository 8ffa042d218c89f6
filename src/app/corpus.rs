//! The search over any corpus, in a folder of its own: the same index, space and fusion as the shop's.

use std::path::Path;
use std::sync::Arc;

use super::open::{AppError, Encoders, folder};
use crate::config::Config;
use crate::domain::Language;
use crate::ports::{Filter, Generation, Index, IndexPoint};
use crate::qdrant::EdgeIndex;
use crate::rerank::Reranker;
use crate::retrieval::{
    BuildReport, Builder, Found, Query, Retriever, SearchLegs, Space, Wording, read_corpus,
};
use crate::store::Store;
use crate::understand::Languages;

/// An index of a corpus and what it takes to search it.
pub struct Corpus {
    builder: Builder,
    space: Arc<Space>,
    store: Store,
    retriever: Retriever,
    configured: Vec<Language>,
}

/// How a corpus is searched.
#[derive(Debug, Clone, Copy)]
pub struct CorpusSearch {
    /// The query's language; told by its words when missing.
    pub language: Option<Language>,
    /// At most so many documents.
    pub limit: usize,
    /// Which legs.
    pub legs: SearchLegs,
    /// See `retrieval.diversity`.
    pub diversity: f32,
}

impl Corpus {
    /// Opens a folder, which is made when missing.
    ///
    /// # Errors
    /// When an encoder, the store or the index cannot be opened.
    pub async fn open(config: &Config, path: &Path) -> Result<Self, AppError> {
        folder(path)?;
        let space = Arc::new(Encoders::open(config)?.space());
        let wording = Wording::open(path);
        let reranker = Reranker::new(&config.retrieval.reranker)
            .map_err(|error| AppError::Configuration(error.to_string()))?;
        let index: Arc<dyn Index> = Arc::new(EdgeIndex::open(&path.join("index"))?);
        let store = Store::open(path).await?;
        let searched = Arc::clone(&index);
        Ok(Self {
            retriever: Retriever::new(searched, Arc::clone(&space), Arc::clone(&wording))
                .with_reranker(reranker),
            builder: Builder::new(index, Arc::clone(&space), wording, store.clone()),
            store,
            space,
            configured: config.shop.languages.clone(),
        })
    }

    /// Opens a folder in which an index was built.
    ///
    /// # Errors
    /// When there is none, or one of another model.
    pub async fn open_built(config: &Config, path: &Path) -> Result<Self, AppError> {
        let missing = || {
            AppError::Configuration(format!(
                "there is no index in {}; make one with `sportello index --corpus FILE.jsonl --into {}`",
                path.display(),
                path.display()
            ))
        };
        if !path.join("index").is_dir() {
            return Err(missing());
        }
        let corpus = Self::open(config, path).await?;
        let live = corpus.builder.index.live().await?.ok_or_else(missing)?;
        if live.model != corpus.space.id() {
            return Err(AppError::Configuration(format!(
                "the index in {} was made with `{}` and is asked with `{}`; build it again, or set `embedding.encoder`",
                path.display(),
                live.model,
                corpus.space.id()
            )));
        }
        Ok(corpus)
    }

    /// Brings the index up to date with the lines of a corpus; see [`read_corpus`].
    ///
    /// # Errors
    /// Lines that are no documents, and what the embedder, the index or the store says.
    pub async fn build(
        &self,
        source: &str,
        lines: &str,
        chunk_tokens: usize,
        progress: impl Fn(usize, usize) + Send + Sync,
    ) -> Result<BuildReport, AppError> {
        let languages = Languages::new(&self.configured);
        let detect = |text: &str| languages.detect(text, None).language;
        let points = read_corpus(source, lines, chunk_tokens, &detect).map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            AppError::Configuration(lines.join("\n"))
        })?;
        Ok(self.builder.build(points, progress).await?)
    }

    /// Fills the index with points that have their vectors already, for measuring.
    ///
    /// # Errors
    /// When the vectors do not fit, or the index fails.
    pub async fn fill(&self, points: Vec<IndexPoint>) -> Result<(), AppError> {
        Ok(self.builder.build_ready(points).await?)
    }

    /// The length of the vectors here.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.space.dimension()
    }

    /// What tells the languages of queries: the corpus's own and the configured ones.
    ///
    /// # Errors
    /// When the index does not answer.
    pub async fn reader(&self) -> Result<CorpusReader, AppError> {
        let live = self.builder.index.live().await?;
        let spoken = live
            .map(|live: Generation| live.languages)
            .unwrap_or_default();
        let most = spoken.iter().max_by_key(|(_, documents)| **documents);
        let main = most.map(|(language, _)| *language);
        let mut all: Vec<Language> = spoken.keys().copied().collect();
        all.extend(
            self.configured
                .iter()
                .filter(|language| !spoken.contains_key(*language)),
        );
        Ok(CorpusReader {
            languages: Languages::new(&all),
            main,
        })
    }

    /// Searches.
    ///
    /// # Errors
    /// When the index does not answer.
    pub async fn search(
        &self,
        text: &str,
        reader: &CorpusReader,
        how: CorpusSearch,
    ) -> Result<Found, AppError> {
        let detected = || reader.languages.detect(text, reader.main).language;
        let query = Query {
            text,
            vector: None,
            language: how.language.unwrap_or_else(detected),
            limit: how.limit,
            filter: Filter::default(),
            diversity: how.diversity,
            legs: how.legs,
        };
        Ok(self.retriever.search(&query).await?)
    }

    /// Closes the store.
    pub async fn close(self) {
        self.store.close().await;
    }
}

/// Tells the languages of queries to a corpus.
pub struct CorpusReader {
    languages: Languages,
    main: Option<Language>,
}
