//! The outbox: order, crashes, take-overs, statuses.

use sportello::domain::Holder;
use sportello::store::{Delivered, Ending, Intake, OutboxRow, Store, StoreError};

use super::{LEASE, NOW, OURS, again, answers, deliveries, empty, ended, sent, taken, taker};

async fn told(store: &Store, row: &OutboxRow, wamid: &str, status: &str) {
    let delivery = Delivered {
        recipient: OURS.to_owned(),
        key: format!("{wamid}:{status}"),
        external_id: wamid.to_owned(),
        outbox_id: Some(row.message.id.0.clone()),
        status: status.to_owned(),
        body: "{}".to_owned(),
        ..Delivered::default()
    };
    let intake = Intake {
        deliveries: vec![delivery],
        ..Intake::default()
    };
    store.accept(intake, NOW).await.unwrap();
}

#[tokio::test]
async fn the_messages_of_a_conversation_go_one_after_the_other() {
    let (_folder, store) = empty().await;
    answers(&store, "a", &["a1", "a2"]).await;
    answers(&store, "b", &["b1"]).await;
    let (a1, words) = taken(&store, NOW).await.unwrap();
    assert_eq!((words.as_str(), a1.attempts), ("a1", 1));
    assert_eq!(
        (a1.message.recipient.as_str(), a1.message.sender.as_str()),
        ("a", OURS)
    );
    let (b1, words) = taken(&store, NOW).await.unwrap();
    assert_eq!(words, "b1", "another conversation does not wait");
    assert!(taken(&store, NOW).await.is_none(), "a2 waits for a1");

    // A first message that is tried again later still goes first.
    ended(&store, &a1, again(NOW + 1_000)).await;
    assert!(taken(&store, NOW + 999).await.is_none());
    let (a1, words) = taken(&store, NOW + 1_000).await.unwrap();
    assert_eq!((words.as_str(), a1.attempts), ("a1", 2));
    sent(&store, &a1, "wamid.a1").await;
    sent(&store, &b1, "wamid.b1").await;
    let (a2, words) = taken(&store, NOW + 1_000).await.unwrap();
    assert_eq!(words, "a2");
    ended(&store, &a2, Ending::Failed("stand-in".to_owned())).await;
    assert!(taken(&store, NOW + 100_000).await.is_none());
}

