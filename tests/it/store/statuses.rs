//! What statuses tell: failures by class, costs, and what the time does without them.

use proptest::prelude::*;
use sportello::domain::{ConversationId, ErrorClass};
use sportello::store::{Delivered, Ending, Intake, OutboxRow, Priced, Spending, Store};

use super::{NOW, OURS, answers, count, deliveries, empty, ended, sent, taken};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn status(row: &OutboxRow, wamid: &str, status: &str) -> Delivered {
    Delivered {
        recipient: OURS.to_owned(),
        key: format!("{wamid}:{status}"),
        external_id: wamid.to_owned(),
        outbox_id: Some(row.message.id.0.clone()),
        status: status.to_owned(),
        body: "{}".to_owned(),
        ..Delivered::default()
    }
}

fn failed(row: &OutboxRow, wamid: &str, class: ErrorClass) -> Delivered {
    Delivered {
        failure: Some((class, 7)),
        ..status(row, wamid, "failed")
    }
}

fn priced(row: &OutboxRow, wamid: &str, name: &str, micros: i64) -> Delivered {
    Delivered {
        priced: Some(Priced {
            billable: Some(micros > 0),
            model: Some("PMP".to_owned()),
            kind: "regular".to_owned(),
            category: "service".to_owned(),
            micros,
            currency: "EUR".to_owned(),
        }),
        ..status(row, wamid, name)
    }
}

async fn tell(store: &Store, deliveries: Vec<Delivered>) {
    let intake = Intake {
        deliveries,
        ..Intake::default()
    };
    store.accept(intake, NOW).await.unwrap();
}

async fn seen(store: &Store, conversation: &ConversationId) -> (String, Option<String>) {
    let seen = deliveries(store, conversation).await.remove(0);
    (seen.state, seen.status)
}

