//! A message as a customer sees it in the terminal, with what can be chosen from it.

use serde_json::Value;

/// Something that can be chosen by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// `button_reply`, `list_reply`, or `button` of a template.
    pub kind: &'static str,
    /// Comes back to the server.
    pub id: String,
    /// What the customer reads.
    pub title: String,
    /// A list row's second line.
    pub description: Option<String>,
}

/// A message on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Lines of text.
    pub lines: Vec<String>,
    /// What can be chosen, numbered from 1.
    pub choices: Vec<Choice>,
}

/// Draws a request to `/messages`.
#[must_use]
pub fn draw(request: &Value) -> Shown {
    let kind = request["type"].as_str().unwrap_or_default();
    let content = &request[kind];
    let mut lines = Vec::new();
    let mut choices = Vec::new();
    match kind {
        "text" => lines.extend(text(&content["body"])),
        "interactive" => {
            lines.extend(text(&content["header"]["text"]));
            lines.extend(text(&content["body"]["text"]));
            lines.extend(text(&content["footer"]["text"]));
            action(content, &mut lines, &mut choices);
        }
        "template" => template(content, &mut lines, &mut choices),
        "reaction" => lines.push(format!("({} to your message)", plain(&content["emoji"]))),
        "location" => {
            lines.push(format!(
                "[location {} {}]",
                content["latitude"], content["longitude"]
            ));
        }
        _ => {
            let source = text(&content["link"]).or_else(|| text(&content["id"]));
            lines.push(format!("[{kind}] {}", source.unwrap_or_default()));
            lines.extend(text(&content["caption"]));
        }
    }
    for (place, choice) in choices.iter().enumerate() {
        let description = choice
            .description
            .as_ref()
            .map(|words| format!(" – {words}"));
        lines.push(format!(
            "  /{} {}{}",
            place + 1,
            choice.title,
            description.unwrap_or_default()
        ));
    }
    Shown { lines, choices }
}

fn action(content: &Value, lines: &mut Vec<String>, choices: &mut Vec<Choice>) {
    let action = &content["action"];
    for button in elements(&action["buttons"]) {
        choices.push(choice("button_reply", &button["reply"]));
    }
    for section in elements(&action["sections"]) {
        lines.extend(text(&section["title"]).map(|title| format!("{title}:")));
        choices.extend(
            elements(&section["rows"])
                .iter()
                .map(|row| choice("list_reply", row)),
        );
        lines.extend(
            elements(&section["product_items"])
                .iter()
                .map(|item| format!("  [product {}]", plain(&item["product_retailer_id"]))),
        );
    }
    let parameters = &action["parameters"];
    if let Some(url) = text(&parameters["url"]) {
        lines.push(format!("  [{}] {url}", plain(&parameters["display_text"])));
    }
    if let Some(product) = text(&action["product_retailer_id"]) {
        lines.push(format!("  [product {product}]"));
    }
    match content["type"].as_str() {
        Some("location_request_message") => lines.push("  [send location: /location]".to_owned()),
        Some("flow") => lines.push(format!("  [form: {}]", plain(&parameters["flow_cta"]))),
        Some("catalog_message") => lines.push("  [view catalog]".to_owned()),
        _ => {}
    }
}

fn template(content: &Value, lines: &mut Vec<String>, choices: &mut Vec<Choice>) {
    lines.push(format!(
        "[template {} {}]",
        plain(&content["name"]),
        plain(&content["language"]["code"])
    ));
    for component in elements(&content["components"]) {
        let parameters = elements(&component["parameters"]);
        let words: Vec<String> = parameters
            .iter()
            .filter_map(|parameter| text(&parameter["text"]))
            .collect();
        if component["sub_type"] == "quick_reply" {
            let payload = parameters
                .first()
                .map(|one| plain(&one["payload"]))
                .unwrap_or_default();
            choices.push(Choice {
                kind: "button",
                id: payload.clone(),
                title: payload,
                description: None,
            });
        } else if !words.is_empty() {
            lines.push(format!(
                "  {}: {}",
                plain(&component["type"]),
                words.join(" · ")
            ));
        }
    }
}

fn choice(kind: &'static str, item: &Value) -> Choice {
    Choice {
        kind,
        id: plain(&item["id"]),
        title: plain(&item["title"]),
        description: text(&item["description"]),
    }
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn plain(value: &Value) -> String {
    text(value).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_numbered_over_its_sections() {
        let shown = draw(
            &json!({ "type": "interactive", "interactive": { "type": "list",
            "body": { "text": "Choose:" }, "action": { "button": "See", "sections": [
                { "title": "One", "rows": [{ "id": "a", "title": "Aria", "description": "149 €" }] },
                { "title": "Two", "rows": [{ "id": "b", "title": "Moka" }] }] } } }),
        );
        assert_eq!(
            shown.lines,
            ["Choose:", "One:", "Two:", "  /1 Aria – 149 €", "  /2 Moka"]
        );
        assert_eq!(shown.choices[1].id, "b");
        assert_eq!(shown.choices[1].kind, "list_reply");
    }

    #[test]
    fn a_link_stands_beside_its_label() {
        let shown = draw(
            &json!({ "type": "interactive", "interactive": { "type": "cta_url",
            "body": { "text": "149 €" }, "action": { "name": "cta_url", "parameters": {
                "display_text": "Pay", "url": "https://shop.example/pay/1" } } } }),
        );
        assert_eq!(shown.lines, ["149 €", "  [Pay] https://shop.example/pay/1"]);
    }

    #[test]
    fn a_quick_reply_of_a_template_can_be_chosen() {
        let shown = draw(&json!({ "type": "template", "template": { "name": "order",
            "language": { "code": "it" }, "components": [
                { "type": "body", "parameters": [{ "type": "text", "text": "10441" }] },
                { "type": "button", "sub_type": "quick_reply", "index": "0",
                  "parameters": [{ "type": "payload", "payload": "stop" }] }] } }));
        assert_eq!(
            shown.lines,
            ["[template order it]", "  body: 10441", "  /1 stop"]
        );
        assert_eq!(shown.choices[0].kind, "button");
    }
}
