//! What may go out, and when: two lanes, three buckets, the window, consent.

use sportello::domain::{
    Answer, ConsentChange, ConsentState, ContactId, ConversationId, HandOffReason, Holder, Lane,
    Language, MessageCategory, Outcome, TemplateCategory, TemplateChange,
};
use sportello::store::{Announcement, Arrival, ArrivalItem, Ending, Pace, Store, Taker};

use super::{
    NOW, OURS, accept, acquainted, answers, approve, by_template, count, deliveries, empty,
    message, sent, taken, taker, text,
};

const HOUR: i64 = 60 * 60 * 1_000;
const DAY: i64 = 24 * HOUR;

fn template(category: MessageCategory) -> Announcement {
    Announcement {
        conversation: ConversationId::from("none"),
        answer: by_template("template", "order_update"),
        language: Language::IT,
        lane: Lane::Bulk,
        category,
        as_template: true,
    }
}

async fn notify(store: &Store, conversation: &ConversationId, said: Announcement, now: i64) {
    approve(store, "order_update").await;
    let said = Announcement {
        conversation: conversation.clone(),
        ..said
    };
    assert!(store.announce(said, now).await.unwrap().is_some());
}

async fn contact(store: &Store, conversation: &ConversationId) -> ContactId {
    let state = store.conversation(conversation).await.unwrap().unwrap();
    state.contact.id
}

async fn agree(store: &Store, contact: &ContactId, granted: bool) {
    let state = if granted {
        ConsentState::Granted
    } else {
        ConsentState::Revoked
    };
    let change = ConsentChange::marketing(state, "test", None);
    store.record_consent(contact, change, NOW).await.unwrap();
}

#[tokio::test]
async fn a_notification_waits_until_everything_that_came_is_worked_in() {
    let (_folder, store) = empty().await;
    let a = acquainted(&store, "a").await;
    notify(&store, &a, template(MessageCategory::Utility), NOW).await;
    let arrival = Arrival {
        items: vec![ArrivalItem {
            recipient: OURS.to_owned(),
            key: "wamid.stop".to_owned(),
            body: "{}".to_owned(),
        }],
        ..Arrival::default()
    };
    store.receive(arrival, NOW).await.unwrap();
    answers(&store, "b", &["reply"]).await;
    assert_eq!(taken(&store, NOW).await.unwrap().1, "reply");
    assert!(taken(&store, NOW).await.is_none());
    let waiting = store.arrivals(9).await.unwrap().remove(0);
    store.put_aside(waiting, "test".to_owned()).await.unwrap();
    assert_eq!(taken(&store, NOW + 1_000).await.unwrap().1, "template");
}

#[tokio::test]
async fn replies_go_before_notifications_and_wait_for_none_of_them() {
    let (_folder, store) = empty().await;
    let a = acquainted(&store, "a").await;
    notify(&store, &a, template(MessageCategory::Utility), NOW).await;
    notify(&store, &a, template(MessageCategory::Utility), NOW).await;
    answers(&store, "b", &["reply"]).await;
    assert_eq!(taken(&store, NOW).await.unwrap().1, "reply");
    assert_eq!(taken(&store, NOW).await.unwrap().1, "template");
    // The second notification waits for the first, a reply to the same customer does not.
    assert!(taken(&store, NOW).await.is_none());
    answers(&store, "a", &["and a reply"]).await;
    assert_eq!(taken(&store, NOW).await.unwrap().1, "and a reply");
}

