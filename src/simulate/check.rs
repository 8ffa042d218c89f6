//! What Meta refuses in a request to `/messages`: required fields and the limits of the Cloud API.
//!
//! Lengths are counted in UTF-16 units, which is never less than the characters Meta counts.

use std::collections::HashSet;

use serde_json::Value;

const TEXT: usize = 4096;
const BODY: usize = 1024;
const SHORT: usize = 60;
const CAPTION: usize = 1024;
const LINK: usize = 2000;
const OPAQUE: usize = 512;
const CONTACTS: usize = 257;
const SECTIONS: usize = 10;
const PRODUCTS: usize = 30;

/// The rules that a request breaks; none when Meta takes it.
#[must_use]
pub fn faults(request: &Value) -> Vec<&'static str> {
    let mut faults = Faults::default();
    faults.rule(
        request["messaging_product"] == "whatsapp",
        "messaging_product",
    );
    recipient(request, &mut faults);
    let opaque = request.get("biz_opaque_callback_data");
    faults.rule(
        opaque.is_none_or(|data| data.as_str().is_some_and(|data| fits(data, OPAQUE))),
        "biz_opaque_callback_data: at most 512",
    );
    let context = request.get("context");
    faults.rule(
        context.is_none_or(|context| text(&context["message_id"], OPAQUE)),
        "context.message_id",
    );
    let kind = request["type"].as_str().unwrap_or_default();
    let content = &request[kind];
    match kind {
        "text" => faults.rule(text(&content["body"], TEXT), "text.body: 1 to 4096"),
        "image" | "video" | "audio" | "document" | "sticker" => media(content, &mut faults),
        "location" => faults.rule(location(content), "location"),
        "contacts" => faults.rule(contacts(content), "contacts"),
        "reaction" => faults.rule(
            text(&content["message_id"], OPAQUE) && content["emoji"].is_string(),
            "reaction",
        ),
        "template" => template(content, &mut faults),
        "interactive" => interactive(content, &mut faults),
        _ => faults.rule(false, "type"),
    }
    faults.0
}

/// The rules that a read receipt breaks, the typing indicator included.
#[must_use]
pub fn receipt_faults(request: &Value) -> Vec<&'static str> {
    let mut faults = Faults::default();
    faults.rule(
        request["messaging_product"] == "whatsapp",
        "messaging_product",
    );
    faults.rule(request["status"] == "read", "status");
    faults.rule(text(&request["message_id"], OPAQUE), "message_id");
    let typing = request.get("typing_indicator");
    faults.rule(
        typing.is_none_or(|typing| typing["type"] == "text"),
        "typing_indicator",
    );
    faults.0
}

