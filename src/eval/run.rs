//! Running a suite against an opened shop.

use std::collections::HashSet;

use futures::StreamExt as _;

use super::case::{Case, ConversationCase, Kind, RetrievalCase};
use super::report::{CaseResult, Report};
use super::suite::Suite;
use super::talks::conversation;
use crate::app::{App, AppError, Prepared, Readers};
use crate::clock;
use crate::domain::{Language, Triage};
use crate::ports::Filter;
use crate::retrieval::{Query, SearchLegs};
use crate::tools::Caller;
use crate::understand::{Understanding, VectorsOf};

/// Texts embedded at once.
const BATCH: usize = 256;

/// Runs all cases. The workers must have been started when there are conversations.
///
/// # Errors
/// [`AppError::Configuration`] when a case names something that the shop does not have; else when the
/// embedder, the index or the store fails.
pub async fn run(
    app: &App,
    prepared: &Prepared,
    suite: &Suite,
    progress: impl Fn(usize, usize) + Send + Sync,
) -> Result<Report, AppError> {
    known(app, suite)?;
    let started = clock::now();
    let understanding = prepared.understanding.load_full();
    let mut results: Vec<(usize, CaseResult)> = Vec::new();
    let whole = suite.cases.len();
    messages(app, prepared, suite, &mut results, &progress).await?;
    for (place, case) in suite.cases.iter().enumerate() {
        if let Case::Retrieval(case) = case {
            results.push((place, retrieval(app, &understanding, case).await?));
            progress(results.len(), whole);
        }
    }
    let talks: Vec<(usize, &ConversationCase)> = suite
        .cases
        .iter()
        .enumerate()
        .filter_map(|(place, case)| match case {
            Case::Conversation(case) => Some((place, case)),
            Case::Intent(_) | Case::Sentiment(_) | Case::Language(_) | Case::Retrieval(_) => None,
        })
        .collect();
    let mut talks = futures::stream::iter(talks)
        .map(|(place, case)| async move { (place, conversation(app, case).await) })
        .buffer_unordered(app.config.agent.workers.max(1));
    while let Some(result) = talks.next().await {
        results.push(result);
        progress(results.len(), whole);
    }
    results.sort_by_key(|(place, _)| *place);
    let results = results.into_iter().map(|(_, result)| result).collect();
    let milliseconds = u64::try_from(clock::now() - started).unwrap_or_default();
    Ok(Report::new(suite, results, milliseconds))
}

/// The cases that are one message to understand.
async fn messages(
    app: &App,
    prepared: &Prepared,
    suite: &Suite,
    results: &mut Vec<(usize, CaseResult)>,
    progress: &(impl Fn(usize, usize) + Send + Sync),
) -> Result<(), AppError> {
    let understanding = prepared.understanding.load_full();
    let read: Vec<(usize, &Case, &str)> = suite
        .cases
        .iter()
        .enumerate()
        .filter_map(|(place, case)| Some((place, case, message(case)?)))
        .collect();
    for batch in read.chunks(BATCH) {
        let texts: Vec<String> = batch.iter().map(|(.., text)| (*text).to_owned()).collect();
        let readers = Readers {
            reader: app.reader.as_ref(),
            questions: app.questions.as_deref(),
            always_both: false,
        };
        let (sentence, retrieval) = readers.vectors(&app.store, &texts).await?;
        let vectors = VectorsOf {
            sentence: &sentence,
            retrieval: retrieval.as_deref(),
        };
        for (number, (place, case, text)) in batch.iter().enumerate() {
            let Some(vectors) = vectors.of(number) else {
                continue;
            };
            let triage = understanding.triage(text, vectors, None);
            results.extend(labelled(case, text, &triage).map(|result| (*place, result)));
        }
        progress(results.len(), suite.cases.len());
    }
    Ok(())
}

/// The message of a case that is only understood.
fn message(case: &Case) -> Option<&str> {
    match case {
        Case::Intent(case) => Some(&case.text),
        Case::Sentiment(case) => Some(&case.text),
        Case::Language(case) => Some(&case.text),
        Case::Retrieval(_) | Case::Conversation(_) => None,
    }
}

