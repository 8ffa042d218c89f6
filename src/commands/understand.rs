//! `sportello understand`: a label a line, in the order of the input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::output;
use super::{Failure, Shared};
use crate::app::{App, AppError, Readers, encoder, examples, knowledge_source, questions};
use crate::knowledge;
use crate::store::Store;
use crate::understand::{
    IntentModel, LabelledText, Languages, OUT_OF_SCOPE, SentimentModel, Understanding, Vectors,
    VectorsOf,
};

/// Texts embedded at once.
const BATCH: usize = 512;

/// What `understand` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file of lines; without one, standard input
    file: Option<PathBuf>,
    /// Fit on these examples instead of the shop's: lines of `{"text", "intent"}`
    #[arg(long, value_name = "FILE.jsonl")]
    intents: Option<PathBuf>,
    /// Examples that are out of scope: lines of `{"text"}`
    #[arg(long, value_name = "FILE.jsonl", requires = "intents")]
    out_of_scope: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Labelled {
    text: String,
    intent: Option<String>,
}

/// Labels every line.
pub async fn run(shared: Shared, args: Args) -> Result<(), Failure> {
    let lines = read_lines(args.file.as_deref().filter(|file| file.as_os_str() != "-"))?;
    let reader = encoder()?;
    let questions = questions()?;
    let readers = Readers {
        reader: reader.as_ref(),
        questions: questions.as_deref(),
        always_both: true,
    };
    crate::app::folder(&shared.data)?;
    let store = Store::open(&shared.data).await?;
    let examples = match &args.intents {
        Some(file) => labelled(file, args.out_of_scope.as_deref())?,
        None => {
            let source = knowledge_source(&shared.config);
            examples(
                &knowledge::load(&source, shared.config.shop.currency)
                    .map_err(AppError::Knowledge)?,
            )
        }
    };
    let intents: IntentModel = App::fit_intents(&shared.data, &store, readers, examples).await?;
    let languages = Languages::new(&shared.config.shop.languages);
    languages.warm();
    let understanding = Understanding {
        languages,
        intents,
        sentiments: SentimentModel::builtin(),
    };
    for batch in lines.chunks(BATCH) {
        let texts: Vec<String> = batch.iter().map(|line| text_of(line).0).collect();
        let (sentence, retrieval) = readers.vectors(&store, &texts).await?;
        let vectors = VectorsOf {
            sentence: &sentence,
            retrieval: retrieval.as_deref(),
        };
        for (place, text) in texts.iter().enumerate() {
            if let Some(vectors) = vectors.of(place) {
                output::json(&label(&understanding, &shared, text, vectors))?;
            }
        }
    }
    store.close().await;
    Ok(())
}

fn label(understanding: &Understanding, shared: &Shared, text: &str, vectors: Vectors) -> Value {
    let triage = understanding.triage(text, vectors, None);
    let intent = &triage.intent;
    let best = std::iter::once((&intent.name, intent.score));
    let others = intent.runners_up.iter().map(|(name, score)| (name, *score));
    let top: Vec<Value> = best
        .chain(others)
        .map(|(name, score)| json!({ "name": name, "score": score }))
        .collect();
    let configured = &shared.config.shop.languages;
    let guessed = triage.language.language;
    // A best guess among the shop's languages, whatever the message is written in.
    let language = if configured.contains(&guessed) {
        guessed
    } else {
        configured.first().copied().unwrap_or(guessed)
    };
    json!({
        "text": text,
        "language": language,
        "intent": {
            "name": intent.name,
            "score": intent.score,
            "in_scope": intent.in_scope,
            "top": top,
        },
        "sentiment": {
            "label": triage.sentiment.label,
            "polarity": triage.sentiment.polarity,
            "intensity": triage.sentiment.intensity,
        },
    })
}

fn labelled(file: &Path, out_of_scope: Option<&Path>) -> Result<Vec<LabelledText>, Failure> {
    let mut examples = Vec::new();
    for (path, fallback) in [(Some(file), None), (out_of_scope, Some(OUT_OF_SCOPE))] {
        let Some(path) = path else { continue };
        for (number, line) in (1..).zip(read_lines(Some(path))?) {
            if line.trim().is_empty() {
                continue;
            }
            let fault = |what: &str| {
                Failure::Wrong(format!(
                    "{}:{number}: {what}; write {{\"text\": …, \"intent\": …}}",
                    path.display()
                ))
            };
            let read: Labelled =
                serde_json::from_str(&line).map_err(|error| fault(&error.to_string()))?;
            let intent = fallback.map(str::to_owned).or(read.intent);
            examples.push(LabelledText {
                text: read.text,
                intent: intent.ok_or_else(|| fault("`intent` is missing"))?,
                language: None,
            });
        }
    }
    Ok(examples)
}

/// The lines of a file, or of standard input. Bytes that are no UTF-8 are replaced.
pub fn read_lines(file: Option<&Path>) -> Result<Vec<String>, Failure> {
    let bytes = match file {
        Some(file) => std::fs::read(file).map_err(|error| {
            Failure::Wrong(format!("{} cannot be read: {error}", file.display()))
        })?,
        None => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            bytes
        }
    };
    Ok(String::from_utf8_lossy(&bytes)
        .lines()
        .map(str::to_owned)
        .collect())
}

/// The text of a line: of a JSON object with a string `text`, else the line itself.
pub fn text_of(line: &str) -> (String, Option<Value>) {
    match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(object)) => match object.get("text").and_then(Value::as_str) {
            Some(text) => (text.to_owned(), Some(Value::Object(object))),
            None => (line.to_owned(), None),
        },
        Ok(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        )
        | Err(_) => (line.to_owned(), None),
    }
}
