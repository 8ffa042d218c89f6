//! The model behind an OpenAI-compatible endpoint, against a scripted one.

mod embeddings;
mod failures;
mod tools;

use serde_json::{Value, json};
use sportello::config::Llm;
use sportello::domain::{ConversationId, Language};
use sportello::openai::OpenAiChat;
use sportello::ports::{ModelMessage, ModelReply, ModelRequest, ToolDefinition, TurnFacts};

use crate::support::model::Reply;

const PROMPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/json_mode.md"));
const SECRET: &str = "via Roma 12";

fn tool() -> ToolDefinition {
    ToolDefinition {
        name: "search_catalog".to_owned(),
        description: "Finds products.".to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": {"query": {"type": "string", "maxLength": 200}, "limit": {"type": "integer"}},
            "required": ["query"],
            "additionalProperties": false,
        }),
    }
}

fn request(after: Vec<ModelMessage>) -> ModelRequest {
    let mut messages = vec![
        ModelMessage::System("You work at the counter.".to_owned()),
        ModelMessage::User(format!("I live in {SECRET}. Do you have a moka?")),
    ];
    messages.extend(after);
    ModelRequest {
        messages,
        tools: vec![tool()],
        max_output_tokens: 300,
        conversation: ConversationId::default(),
        facts: TurnFacts::of("Do you have a moka?", Language::EN),
    }
}

/// The exchange of one call, as it stands in the next request.
fn round(reply: &ModelReply, result: &str) -> Vec<ModelMessage> {
    let mut messages = vec![ModelMessage::Assistant {
        text: reply.text.clone(),
        calls: reply.calls.clone(),
    }];
    messages.extend(reply.calls.iter().map(|call| ModelMessage::Tool {
        call_id: call.id.clone(),
        name: call.name.clone(),
        content: result.to_owned(),
    }));
    messages
}

fn chat(config: &Llm) -> OpenAiChat {
    OpenAiChat::new(config, PROMPT.to_owned()).unwrap()
}

fn body(choice: &Value) -> Reply {
    Reply::Body(json!({"choices": [choice]}).to_string())
}
