//! The registry: schemas, validation and dispatch.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::faults;
use crate::domain::{ContactId, ConversationId, Language, Scope, TokenId, TurnId};

/// Characters of a description: some clients cut longer ones.
const DESCRIPTION: usize = 500;

/// Who calls a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// Nobody we know: MCP, the manifest.
    Anonymous,
    /// A visitor's session on the page.
    Page,
    /// The agent, in a customer's conversation.
    Conversation,
    /// The shop's own assistant, by its token; no customer.
    Assistant,
    /// An assistant whose user proved to be a customer.
    Customer,
    /// The shop's engineer at the command line.
    Operator,
}

/// Who is asking, beside the arguments. No schema shows any of it.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// Through which door.
    pub caller: Caller,
    /// The conversation, when there is one.
    pub conversation: Option<ConversationId>,
    /// The contact, when there is one.
    pub contact: Option<ContactId>,
    /// The turn, when the agent calls.
    pub turn: Option<TurnId>,
    /// The token, when one was shown.
    pub token: Option<TokenId>,
    /// Who carries a handle of ours: a token or a client's address. Handles are bound to it.
    pub bearer: Option<String>,
    /// The language to answer in.
    pub language: Language,
    /// E.164 phone that the channel vouches for.
    pub phone: Option<String>,
    /// What the customer wrote in this conversation: the evidence for an e-mail.
    pub written: Vec<String>,
    /// The epoch of the conversation's lease, when the agent calls: a stale worker has no effects.
    pub epoch: Option<i64>,
    /// The customer's polarity in this turn, in [-1, 1].
    pub polarity: f32,
}

impl CallContext {
    /// A caller without a conversation.
    #[must_use]
    pub fn of(caller: Caller, language: Language) -> Self {
        Self {
            caller,
            conversation: None,
            contact: None,
            turn: None,
            token: None,
            bearer: None,
            language,
            phone: None,
            written: Vec::new(),
            epoch: None,
            polarity: 0.0,
        }
    }
}

/// Hints for clients, as MCP names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotations {
    /// Changes nothing.
    pub read_only_hint: bool,
    /// May undo or remove something.
    pub destructive_hint: bool,
    /// A second call with the same arguments changes nothing more.
    pub idempotent_hint: bool,
    /// Reaches beyond the shop.
    pub open_world_hint: bool,
}

impl Annotations {
    /// For a tool that only reads the shop.
    pub const READS: Self = Self {
        read_only_hint: true,
        destructive_hint: false,
        idempotent_hint: true,
        open_world_hint: false,
    };
    /// For a tool that adds something, once.
    pub const ADDS: Self = Self {
        read_only_hint: false,
        destructive_hint: false,
        idempotent_hint: true,
        open_world_hint: false,
    };
}

/// Why a call gave no result. The first text is for the model or the caller, the second for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The arguments can be mended by the caller.
    #[error("invalid arguments: {0}")]
    Invalid(String),
    /// Nobody has a tool of that name for this caller.
    #[error("unknown tool: {0}")]
    Unknown(String),
    /// This caller may not, or must prove who they are first.
    #[error("not allowed: {0}")]
    NotAllowed(String),
    /// Something of ours failed; the detail is for the log only.
    #[error("unavailable: {detail}")]
    Unavailable {
        /// For the log.
        detail: String,
    },
}

impl ToolError {
    /// The name in machine output.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Unknown(_) => "unknown",
            Self::NotAllowed(_) => "not_allowed",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// What the model or the caller may read.
    #[must_use]
    pub fn for_caller(&self) -> String {
        match self {
            Self::Invalid(text) | Self::NotAllowed(text) => text.clone(),
            Self::Unknown(name) => format!("There is no tool `{name}` here."),
            Self::Unavailable { .. } => {
                "This does not work at the moment. Say so and offer a person.".to_owned()
            }
        }
    }
}

