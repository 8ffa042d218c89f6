//! The words of the index, kept in a file beside it, by which slips in questions are put right.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::vocabulary::Vocabulary;
use crate::domain::Language;
use crate::ports::IndexPoint;

const FILE: &str = "vocabulary.json";

/// The vocabulary of an index. What builds the index writes it, what searches reads it.
pub struct Wording {
    file: PathBuf,
    vocabulary: ArcSwap<Vocabulary>,
}

impl Wording {
    /// The vocabulary in a data folder; empty until an index was built, or when the file is damaged.
    #[must_use]
    pub fn open(folder: &Path) -> Arc<Self> {
        let file = folder.join(FILE);
        let known = std::fs::read(&file).ok();
        let vocabulary = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Arc::new(Self {
            file,
            vocabulary: ArcSwap::from_pointee(vocabulary.unwrap_or_default()),
        })
    }

    /// A question with its slips put right.
    pub(super) fn correct(&self, text: &str, language: Language) -> String {
        self.vocabulary.load().correct(text, language)
    }

    /// Learns the words of an index's points.
    pub(super) async fn learn(&self, points: &[IndexPoint]) -> io::Result<()> {
        let texts = points
            .iter()
            .map(|point| (point.words.as_str(), point.passage.language));
        let vocabulary = Vocabulary::of(texts);
        if **self.vocabulary.load() == vocabulary {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&vocabulary)?;
        self.vocabulary.store(Arc::new(vocabulary));
        let unfinished = self
            .file
            .with_extension(format!("tmp{}", std::process::id()));
        tokio::fs::write(&unfinished, bytes).await?;
        tokio::fs::rename(&unfinished, &self.file).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::read_corpus;
    use super::*;

    #[tokio::test]
    async fn words_are_learned_kept_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"{"id": "a", "title": "Cappuccino machine", "text": "It froths milk."}"#;
        let points = read_corpus("c", line, 100, &|_| Language::EN).unwrap();
        let wording = Wording::open(folder.path());
        let written = "capucino machne";
        assert_eq!(wording.correct(written, Language::EN), written);
        wording.learn(&points).await.unwrap();
        for wording in [wording, Wording::open(folder.path())] {
            assert_eq!(wording.correct(written, Language::EN), "cappuccino machine");
        }
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        let damaged = Wording::open(folder.path());
        assert_eq!(damaged.correct(written, Language::EN), written);
    }
}
