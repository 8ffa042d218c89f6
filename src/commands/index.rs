//! `sportello index`.

use std::path::PathBuf;

use super::output::{json, line, progress};
use super::session::Session;
use super::{Failure, Shared};
use crate::app::{Command, Corpus};

/// What `index` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Index this corpus instead of the shop: lines of `{"id", "title", "text", "language", "meta"}`
    #[arg(long, value_name = "FILE.jsonl", requires = "into")]
    corpus: Option<PathBuf>,
    /// The folder of the corpus's index; search it with `sportello search --index DIR`
    #[arg(long, value_name = "DIR", requires = "corpus")]
    into: Option<PathBuf>,
    /// Tokens of one chunk of the corpus
    #[arg(long, default_value_t = 100, requires = "corpus", value_parser = clap::value_parser!(u16).range(10..=2_000))]
    chunk_tokens: u16,
    /// One JSON object instead of a sentence
    #[arg(long)]
    json: bool,
}

/// Brings the index up to date.
pub async fn run(shared: Shared, args: &Args) -> Result<(), Failure> {
    let report = match (&args.corpus, &args.into) {
        (Some(file), Some(into)) => {
            let bytes = std::fs::read(file).map_err(|error| {
                Failure::Wrong(format!("{} cannot be read: {error}", file.display()))
            })?;
            let lines = String::from_utf8(bytes).map_err(|error| {
                Failure::Wrong(format!("{} is not UTF-8: {error}", file.display()))
            })?;
            let source = file.file_name().unwrap_or_default().to_string_lossy();
            let corpus = Corpus::open(&shared.config, into).await?;
            let tokens = usize::from(args.chunk_tokens);
            let report = corpus
                .build(&source, &lines, tokens, progress("index"))
                .await?;
            corpus.close().await;
            serde_json::to_value(report).map_err(|error| Failure::Machine(error.to_string()))?
        }
        _ => {
            let mut session = Session::without_index(shared).await?;
            let report = session.ask(Command::Index).await?;
            session.close().await;
            report
        }
    };
    if args.json {
        return json(&report);
    }
    line(&format!(
        "{} chunks, {} embedded now",
        report["chunks"], report["embedded"]
    ))
}
