//! Tickets and payment links: made once, paid once.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use futures::future::join_all;
use secrecy::SecretString;
use serde_json::json;
use sportello::domain::{
    Answer, ConversationId, Currency, Language, Money, Order, OrderNumber, OrderStatus, PaymentId,
};
use sportello::payments::door;
use sportello::store::{
    NewPaymentLink, NewTicket, PaidLink, PaymentLine, PaymentState, Priority, Store,
};
use tower::ServiceExt as _;

use super::{NOW, count, customer, empty, taken};
use crate::support::stripe::{SECRET, event, sign, unix_now};

async fn basket(
    store: &Store,
    conversation: &ConversationId,
    quantity: u32,
    now: i64,
) -> PaymentId {
    let price = Money::new(14_900, Currency::EUR);
    let link = NewPaymentLink {
        conversation: conversation.clone(),
        order: None,
        lines: vec![PaymentLine {
            product_id: "aria".into(),
            title: "Aria".to_owned(),
            unit_price: price,
            quantity,
        }],
        total: price.times(quantity).unwrap(),
        language: Language::IT,
        provider: "stripe",
        expires_at: now + 1_000,
    };
    store.payment_link(link, None, now).await.unwrap().id
}

async fn pay(store: &Store, id: &PaymentId) -> Option<PaidLink> {
    let thanks = |order: &OrderNumber, _| Answer::text(format!("thanks for {order}"));
    store
        .pay(
            id,
            Some("cs_1".to_owned()),
            "2026-11-21".to_owned(),
            thanks,
            NOW,
        )
        .await
        .unwrap()
}

#[tokio::test]
async fn a_conversation_has_one_open_ticket() {
    let (folder, store) = empty().await;
    let (one, other) = (customer(&store, "a").await, customer(&store, "b").await);
    let contact = store.conversation(&one).await.unwrap().unwrap().contact.id;
    let open = async |conversation: &ConversationId, summary: &str, priority| {
        let ticket = NewTicket {
            conversation: conversation.clone(),
            contact: contact.clone(),
            subject: "Broken cup".to_owned(),
            summary: summary.to_owned(),
            priority,
        };
        store.open_ticket(ticket, None, NOW).await.unwrap()
    };
    let first = open(&one, "the cup is broken", Priority::Normal).await;
    assert!(first.created);
    let again = open(&one, "the cup is broken", Priority::Normal).await;
    assert_eq!((&again.id, again.created), (&first.id, false));
    let raised = open(&one, "the cup is broken", Priority::Urgent).await;
    assert_eq!((&raised.id, raised.priority), (&first.id, Priority::Urgent));
    let lower = open(&one, "and the saucer", Priority::High).await;
    assert_eq!((&lower.id, lower.priority), (&first.id, Priority::Urgent));
    let tickets = store.tickets(&one).await.unwrap();
    assert_eq!(tickets.len(), 1);
    assert_eq!(
        tickets[0].summary,
        "the cup is broken\n---\nBroken cup: and the saucer"
    );
    assert!(
        open(&other, "the cup is broken", Priority::Normal)
            .await
            .created
    );
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM tickets").await,
        2
    );
}

