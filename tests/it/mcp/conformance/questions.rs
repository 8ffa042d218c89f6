//! What the diagnostic tools ask the client: in the newer era by a result that wants input, in the older one
//! by a request.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// What comes of a round.
pub enum Round {
    /// These questions, and a state to bring back.
    Ask(Value, Option<String>),
    /// The text of the answer.
    Done(String),
    /// The state was not ours.
    Forged,
}

/// What a client has sent with a call.
pub struct Given<'a> {
    pub answers: Option<&'a std::collections::BTreeMap<String, Value>>,
    pub state: Option<&'a str>,
    pub can: &'a Value,
}

impl Given<'_> {
    fn has(&self, name: &str) -> bool {
        self.answers
            .and_then(|answers| answers.get(name))
            .is_some_and(Value::is_object)
    }

    fn text(&self, pointer: &str) -> String {
        let answers = json!(self.answers);
        answers
            .pointer(pointer)
            .map_or_else(String::new, |value| value.to_string())
    }
}

/// The next round of a tool or prompt that wants input; none when it is another.
pub fn round(name: &str, given: &Given<'_>) -> Option<Round> {
    let once = |key: &str, question: Value| {
        if given.has(key) {
            Round::Done(format!("Thank you: {}", given.text(&format!("/{key}"))))
        } else {
            Round::Ask(json!({key: question}), None)
        }
    };
    Some(match name {
        "test_input_required_result_elicitation" => {
            once("user_name", ask("What is your name?", "name", "string"))
        }
        "test_streaming_elicitation" => {
            once("user_name", ask("What is your name?", "name", "string"))
        }
        "test_input_required_result_prompt" => once(
            "user_context",
            ask("What context should the prompt use?", "context", "string"),
        ),
        "test_input_required_result_sampling" => {
            once("capital_question", sample("What is the capital of France?"))
        }
        "test_input_required_result_list_roots" => once("client_roots", roots()),
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => {
            let question = json!({"confirm": ask("Please confirm", "ok", "boolean")});
            sealed(given, "confirm", question)
        }
        "test_input_required_result_multiple_inputs" => sealed(
            given,
            "client_roots",
            json!({
                "user_name": ask("What is your name?", "name", "string"),
                "greeting": sample("Generate a greeting"),
                "client_roots": roots(),
            }),
        ),
        "test_input_required_result_multi_round" => several(given),
        "test_input_required_result_capabilities" => {
            let all = [
                ("elicitation", ask("What is your name?", "name", "string")),
                ("sampling", sample("Generate a greeting")),
            ];
            let questions: Map<String, Value> = all
                .into_iter()
                .filter(|(capability, _)| given.can.get(capability).is_some())
                .map(|(capability, question)| (capability.to_owned(), question))
                .collect();
            Round::Ask(Value::Object(questions), Some(seal("capabilities")))
        }
        _ => return None,
    })
}

/// One round with a state that must come back as it was.
fn sealed(given: &Given<'_>, key: &str, questions: Value) -> Round {
    match given.state {
        Some(state) if open(state) != Some("first") => Round::Forged,
        Some(_) if given.has(key) => Round::Done("state-ok".to_owned()),
        Some(_) | None => Round::Ask(questions, Some(seal("first"))),
    }
}

fn several(given: &Given<'_>) -> Round {
    let first = ask("Step 1: What is your name?", "name", "string");
    let second = ask("Step 2: What is your favorite color?", "color", "string");
    match given.state.map(open) {
        None => Round::Ask(json!({"step1": first}), Some(seal("first"))),
        Some(Some("first")) if given.has("step1") => {
            Round::Ask(json!({"step2": second}), Some(seal("second")))
        }
        Some(Some("second")) if given.has("step2") => {
            Round::Done(given.text("/step2/content/color"))
        }
        Some(_) => Round::Forged,
    }
}

fn ask(message: &str, field: &str, kind: &str) -> Value {
    let schema =
        json!({"type": "object", "properties": {field: {"type": kind}}, "required": [field]});
    json!({"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}})
}

fn sample(text: &str) -> Value {
    json!({"method": "sampling/createMessage", "params": {
        "messages": [{"role": "user", "content": {"type": "text", "text": text}}],
        "maxTokens": 100,
    }})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

/// What a tool of the older era asks, as method and parameters; none when it is another.
pub fn request(tool: &str, arguments: &Value) -> Option<(&'static str, Value)> {
    let form = |message: &Value, properties: Value, required: Value| {
        let schema = json!({"type": "object", "properties": properties, "required": required});
        let params = json!({"message": message, "requestedSchema": schema});
        Some(("elicitation/create", params))
    };
    match tool {
        "test_sampling" => {
            let question = sample(arguments["prompt"].as_str().unwrap_or_default());
            Some(("sampling/createMessage", question["params"].clone()))
        }
        "test_elicitation" => form(
            &arguments["message"],
            json!({
                "username": {"type": "string", "description": "User's response"},
                "email": {"type": "string", "description": "User's email address"},
            }),
            json!(["username", "email"]),
        ),
        "test_elicitation_sep1034_defaults" => {
            form(&json!("Please check these values."), defaults(), json!([]))
        }
        "test_elicitation_sep1330_enums" => form(&json!("Please choose."), choices(), json!([])),
        _ => None,
    }
}

fn defaults() -> Value {
    json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    })
}

fn choices() -> Value {
    let titled = |kind: &str| {
        json!([
            {"const": "value1", "title": format!("First {kind}")},
            {"const": "value2", "title": format!("Second {kind}")},
            {"const": "value3", "title": format!("Third {kind}")},
        ])
    };
    let plain = json!(["option1", "option2", "option3"]);
    json!({
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled("Option")},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
    })
}

fn seal(state: &str) -> String {
    format!("{state}.{}", hex::encode(signature(state)))
}

fn open(sealed: &str) -> Option<&str> {
    let (state, signed) = sealed.split_once('.')?;
    (signed == hex::encode(signature(state))).then_some(state)
}

fn signature(state: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"a diagnostic key").unwrap();
    mac.update(state.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