#[tokio::test]
async fn one_customer_gets_forty_five_at_once_and_the_others_do_not_wait() {
    let (_folder, store) = empty().await;
    let words: Vec<String> = (0..47).map(|place| place.to_string()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    answers(&store, "hot", &words).await;
    for expected in &words[..45] {
        let (row, words) = taken(&store, NOW).await.unwrap();
        assert_eq!(words, *expected);
        sent(&store, &row, &format!("wamid.{words}")).await;
    }
    assert!(taken(&store, NOW).await.is_none());
    answers(&store, "cold", &["other"]).await;
    assert_eq!(taken(&store, NOW).await.unwrap().1, "other");
    assert!(taken(&store, NOW + 5_999).await.is_none());
    let (row, words) = taken(&store, NOW + 6_000).await.unwrap();
    assert_eq!(words, "45");
    sent(&store, &row, "wamid.45").await;
    assert!(taken(&store, NOW + 11_999).await.is_none());
    assert_eq!(taken(&store, NOW + 12_000).await.unwrap().1, "46");
}

#[tokio::test]
async fn a_number_sends_so_many_a_second_in_all_processes_together() {
    let (folder, one) = empty().await;
    let other = Store::open(folder.path()).await.unwrap();
    for sender in 0..6 {
        answers(&one, &format!("c{sender}"), &["x"]).await;
    }
    let slow = Taker {
        pace: Pace {
            per_second: 2,
            people_a_day: None,
            people_untold: None,
        },
        ..taker("slow")
    };
    let mut gone = Vec::new();
    for (store, now) in [
        (&one, NOW),
        (&other, NOW),
        (&one, NOW),
        (&other, NOW + 500),
        (&one, NOW + 500),
    ] {
        let taken = store.take_outgoing(&slow, now).await.unwrap();
        gone.push(taken.row.is_some());
        if taken.row.is_none() {
            assert!(taken.next_at.is_some_and(|at| at > now));
        }
    }
    assert_eq!(gone, [true, true, false, true, false]);
}

#[tokio::test]
async fn the_portfolio_writes_to_so_many_people_first_in_a_day() {
    let (folder, store) = empty().await;
    let tier = Taker {
        pace: Pace {
            per_second: 1_000,
            people_a_day: Some(2),
            people_untold: None,
        },
        ..taker("tier")
    };
    let take = async |now: i64| store.take_outgoing(&tier, now).await.unwrap().row;
    let later = NOW + 2 * DAY;
    let mut people = Vec::new();
    for sender in ["a", "b", "c"] {
        let conversation = acquainted(&store, sender).await;
        notify(
            &store,
            &conversation,
            template(MessageCategory::Utility),
            later,
        )
        .await;
        people.push(conversation);
    }
    let a = take(later).await.unwrap();
    let b = take(later + 1).await.unwrap();
    assert!(take(later + 2).await.is_none(), "the third waits");
    // Somebody who was written to already may be written to again; who wrote to us does not count.
    store
        .record_sending(&a, Ending::Sent("wamid.a".to_owned()), later)
        .await
        .unwrap();
    notify(
        &store,
        &people[0],
        template(MessageCategory::Utility),
        later,
    )
    .await;
    assert!(take(later + 2).await.is_some());
    let fresh = answers_later(&store, "d", later).await;
    assert_eq!(take(later + 3).await.unwrap().conversation, fresh);
    // What was refused for certain did not reach anybody.
    store
        .record_sending(&b, Ending::Failed("stand-in".to_owned()), later)
        .await
        .unwrap();
    assert!(
        take(later + HOUR).await.is_some(),
        "the place is free again"
    );
    assert_eq!(count(folder.path(), "SELECT people FROM reach").await, 2);
}

#[tokio::test]
async fn places_become_free_as_the_day_rolls() {
    let (folder, store) = empty().await;
    let tier = Taker {
        pace: Pace {
            per_second: 1_000,
            people_a_day: Some(1),
            people_untold: None,
        },
        ..taker("tier")
    };
    let later = NOW + 2 * DAY;
    for sender in ["a", "b"] {
        let conversation = acquainted(&store, sender).await;
        notify(
            &store,
            &conversation,
            template(MessageCategory::Utility),
            later,
        )
        .await;
    }
    let taken = async |now: i64| store.take_outgoing(&tier, now).await.unwrap();
    assert!(taken(later).await.row.is_some());
    let waits = taken(later).await;
    assert!(waits.row.is_none());
    assert_eq!(waits.next_at, Some(later + HOUR / 4));
    assert!(taken(later + DAY - 1).await.row.is_none());
    assert!(taken(later + DAY + HOUR).await.row.is_some());
    assert_eq!(count(folder.path(), "SELECT people FROM reach").await, 1);
}

async fn answers_later(store: &Store, sender: &str, now: i64) -> ConversationId {
    super::answers_at(store, now, sender, &["reply"]).await
}

#[tokio::test]
async fn after_24_hours_a_reply_is_a_note_for_a_person() {
    let (_folder, store) = empty().await;
    let conversation = answers(&store, "a", &["one", "two"]).await;
    let found = store.take_outgoing(&taker("t"), NOW + DAY).await.unwrap();
    assert!(found.row.is_none());
    assert_eq!(found.handed_over[0], conversation);
    let seen = deliveries(&store, &conversation).await;
    for held in &seen {
        assert_eq!(held.state, "held");
        assert_eq!(
            held.fault.as_deref(),
            Some("not sent: the 24 hours are over")
        );
    }
    let state = store.conversation(&conversation).await.unwrap().unwrap();
    assert_eq!(state.holder, Holder::Human);
    let listed = store.desk(10).await.unwrap();
    assert_eq!(listed[0].reason.as_deref(), Some("window"));
    // The customer writes again: what a person says then goes, the old note does not.
    let again = sportello::domain::Inbound {
        sent_at: (NOW + DAY) / 1_000,
        ..message("a", "wamid.again", text("still there?"))
    };
    accept(&store, vec![again], NOW + DAY).await;
    store
        .reply(&conversation, "yes".to_owned(), NOW + DAY)
        .await
        .unwrap();
    assert_eq!(taken(&store, NOW + DAY).await.unwrap().1, "yes");
    assert!(taken(&store, NOW + 3 * DAY).await.is_none());
}

#[tokio::test]
async fn an_old_message_that_comes_late_opens_only_what_is_left_of_its_day() {
    let (_folder, store) = empty().await;
    let late = NOW + DAY - HOUR;
    answers_of_old(&store, late).await;
    assert!(taken(&store, late).await.is_some());
    let (_folder, store) = empty().await;
    answers_of_old(&store, late).await;
    assert!(taken(&store, NOW + DAY).await.is_none());
}

/// A message of `NOW` that is received and answered at `late`.
async fn answers_of_old(store: &Store, late: i64) {
    accept(store, vec![message("a", "wamid.old", text("ciao"))], late).await;
    let claim = super::claim(store, late).await.unwrap();
    let closing = super::answered(&claim, "late");
    store.close_turn(closing, late).await.unwrap();
}

#[tokio::test]
async fn marketing_needs_the_latest_word_to_be_yes() {
    let (_folder, store) = empty().await;
    let mut answered = Vec::new();
    for (sender, ledger) in [
        ("silent", &[][..]),
        ("yes", &[true][..]),
        ("no", &[true, false][..]),
        ("yes again", &[true, false, true][..]),
    ] {
        let conversation = acquainted(&store, sender).await;
        let contact = contact(&store, &conversation).await;
        for granted in ledger {
            agree(&store, &contact, *granted).await;
        }
        notify(
            &store,
            &conversation,
            template(MessageCategory::Marketing),
            NOW,
        )
        .await;
        answered.push(taken(&store, NOW).await.is_some());
    }
    assert_eq!(answered, [false, true, false, true]);
}

#[tokio::test]
async fn that_a_person_takes_over_is_said_and_nothing_of_the_agent_after_it() {
    let (_folder, store) = empty().await;
    accept(
        &store,
        vec![message("a", "wamid.a", text("a person, please"))],
        NOW,
    )
    .await;
    let claimed = super::claim(&store, NOW).await.unwrap();
    let mut closing = super::answered(&claimed, "");
    closing.outcome = Outcome::HandedOff {
        answer: Answer::text("a colleague will answer"),
        reason: HandOffReason::Requested,
        summary: "wants a person".to_owned(),
    };
    store.close_turn(closing, NOW).await.unwrap();
    assert_eq!(
        taken(&store, NOW).await.unwrap().1,
        "a colleague will answer"
    );
}

#[tokio::test]
async fn notifications_wait_while_a_person_holds_the_conversation() {
    let (_folder, store) = empty().await;
    let conversation = acquainted(&store, "a").await;
    notify(
        &store,
        &conversation,
        template(MessageCategory::Utility),
        NOW,
    )
    .await;
    store
        .set_holder(&conversation, Holder::Human, NOW)
        .await
        .unwrap();
    assert!(taken(&store, NOW).await.is_none());
    store
        .set_holder(&conversation, Holder::Agent, NOW)
        .await
        .unwrap();
    assert!(taken(&store, NOW + HOUR).await.is_some());
}

#[tokio::test]
async fn a_template_that_the_channel_has_not_approved_is_never_sent() {
    let (_folder, store) = empty().await;
    let conversation = acquainted(&store, "a").await;
    let unknown = Announcement {
        answer: by_template("template", "unheard_of"),
        ..template(MessageCategory::Utility)
    };
    notify(&store, &conversation, unknown, NOW).await;
    assert!(taken(&store, NOW).await.is_none());
    assert_eq!(deliveries(&store, &conversation).await[0].state, "failed");
}

#[tokio::test]
async fn a_template_that_became_marketing_needs_consent_whatever_it_was() {
    let (_folder, store) = empty().await;
    let conversation = acquainted(&store, "a").await;
    notify(
        &store,
        &conversation,
        template(MessageCategory::Utility),
        NOW,
    )
    .await;
    let change = TemplateChange {
        name: "order_update".to_owned(),
        language: "it".to_owned(),
        external_id: None,
        status: None,
        category: Some(TemplateCategory::Marketing),
        quality: None,
        reason: None,
    };
    store.record_template(change, NOW).await.unwrap();
    assert!(taken(&store, NOW).await.is_none());
    let contact = contact(&store, &conversation).await;
    agree(&store, &contact, true).await;
    notify(
        &store,
        &conversation,
        template(MessageCategory::Utility),
        NOW,
    )
    .await;
    assert!(taken(&store, NOW).await.is_some());
}

#[tokio::test]
async fn the_channel_tells_how_many_people_may_be_written_to_first() {
    let (_folder, store) = empty().await;
    let told = async |tier: &str, at: i64| {
        let change = sportello::domain::NumberChange {
            number: super::OURS.to_owned(),
            tier: Some(tier.to_owned()),
            ..sportello::domain::NumberChange::default()
        };
        store.record_number(change, at).await.unwrap();
    };
    let taker = |people_a_day: Option<i64>| Taker {
        pace: Pace {
            people_a_day,
            people_untold: Some(1),
            ..Pace::default()
        },
        ..taker("tier")
    };
    for person in ["a", "b", "c", "d"] {
        let conversation = acquainted(&store, person).await;
        notify(
            &store,
            &conversation,
            template(MessageCategory::Utility),
            NOW,
        )
        .await;
    }
    let mut at = NOW;
    let mut go = async |taker: &Taker| {
        // Who waits for a place looks again within a quarter of an hour.
        at += HOUR / 2;
        let taken = store.take_outgoing(taker, at).await.unwrap();
        if let Some(row) = &taken.row {
            sent(&store, row, &format!("wamid.{at}")).await;
        }
        taken.row.is_some()
    };
    assert!(go(&taker(None)).await, "one until the channel has told");
    assert!(!go(&taker(None)).await);
    told("2", NOW).await;
    assert!(go(&taker(None)).await);
    assert!(!go(&taker(None)).await);
    told("UNLIMITED", NOW + 1).await;
    assert!(!go(&taker(Some(2))).await, "ours caps it");
    assert!(go(&taker(None)).await);
    told("1", NOW + 2).await;
    assert!(!go(&taker(None)).await, "it was lowered");
}
