//! A tool that changes something asks first. A client that can ask its user gets `input_required`; another one gets a
//! token and calls again with it. Either way the question holds for one caller, one tool and these arguments, once.

use std::collections::BTreeMap;

use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    InputRequest, InputRequiredResult, InputResponses, ProtocolVersion,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value, json};

use super::access::{hash, secret};
use crate::tools::ToolSpec;

/// Seconds that a question can be answered.
pub(super) const SECONDS: i64 = 5 * 60;
/// The argument that takes the token of a question.
pub(super) const ARGUMENT: &str = "confirmation";
/// The name of the one thing that is asked of the user.
const ASKED: &str = "confirm";
/// The longest text of a question.
const LONGEST: usize = 6_000;

/// A new token of a question.
pub(super) fn token() -> String {
    secret("spq_")
}

/// Under which a question is kept: its token, who asks for whom, and what.
pub(super) fn key(token: &str, whose: &[&str], tool: &str, arguments: &Value) -> String {
    let arguments = sorted(arguments).to_string();
    let mut parts = vec!["question", token, tool, arguments.as_str()];
    parts.extend(whose);
    hash(&parts)
}

/// The same whatever order a client writes the fields in.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let fields: BTreeMap<&String, Value> = map
                .iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            let fields = fields.into_iter().map(|(key, value)| (key.clone(), value));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Whether a client answers `input_required` with what its user says.
pub(super) fn client_asks(context: &RequestContext<RoleServer>) -> bool {
    let modern = context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    let elicits = context
        .client_capabilities()
        .and_then(|capabilities| capabilities.elicitation)
        // Without a mode named, a client takes forms.
        .is_some_and(|modes| modes.form.is_some() || modes.url.is_none());
    modern && elicits
}

/// The argument as the list shows it.
pub(super) fn parameter() -> Value {
    json!({
        "type": "string",
        "description": "Leave it out at first. Once your user said yes to exactly this call: the token that was answered.",
        "maxLength": 100,
    })
}

/// The answer that asks a client without forms to call again.
pub(super) fn question(token: &str) -> Value {
    json!({
        "confirmation_required": true,
        ARGUMENT: token,
        "expires_in_seconds": SECONDS,
        "advice": "Nothing has been done yet. Tell your user what you are about to do. If they say yes, call again with \
                   the same arguments and this `confirmation`.",
    })
}

/// What a tool that asks first answers: its own result, or the question.
pub(super) fn output(answer: &Value) -> Value {
    let question = json!({
        "type": "object",
        "description": "Nothing has been done yet: the user must say yes first.",
        "properties": {
            "confirmation_required": { "type": "boolean", "const": true },
            ARGUMENT: { "type": "string" },
            "expires_in_seconds": { "type": "integer" },
            "advice": { "type": "string" },
        },
        "required": ["confirmation_required", ARGUMENT, "expires_in_seconds", "advice"],
        "additionalProperties": false,
    });
    json!({ "type": "object", "anyOf": [answer, question] })
}

/// The result that has the client ask its user.
pub(super) fn input_required(
    token: &str,
    spec: &ToolSpec,
    arguments: &Value,
) -> Result<InputRequiredResult, &'static str> {
    let requested_schema = ElicitationSchema::builder()
        .required_bool_with(ASKED, |field| field.title("Yes, do this"))
        .build()?;
    let params = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message(spec, arguments),
        requested_schema,
    };
    let request = InputRequest::Elicitation(ElicitRequest::new(params));
    let asked = BTreeMap::from([(ASKED.to_owned(), request)]);
    Ok(InputRequiredResult::new(
        Some(asked),
        Some(token.to_owned()),
    ))
}

/// Everything that is about to be done, so that nobody says yes to less.
fn message(spec: &ToolSpec, arguments: &Value) -> String {
    let mut text = format!("{}?", spec.title);
    for (name, value) in arguments.as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!("\n{}: {value}", name.replace('_', " ")));
    }
    if text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST).collect();
        text.push('…');
    }
    text
}

/// Whether the user said yes.
pub(super) fn is_yes(responses: Option<&InputResponses>) -> bool {
    let said = responses
        .and_then(|responses| responses.get(ASKED))
        .cloned();
    let said = said.and_then(|said| serde_json::from_value::<ElicitResult>(said).ok());
    said.is_some_and(|said| {
        said.action == ElicitationAction::Accept
            && said
                .content
                .is_some_and(|content| content[ASKED] == json!(true))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn responses(response: Value) -> InputResponses {
        InputResponses::from([(ASKED.to_owned(), response)])
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        let said = |value| is_yes(Some(&responses(value)));
        assert!(said(
            json!({ "action": "accept", "content": { "confirm": true } })
        ));
        for other in [
            json!({ "action": "accept", "content": { "confirm": false } }),
            json!({ "action": "accept", "content": { "confirm": "true" } }),
            json!({ "action": "accept", "content": {} }),
            json!({ "action": "accept" }),
            json!({ "action": "decline", "content": { "confirm": true } }),
            json!({ "action": "cancel" }),
            json!({ "action": "dance" }),
            json!("yes"),
            json!(null),
        ] {
            assert!(!said(other.clone()), "{other}");
        }
        assert!(!is_yes(None) && !is_yes(Some(&InputResponses::new())));
    }

    #[test]
    fn a_question_is_about_one_caller_one_tool_and_these_arguments() {
        let asked = json!({ "a": 1, "b": { "c": [1, 2], "d": null } });
        let reordered = json!({ "b": { "d": null, "c": [1, 2] }, "a": 1 });
        let kept = key("t", &["me", "you"], "open", &asked);
        assert_eq!(kept, key("t", &["me", "you"], "open", &reordered));
        for other in [
            key("u", &["me", "you"], "open", &asked),
            key("t", &["me", "them"], "open", &asked),
            key("t", &["me"], "open", &asked),
            key("t", &["me", "you"], "close", &asked),
            key("t", &["me", "you"], "open", &json!({ "a": 2 })),
            key(
                "t",
                &["me", "you"],
                "open",
                &json!({ "b": { "c": [2, 1], "d": null }, "a": 1 }),
            ),
        ] {
            assert_ne!(kept, other);
        }
    }

    proptest! {
        #[test]
        fn any_response_is_judged(action in "[a-z]{0,8}", content in any::<Option<bool>>()) {
            let response = json!({ "action": action, "content": { "confirm": content } });
            let expected = action == "accept" && content == Some(true);
            prop_assert_eq!(is_yes(Some(&responses(response))), expected);
        }
    }
}
