//! `sportello fit`: the weights that are part of the program, made again from their data.
//!
//! ```text
//! S=../shared/data/sentiment
//! T="en=$S/english/train.jsonl it=$S/italian/train.jsonl es=$S/spanish/train.jsonl
//!    pt=$S/portuguese/train.jsonl de=$S/german/train.jsonl fr=$S/french/train.jsonl"
//! sportello fit sentiment $T --own eval/data/sentiment_examples.jsonl
//! python3 scripts/word_frequencies.py words.jsonl
//! sportello fit language --words words.jsonl $T eval/data/sentiment_examples.jsonl
//! sportello fit centre
//! ```

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::output::note;
use super::understand::read_lines;
use super::{Failure, Shared};
use crate::app::{AppError, encoder, examples, knowledge_source, questions};
use crate::domain::{Language, Polarity};
use crate::knowledge;
use crate::retrieval::{Centre, CentreTexts};
use crate::understand::{LanguageTable, MoodExample, SentimentModel, VectorsOf, WordFrequency};

/// Texts of the shop's own register count so much more than tweets.
const OWN_WEIGHT: f32 = 5.0;

/// What `fit` does.
#[derive(Debug, clap::Subcommand)]
pub enum Fit {
    /// The sentiment heads, from lines of `{"text", "label", "language"}`
    Sentiment {
        /// Files of general texts, weight 1; `it=FILE` says the language of a file whose lines do not
        #[arg(required = true)]
        files: Vec<Source>,
        /// A file of the shop's own register, weight 5
        #[arg(long)]
        own: Option<PathBuf>,
        /// The file to write
        #[arg(long, default_value = "src/understand/sentiment.bin")]
        into: PathBuf,
    },
    /// The words of each language, from `scripts/word_frequencies.py`, texts and the shop's examples of intents
    Language {
        /// Word frequencies: lines of `{"word", "language", "frequency"}`
        #[arg(long)]
        words: PathBuf,
        /// Files of texts: lines of `{"text", "language"}`, or `it=FILE` for a file of one language
        files: Vec<Source>,
        /// The file to write
        #[arg(long, default_value = "src/understand/language.bin")]
        into: PathBuf,
    },
    /// The usual directions of the encoders' vectors, from the shop's texts and its examples of intents
    Centre {
        /// The file to write
        #[arg(long, default_value = "src/retrieval/centre.bin")]
        into: PathBuf,
    },
}

/// A file, and the language of its lines where these do not say it.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    language: Option<Language>,
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = text.split_once('=');
        let language = named.and_then(|(code, _)| code.parse().ok());
        Ok(match (named, language) {
            (Some((_, path)), Some(language)) => Self {
                path: path.into(),
                language: Some(language),
            },
            _ => Self {
                path: text.into(),
                language: None,
            },
        })
    }
}

#[derive(Deserialize)]
struct Labelled {
    text: String,
    label: Polarity,
    language: Option<Language>,
}

#[derive(Deserialize)]
struct Said {
    text: String,
    language: Option<Language>,
}

#[derive(Deserialize)]
struct Known {
    word: String,
    language: Language,
    frequency: f64,
}

/// Fits and writes.
pub async fn run(shared: &Shared, fit: Fit) -> Result<(), Failure> {
    let (bytes, into) = match fit {
        Fit::Sentiment { files, own, into } => (sentiment(files, own).await?, into),
        Fit::Language { words, files, into } => (language(shared, &words, files)?, into),
        Fit::Centre { into } => (centre(shared).await?, into),
    };
    std::fs::write(&into, bytes)?;
    note(&format!("wrote {}", into.display()));
    Ok(())
}

async fn sentiment(files: Vec<Source>, own: Option<PathBuf>) -> Result<Vec<u8>, Failure> {
    let mut examples = Vec::new();
    let own = own.map(|path| Source {
        path,
        language: None,
    });
    let weighted = files
        .into_iter()
        .map(|file| (file, 1.0))
        .chain(own.map(|file| (file, OWN_WEIGHT)));
    for (file, weight) in weighted {
        let lines: Vec<Labelled> = parsed(&file.path)?;
        examples.extend(lines.into_iter().map(|line| MoodExample {
            text: line.text,
            language: file.language.or(line.language),
            label: line.label,
            weight,
        }));
    }
    note(&format!("fitting on {} texts", examples.len()));
    let texts: Vec<String> = examples
        .iter()
        .map(|example| example.text.clone())
        .collect();
    let sentence = encoder()?.embed(&texts).await.map_err(AppError::from)?;
    let questions = questions()?.ok_or_else(|| {
        Failure::Wrong("the retrieval encoder is not there; run scripts/setup_models.py".to_owned())
    })?;
    let retrieval = questions
        .embed_queries(&texts)
        .await
        .map_err(AppError::from)?;
    let vectors = VectorsOf {
        sentence: &sentence,
        retrieval: Some(&retrieval),
    };
    Ok(SentimentModel::fit(&examples, vectors).to_bytes())
}

fn language(shared: &Shared, words: &Path, files: Vec<Source>) -> Result<Vec<u8>, Failure> {
    let words: Vec<Known> = parsed(words)?;
    let frequencies: Vec<WordFrequency> = words
        .into_iter()
        .map(|known| WordFrequency {
            word: known.word,
            language: known.language,
            frequency: known.frequency,
        })
        .collect();
    let mut texts = Vec::new();
    for file in files {
        let lines: Vec<Said> = parsed(&file.path)?;
        texts.extend(
            lines
                .into_iter()
                .filter_map(|line| Some((line.text, file.language.or(line.language)?))),
        );
    }
    let source = knowledge_source(&shared.config);
    let knowledge =
        knowledge::load(&source, shared.config.shop.currency).map_err(AppError::Knowledge)?;
    let own = examples(&knowledge).into_iter();
    texts.extend(own.filter_map(|example| Some((example.text, example.language?))));
    note(&format!(
        "counting {} words and {} texts",
        frequencies.len(),
        texts.len()
    ));
    Ok(LanguageTable::fit(&frequencies, &texts).to_bytes())
}

async fn centre(shared: &Shared) -> Result<Vec<u8>, Failure> {
    let source = knowledge_source(&shared.config);
    let knowledge =
        knowledge::load(&source, shared.config.shop.currency).map_err(AppError::Knowledge)?;
    let sentences = encoder()?;
    let questions = questions()?
        .ok_or_else(|| Failure::Wrong("the file of E5 is missing; run `make models`".to_owned()))?;
    let points = knowledge::chunks(&knowledge, shared.config.retrieval.chunk_tokens);
    let passages = CentreTexts::passages(sentences.as_ref(), questions.as_ref(), &points).await;
    let asked: Vec<(String, Language)> = examples(&knowledge)
        .into_iter()
        .filter_map(|example| Some((example.text, example.language?)))
        .collect();
    let queries = CentreTexts::queries(sentences.as_ref(), questions.as_ref(), &asked).await;
    let texts = CentreTexts {
        queries: queries.map_err(AppError::from)?,
        passages: passages.map_err(AppError::from)?,
    };
    Ok(Centre::fit(&texts).to_bytes())
}

fn parsed<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, Failure> {
    let lines = read_lines(Some(file))?;
    (1..)
        .zip(lines)
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            serde_json::from_str(&line)
                .map_err(|error| Failure::Wrong(format!("{}:{number}: {error}", file.display())))
        })
        .collect()
}
