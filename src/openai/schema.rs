//! The schema of the one object that a model may write in the `json_schema` mode.

use serde_json::{Map, Value, json};

use crate::ports::ToolDefinition;

/// `{"tool": name, "arguments": {…}}` for one of the tools, or `{"answer": text}`.
pub(super) fn reply_schema(tools: &[ToolDefinition]) -> Value {
    let calls = tools.iter().map(|tool| {
        closed(json!({
            "tool": {"type": "string", "enum": [tool.name]},
            "arguments": plain(&tool.input_schema),
        }))
    });
    let answer = closed(json!({"answer": {"type": "string"}}));
    let forms: Vec<Value> = calls.chain([answer]).collect();
    json!({"type": "object", "anyOf": forms})
}

fn closed(properties: Value) -> Value {
    let required: Vec<String> = properties
        .as_object()
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The part of a schema that every grammar compiler takes. Patterns, formats and lengths make some of
/// them refuse the request or blow up; the registry checks those afterwards.
fn plain(schema: &Value) -> Value {
    let Value::Object(schema) = schema else {
        return schema.clone();
    };
    let mut kept = Map::new();
    for (key, value) in schema {
        let value = match (key.as_str(), value) {
            ("type" | "enum" | "const" | "required", value) => value.clone(),
            ("items" | "additionalProperties", value) => plain(value),
            ("properties", Value::Object(properties)) => properties
                .iter()
                .map(|(name, property)| (name.clone(), plain(property)))
                .collect::<Map<_, _>>()
                .into(),
            ("anyOf" | "oneOf", Value::Array(forms)) => forms.iter().map(plain).collect(),
            _ => continue,
        };
        let key = if key == "oneOf" { "anyOf" } else { key };
        kept.insert(key.to_owned(), value);
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Vec<ToolDefinition> {
        vec![ToolDefinition {
            name: "search_catalog".to_owned(),
            description: "Finds products.".to_owned(),
            input_schema: json!({
                "type": "object",
                "description": "words",
                "properties": {
                    "pattern": {"type": "string", "pattern": "^a", "maxLength": 4000},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 10},
                    "kind": {"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]},
                    "ids": {"type": "array", "items": {"type": "string", "format": "uuid"}, "maxItems": 900},
                },
                "required": ["pattern"],
                "additionalProperties": false,
            }),
        }]
    }

    #[test]
    fn keeps_shapes_and_drops_what_grammars_refuse() {
        let schema = reply_schema(&tools());
        assert_eq!(
            schema["anyOf"][0]["properties"]["arguments"],
            json!({
                "type": "object",
                "properties": {
                    "pattern": {"type": "string"},
                    "limit": {"type": "integer"},
                    "kind": {"anyOf": [{"const": "a"}, {"const": "b"}]},
                    "ids": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["pattern"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn admits_a_call_or_an_answer_and_nothing_else() {
        let validator = jsonschema::validator_for(&reply_schema(&tools())).unwrap();
        for good in [
            json!({"answer": "Ciao"}),
            json!({"tool": "search_catalog", "arguments": {"pattern": "moka"}}),
        ] {
            assert!(validator.is_valid(&good), "{good}");
        }
        for bad in [
            json!({}),
            json!({"answer": "Ciao", "tool": "search_catalog", "arguments": {"pattern": "moka"}}),
            json!({"tool": "unknown", "arguments": {"pattern": "moka"}}),
            json!({"tool": "search_catalog", "arguments": {}}),
            json!({"tool": "search_catalog"}),
        ] {
            assert!(!validator.is_valid(&bad), "{bad}");
        }
    }
}
