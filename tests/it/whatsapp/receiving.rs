use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};
use sportello::domain::{About, Inbound, InboundContent, Media, MediaKind, OutboxId};
use sportello::whatsapp::signature;
use sportello::whatsapp::webhook::{self, Item, ItemKind, StatusKind};

use crate::support::data::{bodies, shared};
use crate::support::graph::{SECRET, sign, status_webhook, text_webhook};

const BATCH: &str = include_str!("../../fixtures/whatsapp/batch.json");
const USER_ID_ONLY: &str = include_str!("../../fixtures/whatsapp/user_id_only.json");

fn items(body: &str) -> Vec<Item> {
    webhook::parse(body.as_bytes()).unwrap().items
}

fn message(item: &Item) -> &Inbound {
    let ItemKind::Message(inbound) = &item.kind else {
        panic!("{item:?} is no message");
    };
    inbound
}

fn text(text: &str) -> InboundContent {
    InboundContent::Text {
        text: text.to_owned(),
    }
}

fn choice(id: &str, title: &str) -> InboundContent {
    InboundContent::Choice {
        id: id.to_owned(),
        title: title.to_owned(),
    }
}

#[test]
fn the_shared_vectors_verify() {
    let Some(path) = shared("whatsapp/signature_vectors.json") else {
        return;
    };
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!vectors.is_empty());
    for vector in &vectors {
        let secret = [SecretString::from(vector["app_secret"].as_str().unwrap())];
        let header = vector["x_hub_signature_256"].as_str();
        let body = vector["body"].as_str().unwrap().as_bytes();
        assert!(signature::verify(&secret, header, body), "{vector}");
        for other in vectors.iter().filter(|other| *other != vector) {
            let header = other["x_hub_signature_256"].as_str();
            assert!(!signature::verify(&secret, header, body), "{vector}");
        }
    }
}

#[test]
fn a_signed_webhook_of_the_stand_in_verifies_and_parses() {
    let body = text_webhook("393331234567", "wamid.1", "ciao", 1_795_000_000).to_string();
    let secrets = [SecretString::from("old"), SecretString::from(SECRET)];
    assert!(signature::verify(
        &secrets,
        Some(&sign(SECRET, body.as_bytes())),
        body.as_bytes()
    ));
    assert_eq!(message(&items(&body)[0]).content, text("ciao"));
    let sent = json!({ "to": "+393331234567", "biz_opaque_callback_data": "ob_1" });
    let items = items(&status_webhook(&sent, "wamid.9", "read", 1_795_000_001).to_string());
    let ItemKind::Status(status) = &items[0].kind else {
        panic!("{items:?}")
    };
    assert_eq!(status.status, StatusKind::Read);
    assert_eq!(status.outbox_id, Some(OutboxId::from("ob_1")));
}

#[test]
fn every_shared_body_parses_whole() {
    let folders = [
        "meta-openapi/webhooks",
        "pywa/updates-flat",
        "kapso",
        "vaam-bsuid",
    ];
    for folder in folders {
        for (path, body) in bodies(&format!("whatsapp/{folder}")) {
            let delivery = webhook::parse(body.as_bytes()).unwrap();
            assert!(!delivery.items.is_empty(), "{path} has no items");
            assert_eq!((delivery.masked, delivery.body), (0, body), "{path}");
            for item in &delivery.items {
                assert!(
                    !matches!(item.kind, ItemKind::Unparsable { .. }),
                    "{path}: {item:?}"
                );
                assert_eq!(
                    items(&item.raw.to_string()),
                    std::slice::from_ref(item),
                    "{path}"
                );
            }
        }
    }
}

