//! What is accepted is durable, once, and without card numbers.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use futures::future::join_all;
use sportello::domain::{Channel, InboundContent};
use sportello::store::{Delivered, Event, Intake, Patience, Store};
use sportello::whatsapp::door::{Door, router};
use sportello::whatsapp::intake::Sorter;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use super::{NOW, OURS, accept, answered, claim, count, empty, message, text, work_in};
use crate::support::graph::{Graph, SECRET, sign, text_webhook};

#[tokio::test]
async fn a_message_id_is_stored_once() {
    let (_folder, store) = empty().await;
    let hello = message("+39333", "wamid.1", text("ciao"));
    let first = accept(&store, vec![hello.clone()], NOW).await.remove(0);
    let again = accept(&store, vec![hello.clone()], NOW + 1).await.remove(0);
    assert!(first.id.is_some());
    assert_eq!((again.id, &again.conversation), (None, &first.conversation));

    let other = message("+39333", "wamid.2", text("ancora"));
    let batch = vec![other.clone(), hello.clone(), other];
    let new: Vec<bool> = accept(&store, batch, NOW + 2)
        .await
        .iter()
        .map(|accepted| accepted.id.is_some())
        .collect();
    assert_eq!(new, [true, false, false]);

    let elsewhere = sportello::domain::Inbound {
        recipient: "another number of ours".to_owned(),
        ..hello.clone()
    };
    let channel = sportello::domain::Inbound {
        channel: Channel::Terminal,
        ..hello
    };
    for another in accept(&store, vec![elsewhere, channel], NOW + 3).await {
        assert!(another.id.is_some(), "an id is one number's on one channel");
        assert_ne!(another.conversation, first.conversation);
    }
    let said = store.transcript(&first.conversation, "", 10).await.unwrap();
    let texts: Vec<&str> = said.iter().map(|said| said.text.as_str()).collect();
    assert_eq!(texts, ["ciao", "ancora"]);
}

#[tokio::test]
async fn a_message_that_comes_again_after_its_turn_makes_no_other_turn() {
    let (folder, store) = empty().await;
    let hello = message("+39333", "wamid.1", text("ciao"));
    accept(&store, vec![hello.clone()], NOW).await;
    let held = claim(&store, NOW).await.unwrap();
    store
        .close_turn(answered(&held, "salve"), NOW)
        .await
        .unwrap();
    accept(&store, vec![hello], NOW + 10).await;
    assert!(claim(&store, NOW + 20).await.is_none());
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM turns").await, 1);
}

#[tokio::test]
async fn events_and_statuses_are_kept_once() {
    let (folder, store) = empty().await;
    let intake = Intake {
        events: vec![Event {
            recipient: OURS.to_owned(),
            key: "e1".to_owned(),
            kind: "account_update".to_owned(),
            body: "{}".to_owned(),
        }],
        deliveries: vec![Delivered {
            recipient: OURS.to_owned(),
            key: "wamid.x:sent".to_owned(),
            external_id: "wamid.x".to_owned(),
            outbox_id: None,
            status: "sent".to_owned(),
            body: "{}".to_owned(),
            ..Delivered::default()
        }],
        ..Intake::default()
    };
    for _ in 0..2 {
        assert!(store.accept(intake.clone(), NOW).await.unwrap().is_empty());
    }
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM events").await, 2);
}

#[tokio::test]
async fn a_reaction_is_kept_and_not_shown() {
    let (_folder, store) = empty().await;
    let silent = InboundContent::Silent {
        kind: "reaction".to_owned(),
    };
    let image = InboundContent::Unreadable {
        kind: "image".to_owned(),
    };
    let both = vec![
        message("+39333", "wamid.1", silent),
        message("+39333", "wamid.2", image),
    ];
    let conversation = accept(&store, both, NOW).await.remove(0).conversation;
    let said = store.transcript(&conversation, "", 10).await.unwrap();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].kind.as_deref(), Some("image"));
    assert_eq!(claim(&store, NOW).await.unwrap().pending.len(), 2);
}

#[tokio::test]
async fn a_burst_is_waited_for_but_not_for_ever() {
    let (_folder, store) = empty().await;
    let mut now = NOW;
    for place in 0..5 {
        now = NOW + place * 2_000;
        let id = format!("wamid.{place}");
        let intake = Intake {
            messages: vec![(message("+39333", &id, text(&id)), 3_000)],
            ..Intake::default()
        };
        store.accept(intake, now).await.unwrap();
        assert!(claim(&store, now).await.is_none());
    }
    assert_eq!(now, NOW + 8_000);
    assert_eq!(store.next_due().await.unwrap(), Some(NOW + 9_000));
    assert!(claim(&store, NOW + 8_999).await.is_none());
    let held = claim(&store, NOW + 9_000).await.unwrap();
    let texts: Vec<&str> = held
        .pending
        .iter()
        .filter_map(|message| message.content.words())
        .collect();
    assert_eq!(
        texts,
        ["wamid.0", "wamid.1", "wamid.2", "wamid.3", "wamid.4"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once_are_each_acknowledged_and_durable() {
    let (folder, store) = empty().await;
    let tasks = (0..200).map(|place| {
        let store = store.clone();
        tokio::spawn(async move {
            let (sender, id) = (format!("+39{}", place % 50), format!("wamid.{place}"));
            accept(&store, vec![message(&sender, &id, text(&id))], NOW).await
        })
    });
    let mut ids: Vec<String> = join_all(tasks)
        .await
        .into_iter()
        .map(|accepted| accepted.unwrap().remove(0).id.unwrap().0)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 200);

    // No graceful end: what was acknowledged is in the files already.
    let second = Store::open(folder.path()).await.unwrap();
    let mut found = Vec::new();
    while let Some(held) = claim(&second, NOW).await {
        assert_eq!(held.pending.len(), 4);
        found.extend(held.pending.into_iter().map(|message| message.id.0));
    }
    found.sort();
    assert_eq!(found, ids);
}

#[tokio::test]
async fn a_card_number_reaches_no_file() {
    let (folder, store) = empty().await;
    let graph = Graph::start().await;
    let sorter = Sorter::new(&graph.config(), 0, Patience::default());
    let door = router(Door {
        store: store.clone(),
        arrivals: Arc::new(Notify::new()),
        whatsapp: graph.config(),
        sorter: sorter.clone(),
    });
    let cards = [
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "378282246310005",
    ];
    let words = format!("pago con {}", cards.join(" o "));
    let body = text_webhook("393331234567", "wamid.card", &words, NOW / 1000).to_string();
    // Cut short it is no JSON, and is kept aside as it came.
    for body in [body.clone(), body[..body.len() - 9].to_owned()] {
        let request = Request::post("/webhooks/whatsapp")
            .header("x-hub-signature-256", sign(SECRET, body.as_bytes()))
            .body(Body::from(body))
            .unwrap();
        assert_eq!(door.clone().oneshot(request).await.unwrap().status(), 200);
    }
    work_in(&store, &sorter).await;
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM webhooks").await,
        2
    );
    let kept = "SELECT COUNT(*) FROM messages WHERE text LIKE '%1111]%0004]%0005]%'";
    assert_eq!(count(folder.path(), kept).await, 1);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for card in cards {
            let found = bytes
                .windows(card.len())
                .any(|part| part == card.as_bytes());
            assert!(!found, "{card} in {}", path.display());
        }
    }
}
