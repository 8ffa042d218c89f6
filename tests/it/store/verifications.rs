//! One-time codes: to whom they go, what is kept of them, and how they end.

use std::sync::Arc;

use sportello::domain::{
    About, ButtonFilling, Channel, CodeRecipient, ConversationId, Filling, Inbound, Language,
    Order, OrderStatus, TemplateCategory, TemplateChange, TemplateStatus,
};
use sportello::store::{Ending, NewVerification, Started, Store};

use super::{
    NOW, OURS, accept, again, count, customer, deliveries, empty, ended, message,
    second_connection, sent, taken, text,
};

const PHONE: &str = "+393331234567";
const MINUTE: i64 = 60 * 1000;
const DAY: i64 = 24 * 60 * MINUTE;

fn asked(key: &str, recipient: CodeRecipient, now: i64) -> NewVerification {
    let whom = match &recipient {
        CodeRecipient::Phone(whom) | CodeRecipient::UserId(whom) => whom.clone(),
    };
    NewVerification {
        key: key.to_owned(),
        subject: format!("hash of {whom}"),
        code_hash: format!("hash of {key}"),
        code: "482913".to_owned(),
        person: recipient,
        sender: OURS.to_owned(),
        template: None,
        home: Language::IT,
        wording: Arc::new(|language| format!("{}: {language}", Store::code_placeholder())),
        expires_at: now + 10 * MINUTE,
    }
}

async fn start(store: &Store, key: &str, phone: &str, now: i64) -> Started {
    let new = asked(key, CodeRecipient::Phone(phone.to_owned()), now);
    store.start_verification(new, now).await.unwrap()
}

async fn redeem(store: &Store, key: &str, code_hash: &str, now: i64) -> bool {
    let handle = (format!("handle of {key}"), now + 15 * MINUTE);
    let redeemed = store.redeem_code(key.to_owned(), code_hash.to_owned(), handle, now);
    redeemed.await.unwrap()
}

fn somewhere(conversation: &ConversationId) -> Started {
    Started::Waiting {
        conversation: Some(conversation.clone()),
    }
}

const NOWHERE: Started = Started::Waiting { conversation: None };

async fn approve(store: &Store, name: &str, language: &str, category: TemplateCategory) {
    let change = TemplateChange {
        name: name.to_owned(),
        language: language.to_owned(),
        status: Some(TemplateStatus::Approved),
        category: Some(category),
        ..TemplateChange::default()
    };
    store.record_template(change, NOW).await.unwrap();
}

/// How many places of the whole database hold the code.
async fn kept(folder: &std::path::Path) -> i64 {
    let mut connection = second_connection(folder).await;
    let mut found = 0;
    for table in [
        "outbox",
        "messages",
        "verifications",
        "audit",
        "conversations",
    ] {
        let query = format!("SELECT * FROM {table}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        for row in rows {
            for place in 0..sqlx::Row::len(&row) {
                let value = sqlx::Row::try_get_unchecked::<Option<String>, _>(&row, place);
                let holds = value.unwrap().is_some_and(|value| value.contains("482913"));
                found += i64::from(holds);
            }
        }
    }
    found
}

#[tokio::test]
async fn inside_the_window_it_is_text_and_nothing_keeps_it_afterwards() {
    let (folder, store) = empty().await;
    let conversation = customer(&store, PHONE).await;
    assert_eq!(
        start(&store, "a", PHONE, NOW).await,
        somewhere(&conversation)
    );
    assert_eq!(kept(folder.path()).await, 1, "the row that waits");
    let (row, words) = taken(&store, NOW).await.unwrap();
    assert_eq!(words, "482913: it");
    assert!(row.message.answer.template.is_none());
    sent(&store, &row, "wamid.code").await;
    assert_eq!(kept(folder.path()).await, 0);
    let transcript = store.transcript(&conversation, "", 10).await.unwrap();
    assert_eq!(transcript[1].text, "[code]: it");

    assert!(!redeem(&store, "a", "hash of another", NOW).await);
    assert!(redeem(&store, "a", "hash of a", NOW + 9 * MINUTE).await);
    assert!(
        !redeem(&store, "a", "hash of a", NOW + 9 * MINUTE).await,
        "used"
    );
    let found = store
        .customer_of_handle("handle of a", NOW + 10 * MINUTE)
        .await;
    let found = found.unwrap().unwrap();
    assert_eq!(
        (&found.conversation, found.phone.as_deref()),
        (&conversation, Some(PHONE))
    );
    let noted = store.audit_of(found.contact.as_str()).await.unwrap();
    assert_eq!(noted.last().unwrap().action, "customer_verified");
    for (key, now) in [("handle of a", NOW + 24 * MINUTE), ("handle of b", NOW)] {
        assert_eq!(store.customer_of_handle(key, now).await.unwrap(), None);
    }
}