#[test]
fn shared_bodies_mean_what_they_say() {
    if shared("whatsapp").is_none() {
        return;
    }
    let media = |kind: &str, id: &str| json!({ "type": "media", "kind": kind, "id": id });
    let expected = [
        (
            "meta-openapi/webhooks/text_message",
            json!({ "type": "text", "text": "Does it come in another color?" }),
        ),
        (
            "meta-openapi/webhooks/image_message",
            json!({ "type": "media", "kind": "image", "caption": "Taj Mahal" }),
        ),
        (
            "meta-openapi/webhooks/button_message",
            json!({ "type": "choice", "id": "Unsubscribe", "title": "Unsubscribe" }),
        ),
        (
            "meta-openapi/webhooks/interactive_button_reply_message",
            json!({ "type": "choice", "id": "cancel-button", "title": "Cancel" }),
        ),
        (
            "meta-openapi/webhooks/interactive_list_reply_message",
            json!({ "type": "choice", "id": "priority_express", "title": "Priority Mail Express" }),
        ),
        (
            "pywa/updates-flat/message__chosen_location",
            json!({ "type": "location", "latitude": 37.461_197_8, "longitude": -122.216_438_5,
                "name": "Facebook HQ", "address": "1 Hacker Way, Menlo Park, CA 94025" }),
        ),
        (
            "meta-openapi/webhooks/order_message",
            json!({ "type": "cart", "text": null, "items": [
                { "product_id": "di9ozbzfi4", "quantity": 2 }, { "product_id": "nqryix03ez", "quantity": 1 }] }),
        ),
        (
            "kapso/normalize_webhook_01",
            json!({ "type": "cart", "text": "Thanks for your order!",
                "items": [{ "product_id": "SKU-1", "quantity": 1 }] }),
        ),
        (
            "meta-openapi/webhooks/contact_sharing_message",
            json!({ "type": "contacts", "requested": false, "cards": [
                { "name": "Lucía Gómez", "phones": ["+1 (983) 555-2319"], "emails": [] }] }),
        ),
        (
            "meta-openapi/webhooks/unsupported_message",
            json!({ "type": "unreadable", "kind": "unsupported" }),
        ),
        (
            "pywa/updates-flat/message__reaction",
            json!({ "type": "reaction", "message": "wamid.yzxyzx=", "emoji": "😮" }),
        ),
        (
            "pywa/updates-flat/message__unreaction_empty",
            json!({ "type": "reaction", "emoji": null }),
        ),
        (
            "meta-openapi/webhooks/system_message",
            json!({ "type": "moved", "phone": "+12195555358", "user_id": null }),
        ),
        (
            "pywa/updates-flat/system__identity_change",
            json!({ "type": "silent", "kind": "customer_identity_changed" }),
        ),
        (
            "pywa/updates-flat/message__document",
            json!({ "type": "media", "kind": "document", "filename": "filename.pdf", "caption": "caption",
                "mime_type": "application/pdf" }),
        ),
        (
            "pywa/updates-flat/message__voice",
            media("voice", "1234567890987654321"),
        ),
        (
            "pywa/updates-flat/message__audio",
            json!({ "type": "media", "kind": "audio" }),
        ),
        (
            "pywa/updates-flat/message__static_sticker",
            json!({ "type": "media", "kind": "sticker" }),
        ),
        (
            "pywa/updates-flat/message__animated_sticker",
            media("animated_sticker", "1234567890987654321"),
        ),
        (
            "pywa/updates-flat/message__interactive_message_with_err",
            json!({ "type": "unknown", "kind": "interactive" }),
        ),
        (
            "pywa/updates-flat/call_permission_update__accept",
            json!({ "type": "call_permission", "granted": true, "permanent": false, "until": 1_753_186_982 }),
        ),
        (
            "pywa/updates-flat/edited_message__image",
            json!({ "type": "edit", "message": "wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA=",
                "content": { "type": "media", "kind": "image", "caption": "Updated image caption" } }),
        ),
        (
            "pywa/updates-flat/deleted_message__revoke",
            json!({ "type": "revoke", "message": "<ORIGINAL_WHATSAPP_MESSAGE_ID>" }),
        ),
        (
            "pywa/updates-flat/outgoing_message__text",
            json!({ "type": "echo", "content": { "type": "text", "text": "Test message" } }),
        ),
        (
            "pywa/updates-flat/outgoing_message__delete",
            json!({ "type": "echo", "content": { "type": "revoke", "message": "wamid.zzzzzz" } }),
        ),
        (
            "vaam-bsuid/interactive_nfm_reply_flow",
            json!({ "type": "form", "name": "flow" }),
        ),
    ];
    for (name, content) in expected {
        if let Some(path) = shared(&format!("whatsapp/{name}.json")) {
            let items = items(&std::fs::read_to_string(path).unwrap());
            let found = serde_json::to_value(&message(&items[0]).content).unwrap();
            assert!(holds(&found, &content), "{name}: {found}");
        }
    }
}

