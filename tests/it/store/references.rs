//! What a message is about beside its words: quotes, products, reactions, and what is left of what is taken back.

use serde_json::{Value, json};
use sportello::config;
use sportello::domain::{Answer, Currency, Money, Outcome, ProductCard, Speaker};
use sportello::store::{Patience, Store};
use sportello::whatsapp::intake::Sorter;

use super::{NOW, OURS, answered, claim, count, deliver, empty, sent, taken};
use crate::support::graph::text_webhook;

const CUSTOMER: &str = "393331234567";

async fn take(store: &Store, elements: &[Value], now: i64) {
    let config = config::Whatsapp {
        phone_number_id: Some(OURS.to_owned()),
        ..config::Whatsapp::default()
    };
    let mut body = text_webhook(CUSTOMER, "x", "x", 1);
    body["entry"][0]["changes"][0]["value"]["messages"] = json!(elements);
    let sorter = Sorter::new(&config, 0, Patience::default());
    deliver(store, &sorter, &body, now).await;
}

fn element(id: &str, seconds: i64, kind: &str, content: Value) -> Value {
    let at = (NOW / 1000 + seconds).to_string();
    json!({ "from": CUSTOMER, "id": id, "timestamp": at, "type": kind, kind: content })
}

fn said(id: &str, seconds: i64, words: &str) -> Value {
    element(id, seconds, "text", json!({ "body": words }))
}

fn quoting(mut message: Value, context: Value) -> Value {
    message["context"] = context;
    message
}

fn reaction(id: &str, seconds: i64, of: &str, emoji: &str) -> Value {
    element(
        id,
        seconds,
        "reaction",
        json!({ "message_id": of, "emoji": emoji }),
    )
}

/// The customer asks, and reads an answer that shows a product; the channel's id of it.
async fn shown(store: &Store) -> &'static str {
    take(store, &[said("wamid.asked", 0, "avete macchine?")], NOW).await;
    let held = claim(store, NOW).await.unwrap();
    let card = ProductCard {
        id: "macchina-aria".into(),
        title: "Aria".to_owned(),
        price: Money::new(14_900, Currency::EUR),
        stock: 3,
        image_url: "/images/a.svg".to_owned(),
        reason: None,
    };
    let mut closing = answered(&held, "Ecco la Aria.");
    closing.outcome = Outcome::Answered {
        answer: Answer {
            products: vec![card],
            ..Answer::text("Ecco la Aria.")
        },
        awaiting: Some("basket:macchina-ariax1".to_owned()),
    };
    store.close_turn(closing, NOW).await.unwrap();
    let (row, _) = taken(store, NOW).await.unwrap();
    sent(store, &row, "wamid.ours").await;
    "wamid.ours"
}

#[tokio::test]
async fn a_quoted_message_is_found_among_ours_and_theirs() {
    let (_folder, store) = empty().await;
    let ours = shown(&store).await;
    take(
        &store,
        &[quoting(
            said("b", 5, "in nero?"),
            json!({ "from": OURS, "id": ours }),
        )],
        NOW,
    )
    .await;
    let held = claim(&store, NOW + 1).await.unwrap();
    let quoted = held.reference.quoted.clone().unwrap();
    assert_eq!(
        (quoted.text.as_str(), quoted.speaker),
        ("Ecco la Aria.", Speaker::Agent)
    );
    assert_eq!(held.reference.products(), ["macchina-aria".into()]);
    assert_eq!(quoted.awaiting.as_deref(), Some("basket:macchina-ariax1"));
    let transcript = store.transcript(&held.state.id, "", 10).await.unwrap();
    let shown = transcript[2].quoted.as_ref().unwrap();
    assert_eq!(
        (shown.text.as_str(), &shown.id),
        ("Ecco la Aria.", &transcript[1].id)
    );
    store
        .close_turn(answered(&held, "-"), NOW + 1)
        .await
        .unwrap();

    take(
        &store,
        &[quoting(
            said("c", 9, "intendevo questo"),
            json!({ "id": "wamid.asked" }),
        )],
        NOW,
    )
    .await;
    let held = claim(&store, NOW + 2).await.unwrap();
    let quoted = held.reference.quoted.clone().unwrap();
    assert_eq!(
        (quoted.text.as_str(), quoted.speaker),
        ("avete macchine?", Speaker::Customer)
    );
    store
        .close_turn(answered(&held, "-"), NOW + 2)
        .await
        .unwrap();

    take(
        &store,
        &[quoting(
            said("d", 12, "e questo?"),
            json!({ "id": "wamid.unknown" }),
        )],
        NOW,
    )
    .await;
    let held = claim(&store, NOW + 3).await.unwrap();
    assert!(
        held.reference.is_empty(),
        "what we do not have is not guessed"
    );
}

#[tokio::test]
async fn a_message_of_another_conversation_is_not_shown_in_a_quote() {
    let (_folder, store) = empty().await;
    let ours = shown(&store).await;
    let mut foreign = quoting(said("b", 5, "in nero?"), json!({ "id": ours }));
    foreign["from"] = json!("393330000000");
    take(&store, &[foreign], NOW).await;
    let held = claim(&store, NOW + 1).await.unwrap();
    assert!(held.reference.is_empty());
}

