//! Whether an answer says what it read, as a model judges it.

use minijinja::context;
use serde::{Deserialize, Serialize};

use super::observed::{Talked, TurnSeen};
use crate::app::Prepared;
use crate::domain::{ConversationId, Language};
use crate::ports::{ChatModel, ModelMessage, ModelRequest, TurnFacts};

/// Tokens of a verdict.
const OUTPUT_TOKENS: u32 = 400;

/// What a judge found in an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// How many facts it states.
    pub claims: u32,
    /// Those that nothing of what was read supports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<String>,
    /// Why there is no verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl Judged {
    /// The share of claims that are supported, in [0, 1]; none when there is no claim or no verdict.
    #[must_use]
    pub fn faithfulness(&self) -> Option<f64> {
        let claims = usize::try_from(self.claims)
            .ok()
            .filter(|claims| *claims > 0)?;
        let held = claims.saturating_sub(self.unsupported.len());
        Some(held as f64 / claims as f64)
    }
}

/// Has every answer of a conversation judged that was made of something read.
pub async fn judge(prepared: &Prepared, judge: &dyn ChatModel, talked: &mut Talked) {
    for turn in &mut talked.turns {
        let Some(answer) = turn.outcome.answer().map(|answer| answer.text.clone()) else {
            continue;
        };
        let read = read(turn);
        if !read.is_empty() {
            let verdict = verdict(prepared, judge, read, answer).await;
            turn.judged = Some(verdict.unwrap_or_else(|fault| Judged {
                fault: Some(fault),
                ..Judged::default()
            }));
        }
    }
}

fn read(turn: &TurnSeen) -> Vec<String> {
    let passages = turn.trace.passages.iter();
    let passages = passages.map(|passage| format!("{}\n{}", passage.title, passage.text));
    let tools = turn.trace.tools.iter().filter(|tool| !tool.failed);
    let results = tools.map(|tool| format!("{}: {}", tool.name, tool.result));
    passages.chain(results).collect()
}

async fn verdict(
    prepared: &Prepared,
    judge: &dyn ChatModel,
    read: Vec<String>,
    answer: String,
) -> Result<Judged, String> {
    let agent = &prepared.agent;
    let instructions = context! { shop => &agent.settings.shop, read => read };
    let instructions = agent.prompts.judge(instructions);
    let request = ModelRequest {
        messages: vec![
            ModelMessage::System(instructions.map_err(|error| error.to_string())?),
            ModelMessage::User(answer),
        ],
        tools: Vec::new(),
        max_output_tokens: OUTPUT_TOKENS,
        conversation: ConversationId::new(),
        facts: TurnFacts::of("", Language::EN),
    };
    let reply = judge.complete(&request).await;
    verdict_in(&reply.map_err(|error| error.to_string())?.text)
}

/// Models put words around what they were told to write alone.
fn verdict_in(text: &str) -> Result<Judged, String> {
    let object = text.find('{').zip(text.rfind('}'));
    let object = object.and_then(|(first, last)| text.get(first..=last));
    let object = object.ok_or("the judge wrote no verdict")?;
    serde_json::from_str(object).map_err(|error| format!("the judge's verdict: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_found_among_words() {
        let judged = verdict_in(
            "Here you are:\n```json\n{\"claims\": 4, \"unsupported\": [\"free shipping\"]}\n```",
        )
        .unwrap();
        assert_eq!(judged.faithfulness(), Some(0.75));
        assert_eq!(verdict_in("{\"claims\": 0}").unwrap().faithfulness(), None);
        let more = verdict_in("{\"claims\": 1, \"unsupported\": [\"a\", \"b\"]}").unwrap();
        assert_eq!(more.faithfulness(), Some(0.0));
        for wrong in ["", "all good", "{\"claims\": \"many\"}", "} {"] {
            assert!(verdict_in(wrong).is_err(), "{wrong}");
        }
    }
}