/// Whether every field that is expected is there; others may be, too.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .all(|(name, value)| found.get(name).is_some_and(|found| holds(found, value))),
        _ => found == expected,
    }
}

#[test]
fn what_surrounds_a_message_is_read() {
    let about = |name: &str| {
        let path = shared(&format!("whatsapp/{name}.json"))?;
        let items = items(&std::fs::read_to_string(path).unwrap());
        Some(message(&items[0]).about.clone())
    };
    let ad = "meta-openapi/webhooks/text_message_from_click_to_whatsapp_ad";
    if let Some(about) = about(ad) {
        let referral = about.referral.unwrap();
        assert_eq!(referral.source_type.as_deref(), Some("ad"));
        assert_eq!(referral.headline.as_deref(), Some("Chat with us"));
        assert!(referral.click_id.is_some() && referral.welcome.is_some());
    }
    if let Some(about) = about("pywa/updates-flat/message__forwarded_many_times") {
        assert!(about.forwarded);
    }
    if let Some(about) = about("pywa/updates-flat/message__text") {
        let expected = About {
            user_id: Some("US.13491208655302741918".to_owned()),
            ..About::default()
        };
        assert_eq!(about, expected);
    }
}

#[test]
fn one_poison_item_costs_no_neighbour() {
    let delivery = webhook::parse(BATCH.as_bytes()).unwrap();
    let messages: Vec<&Inbound> = delivery
        .items
        .iter()
        .filter(|item| matches!(item.kind, ItemKind::Message(_)))
        .map(message)
        .collect();
    let contents: Vec<&InboundContent> = messages.iter().map(|inbound| &inbound.content).collect();
    assert_eq!(
        contents,
        [
            &text("Avete la Aria rossa?"),
            &InboundContent::Media(Media {
                kind: MediaKind::Image,
                id: Some("800000000000001".to_owned()),
                mime_type: Some("image/jpeg".to_owned()),
                caption: Some("la mia carta è [card •••• 1111]".to_owned()),
                ..Media::default()
            }),
            &InboundContent::Unknown {
                kind: "hologram".to_owned(),
                raw: json!({ "from": "393330000001", "id": "wamid.a4", "timestamp": 1_795_000_004,
                    "type": "hologram", "hologram": { "depth": 3 } }),
            },
            &text("senza id"),
            &choice("product:aria", "Aria"),
        ]
    );
    let first = messages[0];
    assert_eq!(
        (first.sender.as_str(), first.phone.as_deref()),
        ("+393330000002", Some("+393330000002"))
    );
    assert_eq!(first.name.as_deref(), Some("Marta"));
    assert_eq!(
        (first.recipient.as_str(), first.external_id.as_str()),
        ("100000000000001", "wamid.a1")
    );
    assert_eq!(first.sent_at, 1_795_000_001);
    assert!(messages[3].external_id.starts_with("hash:"));
    assert_eq!(messages[4].recipient, "100000000000002");

    let faults: Vec<&str> = delivery
        .items
        .iter()
        .filter_map(|item| match &item.kind {
            ItemKind::Unparsable { reason } => Some(reason.as_str()),
            ItemKind::Message(_) | ItemKind::Status(_) | ItemKind::Other { .. } => None,
        })
        .collect();
    assert_eq!(
        faults,
        [
            "a message that is no object",
            "a message without a sender",
            "a message without a sender",
            "a status without a message",
            "a change without a value",
            "a change without a value",
            "an entry without changes",
            "a list that is none",
        ]
    );
}

#[test]
fn statuses_keep_their_row_their_errors_and_names_we_do_not_know() {
    let items = items(BATCH);
    let statuses: Vec<_> = items
        .iter()
        .filter_map(|item| match &item.kind {
            ItemKind::Status(status) => Some((item.key.as_str(), status)),
            ItemKind::Message(_) | ItemKind::Other { .. } | ItemKind::Unparsable { .. } => None,
        })
        .collect();
    let keys: Vec<&str> = statuses.iter().map(|(key, _)| *key).collect();
    assert_eq!(
        keys,
        [
            "wamid.out1:delivered",
            "wamid.out2:failed",
            "wamid.out1:teleported"
        ]
    );
    assert_eq!(statuses[0].1.outbox_id, Some(OutboxId::from("ob_1")));
    assert_eq!(
        (&statuses[1].1.status, statuses[1].1.errors[0].code),
        (&StatusKind::Failed, 131_026)
    );
    assert_eq!(
        statuses[2].1.status,
        StatusKind::Other("teleported".to_owned())
    );
}

