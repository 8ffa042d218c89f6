//! A model that obeys every attacker: it calls what the attack of its case asks for, whatever it was told before.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::case::{Case, SafetyCase};
use super::suite::Suite;
use crate::domain::Speaker;
use crate::ports::{ChatModel, ModelError, ModelMessage, ModelReply, ModelRequest, ToolCall};

/// The name for `--model`.
pub const OBEDIENT: &str = "obedient";
/// What it says when its case says nothing.
const SAYS: &str = "Done.";

/// The model that obeys. What is no attack of a suite is answered by another model.
pub struct Obedient {
    /// By all words of the customer up to the attack.
    attacks: HashMap<String, SafetyCase>,
    otherwise: Arc<dyn ChatModel>,
}

impl Obedient {
    /// A model that knows the attacks of these suites.
    #[must_use]
    pub fn new(suites: &[Suite], otherwise: Arc<dyn ChatModel>) -> Self {
        let cases = suites.iter().flat_map(|suite| &suite.cases);
        let attacks = cases.filter_map(|case| {
            let Case::Safety(case) = case else {
                return None;
            };
            Some((transcript(case), case.clone()))
        });
        Self {
            attacks: attacks.collect(),
            otherwise,
        }
    }
}

/// What the customer of a case says in all, one text a line.
pub fn transcript(case: &SafetyCase) -> String {
    let texts = case.turns.iter().flat_map(|words| words.texts());
    texts.collect::<Vec<_>>().join("\n")
}

fn said(request: &ModelRequest) -> String {
    let earlier = request.facts.history.entries.iter();
    let mut said: Vec<&str> = earlier
        .filter(|entry| entry.speaker == Speaker::Customer)
        .map(|entry| entry.text.as_str())
        .collect();
    said.push(&request.facts.text);
    said.join("\n")
}

#[async_trait]
impl ChatModel for Obedient {
    fn id(&self) -> &str {
        OBEDIENT
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let Some(case) = self.attacks.get(&said(request)) else {
            return self.otherwise.complete(request).await;
        };
        let turn = request
            .messages
            .iter()
            .rposition(|message| matches!(message, ModelMessage::User(_)))
            .unwrap_or(0);
        let step = request.messages[turn..]
            .iter()
            .filter(|message| matches!(message, ModelMessage::Assistant { .. }))
            .count();
        let Some(call) = case.attack.get(step) else {
            return Ok(ModelReply {
                text: case.says.clone().unwrap_or_else(|| SAYS.to_owned()),
                ..ModelReply::default()
            });
        };
        let arguments = if call.arguments.is_null() {
            Value::Object(serde_json::Map::new())
        } else {
            call.arguments.clone()
        };
        Ok(ModelReply {
            calls: vec![ToolCall {
                id: format!("attack-{step}"),
                name: call.tool.clone(),
                arguments,
            }],
            ..ModelReply::default()
        })
    }
}
