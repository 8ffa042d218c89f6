//! The encoder behind the port that the rest of the program embeds through.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;

use super::encoder::SentenceEncoder;
use crate::ports::{EmbedError, Embedder};

/// Up to so many characters a single text is encoded at once; it takes about a millisecond.
const SHORT: usize = 600;

/// The sentence encoder in the process.
#[derive(Clone)]
pub struct BuiltinEmbedder {
    encoder: Arc<SentenceEncoder>,
}

impl BuiltinEmbedder {
    /// Embeds with this encoder.
    #[must_use]
    pub fn new(encoder: Arc<SentenceEncoder>) -> Self {
        Self { encoder }
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
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let share = texts.len().div_ceil(threads).max(1);
        let shares: Vec<_> = texts
            .chunks(share)
            .map(|share| {
                let encoder = Arc::clone(&self.encoder);
                let share = share.to_vec();
                tokio::task::spawn_blocking(move || {
                    let texts: Vec<&str> = share.iter().map(String::as_str).collect();
                    encoder.encode_batch(&texts)
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
}