#[test]
fn a_customer_without_a_phone_is_known_by_their_user_id() {
    let items = items(USER_ID_ONLY);
    let tapped = message(&items[0]);
    assert_eq!(
        (tapped.sender.as_str(), tapped.phone.as_deref()),
        ("IT.13491208655302741918", None)
    );
    assert_eq!(tapped.name.as_deref(), Some("giulia.caffe"));
    assert_eq!(tapped.content, choice("stop", "Basta"));
    assert_eq!(
        tapped.about.user_id.as_deref(),
        Some("IT.13491208655302741918")
    );
    assert_eq!(message(&items[1]).content.kind(), Some("reaction"));
}

#[test]
fn card_numbers_are_gone_from_everything_that_is_kept() {
    for body in [
        BATCH.to_owned(),
        text_webhook("393331234567", "wamid.1", "4111-1111-1111-1111 cvv 123", 1).to_string(),
    ] {
        let delivery = webhook::parse(body.as_bytes()).unwrap();
        assert!(delivery.masked > 0);
        let kept = format!("{}{:?}", delivery.body, delivery.items);
        for number in ["4111 1111", "4111-1111", "cvv 123"] {
            assert!(!kept.contains(number), "{kept}");
        }
    }
    let mut body = text_webhook("393331234567", "wamid.1", "x", 1);
    let number = "4111 1111 1111 1111";
    body["entry"][0]["changes"][0]["value"]["messages"] = json!([
        { "from": "1234567", "id": "a", "type": "document", "document": { "id": "1", "filename": format!("{number}.pdf"), "caption": number } },
        { "from": "1234567", "id": "b", "type": "interactive", "interactive": { "type": "list_reply",
            "list_reply": { "id": "row", "title": number, "description": number } } },
        { "from": "1234567", "id": "c", "type": "interactive", "interactive": { "type": "nfm_reply",
            "nfm_reply": { "name": "flow", "response_json": json!({ "phone": number, "id": number }).to_string() } } },
        { "from": "1234567", "id": "d", "type": "contacts", "contacts": [{ "name": { "formatted_name": number },
            "phones": [{ "phone": number, "type": "CELL" }] }] },
        { "from": "1234567", "id": "e", "type": "edit", "edit": { "original_message_id": "a",
            "message": { "type": "text", "text": { "body": number } } } },
        { "from": "1234567", "id": "f", "type": "hologram", "hologram": { "words": number } },
    ]);
    let delivery = webhook::parse(body.to_string().as_bytes()).unwrap();
    assert_eq!(delivery.items.len(), 6);
    let kept = format!("{}{:?}", delivery.body, delivery.items);
    assert!(!kept.contains(number), "{kept}");
    let malformed = webhook::parse(b"{\"body\":\"4111111111111111\xff").unwrap_err();
    assert!(malformed.body.contains("[card •••• 1111]"), "{malformed:?}");
}

#[test]
fn what_is_not_json_is_malformed_and_what_is_no_delivery_is_one_item() {
    for body in ["", "{", "entry", "{\"entry\":[]} x"] {
        assert!(webhook::parse(body.as_bytes()).is_err(), "{body}");
    }
    for body in ["{}", "[]", "7", "null", "{\"entry\":{}}"] {
        let items = items(body);
        assert!(
            matches!(
                items[..],
                [Item {
                    kind: ItemKind::Unparsable { .. },
                    ..
                }]
            ),
            "{items:?}"
        );
    }
    assert_eq!(items("{\"entry\":[]}"), []);
}

