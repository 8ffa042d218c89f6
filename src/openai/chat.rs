//! The chat model behind an OpenAI-compatible endpoint.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::breaker::Breaker;
use super::endpoint::{Endpoint, Settings};
use super::failure::Failure;
use super::{constrained, reply, tokens};
use crate::config::{Llm, ToolMode};
use crate::ports::{
    ChatModel, ModelError, ModelMessage, ModelReply, ModelRequest, ToolCall, ToolDefinition,
};

/// Parameters that some models refuse and that a request can do without.
const OPTIONAL: [&str; 3] = ["max_tokens", "reasoning_effort", "temperature"];
/// Tokens for thinking, for models that count their thoughts as output.
const THINKING_TOKENS: u32 = 2_048;

/// A chat model at an OpenAI-compatible endpoint. Cheap to ask at once from many tasks.
pub struct OpenAiChat {
    endpoint: Endpoint,
    id: String,
    model: String,
    mode: ToolMode,
    temperature: f32,
    context_tokens: usize,
    max_output_tokens: u32,
    json_mode_prompt: String,
    /// What this model refused so far.
    refused: Mutex<BTreeSet<&'static str>>,
}

impl OpenAiChat {
    /// Checks the configuration; nothing is sent. `json_mode_prompt` explains the two forms of the
    /// object in the `json_schema` mode; the tools are added to it.
    ///
    /// # Errors
    /// [`ModelError::Refused`] when the address or the key cannot be used.
    pub fn new(config: &Llm, json_mode_prompt: String) -> Result<Self, ModelError> {
        let endpoint = Endpoint::new(&Settings {
            section: "llm",
            base_url: config.base_url.as_deref(),
            api_key: config.api_key.as_ref(),
            timeout_seconds: config.timeout_seconds,
            tries: config.tries,
        })?;
        Ok(Self {
            id: format!("{}@{}", config.model, endpoint.host()),
            endpoint,
            model: config.model.clone(),
            mode: config.tool_mode,
            temperature: config.temperature,
            context_tokens: config.context_tokens,
            max_output_tokens: config.max_output_tokens,
            json_mode_prompt,
            refused: Mutex::default(),
        })
    }

    /// The same model with another circuit breaker.
    #[must_use]
    pub fn with_breaker(mut self, breaker: Breaker) -> Self {
        self.endpoint.breaker = breaker;
        self
    }

    /// The request without the parameters that can be refused.
    fn body(&self, request: &ModelRequest, max_output_tokens: u32) -> Value {
        let instructions = match self.mode {
            ToolMode::Native => String::new(),
            ToolMode::JsonSchema => {
                constrained::instructions(&self.json_mode_prompt, &request.tools)
            }
        };
        let tools = match self.mode {
            ToolMode::Native => request.tools.as_slice(),
            ToolMode::JsonSchema => &[],
        };
        // Other vendors' models cut text into more tokens than the table we count with.
        let budget = (self.context_tokens / 10 * 9)
            .saturating_sub(max_output_tokens as usize)
            .saturating_sub(tokens::count(&instructions));
        let messages = tokens::fit(request.messages.clone(), tools, budget);
        let mut body = json!({"model": self.model, "stream": false});
        let constrains = self.mode == ToolMode::JsonSchema
            && (!request.tools.is_empty() || messages.iter().any(of_tools));
        if constrains {
            body["messages"] = constrained::messages(&messages, &instructions).into();
            body["response_format"] = constrained::response_format(&request.tools);
        } else {
            body["messages"] = messages.iter().map(native_message).collect();
        }
        if !tools.is_empty() {
            body["tools"] = tools.iter().map(native_tool).collect();
        }
        body
    }

    fn with_parameters(&self, mut body: Value, max_output_tokens: u32) -> Value {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if !refused.contains("temperature") {
            // Through f64 a temperature of 0.2 would be written as 0.20000000298.
            body["temperature"] = json!((f64::from(self.temperature) * 1e4).round() / 1e4);
        }
        if !refused.contains("max_tokens") {
            body["max_tokens"] = json!(max_output_tokens);
            return body;
        }
        // Who refuses `max_tokens` is a model that thinks before it answers.
        body["max_completion_tokens"] = json!(max_output_tokens.saturating_add(THINKING_TOKENS));
        if !refused.contains("reasoning_effort") {
            body["reasoning_effort"] = json!("low");
        }
        body
    }

    /// Remembers the parameter that the endpoint refused. False when leaving it out cannot help.
    fn learns_from(&self, failure: &Failure, sent: &Value) -> bool {
        let parameter = OPTIONAL
            .into_iter()
            .find(|name| failure.parameter.as_deref() == Some(name) && sent.get(name).is_some());
        if let Some(parameter) = parameter {
            tracing::debug!(
                model = self.id,
                parameter,
                "this model refuses a parameter, leaving it out"
            );
            self.refused
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(parameter);
        }
        parameter.is_some()
    }
}

#[async_trait]
impl ChatModel for OpenAiChat {
    fn id(&self) -> &str {
        &self.id
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let max_output_tokens = request.max_output_tokens.min(self.max_output_tokens);
        let body = self.body(request, max_output_tokens);
        let deadline = self.endpoint.deadline();
        // Each round leaves out one parameter more, so there are four at most.
        let answer = loop {
            let body = self.with_parameters(body.clone(), max_output_tokens);
            match self.endpoint.chat(&body, deadline).await {
                Err(failure) if self.learns_from(&failure, &body) => {}
                outcome => break outcome?,
            }
        };
        Ok(reply::read(&answer, request)?)
    }
}

impl fmt::Debug for OpenAiChat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenAiChat")
            .field("id", &self.id)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

fn of_tools(message: &ModelMessage) -> bool {
    match message {
        ModelMessage::Tool { .. } => true,
        ModelMessage::Assistant { calls, .. } => !calls.is_empty(),
        ModelMessage::System(_) | ModelMessage::User(_) => false,
    }
}

fn native_tool(tool: &ToolDefinition) -> Value {
    json!({
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.input_schema},
    })
}

fn native_message(message: &ModelMessage) -> Value {
    match message {
        ModelMessage::System(text) => json!({"role": "system", "content": text}),
        ModelMessage::User(text) => json!({"role": "user", "content": text}),
        ModelMessage::Assistant { text, calls } if calls.is_empty() => {
            json!({"role": "assistant", "content": text})
        }
        ModelMessage::Assistant { text, calls } => json!({
            "role": "assistant",
            "content": if text.is_empty() { Value::Null } else { json!(text) },
            "tool_calls": calls.iter().map(native_call).collect::<Vec<_>>(),
        }),
        ModelMessage::Tool {
            call_id, content, ..
        } => {
            json!({"role": "tool", "tool_call_id": call_id, "content": content})
        }
    }
}

fn native_call(call: &ToolCall) -> Value {
    // Endpoints that render the arguments with a template fail on anything but an object.
    let arguments = if call.arguments.is_object() {
        call.arguments.to_string()
    } else {
        json!({"malformed": call.arguments}).to_string()
    };
    json!({
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    })
}
