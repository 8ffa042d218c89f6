//! Words to sparse BM25 vectors, the same for both engines.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use qdrant_edge::SparseVector;
use qdrant_edge::bm25_embed::{EdgeBm25, EdgeBm25Config};
use serde_json::json;

use crate::domain::Language;
use crate::ports::IndexError;

/// Words that a typical chunk keeps once stop words are gone; BM25 weighs lengths against it.
/// It is fixed because a point's weights may not depend on the points added after it.
const AVERAGE_WORDS: f64 = 60.0;

/// A language that has neither a stemmer nor stop words of ours: words stay as they are.
const NO_STEMMER: &str = "japanese";

static ENCODERS: LazyLock<Mutex<HashMap<Language, Arc<EdgeBm25>>>> = LazyLock::new(Mutex::default);

/// The weights of a passage's words.
pub(super) fn document(words: &str, language: Language) -> Result<SparseVector, IndexError> {
    Ok(encoder(language)?.embed_document(words))
}

/// The weights of a query's words. Empty when it has stop words only.
pub(super) fn query(words: &str, language: Language) -> Result<SparseVector, IndexError> {
    Ok(encoder(language)?.embed_query(words))
}

fn encoder(language: Language) -> Result<Arc<EdgeBm25>, IndexError> {
    let mut encoders = ENCODERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(encoder) = encoders.get(&language) {
        return Ok(Arc::clone(encoder));
    }
    let encoder = Arc::new(build(language)?);
    encoders.insert(language, Arc::clone(&encoder));
    Ok(encoder)
}

/// Customers write `maquina` for `máquina`, so accents are folded on both sides.
fn build(language: Language) -> Result<EdgeBm25, IndexError> {
    let known = json!({
        "language": language.code(),
        "avg_len": AVERAGE_WORDS,
        "ascii_folding": true,
    });
    let unknown = json!({
        "language": NO_STEMMER,
        "stopwords": { "custom": [] },
        "avg_len": AVERAGE_WORDS,
        "ascii_folding": true,
    });
    let encoder = |config| {
        let config: EdgeBm25Config =
            serde_json::from_value(config).map_err(|error| error.to_string())?;
        EdgeBm25::new(config).map_err(|error| error.to_string())
    };
    encoder(known)
        .or_else(|_| encoder(unknown))
        .map_err(|error| IndexError::Unusable(format!("BM25 cannot be set up: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(query_words: &str, document_words: &str, language: Language) -> bool {
        let query = query(query_words, language).unwrap();
        let document = document(document_words, language).unwrap();
        query
            .indices
            .iter()
            .any(|index| document.indices.contains(index))
    }

    #[test]
    fn words_are_stemmed_by_their_language() {
        assert!(matches(
            "macchina",
            "Le macchine per espresso",
            Language::IT
        ));
        assert!(matches("Mühle", "Unsere Mühlen mahlen leise", Language::DE));
        assert!(matches("grinding", "It grinds quietly", Language::EN));
        assert!(!matches(
            "macchina",
            "Le macchine per espresso",
            Language::DE
        ));
    }

    #[test]
    fn accents_and_case_do_not_matter() {
        assert!(matches("MAQUINA", "máquina de café", Language::ES));
        assert!(matches("devolucao", "A devolução é grátis", Language::PT));
    }

    #[test]
    fn stop_words_make_an_empty_query() {
        assert!(query("il di la", Language::IT).unwrap().is_empty());
        assert!(query("", Language::EN).unwrap().is_empty());
    }

    #[test]
    fn a_language_without_a_stemmer_matches_whole_words() {
        let polish: Language = "pl".parse().unwrap();
        assert!(matches("Ekspres", "ekspres do kawy", polish));
        assert!(!matches("ekspresy", "ekspres do kawy", polish));
    }
}
