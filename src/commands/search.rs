//! `sportello search`.

use std::path::PathBuf;

use serde_json::Value;

use super::output::{json, line};
use super::session::Session;
use super::understand::{read_lines, text_of};
use super::{Failure, Shared};
use crate::app::Command;
use crate::domain::{Language, PassageKind};

/// What `search` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The words
    #[arg(required_unless_present = "batch")]
    query: Option<String>,
    /// A file of queries, one a line, as text or as JSON objects with `text`; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    batch: Option<PathBuf>,
    /// At most so many passages
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    /// Only this kind: product, faq or policy
    #[arg(long)]
    kind: Vec<PassageKind>,
    /// The query's language
    #[arg(long)]
    language: Option<Language>,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Searches once, or once a line.
pub async fn run(shared: Shared, args: Args) -> Result<(), Failure> {
    let queries = match (&args.query, &args.batch) {
        (Some(query), _) => vec![query.clone()],
        (None, file) => {
            let file = file.as_deref().filter(|file| file.as_os_str() != "-");
            read_lines(file)?
                .iter()
                .map(|line| text_of(line).0)
                .collect()
        }
    };
    let mut session = Session::open(shared).await?;
    for query in queries {
        let command = Command::Search {
            query,
            limit: usize::from(args.limit),
            kinds: args.kind.clone(),
            language: args.language,
        };
        let found = session.ask(command).await?;
        if args.json || args.batch.is_some() {
            json(&found)?;
        } else {
            table(&found)?;
        }
    }
    session.close().await;
    Ok(())
}

fn table(found: &Value) -> Result<(), Failure> {
    let results = found["results"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if results.is_empty() {
        return line("nothing found");
    }
    if found["relevant"] == false {
        line("nothing is really about this; closest:")?;
    }
    for result in results {
        let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
        let score = result["score"].as_f64().unwrap_or_default();
        line(&format!(
            "{score:.4}  {:<8} {:<32} {}",
            text("kind"),
            text("id"),
            text("title")
        ))?;
    }
    Ok(())
}
