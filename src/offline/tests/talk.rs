//! Requests as they are understood, and tools that answer as told.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::domain::{
    ConversationId, History, HistoryEntry, Intent, Language, LanguageGuess, Polarity, ProductId,
    Sentiment, Speaker, Triage,
};
use crate::offline::OfflineModel;
use crate::ports::{
    ChatModel, ModelMessage, ModelReply, ModelRequest, Request, ToolCall, TurnFacts,
};
use crate::prompts::Prompts;
use crate::understand::entities;

/// One request and what was said before it.
pub struct Said {
    pub text: &'static str,
    intent: &'static str,
    score: f32,
    awaiting: Option<&'static str>,
    shown: &'static [&'static str],
    told: &'static str,
    /// The whole message, when the request is only a part of it.
    pub whole: Option<&'static str>,
    points: bool,
}

pub fn said(text: &'static str, intent: &'static str) -> Said {
    Said {
        text,
        intent,
        score: 0.9,
        awaiting: None,
        shown: &[],
        told: "Before.",
        whole: None,
        points: false,
    }
}

impl Said {
    /// By a quote, or from a card, at what was shown.
    pub fn pointing(self) -> Self {
        Self {
            points: true,
            ..self
        }
    }

    pub fn awaiting(self, what: &'static str) -> Self {
        Self {
            awaiting: Some(what),
            ..self
        }
    }

    pub fn shown(self, products: &'static [&'static str]) -> Self {
        Self {
            shown: products,
            ..self
        }
    }

    pub fn told(self, text: &'static str) -> Self {
        Self { told: text, ..self }
    }

    pub fn scored(self, score: f32) -> Self {
        Self { score, ..self }
    }

    fn asked(&self) -> Request {
        Request {
            text: self.text.to_owned(),
            triage: Triage {
                language: LanguageGuess {
                    language: Language::EN,
                    confidence: 1.0,
                    kept: false,
                },
                intent: Intent {
                    name: self.intent.to_owned(),
                    score: self.score,
                    in_scope: self.score >= 0.5,
                    runners_up: Vec::new(),
                },
                sentiment: Sentiment {
                    label: Polarity::Neutral,
                    polarity: 0.0,
                    intensity: 0.0,
                },
                entities: entities(self.text, Language::EN),
            },
        }
    }

    fn history(&self) -> History {
        let entry = HistoryEntry {
            speaker: Speaker::Agent,
            text: self.told.to_owned(),
            products: self.shown.iter().map(|id| ProductId::from(*id)).collect(),
            intent: None,
            awaiting: self.awaiting.map(str::to_owned),
            at: 0,
        };
        History {
            entries: vec![entry],
        }
    }
}

fn model() -> (OfflineModel, Arc<Prompts>) {
    let prompts = Arc::new(Prompts::load().unwrap());
    let model = OfflineModel::new(Arc::clone(&prompts), "Bottega Moka".to_owned());
    (model, prompts)
}

/// Lets the model talk to tools until it answers; gives the calls and the last reply.
pub async fn talk(
    requests: &[Said],
    tools: impl Fn(&ToolCall) -> Value,
) -> (Vec<ToolCall>, ModelReply) {
    let (model, _) = model();
    let mut request = ModelRequest {
        messages: Vec::new(),
        tools: Vec::new(),
        max_output_tokens: 100,
        conversation: ConversationId::default(),
        facts: TurnFacts {
            requests: requests.iter().map(Said::asked).collect(),
            history: requests[0].history(),
            points: requests[0].points,
            ..TurnFacts::of(requests[0].whole.unwrap_or(requests[0].text), Language::EN)
        },
    };
    let mut made = Vec::new();
    for _ in 0..6 {
        let reply = model.complete(&request).await.unwrap();
        if reply.calls.is_empty() {
            return (made, reply);
        }
        for call in reply.calls {
            request.messages.push(ModelMessage::Tool {
                call_id: call.id.clone(),
                name: call.name.clone(),
                content: tools(&call).to_string(),
            });
            made.push(call);
        }
    }
    panic!("no answer after six steps: {made:?}");
}

pub fn refused(_: &ToolCall) -> Value {
    json!({ "error": "no" })
}

pub fn product(id: &str, minor: i64, stock: u32) -> Value {
    json!({
        "id": id, "title": format!("The {id}"), "description": "Nice.", "category": "moka",
        "price": { "minor": minor, "currency": "EUR" }, "price_text": format!("€{}", minor / 100),
        "stock": stock, "attributes": { "colors": ["red", "black"] }, "image_url": "/images/a.svg",
    })
}

pub fn phrase(key: &str) -> String {
    model().1.words(Language::EN).plain(key)
}