#[tokio::test]
async fn a_row_that_a_dead_process_was_sending_is_sent_again_and_says_so() {
    let (folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one", "two"]).await;
    let (first, _) = taken(&store, NOW).await.unwrap();
    drop(store);
    let store = Store::open(folder.path()).await.unwrap();
    assert!(
        taken(&store, NOW).await.is_none(),
        "it may still be on its way"
    );
    let later = NOW + LEASE;
    assert_eq!(
        store.recover_outbox(later - 1).await.unwrap(),
        0,
        "its sender may live"
    );
    assert_eq!(store.recover_outbox(later).await.unwrap(), 1);
    let (again, words) = taken(&store, later).await.unwrap();
    assert_eq!((words.as_str(), again.attempts), ("one", 2));
    assert_eq!(again.message.id, first.message.id);
    sent(&store, &again, "wamid.1").await;
    let (two, _) = taken(&store, later).await.unwrap();
    sent(&store, &two, "wamid.2").await;
    assert_eq!(store.recover_outbox(later + LEASE).await.unwrap(), 0);

    let seen = deliveries(&store, &conversation).await;
    let repeated: Vec<(&str, bool)> = seen
        .iter()
        .map(|delivery| (delivery.state.as_str(), delivery.repeated))
        .collect();
    assert_eq!(repeated, [("sent", true), ("sent", false)]);
    let desk = store
        .desk_conversation(&conversation)
        .await
        .unwrap()
        .unwrap();
    let shown = serde_json::to_value(&desk.messages[1]).unwrap();
    assert_eq!(shown["delivery"]["repeated"], true);
    let customers = serde_json::to_value(&desk.messages[0]).unwrap();
    assert!(customers.get("delivery").is_none());
}

#[tokio::test]
async fn a_row_of_which_a_status_told_is_not_sent_again() {
    let (_folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one"]).await;
    answers(&store, "b", &["two"]).await;
    // The status overtakes the crash in one, and the repetition in the other.
    let (one, _) = taken(&store, NOW).await.unwrap();
    let (two, _) = taken(&store, NOW).await.unwrap();
    told(&store, &one, "wamid.1", "sent").await;
    assert_eq!(store.recover_outbox(NOW + LEASE).await.unwrap(), 2);
    told(&store, &two, "wamid.2", "delivered").await;
    assert!(taken(&store, NOW + LEASE).await.is_none());
    let seen = deliveries(&store, &conversation).await.remove(0);
    assert_eq!((seen.state.as_str(), seen.repeated), ("sent", false));
}

#[tokio::test]
async fn perhaps_sent_is_not_repeated_and_a_status_settles_it() {
    let (folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one", "two"]).await;
    let (one, _) = taken(&store, NOW).await.unwrap();
    ended(&store, &one, Ending::Unknown("stand-in".to_owned())).await;
    let (two, words) = taken(&store, NOW + 1).await.unwrap();
    assert_eq!(words, "two", "what is unknown holds up nothing");
    // A status that comes before the sender gives up waiting.
    told(&store, &two, "wamid.2", "sent").await;
    ended(&store, &two, Ending::Unknown("stand-in".to_owned())).await;
    drop(store);
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.recover_outbox(NOW + LEASE).await.unwrap(), 0);
    assert!(taken(&store, NOW + 1_000_000).await.is_none());
    let states = async || -> Vec<String> {
        let seen = deliveries(&store, &conversation).await;
        seen.into_iter().map(|delivery| delivery.state).collect()
    };
    assert_eq!(states().await, ["unknown", "sent"]);
    told(&store, &one, "wamid.1", "delivered").await;
    assert_eq!(states().await, ["sent", "sent"]);
}

#[tokio::test]
async fn what_the_agent_still_had_to_say_ends_when_a_person_takes_over() {
    let (_folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one", "two"]).await;
    let (one, _) = taken(&store, NOW).await.unwrap();
    store
        .reply(&conversation, "this is Eva".to_owned(), NOW)
        .await
        .unwrap();
    // The row that was being sent failed, and would be tried again.
    ended(&store, &one, again(NOW)).await;
    let (eva, words) = taken(&store, NOW).await.unwrap();
    assert_eq!(words, "this is Eva");
    sent(&store, &eva, "wamid.1").await;
    assert!(taken(&store, NOW + 1_000_000).await.is_none());
    let seen = deliveries(&store, &conversation).await;
    let states: Vec<&str> = seen
        .iter()
        .map(|delivery| delivery.state.as_str())
        .collect();
    assert_eq!(states, ["failed", "failed", "sent"]);
    for withdrawn in &seen[..2] {
        assert_eq!(withdrawn.fault.as_deref(), Some("a person took over"));
    }
    let state = store.conversation(&conversation).await.unwrap().unwrap();
    assert_eq!(state.holder, Holder::Human);
}

#[tokio::test]
async fn a_row_that_was_being_sent_when_a_person_took_over_is_not_repeated() {
    let (folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one"]).await;
    let other = answers(&store, "b", &["two"]).await;
    taken(&store, NOW).await.unwrap();
    let (two, _) = taken(&store, NOW).await.unwrap();
    for taken_over in [&conversation, &other] {
        store
            .set_holder(taken_over, Holder::Human, NOW)
            .await
            .unwrap();
    }
    sent(&store, &two, "wamid.2").await;
    assert_eq!(deliveries(&store, &other).await[0].state, "sent");
    drop(store);
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.recover_outbox(NOW + LEASE).await.unwrap(), 1);
    assert!(taken(&store, NOW + 1_000_000).await.is_none());
    let seen = deliveries(&store, &conversation).await.remove(0);
    assert_eq!((seen.state.as_str(), seen.repeated), ("unknown", false));
}

#[tokio::test]
async fn a_status_only_moves_forward() {
    let cases: [(&[&str], &str); 6] = [
        (&["sent", "delivered", "read"], "read"),
        (&["read", "delivered", "sent"], "read"),
        (&["delivered", "failed"], "delivered"),
        (&["failed", "sent"], "failed"),
        (&["failed", "delivered"], "delivered"),
        (&["sent", "sent", "something new"], "sent"),
    ];
    for (statuses, expected) in cases {
        let (_folder, store) = empty().await;
        let conversation = answers(&store, "a", &["one"]).await;
        let (row, _) = taken(&store, NOW).await.unwrap();
        sent(&store, &row, "wamid.1").await;
        for status in statuses {
            told(&store, &row, "wamid.1", status).await;
        }
        let seen = deliveries(&store, &conversation).await.remove(0);
        assert_eq!(seen.status.as_deref(), Some(expected), "{statuses:?}");
        assert_eq!(seen.state, "sent");
    }
}

#[tokio::test]
async fn two_processes_never_take_the_same_row_and_the_late_one_is_refused() {
    let (folder, one) = empty().await;
    let other = Store::open(folder.path()).await.unwrap();
    let conversation = answers(&one, "a", &["first", "second"]).await;
    let row = async |store: &Store, owner: &str, now: i64| {
        let taken = store.take_outgoing(&taker(owner), now).await.unwrap();
        taken.row
    };
    let first = row(&one, "one", NOW).await.unwrap();
    assert!(row(&other, "other", NOW).await.is_none(), "in order");
    // The first process sleeps past its lease, the other takes over.
    assert_eq!(other.recover_outbox(NOW + LEASE).await.unwrap(), 1);
    let second = row(&other, "other", NOW + LEASE).await.unwrap();
    assert_eq!(second.message.id, first.message.id);
    assert!(second.epoch > first.epoch);
    let late = one
        .record_sending(&first, Ending::Failed("late".to_owned()), NOW + LEASE)
        .await;
    assert!(matches!(late, Err(StoreError::Stale)), "{late:?}");
    sent(&other, &second, "wamid.1").await;
    let seen = deliveries(&one, &conversation).await;
    assert_eq!((seen[0].state.as_str(), seen[0].repeated), ("sent", true));
    assert_eq!(
        (seen[1].state.as_str(), seen[1].repeated),
        ("queued", false)
    );
}

#[tokio::test]
async fn a_sender_that_only_slept_may_still_say_that_it_was_sent() {
    let (_folder, store) = empty().await;
    answers(&store, "a", &["one"]).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    assert_eq!(store.recover_outbox(NOW + LEASE).await.unwrap(), 1);
    sent(&store, &row, "wamid.1").await;
    assert!(
        taken(&store, NOW + LEASE).await.is_none(),
        "nothing is repeated"
    );
}