#[tokio::test]
async fn a_failed_status_is_acted_upon_like_the_answer() {
    let (_folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one"]).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    sent(&store, &row, "wamid.1").await;
    tell(&store, vec![failed(&row, "wamid.1", ErrorClass::Window)]).await;
    assert_eq!(seen(&store, &conversation).await.0, "held");
    assert_eq!(store.waiting().await.unwrap(), 1);

    // One that passes is sent once more, and a status of the first copy ends it.
    let conversation = answers(&store, "b", &["one"]).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    sent(&store, &row, "wamid.2").await;
    tell(&store, vec![failed(&row, "wamid.2", ErrorClass::Transient)]).await;
    assert_eq!(seen(&store, &conversation).await.0, "queued");
    tell(&store, vec![status(&row, "wamid.2", "delivered")]).await;
    assert_eq!(
        seen(&store, &conversation).await,
        ("sent".to_owned(), Some("delivered".to_owned()))
    );
    assert!(taken(&store, NOW + DAY / 2).await.is_none());
}

#[tokio::test]
async fn a_failed_status_before_our_call_returned_is_acted_upon_once() {
    let (folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one"]).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    let failure = failed(&row, "wamid.1", ErrorClass::Undeliverable);
    tell(&store, vec![failure.clone(), failure.clone()]).await;
    assert_eq!(seen(&store, &conversation).await.0, "sending");
    sent(&store, &row, "wamid.1").await;
    assert_eq!(seen(&store, &conversation).await.0, "failed");
    tell(&store, vec![failure]).await;
    assert_eq!(
        count(folder.path(), "SELECT undeliverable FROM contacts").await,
        1
    );
}

#[tokio::test]
async fn the_same_refusal_as_answer_and_as_status_counts_once() {
    let (folder, store) = empty().await;
    answers(&store, "a", &["one"]).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    let refused = Ending::Refused {
        class: ErrorClass::Undeliverable,
        code: 7,
        fault: "stand-in".to_owned(),
    };
    ended(&store, &row, refused).await;
    tell(
        &store,
        vec![failed(&row, "wamid.1", ErrorClass::Undeliverable)],
    )
    .await;
    assert_eq!(
        count(folder.path(), "SELECT undeliverable FROM contacts").await,
        1
    );
}

#[tokio::test]
async fn what_was_perhaps_sent_is_shown_to_a_person_once() {
    let (_folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one"]).await;
    let settled = answers(&store, "b", &["two"]).await;
    for _ in 0..2 {
        let (row, words) = taken(&store, NOW).await.unwrap();
        ended(&store, &row, Ending::Unknown("stand-in".to_owned())).await;
        if words == "two" {
            tell(&store, vec![status(&row, "wamid.2", "sent")]).await;
        }
    }
    assert!(
        store
            .tend_outbox(NOW + 9 * MINUTE)
            .await
            .unwrap()
            .handed_over
            .is_empty()
    );
    let tended = store.tend_outbox(NOW + 10 * MINUTE).await.unwrap();
    assert_eq!(tended.handed_over, std::slice::from_ref(&conversation));
    assert!(
        store
            .tend_outbox(NOW + 11 * MINUTE)
            .await
            .unwrap()
            .handed_over
            .is_empty()
    );
    assert_eq!(seen(&store, &conversation).await.0, "unknown");
    assert_eq!(seen(&store, &settled).await.0, "sent");
    assert_eq!(
        store.desk(1).await.unwrap()[0].reason.as_deref(),
        Some("perhaps_sent")
    );
    assert!(
        taken(&store, NOW + DAY / 2).await.is_none(),
        "never replayed"
    );
}

#[tokio::test]
async fn what_is_not_delivered_in_30_days_has_expired() {
    let (_folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one"]).await;
    let read = answers(&store, "b", &["two"]).await;
    for wamid in ["wamid.1", "wamid.2"] {
        let (row, words) = taken(&store, NOW).await.unwrap();
        sent(&store, &row, wamid).await;
        if words == "two" {
            tell(&store, vec![status(&row, wamid, "read")]).await;
        }
    }
    assert_eq!(
        store.tend_outbox(NOW + 30 * DAY - 1).await.unwrap().expired,
        0
    );
    assert_eq!(store.tend_outbox(NOW + 30 * DAY).await.unwrap().expired, 1);
    assert_eq!(
        seen(&store, &conversation).await.1.as_deref(),
        Some("expired")
    );
    assert_eq!(seen(&store, &read).await.1.as_deref(), Some("read"));
}

#[tokio::test]
async fn a_message_is_paid_once_and_the_sums_agree_with_the_ledger() {
    let (folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one", "two"]).await;
    let other = answers(&store, "b", &["three"]).await;
    for (wamid, micros) in [("wamid.1", 24_800), ("wamid.2", 0), ("wamid.3", 100)] {
        let (row, _) = taken(&store, NOW).await.unwrap();
        sent(&store, &row, wamid).await;
        let statuses = vec![
            priced(&row, wamid, "sent", micros),
            priced(&row, wamid, "delivered", micros),
        ];
        tell(&store, statuses).await;
    }
    // A message that is not of our outbox is paid as well.
    let foreign = Delivered {
        outbox_id: None,
        ..priced(&foreign_row(&store).await, "wamid.foreign", "sent", 7)
    };
    tell(&store, vec![foreign]).await;
    let spent =
        async |conversation: &ConversationId| store.spent(conversation, "EUR", NOW).await.unwrap();
    let (first, day) = spent(&conversation).await;
    let (second, _) = spent(&other).await;
    assert_eq!((first + second, day), (24_900, 24_907));
    assert_eq!(
        spent(&other).await.1,
        store.spent(&other, "EUR", NOW).await.unwrap().1
    );
    assert_eq!(store.spent(&other, "EUR", NOW + DAY).await.unwrap().1, 0);
    assert_eq!(store.spent(&other, "USD", NOW).await.unwrap(), (0, 0));
    let sums = store.spending(Spending::Categories, NOW).await.unwrap();
    assert_eq!(
        (sums[0].key.as_str(), sums[0].messages),
        ("regular/service", 4)
    );
    assert_eq!(
        count(folder.path(), "SELECT SUM(micros) FROM costs").await,
        day
    );
}

async fn foreign_row(store: &Store) -> OutboxRow {
    answers(store, "f", &["x"]).await;
    taken(store, NOW).await.unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Any order, any repetition, our own call's return among them: the same end.
    #[test]
    fn statuses_in_any_order_end_the_same(
        order in prop::collection::vec(0..4_usize, 0..8), call in 0..8_usize,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (_folder, store) = empty().await;
            let conversation = answers(&store, "a", &["one"]).await;
            let (row, _) = taken(&store, NOW).await.unwrap();
            let names = ["sent", "failed", "delivered", "read"];
            let rest = (0..4).rev();
            for (place, name) in order.iter().copied().chain(rest).enumerate() {
                if place == call {
                    sent(&store, &row, "wamid.1").await;
                }
                tell(&store, vec![status(&row, "wamid.1", names[name])]).await;
            }
            if call >= order.len() + 4 {
                sent(&store, &row, "wamid.1").await;
            }
            assert_eq!(seen(&store, &conversation).await, ("sent".to_owned(), Some("read".to_owned())));
        });
    }
}
