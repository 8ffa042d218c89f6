//! Vectors that outlive a run, so that the next one embeds only what is new.

use std::sync::Arc;

use async_trait::async_trait;

use crate::app::Encoders;
use crate::ports::{EmbedError, Embedder};
use crate::retrieval::{IndexingError, embed_cached, embed_queries_cached};
use crate::store::Store;

/// The same encoders, which remember in a store what they were asked.
#[must_use]
pub fn remembering(encoders: Encoders, store: &Store) -> Encoders {
    let remembering = |embedder| -> Arc<dyn Embedder> {
        Arc::new(Remembering {
            embedder,
            store: store.clone(),
        })
    };
    Encoders {
        reader: remembering(encoders.reader),
        questions: encoders.questions.map(remembering),
        endpoint: encoders.endpoint.map(remembering),
    }
}

/// Looks for a vector by the hash of the text before it makes one.
struct Remembering {
    embedder: Arc<dyn Embedder>,
    store: Store,
}

#[async_trait]
impl Embedder for Remembering {
    fn id(&self) -> &str {
        self.embedder.id()
    }

    fn dimension(&self) -> usize {
        self.embedder.dimension()
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let made = embed_cached(&self.store, self.embedder.as_ref(), texts, &|_, _| {}).await;
        let made = made.map_err(unavailable)?;
        Ok(made.into_iter().map(|(vector, _)| vector).collect())
    }

    async fn embed_queries(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let made = embed_queries_cached(&self.store, self.embedder.as_ref(), texts).await;
        made.map_err(unavailable)
    }
}

fn unavailable(error: IndexingError) -> EmbedError {
    match error {
        IndexingError::Embed(error) => error,
        error @ (IndexingError::Index(_) | IndexingError::Store(_)) => {
            EmbedError::Unavailable(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl Embedder for Counting {
        fn id(&self) -> &'static str {
            "counting"
        }

        fn dimension(&self) -> usize {
            2
        }

        async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
            self.0.fetch_add(texts.len(), Ordering::Relaxed);
            Ok(texts.iter().map(|_| vec![0.6, 0.8]).collect())
        }
    }

    #[tokio::test]
    async fn a_text_is_embedded_once_and_as_a_question_once_more() {
        let folder = tempfile::tempdir().unwrap();
        let inner = Arc::new(Counting::default());
        let texts = ["one".to_owned(), "two".to_owned()];
        for _ in 0..2 {
            let store = Store::open(folder.path()).await.unwrap();
            let remembering = Remembering {
                embedder: Arc::clone(&inner) as _,
                store: store.clone(),
            };
            assert_eq!(remembering.embed(&texts).await.unwrap()[1], vec![0.6, 0.8]);
            remembering.embed(&texts[..1]).await.unwrap();
            remembering.embed_queries(&texts).await.unwrap();
            store.close().await;
        }
        assert_eq!(inner.0.load(Ordering::Relaxed), 4);
    }
}
