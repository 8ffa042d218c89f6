//! Requests and replies as cassettes keep them: with stand-ins, readable, hashed.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::stand_ins::StandIns;
use crate::domain::Answer;
use crate::ports::{ModelMessage, ModelReply, ModelRequest, ToolCall, ToolDefinition};

/// Characters of a tool's hash: enough to tell two versions of one tool apart.
const TOOL_HASH: usize = 16;

/// A request with stand-ins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) messages: Vec<Message>,
    #[serde(default)]
    pub(super) tools: Vec<OfferedTool>,
    pub(super) max_output_tokens: u32,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Message {
    System {
        text: Text,
    },
    User {
        text: Text,
    },
    Assistant {
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        text: Text,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<Call>,
    },
    Tool {
        call: String,
        name: String,
        /// The result, when it is an object that is written as we would write it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Value>,
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        content: Text,
    },
}

/// A text; one of several lines is written as a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

/// A tool that was offered: its hash stands for its description and its schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfferedTool {
    pub(super) name: String,
    pub(super) hash: String,
}

/// A call that the model asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Value,
}

/// A reply with stand-ins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replied {
    #[serde(default)]
    pub(super) text: Text,
    #[serde(default)]
    pub(super) calls: Vec<Call>,
    #[serde(default)]
    pub(super) awaiting: Option<String>,
    #[serde(default)]
    pub(super) answer: Option<Answer>,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
}

impl Asked {
    /// The request with stand-ins. They are numbered through the conversation first, because the prompt before it
    /// is another one in each turn.
    pub(super) fn of(request: &ModelRequest, stand_ins: &mut StandIns) -> Self {
        let is_prompt = |message: &&ModelMessage| matches!(message, ModelMessage::System(_));
        let mut said: Vec<Message> = request
            .messages
            .iter()
            .filter(|message| !is_prompt(message))
            .map(|message| Message::of(message, stand_ins))
            .collect();
        said.reverse();
        let mut messages = Vec::with_capacity(request.messages.len());
        for message in &request.messages {
            let kept = if is_prompt(&message) {
                Some(Message::of(message, stand_ins))
            } else {
                said.pop()
            };
            messages.extend(kept);
        }
        Self {
            messages,
            tools: request.tools.iter().map(OfferedTool::of).collect(),
            max_output_tokens: request.max_output_tokens,
        }
    }

    /// SHA-256 over what a cassette shows of it, in hex.
    pub(super) fn hash(&self) -> String {
        hash_of(&json!(self))
    }
}

impl Message {
    fn of(message: &ModelMessage, stand_ins: &mut StandIns) -> Self {
        match message {
            ModelMessage::System(text) => Self::System {
                text: Text(stand_ins.hide_prompt(text)),
            },
            ModelMessage::User(text) => Self::User {
                text: Text(stand_ins.hide(text)),
            },
            ModelMessage::Assistant { text, calls } => Self::Assistant {
                text: Text(stand_ins.hide(text)),
                calls: calls.iter().map(|call| Call::of(call, stand_ins)).collect(),
            },
            ModelMessage::Tool {
                call_id,
                name,
                content,
            } => {
                let content = stand_ins.hide(content);
                let parsed = serde_json::from_str::<Value>(&content).ok();
                let result = parsed.filter(|value| {
                    let written = value.to_string();
                    value.is_object() && written == content
                });
                Self::Tool {
                    call: stand_ins.hide_call(call_id),
                    name: name.clone(),
                    content: Text(if result.is_some() {
                        String::new()
                    } else {
                        content
                    }),
                    result,
                }
            }
        }
    }

    /// Who speaks, for people.
    pub(super) fn title(&self) -> String {
        match self {
            Self::System { .. } => "system".to_owned(),
            Self::User { .. } => "user".to_owned(),
            Self::Assistant { .. } => "assistant".to_owned(),
            Self::Tool { name, .. } => format!("result of {name}"),
        }
    }

    /// What it says, for people.
    pub(super) fn lines(&self) -> String {
        match self {
            Self::System { text } | Self::User { text } => text.0.clone(),
            Self::Assistant { text, calls } => {
                let mut lines = vec![text.0.clone()];
                lines.extend(
                    calls
                        .iter()
                        .map(|call| format!("calls {} {}", call.name, call.arguments)),
                );
                lines.retain(|line| !line.is_empty());
                lines.join("\n")
            }
            Self::Tool {
                result, content, ..
            } => match result {
                Some(value) => format!("{value:#}"),
                None => content.0.clone(),
            },
        }
    }
}

impl OfferedTool {
    fn of(tool: &ToolDefinition) -> Self {
        let whole = sorted(&json!([tool.name, tool.description, tool.input_schema]));
        let mut hash = hash_of(&whole);
        hash.truncate(TOOL_HASH);
        Self {
            name: tool.name.clone(),
            hash,
        }
    }
}

impl Call {
    fn of(call: &ToolCall, stand_ins: &mut StandIns) -> Self {
        Self {
            id: stand_ins.hide_call(&call.id),
            name: call.name.clone(),
            arguments: stand_ins.hide_value(&call.arguments),
        }
    }
}

impl Replied {
    /// The reply with the stand-ins of its request.
    pub(super) fn of(reply: &ModelReply, stand_ins: &mut StandIns) -> Self {
        let answer = reply.answer.as_ref().and_then(|answer| {
            let hidden = stand_ins.hide_value(&serde_json::to_value(answer).ok()?);
            serde_json::from_value(hidden).ok()
        });
        Self {
            text: Text(stand_ins.hide(&reply.text)),
            calls: reply
                .calls
                .iter()
                .map(|call| Call::of(call, stand_ins))
                .collect(),
            awaiting: reply.awaiting.clone(),
            answer,
            input_tokens: reply.input_tokens,
            output_tokens: reply.output_tokens,
        }
    }

    /// The reply to the request whose stand-ins these are.
    pub(super) fn shown(&self, stand_ins: &StandIns) -> ModelReply {
        let answer = self.answer.as_ref().and_then(|answer| {
            let shown = stand_ins.show_value(&serde_json::to_value(answer).ok()?);
            serde_json::from_value(shown).ok()
        });
        let call = |call: &Call| ToolCall {
            id: stand_ins.show_call(&call.id),
            name: call.name.clone(),
            arguments: stand_ins.show_value(&call.arguments),
        };
        ModelReply {
            text: stand_ins.show(&self.text.0),
            calls: self.calls.iter().map(call).collect(),
            awaiting: self.awaiting.clone(),
            answer,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
        }
    }
}

impl Text {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.contains('\n') {
            serializer.collect_seq(self.0.split('\n'))
        } else {
            serializer.serialize_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMany {
            One(String),
            Many(Vec<String>),
        }
        Ok(Self(match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(line) => line,
            OneOrMany::Many(lines) => lines.join("\n"),
        }))
    }
}

fn hash_of(value: &Value) -> String {
    hex::encode(Sha256::digest(value.to_string()))
}

/// The same with the members of every object in order: the order of a schema's members means nothing.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members
                .iter()
                .map(|(name, value)| (name.clone(), sorted(value)))
                .collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            members.into_iter().collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
