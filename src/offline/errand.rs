//! One request on its way to an answer.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::domain::Answer;
use crate::ports::{ModelMessage, ModelRequest, Request, ToolCall, TurnFacts};
use crate::prompts::Words;

/// A request with the results that are there so far.
pub struct Errand<'a> {
    /// What is asked.
    pub asked: &'a Request,
    /// What the turn knows.
    pub facts: &'a TurnFacts,
    /// The phrases of the customer's language.
    pub words: Words<'a>,
    /// The shop's name.
    pub shop: &'a str,
    /// Calls whose results are missing.
    pub calls: Vec<ToolCall>,
    number: usize,
    made: usize,
    messages: &'a [ModelMessage],
}

/// What became of a call.
pub enum Called<T> {
    /// The result is not there yet.
    Missing,
    /// The result.
    Done(T),
    /// What the tool said instead.
    Refused,
}

/// A part of the answer.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Text, cards, link, choices, sources.
    pub answer: Answer,
    /// What is waited for next.
    pub awaiting: Option<String>,
}

impl Part {
    /// A part of text only.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            answer: Answer::text(text),
            awaiting: None,
        }
    }

    /// The part, waiting for something.
    pub fn awaiting(mut self, what: impl Into<String>) -> Self {
        self.awaiting = Some(what.into());
        self
    }

    /// This part's text before another part.
    pub fn then(self, mut next: Self) -> Self {
        next.answer.text = format!("{}\n\n{}", self.answer.text, next.answer.text);
        next
    }
}

impl<'a> Errand<'a> {
    /// The errand of one request.
    pub fn new(
        number: usize,
        request: &'a ModelRequest,
        asked: &'a Request,
        words: Words<'a>,
        shop: &'a str,
    ) -> Self {
        Self {
            asked,
            facts: &request.facts,
            words,
            shop,
            calls: Vec::new(),
            number,
            made: 0,
            messages: &request.messages,
        }
    }

    /// Whether this is the first request of the message.
    pub fn is_first(&self) -> bool {
        self.number == 0
    }

    /// The result of a call. Calls are numbered in the order in which the errand makes them, so the same
    /// facts find the same results at the next step.
    pub fn call<T: DeserializeOwned>(&mut self, tool: &str, arguments: Value) -> Called<T> {
        let id = format!("offline-{}-{}", self.number, self.made);
        self.made += 1;
        let result = self.messages.iter().find_map(|message| match message {
            ModelMessage::Tool {
                call_id, content, ..
            } if *call_id == id => Some(content),
            ModelMessage::Tool { .. }
            | ModelMessage::System(_)
            | ModelMessage::User(_)
            | ModelMessage::Assistant { .. } => None,
        });
        match result {
            None => {
                self.calls.push(ToolCall {
                    id,
                    name: tool.to_owned(),
                    arguments,
                });
                Called::Missing
            }
            Some(content) => serde_json::from_str(content).map_or(Called::Refused, Called::Done),
        }
    }

    /// Calls a person.
    pub fn hand_off(&mut self, reason: &str) -> Option<Part> {
        let arguments = json!({ "reason": reason, "summary": self.note() });
        match self.call::<Value>("hand_off_to_human", arguments) {
            Called::Missing => None,
            Called::Done(_) | Called::Refused => Some(Part::default()),
        }
    }

    /// The request as a note for a colleague.
    pub fn note(&self) -> String {
        let entities = &self.asked.triage.entities;
        let orders: Vec<&str> = entities.orders.iter().map(|order| order.as_str()).collect();
        let products: Vec<&str> = self
            .facts
            .history
            .last_products()
            .iter()
            .map(|id| id.as_str())
            .collect();
        let text: String = self.facts.text.chars().take(600).collect();
        self.words.say(
            "ticket_summary",
            minijinja::context! {
                text => text.split_whitespace().collect::<Vec<_>>().join(" "),
                orders => orders.join(", "),
                products => products.join(", "),
            },
        )
    }
}
