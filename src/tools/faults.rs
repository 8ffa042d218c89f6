//! What a caller reads when arguments do not fit a tool's schema: the field, what was wrong, what is right.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// Faults that are told at once.
const TOLD: usize = 5;
/// Characters of a value or of another's text that are repeated.
const SHOWN: usize = 80;

/// One text about all faults; none when there are none.
pub(super) fn told(validator: &Validator, schema: &Value, arguments: &Value) -> Option<String> {
    let faults: Vec<String> = validator
        .iter_errors(arguments)
        .take(TOLD)
        .map(|error| sentence(&error, schema))
        .collect();
    (!faults.is_empty()).then(|| format!("{} Mend the arguments and call again.", faults.join(" ")))
}

fn sentence(error: &ValidationError<'_>, schema: &Value) -> String {
    let field = field(error);
    if let ValidationErrorKind::Required { property } = error.kind() {
        let name = property.as_str().unwrap_or_default();
        let about = schema["properties"][name]["description"].as_str();
        let inside = within(&field);
        return match about.filter(|_| field.is_empty()) {
            Some(about) => format!("`{name}` is missing: {about}"),
            None => format!("`{name}` is missing{inside}."),
        };
    }
    if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
        return unknown(unexpected, &field, schema);
    }
    let path = error.schema_path().to_string();
    let wanted = schema.pointer(&path).unwrap_or(&Value::Null);
    let given: &Value = error.instance();
    let size = |unit: &str, word: &str, has: usize| {
        let plural = if wanted == 1 { "" } else { "s" };
        format!("`{field}` must have at {word} {wanted} {unit}{plural}; it has {has}.")
    };
    let length = given.as_str().map_or(0, |text| text.chars().count());
    let items = given.as_array().map_or(0, Vec::len);
    match error.kind().keyword() {
        "type" => format!("`{field}` must be {}, not {}.", kind(wanted), shown(given)),
        "enum" | "oneOf" | "anyOf" => match list(wanted) {
            Some(options) => format!("`{field}` must be one of {options}, not {}.", shown(given)),
            None => format!("`{field}` cannot be {}.", shown(given)),
        },
        "maximum" => format!("`{field}` must be at most {wanted}, not {}.", shown(given)),
        "minimum" => format!("`{field}` must be at least {wanted}, not {}.", shown(given)),
        "maxLength" => size("character", "most", length),
        "minLength" => size("character", "least", length),
        "maxItems" => size("item", "most", items),
        "minItems" => size("item", "least", items),
        _ => format!("`{field}`: {}.", cut(&error.to_string())),
    }
}

/// `lines[0].id`, as one writes it, for `/lines/0/id`.
fn field(error: &ValidationError<'_>) -> String {
    let mut field = String::new();
    for step in error.instance_path().to_string().split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.parse::<usize>().is_ok() {
            field.push_str(&format!("[{step}]"));
        } else {
            let dot = if field.is_empty() { "" } else { "." };
            field.push_str(&format!("{dot}{step}"));
        }
    }
    cut(&field)
}

fn within(field: &str) -> String {
    if field.is_empty() {
        String::new()
    } else {
        format!(" in `{field}`")
    }
}

fn unknown(unexpected: &[String], field: &str, schema: &Value) -> String {
    let names: Vec<String> = unexpected
        .iter()
        .take(TOLD)
        .map(|name| format!("`{}`", cut(name)))
        .collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let said = format!("{} {verb} not known{}", names.join(", "), within(field));
    let known: Vec<String> = schema["properties"]
        .as_object()
        .filter(|_| field.is_empty())
        .into_iter()
        .flat_map(|properties| properties.keys())
        .map(|name| format!("`{name}`"))
        .collect();
    if known.is_empty() {
        format!("{said}; leave it out.")
    } else {
        format!("{said}; this tool takes {}.", known.join(", "))
    }
}