#[tokio::test]
async fn outside_the_window_it_takes_an_approved_template_with_a_code() {
    let (folder, store) = empty().await;
    let conversation = customer(&store, PHONE).await;
    let later = NOW + 2 * DAY;
    approve(&store, "order_update", "it", TemplateCategory::Utility).await;
    assert_eq!(start(&store, "a", PHONE, later).await, NOWHERE);
    assert!(taken(&store, later).await.is_none());
    assert!(
        !redeem(&store, "a", "hash of a", later).await,
        "it went to nobody"
    );

    approve(&store, "login", "de", TemplateCategory::Authentication).await;
    approve(&store, "login", "it", TemplateCategory::Authentication).await;
    assert_eq!(
        start(&store, "b", PHONE, later).await,
        somewhere(&conversation)
    );
    let (row, words) = taken(&store, later).await.unwrap();
    assert_eq!(words, "482913: it");
    let template = row.message.answer.template.clone().unwrap();
    assert_eq!(
        (template.name.as_str(), template.language.as_str()),
        ("login", "it")
    );
    let code = "482913".to_owned();
    assert_eq!(template.body[0].value, Filling::Text { text: code.clone() });
    assert_eq!(
        template.buttons[0].value,
        ButtonFilling::Url { suffix: code }
    );
    sent(&store, &row, "wamid.code").await;
    assert_eq!(kept(folder.path()).await, 0);
    let category = "SELECT COUNT(*) FROM outbox WHERE category = 'authentication'";
    assert_eq!(count(folder.path(), category).await, 1);

    let named = NewVerification {
        template: Some("another".to_owned()),
        ..asked("c", CodeRecipient::Phone(PHONE.to_owned()), later)
    };
    let started = store.start_verification(named, later).await.unwrap();
    assert_eq!(started, NOWHERE, "only the template that is named");
}

#[tokio::test]
async fn somebody_without_a_phone_gets_one_inside_the_window_only() {
    let (_folder, store) = empty().await;
    let inbound = Inbound {
        phone: None,
        sender: "IT.77".to_owned(),
        about: About {
            user_id: Some("IT.77".to_owned()),
            ..About::default()
        },
        ..message("IT.77", "wamid.1", text("ciao"))
    };
    let conversation = accept(&store, vec![inbound], NOW).await[0]
        .conversation
        .clone();
    approve(&store, "login", "it", TemplateCategory::Authentication).await;
    let start = |key, id: &str, now| {
        let new = asked(key, CodeRecipient::UserId(id.to_owned()), now);
        store.start_verification(new, now)
    };
    assert_eq!(
        start("a", "IT.77", NOW).await.unwrap(),
        somewhere(&conversation)
    );
    let (row, _) = taken(&store, NOW).await.unwrap();
    assert_eq!(row.message.recipient, "IT.77");
    assert!(redeem(&store, "a", "hash of a", NOW).await);
    assert_eq!(start("b", "IT.77", NOW + 2 * DAY).await.unwrap(), NOWHERE);
    assert_eq!(start("c", "IT.78", NOW).await.unwrap(), NOWHERE);
}

#[tokio::test]
async fn who_only_has_orders_is_known_and_a_stranger_is_not() {
    let (folder, store) = empty().await;
    approve(&store, "login", "it", TemplateCategory::Authentication).await;
    let order = Order {
        number: "10441".into(),
        name: "Giulia".to_owned(),
        phone: PHONE.to_owned(),
        email: String::new(),
        language: Language::IT,
        placed_on: "2026-11-01".to_owned(),
        status: OrderStatus::Shipped,
        carrier: None,
        tracking: None,
        expected_on: None,
        items: Vec::new(),
    };
    store.seed_orders(vec![order]).await.unwrap();
    assert_eq!(start(&store, "a", "+393330000000", NOW).await, NOWHERE);
    let contacts = "SELECT COUNT(*) FROM contacts";
    assert_eq!(
        count(folder.path(), contacts).await,
        0,
        "nothing is made for a stranger"
    );
    assert!(matches!(
        start(&store, "b", PHONE, NOW).await,
        Started::Waiting {
            conversation: Some(_)
        }
    ));
    let (row, _) = taken(&store, NOW).await.unwrap();
    assert_eq!(
        (row.message.recipient.as_str(), row.message.sender.as_str()),
        (PHONE, OURS)
    );
    for key in ["a", "b"] {
        let waits = "SELECT COUNT(*) FROM verifications WHERE attempts = 0";
        assert_eq!(
            count(folder.path(), waits).await,
            2,
            "{key}: both wait alike"
        );
    }
}

