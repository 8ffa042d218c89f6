//! The encoders in the process behind the port that the rest of the program embeds through.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;

use super::e5::{E5Encoder, Purpose};
use super::encoder::SentenceEncoder;
use crate::ports::{EmbedError, Embedder};

/// Up to so many characters a single text is encoded at once; it takes about a millisecond.
const SHORT: usize = 600;

/// The sentence encoder in the process.
#[derive(Clone)]
pub struct BuiltinEmbedder {
    encoder: Arc<SentenceEncoder>,
}

/// The encoder for retrieval in the process. [`Embedder::embed`] takes passages.
#[derive(Clone)]
pub struct E5Embedder {
    encoder: Arc<E5Encoder>,
}

impl BuiltinEmbedder {
    /// Embeds with this encoder.
    #[must_use]
    pub fn new(encoder: Arc<SentenceEncoder>) -> Self {
        Self { encoder }
    }
}

impl E5Embedder {
    /// Embeds with this encoder.
    #[must_use]
    pub fn new(encoder: Arc<E5Encoder>) -> Self {
        Self { encoder }
    }

    async fn encode(
        &self,
        purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let encoder = Arc::clone(&self.encoder);
        in_shares(texts, move |share| encoder.encode_batch(purpose, share)).await
    }
}

#[async_trait]
impl Embedder for BuiltinEmbedder {
    fn id(&self) -> &str {
        SentenceEncoder::MODEL_ID
    }

    fn dimension(&self) -> usize {
        SentenceEncoder::DIMENSION
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        if let [text] = texts
            && text.len() <= SHORT
        {
            return Ok(vec![self.encoder.encode(text)]);
        }
        let encoder = Arc::clone(&self.encoder);
        in_shares(texts, move |share| encoder.encode_batch(share)).await
    }
}

#[async_trait]
impl Embedder for E5Embedder {
    fn id(&self) -> &str {
        E5Encoder::MODEL_ID
    }

    fn dimension(&self) -> usize {
        E5Encoder::DIMENSION
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.encode(Purpose::Passage, texts).await
    }

    async fn embed_queries(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.encode(Purpose::Query, texts).await
    }
}

/// Encodes an equal share of the texts on every processor.
async fn in_shares(
    texts: &[String],
    encode: impl Fn(&[&str]) -> Vec<Vec<f32>> + Clone + Send + 'static,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = texts.len().div_ceil(threads).max(1);
    let shares: Vec<_> = texts
        .chunks(share)
        .map(|share| {
            let encode = encode.clone();
            let share = share.to_vec();
            tokio::task::spawn_blocking(move || {
                let texts: Vec<&str> = share.iter().map(String::as_str).collect();
                encode(&texts)
            })
        })
        .collect();
    let mut vectors = Vec::with_capacity(texts.len());
    for share in shares {
        vectors.extend(
            share
                .await
                .map_err(|error| EmbedError::Unusable(error.to_string()))?,
        );
    }
    Ok(vectors)
}
