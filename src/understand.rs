//! What a message says: language, intent, sentiment and typed facts. Pure; sentence vectors come from outside.

mod common;
pub mod e5;
mod embedder;
pub mod encoder;
mod entities;
mod features;
mod injection;
mod intent;
mod language;
mod linear;
mod requests;
mod scope;
mod sentiment;
mod stored;
mod sums;
mod tone;
mod vectors;
mod windows;
mod words;

pub use common::{is_common_word, is_everyday_word, reads_as};
pub use embedder::{BuiltinEmbedder, E5Embedder};
pub use entities::entities;
pub use features::folded;
pub use injection::gives_orders;
pub use intent::{FitError, IntentModel, LabelledText, OUT_OF_SCOPE};
pub use language::{LanguageTable, Languages, WordFrequency};
pub use requests::{goes_on, requests};
pub use sentiment::{BrokenModel, MoodExample, SentimentModel};
pub use vectors::{Vectors, VectorsOf};

use crate::domain::{Language, Triage};

/// Everything that understands a message.
#[derive(Debug)]
pub struct Understanding {
    /// Detects languages.
    pub languages: Languages,
    /// Knows the shop's intents.
    pub intents: IntentModel,
    /// Knows moods.
    pub sentiments: SentimentModel,
}

impl Understanding {
    /// Everything about one message, from its text, its vectors and its conversation's language.
    #[must_use]
    pub fn triage(&self, text: &str, vectors: Vectors, previous: Option<Language>) -> Triage {
        let language = self.languages.detect(text, previous);
        Triage {
            language,
            intent: self.intents.predict(text, vectors),
            sentiment: self.sentiments.score(text, language.language, vectors),
            entities: entities(text, language.language),
        }
    }

    /// The requests of a message in their order; one item when it holds only one.
    #[must_use]
    pub fn requests(&self, text: &str) -> Vec<String> {
        requests(text)
    }
}