#[tokio::test]
async fn a_product_whose_card_is_answered_is_known() {
    let (_folder, store) = empty().await;
    let context = json!({ "from": OURS, "id": "wamid.catalog",
        "referred_product": { "catalog_id": "1", "product_retailer_id": "macchina-aria" } });
    let burst = [
        quoting(said("a", 0, "in nero?"), context),
        said("b", 1, "grazie"),
    ];
    take(&store, &burst, NOW).await;
    let held = claim(&store, NOW + 1).await.unwrap();
    assert_eq!(held.reference.products(), ["macchina-aria".into()]);
    let transcript = store.transcript(&held.state.id, "", 10).await.unwrap();
    assert_eq!(transcript[0].product, Some("macchina-aria".into()));
    assert_eq!(transcript[1].product, None);
}

#[tokio::test]
async fn the_last_reaction_stands_beside_its_message_whatever_came_first() {
    let (_folder, store) = empty().await;
    take(
        &store,
        &[
            reaction("r1", 9, "wamid.ours", "👍"),
            reaction("r0", 8, "wamid.ours", "😡"),
        ],
        NOW,
    )
    .await;
    let ours = shown(&store).await;
    assert_eq!(ours, "wamid.ours");
    take(&store, &[reaction("r2", 9, "wamid.asked", "❤️")], NOW).await;
    let held = claim(&store, NOW + 1).await.unwrap();
    let reactions = async || -> Vec<Option<String>> {
        let said = store.transcript(&held.state.id, "", 10).await.unwrap();
        said.into_iter().map(|said| said.reaction).collect()
    };
    let both = [Some("❤️".to_owned()), Some("👍".to_owned())];
    assert_eq!(reactions().await, both);
    take(
        &store,
        &[element(
            "r3",
            20,
            "reaction",
            json!({ "message_id": "wamid.ours" }),
        )],
        NOW,
    )
    .await;
    assert_eq!(
        reactions().await,
        [Some("❤️".to_owned()), None],
        "it was taken back"
    );
}

#[tokio::test]
async fn what_is_taken_back_is_taken_out_of_every_raw_body() {
    let (folder, store) = empty().await;
    let secret = "SELECT COUNT(*) FROM webhooks WHERE body LIKE '%segret%'";
    let kept = "SELECT COUNT(*) FROM webhooks WHERE body LIKE '%resta%'";
    let id = "wamid.HBg/LM=";
    let edit = element(
        "b",
        1,
        "edit",
        json!({ "original_message_id": id,
        "message": { "type": "text", "text": { "body": "segretissimo" } } }),
    );
    take(
        &store,
        &[said(id, 0, "segreto"), said("z", 0, "resta")],
        NOW,
    )
    .await;
    take(&store, std::slice::from_ref(&edit), NOW + 1).await;
    assert_eq!(count(folder.path(), secret).await, 2);
    let revoke = element("c", 2, "revoke", json!({ "original_message_id": id }));
    take(&store, &[revoke], NOW + 2).await;
    assert_eq!(count(folder.path(), secret).await, 0);
    assert_eq!(
        count(folder.path(), kept).await,
        1,
        "its neighbours keep their words"
    );
    // Delivered again, as Meta does when it is not sure.
    take(
        &store,
        &[said(id, 0, "segreto"), said("z", 0, "resta")],
        NOW + 3,
    )
    .await;
    take(&store, &[edit], NOW + 4).await;
    assert_eq!(count(folder.path(), secret).await, 0);
    assert_eq!(count(folder.path(), kept).await, 2);
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM webhooks").await,
        5,
        "the bodies stay"
    );
}

#[tokio::test]
async fn what_advertisements_led_to_is_counted() {
    let (_folder, store) = empty().await;
    let ad = |id: &str, from: &str, source: &str| {
        let mut message = said(id, 0, "info?");
        message["from"] = json!(from);
        message["referral"] =
            json!({ "source_type": "ad", "source_id": source, "headline": "Estate" });
        message
    };
    let without = {
        let mut message = said("d", 0, "ciao");
        message["from"] = json!("393330000003");
        message
    };
    let all = [
        ad("a", "393330000001", "7"),
        ad("b", "393330000002", "7"),
        ad("c", CUSTOMER, "8"),
        without,
    ];
    take(&store, &all, NOW).await;
    let held = claim(&store, NOW).await.unwrap();
    let mut closing = answered(&held, "-");
    closing.outcome = Outcome::HandedOff {
        answer: Answer::text("Arriva un collega."),
        reason: sportello::domain::HandOffReason::Requested,
        summary: String::new(),
    };
    store.close_turn(closing, NOW).await.unwrap();
    let price = Money::new(14_900, Currency::EUR);
    let link = sportello::store::NewPaymentLink {
        conversation: held.state.id.clone(),
        order: None,
        lines: Vec::new(),
        total: price,
        language: sportello::domain::Language::IT,
        provider: "demo",
        expires_at: NOW + 1_000,
    };
    let link = store.payment_link(link, None, NOW).await.unwrap();
    let thanks = |_: &sportello::domain::OrderNumber, _| Answer::text("Grazie");
    store
        .pay(&link.id, None, "2026-11-21".to_owned(), thanks, NOW)
        .await
        .unwrap();

    let ads = store.ads().await.unwrap();
    let figures: Vec<_> = ads
        .iter()
        .map(|ad| {
            (
                ad.source_id.as_deref(),
                ad.conversations,
                ad.handed_off,
                ad.payments,
            )
        })
        .collect();
    assert_eq!(figures, [(Some("7"), 2, 1, 1), (Some("8"), 1, 0, 0)]);
    assert_eq!(ads[0].paid.get("EUR"), Some(&14_900));
    assert_eq!(ads[0].headline.as_deref(), Some("Estate"));
}