fn kind(wanted: &Value) -> String {
    let one = |kind: &str| match kind {
        "integer" => "a whole number".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "an object".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => format!("a {other}"),
    };
    match wanted {
        Value::String(kind) => one(kind),
        Value::Array(kinds) => {
            let kinds: Vec<String> = kinds.iter().filter_map(Value::as_str).map(one).collect();
            kinds.join(" or ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            "of another type".to_owned()
        }
    }
}

/// Plain values, or alternatives of one value each; none when an alternative is more than that.
fn list(options: &Value) -> Option<String> {
    let values: Option<Vec<String>> = options
        .as_array()?
        .iter()
        .map(|option| match option {
            Value::Object(alternative) => alternative.get("const").map(Value::to_string),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Some(option.to_string()),
        })
        .collect();
    Some(values?.join(", "))
}

fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(arguments: Value) -> Option<String> {
        let schema = json!({
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What to look for.", "minLength": 1, "maxLength": 5},
                "limit": {"type": "integer", "minimum": 1, "maximum": 20},
                "way": {"enum": ["here", "there"]},
                "mood": {"oneOf": [{"const": "calm"}, {"const": "upset"}]},
                "lines": {
                    "type": "array",
                    "maxItems": 2,
                    "items": {
                        "type": "object",
                        "properties": {"id": {"type": "string"}},
                        "required": ["id"],
                        "additionalProperties": false,
                    },
                },
            },
            "required": ["query"],
            "additionalProperties": false,
        });
        let validator = jsonschema::validator_for(&schema).unwrap();
        let told = told(&validator, &schema, &arguments)?;
        Some(told.replace(" Mend the arguments and call again.", ""))
    }

    #[test]
    fn every_kind_of_fault_names_the_field_what_was_wrong_and_what_is_right() {
        let cases = [
            (json!({}), "`query` is missing: What to look for."),
            (json!({"query": 3}), "`query` must be a string, not 3."),
            (
                json!({"query": ""}),
                "`query` must have at least 1 character; it has 0.",
            ),
            (
                json!({"query": "grinder"}),
                "`query` must have at most 5 characters; it has 7.",
            ),
            (
                json!({"query": "a", "limit": 99}),
                "`limit` must be at most 20, not 99.",
            ),
            (
                json!({"query": "a", "limit": 0}),
                "`limit` must be at least 1, not 0.",
            ),
            (
                json!({"query": "a", "limit": "five"}),
                "`limit` must be a whole number, not \"five\".",
            ),
            (
                json!({"query": "a", "way": "out"}),
                "`way` must be one of \"here\", \"there\", not \"out\".",
            ),
            (
                json!({"query": "a", "phone": "1"}),
                "`phone` is not known; this tool takes `query`, `limit`, `way`, `mood`, `lines`.",
            ),
            (
                json!({"query": "a", "mood": 1}),
                "`mood` must be one of \"calm\", \"upset\", not 1.",
            ),
            (
                json!({"query": "a", "lines": [{"id": "x"}, {}]}),
                "`id` is missing in `lines[1]`.",
            ),
            (
                json!({"query": "a", "lines": [{"id": 1}]}),
                "`lines[0].id` must be a string, not 1.",
            ),
            (
                json!({"query": "a", "lines": [{"id": "x", "price": 1}]}),
                "`price` is not known in `lines[0]`; leave it out.",
            ),
            (
                json!({"query": "a", "lines": {}}),
                "`lines` must be a list, not {}.",
            ),
        ];
        for (arguments, expected) in cases {
            assert_eq!(said(arguments).unwrap(), expected);
        }
        assert_eq!(said(json!({"query": "a"})), None);
    }

    #[test]
    fn several_faults_are_told_at_once_and_long_values_are_cut() {
        let text = said(json!({"limit": "x".repeat(5000), "way": 1})).unwrap();
        for part in ["`query` is missing", "`limit` must be", "`way` must be"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.chars().count() < 400, "{text}");
    }
}
