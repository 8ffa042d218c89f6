//! What is done about a refusal: every class, as an answer to our call.

use sportello::domain::{
    ConsentChange, ConsentState, ConversationId, ErrorClass, Lane, Language, MARKETING,
    MessageCategory,
};
use sportello::store::{Announcement, Ending, OutboxRow, Store};

use super::{
    NOW, accept, acquainted, answers, approve, by_template, count, deliveries, empty, ended,
    message, sent, taken, text,
};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn refused(class: ErrorClass) -> Ending {
    Ending::Refused {
        class,
        code: 7,
        fault: "stand-in".to_owned(),
    }
}

async fn state(store: &Store, conversation: &ConversationId, place: usize) -> String {
    deliveries(store, conversation).await[place].state.clone()
}

async fn campaign(store: &Store, sender: &str, name: &str) -> ConversationId {
    let conversation = acquainted(store, sender).await;
    let contact = store
        .conversation(&conversation)
        .await
        .unwrap()
        .unwrap()
        .contact
        .id;
    let change = ConsentChange::marketing(ConsentState::Granted, "test", None);
    store.record_consent(&contact, change, NOW).await.unwrap();
    advertise(store, &conversation, name).await;
    conversation
}

async fn advertise(store: &Store, conversation: &ConversationId, name: &str) {
    approve(store, name).await;
    let campaign = Announcement {
        conversation: conversation.clone(),
        answer: by_template(name, name),
        language: Language::IT,
        lane: Lane::Bulk,
        category: MessageCategory::Marketing,
        as_template: true,
    };
    store.announce(campaign, NOW).await.unwrap().unwrap();
}

/// Takes the row again and again until it is not tried any more: when each try came.
async fn tries(store: &Store, class: ErrorClass) -> Vec<i64> {
    let mut tries = Vec::new();
    let mut now = NOW;
    while tries.len() < 30 && now < NOW + DAY / 2 {
        match taken(store, now).await {
            Some((row, _)) => {
                tries.push(now - NOW);
                store
                    .record_sending(&row, refused(class), now)
                    .await
                    .unwrap();
            }
            None => now += MINUTE,
        }
    }
    tries
}

