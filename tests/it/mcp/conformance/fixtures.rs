//! The tools, prompts and resources with the names and contents that the suite looks for.

use serde_json::{Value, json};

/// One red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A header and no sound.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

/// Every tool, as it is listed. Those with arguments have a schema of their own.
pub fn tools() -> Vec<Value> {
    let plain = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_error_handling",
        "test_tool_with_logging",
        "test_tool_with_progress",
        "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums",
        "test_missing_capability",
        "test_streaming_elicitation",
        "test_logging_tool",
        "test_trigger_tool_change",
        "test_trigger_prompt_change",
        "test_input_required_result_elicitation",
        "test_input_required_result_sampling",
        "test_input_required_result_list_roots",
        "test_input_required_result_request_state",
        "test_input_required_result_multiple_inputs",
        "test_input_required_result_multi_round",
        "test_input_required_result_tampered_state",
        "test_input_required_result_capabilities",
    ];
    let nothing = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let text = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    let headed = json!({
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        "required": ["region"],
    });
    let named = [
        ("test_sampling", text("prompt")),
        ("test_elicitation", text("message")),
        ("test_header_region", headed),
        ("json_schema_2020_12_tool", wide_schema()),
    ];
    plain
        .into_iter()
        .map(|name| (name, nothing.clone()))
        .chain(named)
        .map(|(name, schema)| {
            json!({"name": name, "description": format!("Diagnostic: {name}."), "inputSchema": schema})
        })
        .collect()
}

/// The content that a tool answers without looking at anything.
pub fn content(tool: &str) -> Option<Value> {
    Some(match tool {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => json!([image()]),
        "test_audio_content" => json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]),
        "test_embedded_resource" => json!([{"type": "resource", "resource": {
            "uri": "test://embedded-resource",
            "mimeType": "text/plain",
            "text": "This is an embedded resource content.",
        }}]),
        "test_multiple_content_types" => json!([
            {"type": "text", "text": "Multiple content types test:"},
            image(),
            {"type": "resource", "resource": {
                "uri": "test://mixed-content-resource",
                "mimeType": "application/json",
                "text": "{\"test\":\"data\",\"value\":123}",
            }},
        ]),
        "test_header_region" | "json_schema_2020_12_tool" => text("The arguments were taken."),
        _ => return None,
    })
}

/// One block of text.
pub fn text(text: &str) -> Value {
    json!([{"type": "text", "text": text}])
}

fn image() -> Value {
    json!({"type": "image", "data": PNG, "mimeType": "image/png"})
}

/// Every prompt, as it is listed.
pub fn prompts() -> Vec<Value> {
    let argument = |name: &str| json!({"name": name, "description": "A value.", "required": true});
    [
        ("test_simple_prompt", json!([])),
        (
            "test_prompt_with_arguments",
            json!([argument("arg1"), argument("arg2")]),
        ),
        (
            "test_prompt_with_embedded_resource",
            json!([argument("resourceUri")]),
        ),
        ("test_prompt_with_image", json!([])),
        ("test_input_required_result_prompt", json!([])),
    ]
    .into_iter()
    .map(|(name, arguments)| {
        json!({"name": name, "description": format!("Diagnostic: {name}."), "arguments": arguments})
    })
    .collect()
}

/// The messages of a prompt that asks nothing back.
pub fn messages(prompt: &str, arguments: &Value) -> Option<Value> {
    let user = |content: Value| json!({"role": "user", "content": content});
    let said = |text: &str| user(json!({"type": "text", "text": text}));
    Some(match prompt {
        "test_simple_prompt" => json!([said("This is a simple prompt for testing.")]),
        "test_prompt_with_arguments" => json!([said(&format!(
            "Prompt with arguments: arg1={}, arg2={}",
            arguments["arg1"], arguments["arg2"]
        ))]),
        "test_prompt_with_embedded_resource" => json!([
            user(json!({"type": "resource", "resource": {
                "uri": arguments["resourceUri"],
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            }})),
            said("Please process the embedded resource above."),
        ]),
        "test_prompt_with_image" => {
            json!([user(image()), said("Please analyze the image above.")])
        }
        _ => return None,
    })
}

/// Every resource, as it is listed.
pub fn resources() -> Value {
    json!([
        {"uri": "test://static-text", "name": "static-text", "mimeType": "text/plain"},
        {"uri": "test://static-binary", "name": "static-binary", "mimeType": "image/png"},
        {"uri": "test://watched-resource", "name": "watched-resource", "mimeType": "text/plain"},
    ])
}

/// The template with a variable.
pub fn templates() -> Value {
    json!([{"uriTemplate": "test://template/{id}/data", "name": "data", "mimeType": "application/json"}])
}

/// What stands at an address.
pub fn contents(uri: &str) -> Option<Value> {
    let id = uri
        .strip_prefix("test://template/")
        .and_then(|rest| rest.strip_suffix("/data"));
    Some(match (uri, id) {
        ("test://static-text", _) => {
            json!({"uri": uri, "mimeType": "text/plain", "text": "This is the content of the static text resource."})
        }
        ("test://static-binary", _) => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
        ("test://watched-resource", _) => {
            json!({"uri": uri, "mimeType": "text/plain", "text": "Watched."})
        }
        (_, Some(id)) => json!({
            "uri": uri,
            "mimeType": "application/json",
            "text": json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")}).to_string(),
        }),
        _ => return None,
    })
}

/// A schema with every keyword that must survive the way to the client.
fn wide_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}