#[tokio::test]
async fn codes_and_tries_are_few() {
    let (folder, store) = empty().await;
    customer(&store, PHONE).await;
    for stranger in [PHONE, "+393330000000"] {
        for key in ["a", "b", "c"] {
            let key = format!("{key}{stranger}");
            assert_ne!(start(&store, &key, stranger, NOW).await, Started::TooMany);
        }
        assert_eq!(start(&store, "d", stranger, NOW).await, Started::TooMany);
    }
    let key = format!("a{PHONE}");
    for _ in 0..5 {
        assert!(!redeem(&store, &key, "hash of a guess", NOW).await);
    }
    let right = format!("hash of {key}");
    assert!(
        !redeem(&store, &key, &right, NOW).await,
        "the sixth try is too late"
    );
    let key = format!("b{PHONE}");
    let right = format!("hash of {key}");
    assert!(
        !redeem(&store, &key, &right, NOW + 10 * MINUTE).await,
        "it is over"
    );
    assert!(redeem(&store, &key, &right, NOW + 10 * MINUTE - 1).await);
    let hour = NOW + 60 * MINUTE;
    assert_ne!(start(&store, "e", PHONE, hour).await, Started::TooMany);
    let rows = "SELECT COUNT(*) FROM verifications";
    assert_eq!(
        count(folder.path(), rows).await,
        1,
        "old ones are forgotten"
    );
}

#[tokio::test]
async fn a_code_that_is_over_or_gone_is_not_sent() {
    let (folder, store) = empty().await;
    let conversation = customer(&store, PHONE).await;
    start(&store, "a", PHONE, NOW).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    let tried = again(NOW + MINUTE);
    assert!(!ended(&store, &row, tried).await);
    let (row, words) = taken(&store, NOW + MINUTE).await.unwrap();
    assert_eq!(words, "482913: it", "it is kept for another try");
    ended(&store, &row, again(NOW + 11 * MINUTE)).await;
    assert!(taken(&store, NOW + 11 * MINUTE).await.is_none());
    let told = deliveries(&store, &conversation).await;
    assert_eq!(
        told[0].fault.as_deref(),
        Some("not sent: the one-time code in it is over")
    );
    assert_eq!(kept(folder.path()).await, 0);

    let later = NOW + 12 * MINUTE;
    start(&store, "b", PHONE, later).await;
    let (row, _) = taken(&store, later).await.unwrap();
    ended(&store, &row, Ending::Unknown("silence".to_owned())).await;
    assert_eq!(kept(folder.path()).await, 0);
}

#[tokio::test]
async fn a_phone_that_was_given_away_ends_the_handle() {
    let (_folder, store) = empty().await;
    let with_id = |user: &str, id: &str| Inbound {
        about: About {
            user_id: Some(user.to_owned()),
            ..About::default()
        },
        ..message(PHONE, id, text("ciao"))
    };
    accept(&store, vec![with_id("IT.1", "wamid.1")], NOW).await;
    start(&store, "a", PHONE, NOW).await;
    assert!(redeem(&store, "a", "hash of a", NOW).await);
    let holds = store.customer_of_handle("handle of a", NOW);
    assert!(holds.await.unwrap().is_some());
    accept(&store, vec![with_id("IT.2", "wamid.2")], NOW).await;
    let holds = store.customer_of_handle("handle of a", NOW);
    assert_eq!(holds.await.unwrap(), None);
    let known = store.conversation_of(Channel::Whatsapp, PHONE, OURS).await;
    assert!(known.unwrap().is_some());
}

#[tokio::test]
async fn contacts_that_turn_out_to_be_one_person_prove_it_again() {
    let (_folder, store) = empty().await;
    let other = "+393330000001";
    customer(&store, PHONE).await;
    customer(&store, other).await;
    start(&store, "a", PHONE, NOW).await;
    assert!(redeem(&store, "a", "hash of a", NOW).await);
    start(&store, "b", other, NOW).await;
    let merged = store.merge_contacts(PHONE, other, "operator", NOW).await;
    merged.unwrap().unwrap();
    let holds = store.customer_of_handle("handle of a", NOW);
    assert_eq!(holds.await.unwrap(), None);
    assert!(!redeem(&store, "b", "hash of b", NOW).await);
}
