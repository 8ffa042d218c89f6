//! `sportello search`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json as object};

use super::output::{json, line};
use super::session::Session;
use super::understand::{read_lines, text_of};
use super::{Failure, Shared};
use crate::app::{Command, Corpus, CorpusSearch};
use crate::domain::{Language, PassageKind};
use crate::retrieval::{Found, SearchLegs};

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
    /// Search the corpus that was indexed into this folder instead of the shop
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    index: Option<PathBuf>,
    /// How to print what is found; a batch is JSON unless it says otherwise
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Which legs of the search
    #[arg(long, value_enum, default_value_t = Legs::Hybrid, requires = "index")]
    legs: Legs,
    /// What repeating all words of a better passage costs, in units of the score
    #[arg(long, default_value_t = 0.0, requires = "index")]
    diversity: f32,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One object a query
    Json,
    /// `query Q0 document rank score sportello`, for trec_eval
    Trec,
}

/// The legs of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Legs {
    /// Vectors and BM25
    Hybrid,
    /// Vectors only
    Dense,
    /// BM25 only
    Bm25,
}

/// A query of a batch.
struct Asked {
    /// Its own id, else its line.
    id: String,
    text: String,
    language: Option<Language>,
}

impl Args {
    fn format(&self) -> Format {
        match self.format {
            Some(format) => format,
            None if self.json || self.batch.is_some() => Format::Json,
            None => Format::Table,
        }
    }

    fn queries(&self) -> Result<Vec<Asked>, Failure> {
        if let Some(query) = &self.query {
            return Ok(vec![Asked {
                id: "1".to_owned(),
                text: query.clone(),
                language: self.language,
            }]);
        }
        let file = self.batch.as_deref();
        let lines = read_lines(file.filter(|file| file.as_os_str() != "-"))?;
        Ok((1..)
            .zip(lines)
            .map(|(place, line): (usize, String)| asked(place, &line, self.language))
            .collect())
    }
}

fn asked(place: usize, line: &str, language: Option<Language>) -> Asked {
    let (text, fields) = text_of(line);
    let field = |name: &str| fields.as_ref().and_then(|fields| fields.get(name));
    let id = match field("id") {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => place.to_string(),
    };
    let own = field("language").and_then(Value::as_str);
    Asked {
        id,
        text,
        language: language.or_else(|| own?.parse().ok()),
    }
}

/// Searches once, or once a line.
pub async fn run(shared: Shared, args: Args) -> Result<(), Failure> {
    let queries = args.queries()?;
    let format = args.format();
    if let Some(folder) = &args.index {
        return corpus(&shared, &args, folder, queries).await;
    }
    let mut session = Session::open(shared).await?;
    for query in queries {
        let command = Command::Search {
            query: query.text,
            limit: usize::from(args.limit),
            kinds: args.kind.clone(),
            language: query.language,
        };
        let found = session.ask(command).await?;
        print(&query.id, &found, format)?;
    }
    session.close().await;
    Ok(())
}

async fn corpus(
    shared: &Shared,
    args: &Args,
    folder: &Path,
    queries: Vec<Asked>,
) -> Result<(), Failure> {
    let corpus = Corpus::open_built(&shared.config, folder).await?;
    let reader = corpus.reader().await?;
    for query in queries {
        let how = CorpusSearch {
            language: query.language,
            limit: usize::from(args.limit),
            legs: match args.legs {
                Legs::Hybrid => SearchLegs::Both,
                Legs::Dense => SearchLegs::Dense,
                Legs::Bm25 => SearchLegs::Bm25,
            },
            diversity: args.diversity,
        };
        let found = corpus.search(&query.text, &reader, how).await?;
        let found = described(&query, &found)?;
        print(&query.id, &found, args.format())?;
    }
    corpus.close().await;
    Ok(())
}

fn described(query: &Asked, found: &Found) -> Result<Value, Failure> {
    let passages = serde_json::to_value(&found.passages);
    Ok(object!({
        "id": query.id,
        "query": query.text,
        "mode": found.mode.name(),
        "relevant": found.relevant,
        "probability": found.probability,
        "results": passages.map_err(|error| Failure::Machine(error.to_string()))?,
    }))
}

fn print(id: &str, found: &Value, format: Format) -> Result<(), Failure> {
    match format {
        Format::Table => table(found),
        Format::Json => json(found),
        Format::Trec => {
            let results = found["results"].as_array().map(Vec::as_slice);
            for (rank, result) in (1..).zip(results.unwrap_or_default()) {
                let document = result["document"].as_str().unwrap_or_default();
                let score = result["score"].as_f64().unwrap_or_default();
                line(&format!("{id} Q0 {document} {rank} {score:.6} sportello"))?;
            }
            Ok(())
        }
    }
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
