//! What measuring needs: the encoders, the store of vectors, the sets and the shop's examples.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::{AppError, Readers};
use crate::config::Config;
use crate::ports::Embedder;
use crate::store::Store;
use crate::understand::{LabelledText, VectorsOf};

/// What measuring needs.
pub struct Bench {
    /// What the shop is configured as.
    pub config: Config,
    /// The folder for indexes.
    pub data: PathBuf,
    /// Keeps vectors.
    pub store: Store,
    /// The sentence encoder.
    pub reader: Arc<dyn Embedder>,
    /// The retrieval encoder, where its file is.
    pub questions: Option<Arc<dyn Embedder>>,
    /// The shop's own examples of intents.
    pub examples: Vec<LabelledText>,
    /// The folder of public sets.
    pub shared: PathBuf,
    /// The folder of the shop's own cases.
    pub own: PathBuf,
    /// Tells a person what is going on.
    pub say: fn(&str),
}

impl Bench {
    /// The vectors of these texts.
    pub(super) async fn embed<'t>(
        &self,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Result<Embedded, AppError> {
        let readers = Readers {
            reader: self.reader.as_ref(),
            questions: self.questions.as_deref(),
            always_both: true,
        };
        let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
        let (sentence, retrieval) = readers.vectors(&self.store, &texts).await?;
        Ok(Embedded {
            sentence,
            retrieval,
        })
    }
}

/// The vectors of some texts.
pub(super) struct Embedded {
    pub(super) sentence: Vec<Vec<f32>>,
    pub(super) retrieval: Option<Vec<Vec<f32>>>,
}

impl Embedded {
    /// All there are.
    pub(super) fn all(&self) -> VectorsOf<'_> {
        VectorsOf {
            sentence: &self.sentence,
            retrieval: self.retrieval.as_deref(),
        }
    }

    /// Those of the sentence encoder.
    pub(super) fn brief(&self) -> VectorsOf<'_> {
        VectorsOf::sentence(&self.sentence)
    }
}
