//! What a message says: every kind of WhatsApp's as [`InboundContent`]. A kind that we do not know, or one
//! that lacks what makes it one, is kept as it came.

use serde_json::Value;

use super::{integer, text};
use crate::domain::{
    Cart, CartItem, ContactCard, InboundContent, Location, Media, MediaKind, Moved, ProductId,
};

/// More pieces than this of one product are a fault of whoever filled the basket.
const MOST_PIECES: u32 = 9_999;

/// The content of a message.
pub(super) fn of(message: &Value) -> InboundContent {
    let kind = text(message, "type").unwrap_or_else(|| "unknown".to_owned());
    let body = message.get(&kind).unwrap_or(&Value::Null);
    let known = match kind.as_str() {
        "text" => text(body, "body").map(|text| InboundContent::Text { text }),
        "image" => Some(media(MediaKind::Image, body)),
        "video" => Some(media(MediaKind::Video, body)),
        "document" => Some(media(MediaKind::Document, body)),
        "audio" | "voice" if kind == "voice" || is_true(body, "voice") => {
            Some(media(MediaKind::Voice, body))
        }
        "audio" => Some(media(MediaKind::Audio, body)),
        "sticker" if is_true(body, "animated") => Some(media(MediaKind::AnimatedSticker, body)),
        "sticker" => Some(media(MediaKind::Sticker, body)),
        "location" => location(body),
        "contacts" => contacts(body, is_forwarded(message)),
        "order" => cart(body),
        "interactive" => interactive(body),
        "button" => choice(body, "payload", "text"),
        "reaction" => reaction(body),
        "system" => Some(system(body)),
        "edit" => edit(body),
        "revoke" => original(body).map(|message| InboundContent::Revoke { message }),
        "ephemeral" | "request_welcome" => Some(InboundContent::Silent { kind: kind.clone() }),
        "unsupported" => Some(InboundContent::Unreadable { kind: kind.clone() }),
        _ => None,
    };
    known.unwrap_or_else(|| unknown(kind, message))
}

/// Without what makes it a notice, a notice is still one: nobody waits for an answer to it.
fn unknown(kind: String, message: &Value) -> InboundContent {
    match kind.as_str() {
        "reaction" | "edit" | "revoke" => InboundContent::Silent { kind },
        _ => InboundContent::Unknown {
            kind: text(&message["interactive"], "type").unwrap_or(kind),
            raw: message.clone(),
        },
    }
}

fn media(kind: MediaKind, body: &Value) -> InboundContent {
    InboundContent::Media(Media {
        kind,
        id: text(body, "id"),
        mime_type: text(body, "mime_type"),
        sha256: text(body, "sha256"),
        filename: text(body, "filename"),
        caption: text(body, "caption"),
        transcript: None,
    })
}

fn location(body: &Value) -> Option<InboundContent> {
    Some(InboundContent::Location(Location {
        latitude: decimal(body, "latitude").filter(|degrees| degrees.abs() <= 90.0)?,
        longitude: decimal(body, "longitude").filter(|degrees| degrees.abs() <= 180.0)?,
        name: text(body, "name"),
        address: text(body, "address"),
    }))
}

fn contacts(body: &Value, forwarded: bool) -> Option<InboundContent> {
    let cards = body.as_array()?;
    let requested = cards.iter().any(is_requested);
    let own_phone = match cards.as_slice() {
        [only] if requested && !forwarded => own_phone(only),
        _ => None,
    };
    Some(InboundContent::Contacts {
        cards: cards.iter().map(card).collect(),
        requested,
        own_phone,
    })
}

/// Meta's mark on the card that a customer shares of themselves when they are asked for it.
fn is_requested(card: &Value) -> bool {
    text(card, "origin").as_deref() == Some("contact_request")
}

/// The one phone of a card: as WhatsApp knows it, else as written.
fn own_phone(card: &Value) -> Option<String> {
    let phones = card.get("phones").and_then(Value::as_array)?;
    let all = |name| -> Vec<String> {
        let phones = phones.iter().filter_map(|phone| text(phone, name));
        let mut phones: Vec<String> = phones.filter_map(|phone| e164(&phone)).collect();
        phones.dedup();
        phones
    };
    let known = all("wa_id");
    let mut phones = if known.is_empty() {
        all("phone")
    } else {
        known
    };
    phones.pop().filter(|_| phones.is_empty())
}

fn is_forwarded(message: &Value) -> bool {
    let context = message.get("context").unwrap_or(&Value::Null);
    is_true(context, "forwarded") || is_true(context, "frequently_forwarded")
}