/// One tool: a file in `src/tools/` and a text in `tools/`.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// The name, `[a-z_]`, at most 30 characters.
    const NAME: &'static str;
    /// A title for people.
    const TITLE: &'static str;
    /// When to use it, from `tools/<name>.md`, at most 500 characters.
    const DESCRIPTION: &'static str;
    /// Hints for clients.
    const ANNOTATIONS: Annotations;
    /// Who may call it. The operator always may.
    const CALLERS: &'static [Caller];
    /// What a token must allow; none when every token does.
    const SCOPE: Option<Scope> = None;
    /// What the caller fills in.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// What it answers.
    type Output: Serialize + JsonSchema;

    /// Does it.
    async fn call(
        &self,
        args: Self::Args,
        context: &CallContext,
    ) -> Result<Self::Output, ToolError>;
}

/// A tool as everybody sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSpec {
    /// The name.
    pub name: &'static str,
    /// A title for people.
    pub title: &'static str,
    /// When to use it.
    pub description: Cow<'static, str>,
    /// JSON Schema (2020-12) of the arguments, closed and without references.
    pub input_schema: Value,
    /// JSON Schema (2020-12) of the result.
    pub output_schema: Value,
    /// Hints for clients.
    pub annotations: Annotations,
    /// Who may call it.
    pub callers: Vec<Caller>,
    /// What a token must allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

impl ToolSpec {
    /// What everybody may know of a tool.
    #[must_use]
    pub fn of<T: Tool>() -> Self {
        Self {
            name: T::NAME,
            title: T::TITLE,
            description: T::DESCRIPTION.trim().into(),
            input_schema: closed_schema::<T::Args>(),
            output_schema: closed_schema::<T::Output>(),
            annotations: T::ANNOTATIONS,
            callers: T::CALLERS
                .iter()
                .copied()
                .chain([Caller::Operator])
                .collect(),
            scope: T::SCOPE,
        }
    }
}

/// Puts a shop's own descriptions, by the tool's name, in the place of ours.
///
/// # Errors
/// A text for a tool that is not there, an empty one, or one longer than clients take.
pub fn describe<'a>(
    specs: impl IntoIterator<Item = &'a mut ToolSpec>,
    own: &BTreeMap<String, String>,
) -> Result<(), String> {
    let mut specs: Vec<&mut ToolSpec> = specs.into_iter().collect();
    for (name, text) in own {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > DESCRIPTION {
            return Err(format!(
                "tools/{name}.md has {length} characters; a description has 1 to {DESCRIPTION}"
            ));
        }
        let Some(spec) = specs.iter_mut().find(|spec| spec.name == name) else {
            let names: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
            return Err(format!(
                "tools/{name}.md describes no tool; there are: {}",
                names.join(", ")
            ));
        };
        spec.description = text.to_owned().into();
    }
    Ok(())
}

type Handler = Arc<
    dyn for<'a> Fn(Value, &'a CallContext) -> BoxFuture<'a, Result<Value, ToolError>> + Send + Sync,
>;

struct Entry {
    spec: ToolSpec,
    validator: jsonschema::Validator,
    handler: Handler,
}

