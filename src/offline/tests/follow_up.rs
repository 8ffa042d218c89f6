//! Short messages whose meaning lies in what was said before, and intents that a plain word overrules.

use serde_json::{Value, json};

use super::talk::{phrase, product, refused, said, talk};
use crate::ports::ToolCall;

const PAIR: &[&str] = &["a", "b"];

fn shop(call: &ToolCall) -> Value {
    let with = |id: &str, minor: i64, noise: &str| {
        let mut product = product(id, minor, 9);
        product["attributes"]["noise_db"] = json!([noise]);
        product
    };
    match (call.name.as_str(), call.arguments["id"].as_str()) {
        ("get_product", Some("a")) => json!({ "product": with("a", 9000, "70") }),
        ("get_product", Some(id)) => json!({ "product": with(id, 5000, "58") }),
        ("search_catalog", _) => {
            let products = ["Vetta", "Brezza"].map(|name| with(name, 28900, "60"));
            json!({ "products": products, "categories": ["moka"] })
        }
        _ => refused(call),
    }
}

#[tokio::test]
async fn a_price_is_no_discount() {
    let table = [
        (said("price of the Vetta?", "discount"), "The Vetta"),
        (said("precio de la Brezza?", "discount"), "The Brezza"),
        (
            said("show me the cheapest", "discount").shown(PAIR),
            "The cheapest of them is The b",
        ),
    ];
    for (said, expected) in table {
        let text = said.text;
        let (calls, reply) = talk(&[said], shop).await;
        assert!(reply.text.contains(expected), "{text}: {}", reply.text);
        let read = calls.iter().any(|call| call.name == "search_policies");
        assert!(!read, "{text}");
    }
    let (calls, _) = talk(
        &[said("is there a discount on the Vetta?", "discount")],
        shop,
    )
    .await;
    assert_eq!(calls[0].name, "search_policies");
}

#[tokio::test]
async fn who_asks_to_see_the_cheapest_gets_an_offer_and_no_link() {
    for score in [0.54, 0.9] {
        let asked = said("ok show me the cheapest", "buy").scored(score);
        let (calls, reply) = talk(&[asked.shown(PAIR)], shop).await;
        assert!(calls.iter().all(|call| call.name != "payment_link"));
        assert_eq!(reply.awaiting.as_deref(), Some("basket:bx1"));
    }
    let (calls, _) = talk(&[said("I take the cheapest", "buy").shown(PAIR)], shop).await;
    assert!(calls.iter().any(|call| call.name == "payment_link"));
}

#[tokio::test]
async fn an_address_does_not_answer_for_the_order_number() {
    let asked = said("sarah@example.com", "confirm").awaiting("order_number");
    let (calls, reply) = talk(&[asked], refused).await;
    assert!(calls.is_empty(), "{calls:?}");
    assert_eq!(reply.text, phrase("ask_order_number"));
    assert_eq!(reply.awaiting.as_deref(), Some("order_number"));
}

#[tokio::test]
async fn names_of_the_catalog_are_never_out_of_scope() {
    let asked = said("compare Vetta and Brezza", "greeting").scored(0.05);
    let (_, reply) = talk(&[asked], shop).await;
    assert_eq!(reply.answer.unwrap().products.len(), 2, "{}", reply.text);
    let asked = said("do you sell electric scooters?", "store_info").scored(0.05);
    let (_, reply) = talk(&[asked], shop).await;
    assert!(reply.text.contains("don't sell"), "{}", reply.text);
}

#[tokio::test]
async fn which_is_quieter_is_told_first() {
    for intent in ["product_comparison", "product_question"] {
        let asked = said("which is quieter?", intent).shown(PAIR);
        let (_, reply) = talk(&[asked], shop).await;
        let first = reply.text.lines().next().unwrap_or_default();
        assert!(
            first.contains("The b comes out best with 58"),
            "{intent}: {}",
            reply.text
        );
    }
}

#[tokio::test]
async fn the_order_that_was_shown_is_meant() {
    let told = "Order 10432 is on its way.";
    let table = [
        (
            said("and when does it arrive?", "shipping_info"),
            "get_order_status",
        ),
        (
            said("and where is it now?", "order_status"),
            "get_order_status",
        ),
        (
            said("can I still change the address?", "order_change"),
            "open_ticket",
        ),
        (
            said("can I still change the address?", "privacy"),
            "open_ticket",
        ),
    ];
    for (said, tool) in table {
        let text = said.text;
        let (calls, _) = talk(&[said.told(told)], refused).await;
        assert_eq!(calls[0].name, tool, "{text}");
        assert_eq!(calls[0].arguments["order_number"], "10432", "{text}");
    }
}