fn card(card: &Value) -> ContactCard {
    let all = |list: &str, name: &str| -> Vec<String> {
        let entries = card.get(list).and_then(Value::as_array);
        let texts = entries.into_iter().flatten();
        texts.filter_map(|entry| text(entry, name)).collect()
    };
    ContactCard {
        name: card
            .get("name")
            .and_then(|name| text(name, "formatted_name").or_else(|| text(name, "first_name"))),
        phones: all("phones", "phone"),
        emails: all("emails", "email"),
    }
}

/// The basket, each product once. The prices in it are anyone's to change, and are left out.
fn cart(body: &Value) -> Option<InboundContent> {
    let mut items: Vec<CartItem> = Vec::new();
    for line in body.get("product_items")?.as_array()? {
        let Some(product_id) = text(line, "product_retailer_id").map(ProductId) else {
            continue;
        };
        let quantity = pieces(line);
        match items.iter_mut().find(|item| item.product_id == product_id) {
            Some(item) => item.quantity = (item.quantity + quantity).min(MOST_PIECES),
            None => items.push(CartItem {
                product_id,
                quantity,
            }),
        }
    }
    Some(InboundContent::Cart(Cart {
        items,
        text: text(body, "text"),
    }))
}

/// How many, written as a number or as text; one where it cannot be read.
fn pieces(line: &Value) -> u32 {
    decimal(line, "quantity")
        .filter(|quantity| (1.0..=f64::from(MOST_PIECES)).contains(quantity))
        .and_then(|quantity| format!("{:.0}", quantity.floor()).parse().ok())
        .unwrap_or(1)
}

fn interactive(body: &Value) -> Option<InboundContent> {
    let kind = text(body, "type")?;
    let reply = body.get(&kind)?;
    match kind.as_str() {
        "button_reply" | "list_reply" => choice(reply, "id", "title"),
        "nfm_reply" => Some(form(reply)),
        "call_permission_reply" => Some(InboundContent::CallPermission {
            granted: text(reply, "response").as_deref() == Some("accept"),
            permanent: is_true(reply, "is_permanent"),
            until: integer(reply.get("expiration_timestamp")),
        }),
        _ => None,
    }
}

/// What was filled in travels as JSON in a text; what is no JSON is kept as the text it is.
fn form(reply: &Value) -> InboundContent {
    let fields = text(reply, "response_json").unwrap_or_default();
    InboundContent::Form {
        name: text(reply, "name"),
        fields: serde_json::from_str(&fields).unwrap_or(Value::String(fields)),
    }
}

fn choice(tapped: &Value, id: &str, title: &str) -> Option<InboundContent> {
    let id = text(tapped, id);
    let title = text(tapped, title).or_else(|| id.clone())?;
    Some(InboundContent::Choice {
        id: id.unwrap_or_else(|| title.clone()),
        title,
    })
}

fn reaction(body: &Value) -> Option<InboundContent> {
    Some(InboundContent::Reaction {
        message: text(body, "message_id")?,
        emoji: text(body, "emoji"),
    })
}

fn system(body: &Value) -> InboundContent {
    let kind = text(body, "type").unwrap_or_else(|| "system".to_owned());
    match kind.as_str() {
        "user_changed_number" | "user_changed_user_id" => InboundContent::Moved(Moved {
            phone: text(body, "wa_id")
                .or_else(|| text(body, "new_wa_id"))
                .as_deref()
                .and_then(e164),
            user_id: text(body, "user_id"),
        }),
        _ => InboundContent::Silent { kind },
    }
}

fn edit(body: &Value) -> Option<InboundContent> {
    let content = of(body.get("message").filter(|message| message.is_object())?);
    Some(InboundContent::Edit {
        message: original(body)?,
        content: Box::new(content),
    })
}

fn original(body: &Value) -> Option<String> {
    text(body, "original_message_id")
}

fn is_true(body: &Value, name: &str) -> bool {
    body.get(name).and_then(Value::as_bool) == Some(true)
}

/// A number, or a text that is one.
fn decimal(body: &Value, name: &str) -> Option<f64> {
    let value = body.get(name)?;
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .filter(|number| number.is_finite())
}