/// All tools, in a fixed order.
#[derive(Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// Adds a tool at the end of the list.
    #[must_use]
    pub fn with<T: Tool>(mut self, tool: T) -> Self {
        let spec = ToolSpec::of::<T>();
        // A schema that schemars derives always compiles; an empty validator would accept anything,
        // so a broken one refuses everything instead.
        let validator = jsonschema::validator_for(&spec.input_schema)
            .or_else(|_| jsonschema::validator_for(&Value::Bool(false)));
        let Ok(validator) = validator else {
            return self;
        };
        let tool = Arc::new(tool);
        let handler: Handler = Arc::new(move |arguments, context| {
            let tool = Arc::clone(&tool);
            Box::pin(async move {
                let args = serde_json::from_value(arguments)
                    .map_err(|error| ToolError::Invalid(error.to_string()))?;
                let output = tool.call(args, context).await?;
                let mut value =
                    serde_json::to_value(output).map_err(|error| ToolError::Unavailable {
                        detail: error.to_string(),
                    })?;
                leave_nulls_out(&mut value);
                Ok(value)
            })
        });
        self.entries.push(Entry {
            spec,
            validator,
            handler,
        });
        self
    }

    /// The same with a shop's own descriptions; see [`describe`].
    ///
    /// # Errors
    /// Those of [`describe`].
    pub fn described(mut self, own: &BTreeMap<String, String>) -> Result<Self, String> {
        describe(self.entries.iter_mut().map(|entry| &mut entry.spec), own)?;
        Ok(self)
    }

    /// The tools this caller may use, in order.
    pub fn specs(&self, caller: Caller) -> impl Iterator<Item = &ToolSpec> {
        self.entries
            .iter()
            .map(|entry| &entry.spec)
            .filter(move |spec| spec.callers.contains(&caller))
    }

    /// Whether a call of this tool may change something.
    #[must_use]
    pub fn changes_something(&self, name: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.spec.name == name && !entry.spec.annotations.read_only_hint)
    }

    /// A tool by its name, whoever may call it.
    #[must_use]
    pub fn spec(&self, name: &str) -> Option<&ToolSpec> {
        self.specs(Caller::Operator).find(|spec| spec.name == name)
    }

    /// Validates arguments without a call.
    ///
    /// # Errors
    /// Those of [`Self::call`] for a tool or arguments that it would not take.
    pub fn check(&self, name: &str, arguments: &Value, caller: Caller) -> Result<(), ToolError> {
        self.entry(name, caller)?.check(arguments)
    }

    fn entry(&self, name: &str, caller: Caller) -> Result<&Entry, ToolError> {
        self.entries
            .iter()
            .find(|entry| entry.spec.name == name && entry.spec.callers.contains(&caller))
            .ok_or_else(|| ToolError::Unknown(name.to_owned()))
    }

    /// Validates the arguments and calls the tool.
    ///
    /// # Errors
    /// [`ToolError::Unknown`] for a tool this caller does not have, [`ToolError::Invalid`] with the
    /// field, what was wrong and what would be right, or the tool's own error.
    pub async fn call(
        &self,
        name: &str,
        arguments: Value,
        context: &CallContext,
    ) -> Result<Value, ToolError> {
        let entry = self.entry(name, context.caller)?;
        let mut arguments = if arguments.is_null() {
            Value::Object(serde_json::Map::new())
        } else {
            arguments
        };
        entry.check(&arguments)?;
        make_whole(&mut arguments);
        (entry.handler)(arguments, context).await
    }
}

impl Entry {
    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        let told = faults::told(&self.validator, &self.spec.input_schema, arguments);
        told.map_or(Ok(()), |text| Err(ToolError::Invalid(text)))
    }
}

/// `5.0` becomes `5`: JSON Schema takes both for an integer, and some clients know no other number.
fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            if let Some(float) = float.filter(|float| float.fract() == 0.0 && float.abs() < 9e15) {
                #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
                let whole = float as i64;
                *number = whole.into();
            }
        }
        Value::Object(map) => map.values_mut().for_each(make_whole),
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Leaves out what a result does not have, as [`drop_null`] leaves null out of its schema.
fn leave_nulls_out(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(leave_nulls_out);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_nulls_out),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A schema that every client accepts: no references, no `$schema`, no Rust-only formats, no unknown fields.
fn closed_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    tidy(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.remove("title");
        root.entry("properties")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    schema
}

fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(format)) = map.get("format")
                && (format.starts_with("uint")
                    || format.starts_with("int")
                    || format == "double"
                    || format == "float")
            {
                map.remove("format");
            }
            drop_null(map);
            if map.get("type").is_some_and(|kind| kind == "object")
                && map.contains_key("properties")
            {
                map.entry("additionalProperties")
                    .or_insert(Value::Bool(false));
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `["string", "null"]` becomes `"string"`: an absent field says the same, and strict clients take it.
fn drop_null(map: &mut serde_json::Map<String, Value>) {
    if let Some(Value::Array(kinds)) = map.get("type") {
        let kinds: Vec<Value> = kinds
            .iter()
            .filter(|kind| *kind != "null")
            .cloned()
            .collect();
        if let [kind] = kinds.as_slice() {
            map.insert("type".to_owned(), kind.clone());
        }
    }
    if let Some(Value::Array(options)) = map.get("anyOf") {
        let options: Vec<Value> = options
            .iter()
            .filter(|option| option.get("type").is_none_or(|kind| kind != "null"))
            .cloned()
            .collect();
        if let [Value::Object(option)] = options.as_slice() {
            let option = option.clone();
            map.remove("anyOf");
            for (key, value) in option {
                map.entry(key).or_insert(value);
            }
        }
    }
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
}
