//! Building the index: chunks, vectors from the cache or the embedder, a new generation, one swap.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::space::{PassageText, Space};
use super::wording::Wording;
use crate::domain::Language;
use crate::knowledge::embedding_text;
use crate::ports::{EmbedError, Embedder, Generation, Index, IndexError, IndexPoint};
use crate::store::{Store, StoreError};

/// Texts per call of the embedder.
const BATCH: usize = 64;
/// Changes when points are stored in another way.
const LAYOUT: &str = "3";

/// Builds generations of the index, one at a time.
pub struct Builder {
    /// The index.
    pub index: Arc<dyn Index>,
    space: Arc<Space>,
    wording: Arc<Wording>,
    store: Store,
    /// Two builds at once would write into the same unfinished generation.
    turn: Mutex<()>,
}

/// What a build did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BuildReport {
    /// Chunks in the index now.
    pub chunks: usize,
    /// Chunks that had to be embedded.
    pub embedded: usize,
    /// Whether the index was up to date already.
    pub unchanged: bool,
}

/// Why the index was not built. The one that was live still is.
#[derive(Debug, thiserror::Error)]
pub enum IndexingError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// There are no vectors.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The cache of vectors failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Builder {
    /// A builder of vectors in this space. `store` keeps those that were made.
    #[must_use]
    pub fn new(
        index: Arc<dyn Index>,
        space: Arc<Space>,
        wording: Arc<Wording>,
        store: Store,
    ) -> Self {
        Self {
            index,
            space,
            wording,
            store,
            turn: Mutex::default(),
        }
    }

    /// Brings the index up to date with all its points. `progress` hears how many chunks of how many
    /// have their vector. Safe to interrupt: the live generation changes in the last step only.
    ///
    /// # Errors
    /// What the index, the embedder or the store says.
    pub async fn build(
        &self,
        mut points: Vec<IndexPoint>,
        progress: impl Fn(usize, usize) + Send + Sync,
    ) -> Result<BuildReport, IndexingError> {
        let _turn = self.turn.lock().await;
        self.learn(&points).await;
        let content = content(&points);
        let live = self.index.live().await?;
        let current = live.as_ref().is_some_and(|live| {
            live.vectors && live.content == content && live.model == self.space.id()
        });
        if current {
            return Ok(BuildReport {
                chunks: points.len(),
                embedded: 0,
                unchanged: true,
            });
        }
        let embedded = self.embed(&mut points, &progress).await?;
        self.write(points.as_mut_slice(), &content, true).await?;
        Ok(BuildReport {
            chunks: points.len(),
            embedded,
            unchanged: false,
        })
    }

    /// Makes a first generation of words without vectors where there is no index at all, so that
    /// questions can be answered before the vectors are there.
    ///
    /// # Errors
    /// What the index says.
    pub async fn build_words(&self, mut points: Vec<IndexPoint>) -> Result<(), IndexingError> {
        let _turn = self.turn.lock().await;
        self.learn(&points).await;
        if self.index.live().await?.is_some() {
            return Ok(());
        }
        let content = content(&points);
        self.write(&mut points, &content, false).await
    }

    /// Makes a generation of points that have their vectors already.
    ///
    /// # Errors
    /// What the index says.
    pub async fn build_ready(&self, mut points: Vec<IndexPoint>) -> Result<(), IndexingError> {
        let _turn = self.turn.lock().await;
        self.learn(&points).await;
        let content = content(&points);
        self.write(&mut points, &content, true).await
    }

    /// Without the file only other processes go without these words.
    async fn learn(&self, points: &[IndexPoint]) {
        if let Err(error) = self.wording.learn(points).await {
            tracing::warn!(%error, "the words of the index are not kept");
        }
    }

    /// What the points make together; each learns in which languages its document exists.
    fn generation(&self, content: &str, points: &mut [IndexPoint], vectors: bool) -> Generation {
        let mut documents: HashMap<String, BTreeSet<Language>> = HashMap::new();
        for point in points.iter() {
            let known = documents.entry(point.passage.document.clone());
            known.or_default().insert(point.passage.language);
        }
        let mut languages: BTreeMap<Language, usize> = BTreeMap::new();
        for language in documents.values().flatten() {
            *languages.entry(*language).or_default() += 1;
        }
        for point in points.iter_mut() {
            if let Some(known) = documents.get(&point.passage.document) {
                point.languages = known.iter().copied().collect();
            }
        }
        // Not the embedder's: an endpoint tells it with its first vector, and all of these may be cached.
        let known = points.iter().find_map(|point| point.vector.as_ref());
        Generation {
            name: Uuid::now_v7().simple().to_string(),
            model: self.space.id().to_owned(),
            dimension: known.map_or_else(|| self.space.dimension(), Vec::len),
            content: content.to_owned(),
            vectors,
            points: points.len(),
            documents: documents.len(),
            languages,
        }
    }

    async fn write(
        &self,
        points: &mut [IndexPoint],
        content: &str,
        vectors: bool,
    ) -> Result<(), IndexingError> {
        let generation = self.generation(content, points, vectors);
        self.index.begin(&generation).await?;
        for batch in points.chunks(256) {
            self.index.add(batch).await?;
        }
        self.index.commit().await?;
        Ok(())
    }

    async fn embed(
        &self,
        points: &mut [IndexPoint],
        progress: &(impl Fn(usize, usize) + Send + Sync),
    ) -> Result<usize, IndexingError> {
        let texts: Vec<PassageText> = points.iter().map(passage_text).collect();
        let (vectors, embedded) = self.space.passages(&self.store, &texts, progress).await?;
        for (point, vector) in points.iter_mut().zip(vectors) {
            point.vector = Some(vector);
        }
        Ok(embedded)
    }
}