#[tokio::test]
async fn what_passes_is_tried_five_times_and_then_a_persons() {
    let (_folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one", "two"]).await;
    let mut rows = Vec::new();
    let mut now = NOW;
    while rows.len() < 5 {
        if let Some((row, words)) = taken(&store, now).await {
            assert_eq!(words, "one", "the next one waits");
            rows.push(now);
            let handed_over = store
                .record_sending(&row, refused(ErrorClass::Transient), now)
                .await
                .unwrap();
            assert_eq!(handed_over, rows.len() == 5);
        } else {
            now += 500;
        }
    }
    let waits: Vec<i64> = rows.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(waits.windows(2).all(|two| two[1] > 2 * two[0]), "{waits:?}");
    assert_eq!(state(&store, &conversation, 0).await, "failed");
    assert_eq!(
        store.desk(1).await.unwrap()[0].reason.as_deref(),
        Some("not_sent")
    );
}

#[tokio::test]
async fn a_number_that_sends_too_fast_pauses_and_nothing_is_lost() {
    let (_folder, store) = empty().await;
    answers(&store, "a", &["one"]).await;
    answers(&store, "b", &["other"]).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    ended(&store, &row, refused(ErrorClass::Throughput)).await;
    assert!(
        taken(&store, NOW).await.is_none(),
        "the whole number pauses"
    );
    let (other, words) = taken(&store, NOW + 2_000).await.unwrap();
    assert_eq!(words, "other");
    sent(&store, &other, "wamid.b").await;
    assert_eq!(taken(&store, NOW + 3_000).await.unwrap().1, "one");
}

#[tokio::test]
async fn a_customer_who_got_too_much_is_held_for_a_power_of_four_seconds() {
    let (_folder, store) = empty().await;
    answers(&store, "a", &["one"]).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    ended(&store, &row, refused(ErrorClass::Pair)).await;
    assert!(taken(&store, NOW + 3_999).await.is_none());
    let (row, _) = taken(&store, NOW + 4_000).await.unwrap();
    ended(&store, &row, refused(ErrorClass::Pair)).await;
    assert!(taken(&store, NOW + 15_999).await.is_none());
    let (row, _) = taken(&store, NOW + 16_000).await.unwrap();
    answers(&store, "b", &["other"]).await;
    assert!(
        taken(&store, NOW + 16_000).await.is_some(),
        "others do not wait"
    );
    sent(&store, &row, "wamid.a").await;
    answers(&store, "a", &["two"]).await;
    let (row, _) = taken(&store, NOW + 17_000).await.unwrap();
    let held = refused(ErrorClass::Pair);
    store
        .record_sending(&row, held, NOW + 17_000)
        .await
        .unwrap();
    assert!(taken(&store, NOW + 20_999).await.is_none());
    assert!(
        taken(&store, NOW + 21_000).await.is_some(),
        "it begins anew after success"
    );
}

#[tokio::test]
async fn an_account_on_hold_sends_replies_only_and_says_so() {
    let (_folder, store) = empty().await;
    campaign(&store, "a", "first").await;
    campaign(&store, "b", "second").await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    ended(&store, &row, refused(ErrorClass::AccountHold)).await;
    assert!(taken(&store, NOW + MINUTE).await.is_none());
    let alerts = store.alerts().await.unwrap();
    assert_eq!(
        (alerts[0].kind.as_str(), alerts[0].subject.as_str()),
        ("bulk", super::OURS)
    );
    answers(&store, "c", &["reply"]).await;
    assert_eq!(taken(&store, NOW + MINUTE).await.unwrap().1, "reply");
    assert!(
        store
            .clear_alert("bulk", super::OURS, NOW + MINUTE)
            .await
            .unwrap()
    );
    assert_eq!(taken(&store, NOW + MINUTE).await.unwrap().1, "second");
}

#[tokio::test]
async fn a_window_that_whatsapp_calls_closed_is_closed() {
    let (_folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one", "two"]).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    assert!(ended(&store, &row, refused(ErrorClass::Window)).await);
    assert!(taken(&store, NOW + 1).await.is_none());
    assert_eq!(state(&store, &conversation, 0).await, "held");
    assert_eq!(state(&store, &conversation, 1).await, "held");
}

#[tokio::test]
async fn three_undeliverable_messages_make_a_customer_unreachable_until_they_write() {
    let (_folder, store) = empty().await;
    let conversation = answers(&store, "a", &["1", "2", "3", "4"]).await;
    for _ in 0..3 {
        let (row, _) = taken(&store, NOW).await.unwrap();
        ended(&store, &row, refused(ErrorClass::Undeliverable)).await;
    }
    assert!(taken(&store, NOW).await.is_none());
    let seen = deliveries(&store, &conversation).await;
    assert_eq!(seen[3].state, "failed");
    assert!(
        seen[3]
            .fault
            .as_deref()
            .unwrap()
            .contains("could not be delivered")
    );
    accept(
        &store,
        vec![message("a", "wamid.new", text("I am back"))],
        NOW,
    )
    .await;
    let claim = super::claim(&store, NOW).await.unwrap();
    store
        .close_turn(super::answered(&claim, "5"), NOW)
        .await
        .unwrap();
    assert_eq!(taken(&store, NOW).await.unwrap().1, "5");
}

#[tokio::test]
async fn the_cap_on_marketing_is_tried_once_more_after_a_day_and_holds_up_nobody() {
    let (_folder, store) = empty().await;
    let conversation = campaign(&store, "a", "first").await;
    advertise(&store, &conversation, "second").await;
    advertise(&store, &conversation, "third").await;
    let (row, words) = taken(&store, NOW).await.unwrap();
    assert_eq!(words, "first");
    ended(&store, &row, refused(ErrorClass::MarketingCap)).await;
    for expected in ["second", "third"] {
        let (row, words) = taken(&store, NOW).await.unwrap();
        assert_eq!(words, expected);
        sent(&store, &row, expected).await;
    }
    assert!(taken(&store, NOW + DAY - 1).await.is_none());
    let (row, words) = taken(&store, NOW + DAY + 10 * MINUTE).await.unwrap();
    assert_eq!(words, "first");
    ended(&store, &row, refused(ErrorClass::MarketingCap)).await;
    assert_eq!(state(&store, &conversation, 0).await, "failed");
    assert!(taken(&store, NOW + 9 * DAY).await.is_none());
}

#[tokio::test]
async fn who_stopped_marketing_is_in_the_ledger_and_gets_no_more() {
    let (folder, store) = empty().await;
    let conversation = campaign(&store, "a", "first").await;
    advertise(&store, &conversation, "second").await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    ended(&store, &row, refused(ErrorClass::OptedOut)).await;
    assert!(taken(&store, NOW).await.is_none());
    let contact = store
        .conversation(&conversation)
        .await
        .unwrap()
        .unwrap()
        .contact
        .id;
    let now = store.consent_of(&contact, MARKETING).await.unwrap();
    assert_eq!(now, Some(ConsentState::Revoked));
    let ledger = "SELECT COUNT(*) FROM consents WHERE source = 'error_7'";
    assert_eq!(count(folder.path(), ledger).await, 1);
}

#[tokio::test]
async fn what_cannot_be_mended_ends_at_once() {
    for class in [
        ErrorClass::Experiment,
        ErrorClass::Recipient,
        ErrorClass::Unknown,
        ErrorClass::MarketingApi,
        ErrorClass::Payload,
    ] {
        let (_folder, store) = empty().await;
        let conversation = answers(&store, "a", &["one"]).await;
        assert_eq!(tries(&store, class).await, [0], "{class}");
        assert_eq!(state(&store, &conversation, 0).await, "failed", "{class}");
        let alerts = store.alerts().await.unwrap().len();
        let told = matches!(class, ErrorClass::MarketingApi | ErrorClass::Payload);
        assert_eq!(alerts, usize::from(told), "{class}");
        let waiting = store.waiting().await.unwrap();
        assert_eq!(waiting, i64::from(class == ErrorClass::Payload), "{class}");
    }
    let (_folder, store) = empty().await;
    answers(&store, "a", &["one"]).await;
    assert_eq!(tries(&store, ErrorClass::Media).await.len(), 2);
}

#[tokio::test]
async fn a_template_that_is_refused_is_not_used_until_it_is_released() {
    let (folder, store) = empty().await;
    let conversation = campaign(&store, "a", "bad").await;
    let other = campaign(&store, "b", "bad").await;
    campaign(&store, "c", "good").await;
    let (row, words) = taken(&store, NOW).await.unwrap();
    assert_eq!(words, "bad");
    ended(&store, &row, refused(ErrorClass::Template)).await;
    assert_eq!(taken(&store, NOW).await.unwrap().1, "good");
    assert!(taken(&store, NOW).await.is_none());
    for stopped in [&conversation, &other] {
        assert_eq!(state(&store, stopped, 0).await, "failed");
    }
    assert_eq!(store.alerts().await.unwrap()[0].subject, "bad");
    assert!(store.clear_alert("template", "bad", NOW).await.unwrap());
    assert!(!store.clear_alert("template", "bad", NOW).await.unwrap());
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM stopped_templates").await,
        0
    );
    advertise(&store, &conversation, "bad").await;
    assert_eq!(taken(&store, NOW).await.unwrap().1, "bad");
}

#[tokio::test]
async fn a_refused_account_silences_its_number_until_a_probe_succeeds() {
    let (_folder, store) = empty().await;
    for sender in ["a", "b", "c"] {
        answers(&store, sender, &[sender]).await;
    }
    let (row, _) = taken(&store, NOW).await.unwrap();
    ended(&store, &row, refused(ErrorClass::Account)).await;
    assert!(taken(&store, NOW + MINUTE - 1).await.is_none());
    assert_eq!(store.alerts().await.unwrap()[0].kind, "number");
    // One message probes; the pauses grow.
    let (probe, _) = probe(&store, NOW + MINUTE).await;
    assert!(
        taken(&store, NOW + 2 * MINUTE - 1_000).await.is_none(),
        "one at a time"
    );
    let again = NOW + 2 * MINUTE;
    store
        .record_sending(&probe, refused(ErrorClass::Account), again)
        .await
        .unwrap();
    assert!(taken(&store, again + 4 * MINUTE - 1).await.is_none());
    let (last, _) = self::probe(&store, again + 4 * MINUTE).await;
    sent(&store, &last, "wamid.probe").await;
    assert!(store.alerts().await.unwrap().is_empty());
    for _ in 0..2 {
        let (row, _) = taken(&store, again + 6 * MINUTE).await.unwrap();
        sent(&store, &row, &row.message.recipient.clone()).await;
    }
}

/// The next row at about this time: waits have jitter.
async fn probe(store: &Store, from: i64) -> (OutboxRow, i64) {
    for step in 0..120 {
        let now = from + step * 1_000;
        if let Some((row, _)) = taken(store, now).await {
            return (row, now);
        }
    }
    panic!("no probe after {from}");
}

#[tokio::test]
async fn a_person_clears_a_number() {
    let (_folder, store) = empty().await;
    answers(&store, "a", &["one"]).await;
    let (row, _) = taken(&store, NOW).await.unwrap();
    ended(&store, &row, refused(ErrorClass::Account)).await;
    assert!(taken(&store, NOW + 1).await.is_none());
    assert!(
        store
            .clear_alert("number", super::OURS, NOW + 1)
            .await
            .unwrap()
    );
    assert_eq!(taken(&store, NOW + 1).await.unwrap().1, "one");
}

/// A notification whose template shows a file, to somebody who wrote lately or never.
async fn with_file(store: &Store, sender: &str, wrote: bool) -> ConversationId {
    approve(store, "news").await;
    let conversation = if wrote {
        super::customer(store, sender).await
    } else {
        acquainted(store, sender).await
    };
    let said = Announcement {
        conversation: conversation.clone(),
        answer: by_template("Novita", "news"),
        language: Language::IT,
        lane: Lane::Bulk,
        category: MessageCategory::Utility,
        as_template: true,
    };
    store.announce(said, NOW).await.unwrap().unwrap();
    conversation
}

#[tokio::test]
async fn a_file_that_is_refused_is_uploaded_once_and_then_the_words_go_without_it() {
    let (_folder, store) = empty().await;
    let conversation = with_file(&store, "a", true).await;
    let media = || refused(ErrorClass::Media);
    let (row, _) = taken(&store, NOW).await.unwrap();
    assert!(!row.message.upload, "first by its address");
    ended(&store, &row, media()).await;
    let (row, _) = taken(&store, NOW + 2_000).await.unwrap();
    assert!(row.message.upload && row.message.answer.template.is_some());
    store
        .record_sending(&row, media(), NOW + 2_000)
        .await
        .unwrap();
    assert_eq!(store.alerts().await.unwrap()[0].kind, "media");
    let (row, words) = taken(&store, NOW + 2_000).await.unwrap();
    assert!(row.message.answer.template.is_none(), "the words alone");
    assert_eq!(words, "Novita");
    sent(&store, &row, "wamid.words").await;
    assert_eq!(state(&store, &conversation, 0).await, "sent");
}

#[tokio::test]
async fn outside_the_window_nothing_goes_without_its_file() {
    let (_folder, store) = empty().await;
    let conversation = with_file(&store, "a", false).await;
    for at in [NOW, NOW + 2_000] {
        let (row, _) = taken(&store, at).await.unwrap();
        let media = refused(ErrorClass::Media);
        store.record_sending(&row, media, at).await.unwrap();
    }
    assert!(taken(&store, NOW + MINUTE).await.is_none());
    assert_eq!(state(&store, &conversation, 0).await, "failed");
    assert_eq!(store.alerts().await.unwrap()[0].kind, "payload");
}
