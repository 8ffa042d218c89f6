//! Vectors from an OpenAI-compatible `/v1/embeddings` endpoint.

use std::fmt;
use std::sync::OnceLock;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::endpoint::{Endpoint, Settings};
use super::failure::Failure;
use crate::config::Embedding;
use crate::ports::{EmbedError, Embedder};

/// Texts in one request.
const BATCH: usize = 128;
const TRIES: u32 = 3;

/// An embedding model at an OpenAI-compatible endpoint.
pub struct OpenAiEmbedder {
    endpoint: Endpoint,
    id: String,
    model: String,
    /// Told by the first answer.
    dimension: OnceLock<usize>,
}

impl OpenAiEmbedder {
    /// Prepares the connection; the endpoint is first asked when a vector is needed, and the length of the
    /// first one binds all others.
    ///
    /// # Errors
    /// [`EmbedError::Unusable`] when the address or the key cannot be used.
    pub fn new(config: &Embedding) -> Result<Self, EmbedError> {
        let endpoint = Endpoint::new(&Settings {
            section: "embedding",
            base_url: config.base_url.as_deref(),
            api_key: config.api_key.as_ref(),
            timeout_seconds: config.timeout_seconds,
            tries: TRIES,
        })?;
        Ok(Self {
            id: format!("{}@{}", config.model, endpoint.host()),
            endpoint,
            model: config.model.clone(),
            dimension: OnceLock::new(),
        })
    }

    async fn batch(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Failure> {
        // An empty text is refused by some endpoints.
        let input: Vec<&str> = texts
            .iter()
            .map(|text| if text.is_empty() { " " } else { text })
            .collect();
        let body = json!({"model": self.model, "input": input});
        let answer = self
            .endpoint
            .embeddings(&body, self.endpoint.deadline())
            .await?;
        vectors_of(&answer, texts.len())
    }
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    fn id(&self) -> &str {
        &self.id
    }

    fn dimension(&self) -> usize {
        self.dimension.get().copied().unwrap_or(0)
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            for vector in self.batch(batch).await? {
                let dimension = *self.dimension.get_or_init(|| vector.len());
                if vector.len() != dimension {
                    return Err(EmbedError::Unusable(format!(
                        "`{}` answered {} numbers a vector where {dimension} were expected",
                        self.id,
                        vector.len(),
                    )));
                }
                vectors.push(vector);
            }
        }
        Ok(vectors)
    }
}

impl fmt::Debug for OpenAiEmbedder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenAiEmbedder")
            .field("id", &self.id)
            .field("dimension", &self.dimension())
            .finish_non_exhaustive()
    }
}

/// One normalised vector per text, in the order of the texts.
fn vectors_of(answer: &Value, texts: usize) -> Result<Vec<Vec<f32>>, Failure> {
    let data = answer["data"]
        .as_array()
        .ok_or_else(|| Failure::unreadable("the answer has no vectors"))?;
    if data.len() != texts {
        return Err(Failure::unreadable(format!(
            "{} vectors for {texts} texts",
            data.len()
        )));
    }
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
    for (position, item) in data.iter().enumerate() {
        let index = item["index"].as_u64().map_or(position, |index| {
            usize::try_from(index).unwrap_or(usize::MAX)
        });
        let place = vectors
            .get_mut(index)
            .filter(|place| place.is_none())
            .ok_or_else(|| Failure::unreadable("a vector's index is wrong"))?;
        *place = Some(normalised(&item["embedding"])?);
    }
    Ok(vectors.into_iter().flatten().collect())
}

fn normalised(embedding: &Value) -> Result<Vec<f32>, Failure> {
    let numbers: Option<Vec<f64>> = embedding
        .as_array()
        .and_then(|numbers| numbers.iter().map(Value::as_f64).collect());
    let numbers =
        numbers.ok_or_else(|| Failure::unreadable("a vector is not a list of numbers"))?;
    let norm = numbers
        .iter()
        .map(|number| number * number)
        .sum::<f64>()
        .sqrt();
    if norm.is_finite() && norm > 0.0 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a vector's numbers need no more"
        )]
        Ok(numbers
            .iter()
            .map(|number| (number / norm) as f32)
            .collect())
    } else {
        Err(Failure::unreadable("a vector has no length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_the_index_and_length_is_one() {
        let answer = json!({"data": [
            {"index": 1, "embedding": [0, 2]},
            {"index": 0, "embedding": [3.0, -4.0]},
        ]});
        assert_eq!(vectors_of(&answer, 2).unwrap(), [[0.6, -0.8], [0.0, 1.0]]);
        let without_index = json!({"data": [{"embedding": [5]}, {"embedding": [-5]}]});
        assert_eq!(vectors_of(&without_index, 2).unwrap(), [[1.0], [-1.0]]);
    }

    #[test]
    fn nonsense_is_refused() {
        for answer in [
            json!({}),
            json!({"data": []}),
            json!({"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}),
            json!({"data": [{"index": 0, "embedding": [1]}, {"index": 7, "embedding": [1]}]}),
            json!({"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [0]}]}),
            json!({"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": "AAAA"}]}),
        ] {
            assert!(vectors_of(&answer, 2).is_err(), "{answer}");
        }
    }
}