/// What the vector of a point is made of.
pub(crate) fn passage_text(point: &IndexPoint) -> PassageText {
    PassageText {
        title: point.passage.title.clone(),
        text: embedding_text(point),
        language: point.passage.language,
    }
}

/// The vector of each text, and whether it had to be made now; the same text is embedded once, ever.
///
/// # Errors
/// What the embedder or the store says.
pub async fn embed_cached(
    store: &Store,
    embedder: &dyn Embedder,
    texts: &[String],
    progress: &(impl Fn(usize, usize) + Send + Sync),
) -> Result<Vec<(Vec<f32>, bool)>, IndexingError> {
    let model = embedder.id();
    cached(store, embedder, model, false, texts, progress).await
}

/// The vector of each text as of a question, from the same cache.
///
/// # Errors
/// What the embedder or the store says.
pub async fn embed_queries_cached(
    store: &Store,
    embedder: &dyn Embedder,
    texts: &[String],
) -> Result<Vec<Vec<f32>>, IndexingError> {
    let model = format!("{}/query", embedder.id());
    let vectors = cached(store, embedder, &model, true, texts, &|_, _| {}).await?;
    Ok(vectors.into_iter().map(|(vector, _)| vector).collect())
}

async fn cached(
    store: &Store,
    embedder: &dyn Embedder,
    model: &str,
    as_queries: bool,
    texts: &[String],
    progress: &(impl Fn(usize, usize) + Send + Sync),
) -> Result<Vec<(Vec<f32>, bool)>, IndexingError> {
    let hashes: Vec<String> = texts.iter().map(|text| digest([text.as_bytes()])).collect();
    let mut known = store.known_vectors(model, &hashes).await?;
    let mut fresh: HashSet<String> = HashSet::new();
    let mut missing: Vec<(String, String)> = Vec::new();
    for (hash, text) in hashes.iter().zip(texts) {
        if !known.contains_key(hash) && fresh.insert(hash.clone()) {
            missing.push((hash.clone(), text.clone()));
        }
    }
    let mut done = texts.len() - missing.len();
    progress(done, texts.len());
    for batch in missing.chunks(BATCH) {
        let batch_texts: Vec<String> = batch.iter().map(|(_, text)| text.clone()).collect();
        let vectors = if as_queries {
            embedder.embed_queries(&batch_texts).await?
        } else {
            embedder.embed(&batch_texts).await?
        };
        if vectors.len() != batch.len() {
            return Err(
                EmbedError::Unusable("another number of vectors than of texts".to_owned()).into(),
            );
        }
        let made: Vec<(String, Vec<f32>)> = batch
            .iter()
            .map(|(hash, _)| hash.clone())
            .zip(vectors)
            .collect();
        known.extend(made.iter().cloned());
        store.keep_vectors(model, made).await?;
        done += batch.len();
        progress(done, texts.len());
    }
    hashes
        .into_iter()
        .map(|hash| match known.get(&hash) {
            Some(vector) => Ok((vector.clone(), fresh.remove(&hash))),
            None => Err(EmbedError::Unusable("a vector is missing".to_owned()).into()),
        })
        .collect()
}

/// Hash over all points, and over how they are stored.
fn content(points: &[IndexPoint]) -> String {
    let hashes: Vec<String> = points.iter().map(content_hash).collect();
    let layout = std::iter::once(LAYOUT.as_bytes());
    digest(layout.chain(hashes.iter().map(String::as_bytes)))
}

/// Hashes all that the index stores of a chunk, so that any change is seen.
fn content_hash(point: &IndexPoint) -> String {
    let passage = &point.passage;
    let numbers = format!("{:?}{:?}{:?}", point.price, point.in_stock, point.category);
    let origin = format!(
        "{} {} {} {:?}",
        passage.language,
        passage.kind.name(),
        passage.source,
        passage.meta
    );
    digest([
        passage.id.as_bytes(),
        passage.document.as_bytes(),
        passage.title.as_bytes(),
        point.words.as_bytes(),
        passage.text.as_bytes(),
        origin.as_bytes(),
        numbers.as_bytes(),
    ])
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        hasher.update([0]);
    }
    hex::encode(hasher.finalize())
}
