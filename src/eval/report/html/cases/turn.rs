//! A turn of a transcript: what was read in it, what was looked up and done, and how it ended.

use serde::Serialize;
use serde_json::Value;

use super::{TEXT, sure};
use crate::domain::{Answer, Language, Outcome, Passage, ToolTrace, Triage};
use crate::eval::observed::TurnSeen;
use crate::eval::report::words::{shortened, thousands, time};

/// Characters of a tool's arguments or result.
const JSON: usize = 6000;

/// A turn.
#[derive(Serialize)]
pub struct TurnView {
    customer: Vec<String>,
    facts: Vec<[String; 2]>,
    notes: Vec<String>,
    passages: Vec<PassageView>,
    calls: Vec<Call>,
    answer: Option<String>,
    extras: Vec<[String; 2]>,
    outcome: String,
    summary: Option<String>,
    manners: Vec<String>,
    figures: Vec<String>,
}

#[derive(Serialize)]
struct PassageView {
    document: String,
    kind: &'static str,
    title: String,
    score: String,
    found: String,
    text: String,
}

/// A call to a tool.
#[derive(Serialize)]
pub struct Call {
    name: String,
    arguments: String,
    result: Option<String>,
    failed: bool,
}

impl Call {
    /// One that was only asked for.
    pub fn asked(name: &str, arguments: &Value) -> Self {
        Self {
            name: name.to_owned(),
            arguments: pretty(arguments),
            result: None,
            failed: false,
        }
    }

    fn made(tool: &ToolTrace) -> Self {
        Self {
            name: tool.name.clone(),
            arguments: pretty(&tool.arguments),
            result: Some(pretty(&tool.result)),
            failed: tool.failed,
        }
    }
}

/// JSON on several lines.
pub fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
    shortened(&text, JSON)
}

impl TurnView {
    /// Prepares a turn.
    pub fn of(turn: &TurnSeen) -> Self {
        let trace = &turn.trace;
        let language = trace
            .triage
            .as_ref()
            .map_or(Language::EN, |triage| triage.language.language);
        let (outcome, summary) = match &turn.outcome {
            Outcome::Answered { awaiting, .. } => {
                let waits = awaiting.as_ref().map(|what| format!(", waits for {what}"));
                (format!("answered{}", waits.unwrap_or_default()), None)
            }
            Outcome::HandedOff {
                reason, summary, ..
            } => (
                format!("handed off: {}", reason.name()),
                Some(summary.clone()),
            ),
            Outcome::Silent { reason } => (format!("silent: {reason}"), None),
        };
        let answer = turn.outcome.answer();
        Self {
            customer: turn.customer.clone(),
            facts: trace.triage.as_ref().map(understood).unwrap_or_default(),
            notes: trace.notes.clone(),
            passages: trace.passages.iter().map(PassageView::of).collect(),
            calls: trace.tools.iter().map(Call::made).collect(),
            answer: answer.map(|answer| shortened(&answer.text, TEXT)),
            extras: answer
                .map(|answer| extras(answer, language))
                .unwrap_or_default(),
            outcome,
            summary,
            manners: warnings(turn),
            figures: figures(turn),
        }
    }
}

fn understood(triage: &Triage) -> Vec<[String; 2]> {
    let intent = &triage.intent;
    let kept = if triage.language.kept { ", kept" } else { "" };
    let language = sure(
        triage.language.language.code(),
        f64::from(triage.language.confidence),
    );
    let mut facts = vec![
        ["language".to_owned(), format!("{language}{kept}")],
        [
            "intent".to_owned(),
            sure(intent.decided(), f64::from(intent.score)),
        ],
    ];
    if !intent.in_scope {
        facts.push(["nearest".to_owned(), intent.name.clone()]);
    }
    if let Some((name, score)) = intent.runners_up.first() {
        facts.push(["then".to_owned(), sure(name, f64::from(*score))]);
    }
    let mood = &triage.sentiment;
    facts.push([
        "mood".to_owned(),
        format!("{} {:+.2}", mood.label.name(), mood.polarity),
    ]);
    facts
}

/// What was wrong with an answer beside what the case expected.
fn warnings(turn: &TurnSeen) -> Vec<String> {
    let judged = turn.judged.iter();
    let unsupported = judged.clone().flat_map(|judged| &judged.unsupported);
    let unsupported = unsupported.map(|claim| format!("nothing that was read says: {claim}"));
    let fault = judged.filter_map(|judged| judged.fault.clone());
    let manners = turn.manners.iter().cloned();
    manners.chain(unsupported).chain(fault).collect()
}

fn extras(answer: &Answer, language: Language) -> Vec<[String; 2]> {
    let card = |name: &str, text: String| [name.to_owned(), text];
    let products = answer.products.iter().map(|product| {
        let price = product.price.display(language);
        card("card", format!("{} · {price}", product.title))
    });
    let payment = answer.payment.iter().map(|link| {
        card(
            "pay",
            format!("{} · {}", link.label, link.total.display(language)),
        )
    });
    let choices = answer
        .choices
        .iter()
        .map(|choice| card("reply", choice.title.clone()));
    let sources = answer
        .sources
        .iter()
        .map(|source| card("source", source.id.clone()));
    products
        .chain(payment)
        .chain(choices)
        .chain(sources)
        .collect()
}

fn figures(turn: &TurnSeen) -> Vec<String> {
    let mut figures = Vec::new();
    if turn.milliseconds > 0 {
        figures.push(time(turn.milliseconds));
    }
    for model in &turn.trace.models {
        let fell_back = model.fell_back.as_ref();
        let instead = fell_back.map_or(String::new(), |why| format!(" (instead: {why})"));
        figures.push(format!(
            "{}: {} tokens in, {} out{instead}",
            model.model,
            thousands(model.input_tokens),
            thousands(model.output_tokens)
        ));
    }
    figures
}

impl PassageView {
    fn of(passage: &Passage) -> Self {
        let headings = passage.headings.iter().filter(|one| **one != passage.title);
        let title: Vec<&str> = std::iter::once(&passage.title)
            .chain(headings)
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let ranking = &passage.ranking;
        let ranks = [
            ("vectors", ranking.dense_rank),
            ("words", ranking.bm25_rank),
        ];
        let ranks = ranks
            .iter()
            .filter_map(|(leg, rank)| Some(format!("{leg} #{}", (*rank)?)));
        Self {
            document: passage.document.clone(),
            kind: passage.kind.name(),
            title: title.join(" › "),
            score: format!("{:.3}", passage.score),
            found: ranks.collect::<Vec<_>>().join(", "),
            text: shortened(&passage.text, TEXT),
        }
    }
}