#[tokio::test]
async fn what_arrived_broken_is_not_on_its_way() {
    let asked = said("it arrived broken", "damaged_item").told("Order 10432 has been delivered.");
    let (calls, _) = talk(&[asked], refused).await;
    assert_eq!(calls[0].name, "open_ticket");
}

#[tokio::test]
async fn a_card_number_does_not_hide_a_question() {
    let malta = json!({ "passages": [{ "document": "policy-shipping", "title": "Shipping", "headings": [],
        "text": "Malta: €14.90.", "language": "en" }] });
    let mut asked = said("do you ship to Malta?", "shipping_info").awaiting("basket:bx1");
    asked.whole = Some("[card •••• 1111] do you ship to Malta?");
    let (_, reply) = talk(&[asked], |_| malta.clone()).await;
    assert!(reply.text.starts_with(&phrase("card")), "{}", reply.text);
    assert!(reply.text.contains("14.90"), "{}", reply.text);
}

#[tokio::test]
async fn a_budget_narrows_the_list_that_was_shown() {
    let table = [
        (said("50 euros", "payment_info"), Some(50.0)),
        (said("budget 1000", "discount"), Some(1000.0)),
        (said("under 80 please", "product_search"), Some(80.0)),
    ];
    for (said, most) in table {
        let text = said.text;
        let (calls, _) = talk(&[said.shown(PAIR)], shop).await;
        let search = calls
            .iter()
            .find(|call| call.name == "search_catalog")
            .map(|call| &call.arguments);
        let search = search.unwrap_or(&Value::Null);
        assert_eq!(search["category"], "moka", "{text}");
        assert_eq!(search["max_price"].as_f64(), most, "{text}");
    }
    let nothing = |call: &ToolCall| match call.name.as_str() {
        "search_catalog" if call.arguments.get("query").is_some() => {
            json!({ "products": [], "categories": [] })
        }
        "search_catalog" => json!({ "products": [product("z", 9000, 3)], "categories": [] }),
        _ => shop(call),
    };
    let asked = said("50 euros", "product_search").shown(PAIR);
    let (_, reply) = talk(&[asked], nothing).await;
    assert!(
        reply.text.starts_with(&phrase("found_nearest")),
        "{}",
        reply.text
    );
}

#[tokio::test]
async fn another_number_of_pieces_makes_another_link() {
    for (text, intent) in [
        ("actually make it 3", "order_change"),
        ("no, three", "product_question"),
        ("3 pieces then", "greeting"),
    ] {
        let mut asked = said(text, intent).awaiting("basket:bx1");
        if intent == "greeting" {
            asked = asked.scored(0.2);
        }
        let (calls, _) = talk(&[asked], refused).await;
        let items = json!([{ "product_id": "b", "quantity": 3 }]);
        assert_eq!(calls[0].arguments["items"], items, "{text}");
    }
}

#[tokio::test]
async fn who_points_at_a_product_means_it_whatever_intent_was_read() {
    for (text, intent, score) in [
        ("do you have this in black?", "product_search", 0.9),
        ("do you have this in black?", "payment_info", 0.6),
        ("do you have this in black?", "care_advice", 0.3),
        ("this in black?", "product_search", 0.2),
    ] {
        let asked = said(text, intent).scored(score).shown(&["a"]).pointing();
        let (_, reply) = talk(&[asked], shop).await;
        assert!(
            reply.text.contains("The a"),
            "{text} ({intent}): {}",
            reply.text
        );
        assert_eq!(reply.awaiting.as_deref(), Some("basket:ax1"), "{intent}");
    }
    // A yes to a card is an interest, a yes to an offer a decision.
    let (calls, reply) = talk(
        &[said("yes, this one", "confirm").shown(&["a"]).pointing()],
        shop,
    )
    .await;
    assert!(calls.iter().all(|call| call.name != "payment_link"));
    assert_eq!(reply.awaiting.as_deref(), Some("basket:ax1"));
    let offered = said("yes, this one", "confirm")
        .shown(&["a"])
        .awaiting("basket:ax1");
    let (calls, _) = talk(&[offered.pointing()], shop).await;
    assert_eq!(calls[0].name, "payment_link");
    // Of several nobody knows which one.
    let (_, reply) = talk(
        &[said("yes, this one", "confirm").shown(PAIR).pointing()],
        shop,
    )
    .await;
    assert_eq!(reply.awaiting.as_deref(), Some("choose"));
    // Another kind of thing is looked for.
    let other = said("do you have a grinder?", "product_search").shown(&["a"]);
    let (calls, _) = talk(&[other.pointing()], shop).await;
    assert!(calls.iter().any(|call| call.name == "search_catalog"));
}
