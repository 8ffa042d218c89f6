//! Labelled sets: files of lines of `{"text", "language"}` with `"intent"` or `"label"`, or neither.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::bench::Bench;
use crate::app::AppError;
use crate::domain::Language;
use crate::understand::LabelledText;

/// The languages by the names of their folders.
pub(super) const FOLDERS: [(&str, Language); 6] = [
    ("english", Language::EN),
    ("italian", Language::IT),
    ("spanish", Language::ES),
    ("portuguese", Language::PT),
    ("german", Language::DE),
    ("french", Language::FR),
];

/// A text with what it is known to be.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Row {
    pub(super) text: String,
    /// The intent or the mood; empty in a set of languages.
    #[serde(default, alias = "intent")]
    pub(super) label: String,
    pub(super) language: Option<Language>,
}

impl Row {
    pub(super) fn example(self) -> LabelledText {
        LabelledText {
            text: self.text,
            intent: self.label,
            language: self.language,
        }
    }
}

impl Bench {
    /// A file of a public set; nothing, with a notice, where it is absent.
    pub(super) fn shared(&self, name: &str) -> Result<Option<Vec<Row>>, AppError> {
        self.lines(&self.shared.join(name))
    }

    /// A file of the shop's own cases; nothing, with a notice, where it is absent.
    pub(super) fn own(&self, name: &str) -> Result<Option<Vec<Row>>, AppError> {
        self.lines(&self.own.join(name))
    }

    /// The first of the shop's own messages, as many as there are up to `most`.
    ///
    /// # Errors
    /// When a file of them cannot be read.
    pub fn messages(&self, most: usize) -> Result<Vec<String>, AppError> {
        let mut texts = Vec::new();
        for file in ["intent_cases", "language_cases", "sentiment_cases"] {
            let rows = self.own(&format!("{file}.jsonl"))?.unwrap_or_default();
            texts.extend(rows.into_iter().map(|row| row.text));
        }
        texts.truncate(most);
        Ok(texts)
    }

    /// Several files of a public set one after the other, as examples; nothing when one is absent.
    pub(super) fn examples_of(
        &self,
        folder: &str,
        parts: &[&str],
    ) -> Result<Option<Vec<LabelledText>>, AppError> {
        let mut examples = Vec::new();
        for part in parts {
            let Some(rows) = self.shared(&format!("{folder}/{part}.jsonl"))? else {
                return Ok(None);
            };
            examples.extend(rows.into_iter().map(Row::example));
        }
        Ok(Some(examples))
    }

    /// The lines of a file of JSON; nothing, with a notice, where it is absent.
    pub(super) fn lines<T: DeserializeOwned>(
        &self,
        path: &Path,
    ) -> Result<Option<Vec<T>>, AppError> {
        let Some(text) = self.text(path)? else {
            return Ok(None);
        };
        let numbered = (1..).zip(text.lines());
        let filled = numbered.filter(|(_, line)| !line.trim().is_empty());
        let parsed = filled.map(|(number, line): (usize, _)| {
            serde_json::from_str(line).map_err(|error| {
                AppError::Configuration(format!("{}:{number}: {error}", path.display()))
            })
        });
        parsed.collect::<Result<Vec<T>, AppError>>().map(Some)
    }

    /// A file; nothing, with a notice, where it is absent.
    pub(super) fn text(&self, path: &Path) -> Result<Option<String>, AppError> {
        if !path.exists() {
            (self.say)(&format!("skipped: {} is absent", path.display()));
            return Ok(None);
        }
        std::fs::read_to_string(path).map(Some).map_err(|error| {
            AppError::Configuration(format!("{} cannot be read: {error}", path.display()))
        })
    }
}