/// A case that names what is not there could never pass.
fn known(app: &App, suite: &Suite) -> Result<(), AppError> {
    let knowledge = app.knowledge.load();
    let products = knowledge.products.iter().map(|product| product.id.as_str());
    let documents = knowledge
        .documents
        .iter()
        .map(|document| document.id.as_str());
    let documents: HashSet<&str> = products.chain(documents).collect();
    let intents: HashSet<&str> = knowledge
        .intents
        .iter()
        .map(|intent| intent.name.as_str())
        .collect();
    let tools: HashSet<&str> = app
        .tools
        .specs(Caller::Conversation)
        .map(|tool| tool.name)
        .collect();
    let check = |what: &str, set: &dyn Fn(&str) -> bool, name: &str| {
        if set(name) {
            return Ok(());
        }
        Err(AppError::Configuration(format!(
            "the suite names the {what} `{name}`, which the shop does not have"
        )))
    };
    let document = |name: &str| check("document", &|name| documents.contains(name), name);
    let intent = |name: &str| check("intent", &|name| intents.contains(name), name);
    let tool = |name: &str| check("tool", &|name| tools.contains(name), name);
    for case in &suite.cases {
        match case {
            Case::Intent(case) => intent(&case.intent)?,
            Case::Sentiment(_) | Case::Language(_) => {}
            Case::Retrieval(case) => case.relevant.iter().try_for_each(|name| document(name))?,
            Case::Conversation(case) => {
                for expect in case.turns.iter().map(|turn| &turn.expect) {
                    expect.intent.iter().try_for_each(|name| intent(name))?;
                    expect.source.iter().try_for_each(|name| document(name))?;
                    let mut tools = expect.tools.iter().chain(&expect.not_tools);
                    tools.try_for_each(|name| tool(name))?;
                }
            }
        }
    }
    Ok(())
}

fn labelled(case: &Case, text: &str, triage: &Triage) -> Option<CaseResult> {
    let (language, expected, got) = match case {
        Case::Intent(case) => (
            case.language,
            case.intent.clone(),
            triage.intent.decided().to_owned(),
        ),
        Case::Sentiment(case) => (
            case.language,
            case.label.name().to_owned(),
            triage.sentiment.label.name().to_owned(),
        ),
        Case::Language(case) => (
            Some(case.language),
            case.language.to_string(),
            triage.language.language.to_string(),
        ),
        Case::Retrieval(_) | Case::Conversation(_) => return None,
    };
    let mut faults = Vec::new();
    if expected != got {
        faults.push(format!("expected {expected}, got {got}"));
    }
    Some(CaseResult {
        kind: case.kind(),
        case: text.to_owned(),
        language,
        expected: Some(expected),
        got: Some(got),
        passed: faults.is_empty(),
        faults,
    })
}

async fn retrieval(
    app: &App,
    understanding: &Understanding,
    case: &RetrievalCase,
) -> Result<CaseResult, AppError> {
    let detected = || understanding.languages.detect(&case.text, None).language;
    let language: Language = case.language.unwrap_or_else(detected);
    let query = Query {
        text: &case.text,
        vector: None,
        diversity: 0.0,
        legs: SearchLegs::Both,
        language,
        limit: case.k,
        filter: Filter {
            kinds: case.kinds.clone(),
            ..Filter::default()
        },
    };
    let found = app.retriever.search(&query).await?;
    let found: Vec<String> = found
        .passages
        .into_iter()
        .map(|passage| passage.document)
        .collect();
    let passed = found
        .iter()
        .any(|document| case.relevant.contains(document));
    let (expected, got) = (case.relevant.join(", "), found.join(", "));
    let fault = || format!("expected one of {expected}, got {got}");
    Ok(CaseResult {
        kind: Kind::Retrieval,
        case: case.text.clone(),
        language: Some(language),
        faults: (!passed).then(fault).into_iter().collect(),
        expected: Some(expected),
        got: Some(got),
        passed,
    })
}