#[derive(Default)]
struct Faults(Vec<&'static str>);

impl Faults {
    fn rule(&mut self, holds: bool, rule: &'static str) {
        if !holds {
            self.0.push(rule);
        }
    }
}

fn recipient(request: &Value, faults: &mut Faults) {
    let to = request["to"].as_str();
    let e164 = to.is_none_or(|to| {
        let digits = to.strip_prefix('+').unwrap_or_default();
        (6..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    faults.rule(e164, "to: E.164 with +");
    faults.rule(
        to.is_some() != request["recipient"].is_string(),
        "either to or recipient",
    );
}

fn media(content: &Value, faults: &mut Faults) {
    faults.rule(source(content), "media: either id or link");
    let caption = content.get("caption");
    faults.rule(
        caption.is_none_or(|caption| text(caption, CAPTION)),
        "caption: 1 to 1024",
    );
}

fn source(media: &Value) -> bool {
    let link = media["link"].as_str();
    let linked = link.is_some_and(|link| link.starts_with("http") && fits(link, LINK));
    linked != text(&media["id"], OPAQUE)
}

fn location(content: &Value) -> bool {
    let within = |name: &str, limit: f64| {
        let number = content[name].as_f64();
        number
            .or_else(|| content[name].as_str().and_then(|text| text.parse().ok()))
            .is_some_and(|degrees| degrees.abs() <= limit)
    };
    within("latitude", 90.0) && within("longitude", 180.0)
}

fn contacts(content: &Value) -> bool {
    let contacts = elements(content);
    (1..=CONTACTS).contains(&contacts.len())
        && contacts
            .iter()
            .all(|contact| text(&contact["name"]["formatted_name"], BODY))
}

fn template(content: &Value, faults: &mut Faults) {
    faults.rule(text(&content["name"], OPAQUE), "template.name");
    faults.rule(
        text(&content["language"]["code"], 32),
        "template.language.code",
    );
    for component in elements(&content["components"]) {
        let kind = component["type"]
            .as_str()
            .unwrap_or_default()
            .to_lowercase();
        let known = match kind.as_str() {
            "header" | "body" | "footer" | "carousel" | "limited_time_offer" | "order_status" => {
                true
            }
            "button" => component["sub_type"].is_string() && number(&component["index"]).is_some(),
            _ => false,
        };
        faults.rule(known, "template.components");
        for parameter in elements(&component["parameters"]) {
            faults.rule(parameter["type"].is_string(), "template parameter: type");
            let words = &parameter["text"];
            // An official example has a truth value here.
            let empty = parameter["type"] == "text" && !words.is_boolean() && !text(words, TEXT);
            faults.rule(!empty, "template parameter: text");
        }
    }
}

fn interactive(content: &Value, faults: &mut Faults) {
    let kind = content["type"].as_str().unwrap_or_default();
    let limit = if kind == "list" { TEXT } else { BODY };
    let body = content.get("body").map(|body| &body["text"]);
    let optional = kind == "product";
    faults.rule(
        body.map_or(optional, |body| text(body, limit)),
        "interactive.body",
    );
    let footer = content.get("footer");
    faults.rule(
        footer.is_none_or(|footer| text(&footer["text"], SHORT)),
        "interactive.footer",
    );
    faults.rule(
        content.get("header").is_none_or(header),
        "interactive.header",
    );
    let action = &content["action"];
    let holds = match kind {
        "button" => buttons(action),
        "list" => list(action),
        "cta_url" => cta_url(action),
        "product" => catalog(action) && text(&action["product_retailer_id"], 100),
        "product_list" => {
            content["header"]["type"] == "text" && catalog(action) && product_list(action)
        }
        "catalog_message" => action["name"] == "catalog_message",
        "flow" => flow(action),
        "location_request_message" => action["name"] == "send_location",
        "request_contact_info" => action["name"] == "request_contact_info",
        _ => false,
    };
    faults.rule(holds, "interactive.action");
}

fn header(header: &Value) -> bool {
    match header["type"].as_str() {
        Some("text") => text(&header["text"], SHORT),
        Some(kind @ ("image" | "video" | "document")) => source(&header[kind]),
        _ => false,
    }
}

fn buttons(action: &Value) -> bool {
    let buttons = elements(&action["buttons"]);
    let replies: Vec<&Value> = buttons.iter().map(|button| &button["reply"]).collect();
    (1..=3).contains(&replies.len())
        && buttons.iter().all(|button| button["type"] == "reply")
        && replies
            .iter()
            .all(|reply| text(&reply["title"], 20) && text(&reply["id"], 256))
        && unique(replies.iter().map(|reply| &reply["title"]))
        && unique(replies.iter().map(|reply| &reply["id"]))
}

/// Ten rows in all over the sections, and titles once several sections have to be told apart.
fn list(action: &Value) -> bool {
    let sections = elements(&action["sections"]);
    let rows: Vec<&Value> = sections
        .iter()
        .flat_map(|section| elements(&section["rows"]))
        .collect();
    text(&action["button"], 20)
        && titled(sections)
        && sections
            .iter()
            .all(|section| !elements(&section["rows"]).is_empty())
        && (1..=10).contains(&rows.len())
        && rows
            .iter()
            .all(|row| text(&row["title"], 24) && text(&row["id"], 200))
        && rows
            .iter()
            .all(|row| row.get("description").is_none_or(|words| text(words, 72)))
        && unique(rows.iter().map(|row| &row["title"]))
        && unique(rows.iter().map(|row| &row["id"]))
}

fn titled(sections: &[Value]) -> bool {
    (1..=SECTIONS).contains(&sections.len())
        && (sections.len() == 1 || sections.iter().all(|section| text(&section["title"], 24)))
}

fn cta_url(action: &Value) -> bool {
    let parameters = &action["parameters"];
    action["name"] == "cta_url"
        && text(&parameters["display_text"], 20)
        && text(&parameters["url"], LINK)
}

fn catalog(action: &Value) -> bool {
    text(&action["catalog_id"], 100)
}

fn product_list(action: &Value) -> bool {
    let sections = elements(&action["sections"]);
    let items: Vec<&Value> = sections
        .iter()
        .flat_map(|section| elements(&section["product_items"]))
        .collect();
    titled(sections)
        && (1..=PRODUCTS).contains(&items.len())
        && items
            .iter()
            .all(|item| text(&item["product_retailer_id"], 100))
}

fn flow(action: &Value) -> bool {
    let parameters = &action["parameters"];
    action["name"] == "flow"
        && parameters["flow_message_version"] == "3"
        && text(&parameters["flow_cta"], 30)
        && (text(&parameters["flow_id"], 100) != text(&parameters["flow_name"], 200))
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn text(value: &Value, limit: usize) -> bool {
    value
        .as_str()
        .is_some_and(|text| !text.trim().is_empty() && fits(text, limit))
}

fn fits(text: &str, limit: usize) -> bool {
    text.encode_utf16().count() <= limit
}

fn unique<'a>(values: impl Iterator<Item = &'a Value>) -> bool {
    let mut seen = HashSet::new();
    { values }.all(|value| seen.insert(value.as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(kind: &str, content: Value) -> Value {
        let mut message =
            json!({ "messaging_product": "whatsapp", "to": "+393331234567", "type": kind });
        message[kind] = content;
        message
    }

    #[test]
    fn each_kind_has_its_rules() {
        let good = [
            message("text", json!({ "body": "ciao" })),
            message("image", json!({ "id": "1", "caption": "x" })),
            message(
                "document",
                json!({ "link": "https://shop.example/a.pdf", "filename": "a.pdf" }),
            ),
            message("location", json!({ "latitude": 45.4, "longitude": "9.2" })),
            message("contacts", json!([{ "name": { "formatted_name": "Ada" } }])),
            message("reaction", json!({ "message_id": "wamid.1", "emoji": "" })),
            message(
                "template",
                json!({ "name": "order", "language": { "code": "it" }, "components": [
                { "type": "body", "parameters": [{ "type": "text", "text": "1" }] },
                { "type": "button", "sub_type": "url", "index": "0", "parameters": [] }] }),
            ),
        ];
        for request in &good {
            assert!(
                faults(request).is_empty(),
                "{request}: {:?}",
                faults(request)
            );
        }
        let bad = [
            message("text", json!({ "body": " " })),
            message(
                "image",
                json!({ "id": "1", "link": "https://shop.example/a.png" }),
            ),
            message("image", json!({ "id": "1", "caption": "x".repeat(1025) })),
            message("location", json!({ "latitude": 95.0, "longitude": 9.2 })),
            message("contacts", json!([])),
            message("reaction", json!({ "emoji": "👍" })),
            message("template", json!({ "name": "order", "components": [] })),
            message(
                "template",
                json!({ "name": "order", "language": { "code": "it" },
                "components": [{ "type": "button" }] }),
            ),
            message("telepathy", json!({})),
        ];
        for request in &bad {
            assert!(!faults(request).is_empty(), "{request}");
        }
    }

    #[test]
    fn each_interactive_form_has_its_rules() {
        let form = |kind: &str, action: Value| {
            message(
                "interactive",
                json!({ "type": kind, "body": { "text": "x" },
                "header": { "type": "text", "text": "x" }, "action": action }),
            )
        };
        let items = |count: usize| vec![json!({ "product_retailer_id": "a" }); count];
        let products = |count: usize| {
            form(
                "product_list",
                json!({ "catalog_id": "1",
                "sections": [{ "title": "x", "product_items": items(count) }] }),
            )
        };
        let good = [
            products(30),
            form(
                "product",
                json!({ "catalog_id": "1", "product_retailer_id": "a" }),
            ),
            form("catalog_message", json!({ "name": "catalog_message" })),
            form(
                "location_request_message",
                json!({ "name": "send_location" }),
            ),
            form(
                "flow",
                json!({ "name": "flow", "parameters": {
                "flow_message_version": "3", "flow_id": "1", "flow_cta": "Open" } }),
            ),
        ];
        for request in &good {
            assert!(
                faults(request).is_empty(),
                "{request}: {:?}",
                faults(request)
            );
        }
        let bad = [
            products(31),
            products(0),
            form("product", json!({ "product_retailer_id": "a" })),
            form("button", json!({ "buttons": [] })),
            form(
                "cta_url",
                json!({ "name": "cta_url", "parameters": {
                "display_text": "x".repeat(21), "url": "https://shop.example" } }),
            ),
        ];
        for request in &bad {
            assert!(!faults(request).is_empty(), "{request}");
        }
    }

    #[test]
    fn a_receipt_names_a_message() {
        let mut receipt = json!({ "messaging_product": "whatsapp", "status": "read",
            "message_id": "wamid.1", "typing_indicator": { "type": "text" } });
        assert!(receipt_faults(&receipt).is_empty());
        receipt["message_id"] = json!("");
        assert_eq!(receipt_faults(&receipt), ["message_id"]);
    }
}