#[tokio::test]
async fn a_basket_has_one_open_link_until_it_expires() {
    let (_folder, store) = empty().await;
    let (one, other) = (customer(&store, "a").await, customer(&store, "b").await);
    let first = basket(&store, &one, 2, NOW).await;
    assert_eq!(basket(&store, &one, 2, NOW + 999).await, first);
    assert_ne!(basket(&store, &one, 1, NOW).await, first);
    assert_ne!(basket(&store, &other, 2, NOW).await, first);

    let later = basket(&store, &one, 2, NOW + 1_000).await;
    assert_ne!(later, first, "an expired link is not offered again");
    let expired = store.payment(&first).await.unwrap().unwrap();
    assert_eq!(expired.state, PaymentState::Expired);
    // The provider took the money at the last moment: the customer gets what they paid for.
    assert!(pay(&store, &first).await.unwrap().first);
    let paid = basket(&store, &one, 2, NOW + 1_001).await;
    assert_eq!(paid, later);
    assert!(pay(&store, &later).await.unwrap().first);
    assert_ne!(basket(&store, &one, 2, NOW + 1_002).await, later);
    assert!(pay(&store, &"none".into()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_paid_once_however_often_it_is_said() {
    let (folder, store) = empty().await;
    let conversation = customer(&store, "a").await;
    let link = basket(&store, &conversation, 2, NOW).await;
    let tasks = (0..10).map(|_| {
        let (store, link) = (store.clone(), link.clone());
        tokio::spawn(async move { pay(&store, &link).await.unwrap() })
    });
    let paid: Vec<PaidLink> = join_all(tasks)
        .await
        .into_iter()
        .map(|paid| paid.unwrap())
        .collect();
    assert_eq!(paid.iter().filter(|paid| paid.first).count(), 1);
    let order = paid[0].link.order.clone().unwrap();
    assert!(
        paid.iter()
            .all(|paid| paid.link.order.as_ref() == Some(&order))
    );
    let (_, thanks) = taken(&store, NOW).await.unwrap();
    assert_eq!(thanks, format!("thanks for {order}"));
    assert!(taken(&store, NOW).await.is_none(), "one thank-you");
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM orders").await, 1);

    let next = basket(&store, &conversation, 1, NOW).await;
    let next = pay(&store, &next).await.unwrap().link.order.unwrap();
    let number = |order: &OrderNumber| order.as_str().parse::<i64>().unwrap();
    assert_eq!(number(&next), number(&order) + 1);
    let (made, placed_in) = store.order(&next).await.unwrap().unwrap();
    assert_eq!((made.status, made.phone.as_str()), (OrderStatus::Paid, "a"));
    assert_eq!(placed_in, Some(conversation));
    assert_eq!(store.orders_of_phone("a").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_link_for_an_order_pays_that_order() {
    let (folder, store) = empty().await;
    let conversation = customer(&store, "a").await;
    let order = Order {
        number: "10500".into(),
        name: "Ada".to_owned(),
        phone: "a".to_owned(),
        email: String::new(),
        language: Language::IT,
        placed_on: "2026-11-20".to_owned(),
        status: OrderStatus::AwaitingPayment,
        carrier: None,
        tracking: None,
        expected_on: None,
        items: Vec::new(),
    };
    store
        .seed_orders(vec![order.clone(), order.clone()])
        .await
        .unwrap();
    let link = NewPaymentLink {
        conversation,
        order: Some(order.number.clone()),
        lines: Vec::new(),
        total: Money::new(500, Currency::EUR),
        language: Language::IT,
        provider: "demo",
        expires_at: NOW + 1_000,
    };
    let link = store.payment_link(link, None, NOW).await.unwrap();
    let paid = pay(&store, &link.id).await.unwrap();
    assert_eq!(paid.link.order, Some(order.number.clone()));
    let (paid, _) = store.order(&order.number).await.unwrap().unwrap();
    assert_eq!(paid.status, OrderStatus::Paid);
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM orders").await, 1);
}

#[tokio::test]
async fn a_providers_event_that_comes_twice_is_thanked_for_once() {
    let (folder, store) = empty().await;
    let conversation = customer(&store, "a").await;
    let link = basket(&store, &conversation, 2, NOW).await;
    let settling = store.clone();
    let router = door::router(door::Door {
        secrets: vec![SecretString::from(SECRET)],
        settle: Arc::new(move |id, _| {
            let store = settling.clone();
            Box::pin(async move {
                pay(&store, &id).await;
                Ok(())
            })
        }),
    });
    let session = json!({
        "id": "cs_1",
        "object": "checkout.session",
        "client_reference_id": link.as_str(),
        "payment_status": "paid",
    });
    let body = event("checkout.session.completed", &session).to_string();
    for _ in 0..2 {
        let request = Request::post("/webhooks/stripe")
            .header(
                "stripe-signature",
                sign(SECRET, unix_now(), body.as_bytes()),
            )
            .body(Body::from(body.clone()))
            .unwrap();
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), 200);
    }
    let paid = store.payment(&link).await.unwrap().unwrap();
    assert_eq!(paid.state, PaymentState::Paid);
    for once in ["SELECT COUNT(*) FROM outbox", "SELECT COUNT(*) FROM orders"] {
        assert_eq!(count(folder.path(), once).await, 1, "{once}");
    }
}