/// A phone number in E.164 with its `+`; nothing when the text is none.
pub(super) fn e164(address: &str) -> Option<String> {
    let digits: String = address
        .chars()
        .filter(|character| !matches!(character, '+' | ' ' | '-' | '(' | ')'))
        .collect();
    let is_phone =
        (6..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_phone.then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn phones_are_told_from_other_addresses() {
        assert_eq!(e164("393331234567").as_deref(), Some("+393331234567"));
        assert_eq!(e164("+39 333 123-4567").as_deref(), Some("+393331234567"));
        for address in [
            "",
            "111",
            "IT.13491208655302741918",
            "1234567890123456",
            "<PHONE>",
        ] {
            assert_eq!(e164(address), None, "{address}");
        }
    }

    #[test]
    fn a_basket_counts_whatever_quantities_are_written_as() {
        let line = |id: Value, quantity: Value| json!({ "product_retailer_id": id, "quantity": quantity, "item_price": "0.01" });
        let message = json!({ "type": "order", "order": { "product_items": [
            line(json!("aria"), json!(2)), line(json!("aria"), json!("3")), line(json!(77), json!(1.0)),
            line(json!("odd"), json!("many")), line(json!("none"), json!(-4)), line(json!(null), json!(1)),
            line(json!("much"), json!(1e30)),
        ] } });
        let InboundContent::Cart(cart) = of(&message) else {
            panic!("no cart")
        };
        let items: Vec<(&str, u32)> = cart
            .items
            .iter()
            .map(|item| (item.product_id.as_str(), item.quantity))
            .collect();
        let expected = [("aria", 5), ("77", 1), ("odd", 1), ("none", 1), ("much", 1)];
        assert_eq!(items, expected);
    }

    #[test]
    fn only_the_senders_own_card_tells_their_phone() {
        let own = |cards: Value, context: Value| {
            let content = of(&json!({ "type": "contacts", "contacts": cards, "context": context }));
            let InboundContent::Contacts { own_phone, .. } = content else {
                panic!("{content:?}")
            };
            own_phone
        };
        let card = |origin: &str, phones: Value| json!({ "name": { "formatted_name": "Ada" }, "origin": origin, "phones": phones });
        let phone =
            json!([{ "phone": "+39 333 123-4567", "wa_id": "393331234567", "type": "CELL" }]);
        let asked = card("contact_request", phone.clone());
        let expected = Some("+393331234567".to_owned());
        assert_eq!(own(json!([asked]), json!({})), expected);
        assert_eq!(
            own(json!([asked]), json!({ "id": "wamid.asked" })),
            expected
        );
        let written = json!([{ "phone": "+39 333 123-4567" }]);
        assert_eq!(
            own(json!([card("contact_request", written)]), json!({})),
            expected
        );
        assert_eq!(own(json!([asked]), json!({ "forwarded": true })), None);
        assert_eq!(
            own(json!([asked]), json!({ "frequently_forwarded": true })),
            None
        );
        assert_eq!(own(json!([asked, asked]), json!({})), None);
        assert_eq!(own(json!([card("other", phone.clone())]), json!({})), None);
        let two = json!([{ "wa_id": "393331234567" }, { "wa_id": "393339999999" }]);
        assert_eq!(own(json!([card("contact_request", two)]), json!({})), None);
        let unmarked = json!({ "name": { "formatted_name": "Ada" }, "phones": phone });
        assert_eq!(own(json!([unmarked]), json!({})), None);
    }

    #[test]
    fn what_lacks_what_makes_it_one_is_kept_as_it_came() {
        for message in [
            json!({ "type": "text", "text": {} }),
            json!({ "type": "location", "location": { "latitude": 91, "longitude": 0 } }),
            json!({ "type": "contacts", "contacts": {} }),
            json!({ "type": "order" }),
            json!({ "type": "interactive", "interactive": { "type": "list_reply" } }),
            json!({ "type": "hologram", "hologram": { "depth": 3 } }),
            json!({}),
        ] {
            let InboundContent::Unknown { raw, .. } = of(&message) else {
                panic!("{message}")
            };
            assert_eq!(raw, message);
        }
        for kind in ["edit", "revoke", "reaction"] {
            let content = of(&json!({ "type": kind }));
            assert!(content.is_silent(), "{kind}");
        }
    }

    #[test]
    fn a_form_is_read_and_a_broken_one_is_kept() {
        let reply = |json: &str| {
            of(&json!({ "type": "interactive", "interactive": {
                "type": "nfm_reply", "nfm_reply": { "name": "flow", "response_json": json } } }))
        };
        let read = reply("{\"flow_token\":\"t\",\"note\":\"ciao\"}");
        assert_eq!(read.shown(), "note: ciao");
        assert_eq!(reply("{note").shown(), "{note");
    }
}
