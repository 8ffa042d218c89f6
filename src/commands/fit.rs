//! `sportello fit`: the weights that are part of the program, made again from their data.

use std::path::PathBuf;

use serde::Deserialize;

use super::Failure;
use super::output::note;
use super::understand::read_lines;
use crate::app::{AppError, encoder};
use crate::domain::Polarity;
use crate::understand::{MoodExample, SentimentModel};

/// Texts of the shop's own register count so much more than tweets.
const OWN_WEIGHT: f32 = 5.0;

/// What `fit` does.
#[derive(Debug, clap::Subcommand)]
pub enum Fit {
    /// The sentiment head, from lines of `{"text", "label"}`
    Sentiment {
        /// Files of general texts, weight 1
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// A file of the shop's own register, weight 5
        #[arg(long)]
        own: Option<PathBuf>,
        /// The file to write
        #[arg(long, default_value = "src/understand/sentiment.bin")]
        into: PathBuf,
    },
}

#[derive(Deserialize)]
struct Labelled {
    text: String,
    label: Polarity,
}

/// Fits and writes.
pub async fn run(fit: Fit) -> Result<(), Failure> {
    let Fit::Sentiment { files, own, into } = fit;
    let mut examples = Vec::new();
    let weighted = files
        .iter()
        .map(|file| (file, 1.0))
        .chain(own.iter().map(|file| (file, OWN_WEIGHT)));
    for (file, weight) in weighted {
        for (number, line) in (1..).zip(read_lines(Some(file))?) {
            let read: Labelled = serde_json::from_str(&line)
                .map_err(|error| Failure::Wrong(format!("{}:{number}: {error}", file.display())))?;
            examples.push(MoodExample {
                text: read.text,
                label: read.label,
                weight,
            });
        }
    }
    note(&format!("fitting on {} texts", examples.len()));
    let reader = encoder()?;
    let texts: Vec<String> = examples
        .iter()
        .map(|example| example.text.clone())
        .collect();
    let vectors = reader.embed(&texts).await.map_err(AppError::from)?;
    let model = SentimentModel::fit(&examples, &vectors);
    std::fs::write(&into, model.to_bytes())?;
    note(&format!("wrote {}", into.display()));
    Ok(())
}