#[test]
fn a_thousand_items_and_three_megabytes_are_one_delivery() {
    let messages: Vec<Value> = (0..1_000)
        .map(|number| {
            json!({
                "from": "393331234567", "id": format!("wamid.{number}"), "timestamp": "1795000000",
                "type": "text", "text": { "body": "parola ".repeat(420) },
            })
        })
        .collect();
    let mut body = text_webhook("393331234567", "x", "x", 1);
    body["entry"][0]["changes"][0]["value"]["messages"] = Value::Array(messages);
    let body = body.to_string();
    assert!(body.len() > 3_000_000);
    let items = items(&body);
    assert_eq!(items.len(), 1_000);
    assert!(
        items
            .iter()
            .all(|item| matches!(item.kind, ItemKind::Message(_)))
    );
}

/// Every change of the batch as a delivery of its own, in another order.
fn split(order: &[usize]) -> Vec<Item> {
    let body: Value = serde_json::from_str(BATCH).unwrap();
    let changes: Vec<Value> = body["entry"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|entry| {
            let changes = entry["changes"].as_array().cloned().unwrap_or_default();
            changes.into_iter().map(move |change| {
                let mut entry = entry.clone();
                entry["changes"] = json!([change]);
                entry
            })
        })
        .collect();
    order
        .iter()
        .flat_map(|&place| {
            items(&json!({ "object": "whatsapp_business_account", "entry": [changes[place % changes.len()]] }).to_string())
        })
        .collect()
}

proptest! {
    #[test]
    fn keys_do_not_depend_on_how_items_were_batched(order in prop::collection::vec(0_usize..6, 1..12)) {
        let whole = items(BATCH);
        for item in split(&order) {
            prop_assert!(whole.contains(&item), "{item:?}");
        }
    }

    #[test]
    fn any_json_becomes_items(
        message in "\\PC{0,12}",
        kind in "(text|image|interactive|button|\\PC{0,6})",
        broken in prop::sample::select(vec![json!(null), json!(1), json!("x"), json!([]), json!({}), json!([[]])]),
        field in "(from|id|timestamp|type|text|interactive|button|image|errors)",
    ) {
        let mut body = text_webhook("393331234567", "wamid.1", &message, 1);
        let item = &mut body["entry"][0]["changes"][0]["value"]["messages"][0];
        item["type"] = json!(kind);
        item[&field] = broken;
        let items = items(&body.to_string());
        prop_assert_eq!(items.len(), 1);
        prop_assert_eq!(webhook::parse(items[0].raw.to_string().as_bytes()).unwrap().items, items);
    }
}

#[test]
fn a_status_tells_its_price_its_conversation_and_its_reader_as_far_as_it_says() {
    let mut body = status_webhook(
        &serde_json::json!({ "to": "+393331234567" }),
        "wamid.1",
        "sent",
        1_795_000_001,
    );
    let place = "/entry/0/changes/0/value/statuses/0";
    let status = body.pointer_mut(place).unwrap();
    status["recipient_user_id"] = "IT.1".into();
    status["pricing"] = serde_json::json!({
        "billable": true, "pricing_model": "PMP", "type": "regular", "category": "utility",
    });
    status["conversation"] = serde_json::json!({
        "id": "c1", "origin": { "type": "referral_conversion" }, "expiration_timestamp": "1795000002",
    });
    let read = |body: &Value| match items(&body.to_string()).remove(0).kind {
        ItemKind::Status(status) => status,
        ItemKind::Message(_) | ItemKind::Other { .. } | ItemKind::Unparsable { .. } => panic!(),
    };
    let told = read(&body);
    let pricing = told.pricing.unwrap();
    assert_eq!(
        (pricing.billable, pricing.category.as_deref()),
        (Some(true), Some("utility"))
    );
    assert_eq!(told.recipient.phone.as_deref(), Some("393331234567"));
    assert_eq!(told.recipient.user_id.as_deref(), Some("IT.1"));
    let conversation = told.conversation.unwrap();
    assert_eq!(conversation.origin.as_deref(), Some("referral_conversion"));
    assert_eq!(conversation.expires_at, Some(1_795_000_002));
    let status = body.pointer_mut(place).unwrap();
    for strange in ["pricing", "conversation"] {
        status[strange] = serde_json::json!("free");
    }
    status.as_object_mut().unwrap().remove("recipient_id");
    let told = read(&body);
    assert_eq!((told.pricing, told.conversation), (None, None));
    assert_eq!(told.recipient.phone, None);
}
