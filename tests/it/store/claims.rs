//! Claims, leases and their epochs.

use std::collections::HashSet;

use futures::future::join_all;
use sportello::domain::{
    ContactId, Currency, HandOffReason, Holder, Language, Money, Outcome, Speaker,
};
use sportello::store::{NewPaymentLink, NewTicket, Priority, Store, StoreError};

use super::{LEASE, NOW, accept, answered, claim, count, customer, empty, message, text};

#[tokio::test(flavor = "multi_thread")]
async fn two_claimants_never_hold_one_conversation() {
    let (folder, store) = empty().await;
    for sender in 0..5 {
        customer(&store, &format!("+39{sender}")).await;
    }
    let second = Store::open(folder.path()).await.unwrap();
    let tasks = (0..16).map(|place| {
        let store = if place % 2 == 0 { &store } else { &second }.clone();
        tokio::spawn(async move { store.claim(&format!("w{place}"), LEASE, NOW).await.unwrap() })
    });
    let held: Vec<String> = join_all(tasks)
        .await
        .into_iter()
        .filter_map(|claim| claim.unwrap())
        .map(|claim| claim.state.id.0)
        .collect();
    assert_eq!(held.len(), 5);
    assert_eq!(held.iter().collect::<HashSet<_>>().len(), 5);
    assert!(
        claim(&store, NOW + LEASE).await.is_none(),
        "they are all held"
    );
}

#[tokio::test]
async fn an_expired_lease_is_taken_over_and_its_holder_can_write_nothing() {
    let (folder, store) = empty().await;
    let conversation = customer(&store, "+39333").await;
    let slow = claim(&store, NOW).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(NOW + LEASE));
    let quick = claim(&store, NOW + LEASE + 1).await.unwrap();
    assert!(quick.epoch > slow.epoch);
    assert_eq!((slow.attempts, quick.attempts), (1, 2));
    assert_eq!(quick.pending, slow.pending);

    let stale = |result: Result<(), StoreError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::Stale), "{error}");
        assert!(error.to_string().contains("taken"), "{error}");
    };
    let now = NOW + LEASE + 2;
    stale(
        store
            .close_turn(answered(&slow, "late"), now)
            .await
            .map(drop),
    );
    let ticket = NewTicket {
        conversation: conversation.clone(),
        contact: slow.state.contact.id.clone(),
        subject: "late".to_owned(),
        summary: "late".to_owned(),
        priority: Priority::Normal,
    };
    stale(
        store
            .open_ticket(ticket, Some(slow.epoch), now)
            .await
            .map(drop),
    );
    let link = NewPaymentLink {
        conversation: conversation.clone(),
        order: None,
        lines: Vec::new(),
        total: Money::new(1, Currency::EUR),
        language: Language::IT,
        provider: "demo",
        expires_at: now + 1_000,
    };
    stale(
        store
            .payment_link(link, Some(slow.epoch), now)
            .await
            .map(drop),
    );
    store.release(&conversation, slow.epoch, now).await.unwrap();
    assert!(
        claim(&store, now).await.is_none(),
        "a stale release frees nothing"
    );
    for nothing in [
        "SELECT COUNT(*) FROM turns",
        "SELECT COUNT(*) FROM outbox",
        "SELECT COUNT(*) FROM tickets",
        "SELECT COUNT(*) FROM payment_links",
        "SELECT COUNT(*) FROM inbox WHERE turn_id IS NOT NULL",
        "SELECT COUNT(*) FROM messages WHERE speaker <> 'customer'",
    ] {
        assert_eq!(count(folder.path(), nothing).await, 0, "{nothing}");
    }

    store
        .close_turn(answered(&quick, "first"), now)
        .await
        .unwrap();
    assert_eq!(store.turns(&conversation, 10).await.unwrap().len(), 1);
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM outbox").await, 1);
}

#[tokio::test]
async fn a_claim_ends_once() {
    let (folder, store) = empty().await;
    let conversation = customer(&store, "+39333").await;
    let held = claim(&store, NOW).await.unwrap();
    store
        .release(&conversation, held.epoch, NOW + 5)
        .await
        .unwrap();
    let released = store.close_turn(answered(&held, "one"), NOW + 1).await;
    assert!(matches!(released, Err(StoreError::Stale)), "{released:?}");
    assert!(claim(&store, NOW + 4).await.is_none());

    let held = claim(&store, NOW + 5).await.unwrap();
    store
        .close_turn(answered(&held, "one"), NOW + 6)
        .await
        .unwrap();
    let twice = store.close_turn(answered(&held, "two"), NOW + 7).await;
    assert!(matches!(twice, Err(StoreError::Stale)), "{twice:?}");
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM turns").await, 1);
}

#[tokio::test]
async fn a_claim_has_what_waits_in_order_and_what_was_said_before_it() {
    let (_folder, store) = empty().await;
    let batch = |ids: &[&str]| {
        ids.iter()
            .map(|id| message("+39333", id, text(id)))
            .collect()
    };
    accept(&store, batch(&["one", "two"]), NOW).await;
    accept(&store, batch(&["three"]), NOW).await;
    let words = |claim: &sportello::store::Claim| -> Vec<String> {
        let pending = claim.pending.iter();
        pending
            .filter_map(|message| message.content.words().map(str::to_owned))
            .collect()
    };
    let first = claim(&store, NOW).await.unwrap();
    assert_eq!(words(&first), ["one", "two", "three"]);
    assert!(first.history.entries.is_empty());

    // What arrives during the turn waits for the next one, which is due at once.
    accept(&store, batch(&["four"]), NOW + 1).await;
    assert!(claim(&store, NOW + 2).await.is_none());
    store
        .close_turn(answered(&first, "answer"), NOW + 3)
        .await
        .unwrap();
    let second = claim(&store, NOW + 3).await.unwrap();
    assert_eq!(words(&second), ["four"]);
    let history: Vec<(Speaker, &str)> = second
        .history
        .entries
        .iter()
        .map(|entry| (entry.speaker, entry.text.as_str()))
        .collect();
    let customer = Speaker::Customer;
    let expected = [(customer, "one"), (customer, "two"), (customer, "three")];
    assert_eq!(history[..3], expected);
    assert_eq!(history[3..], [(Speaker::Agent, "answer")]);
    assert_eq!(second.attempts, 1, "a closed turn begins to count anew");
}

#[tokio::test]
async fn an_answer_made_while_a_person_took_over_is_not_sent() {
    let (folder, store) = empty().await;
    let conversation = customer(&store, "+39333").await;
    let held = claim(&store, NOW).await.unwrap();
    store
        .set_holder(&conversation, Holder::Human, NOW + 1)
        .await
        .unwrap();
    let outcome = store
        .close_turn(answered(&held, "late"), NOW + 2)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Silent { .. }), "{outcome:?}");
    assert_eq!(count(folder.path(), "SELECT COUNT(*) FROM outbox").await, 0);
    let said = store.transcript(&conversation, "", 10).await.unwrap();
    assert_eq!(said.len(), 1);

    // The customer's next message is a silent turn's, and the desk's.
    accept(
        &store,
        vec![message("+39333", "wamid.2", text("there?"))],
        NOW + 3,
    )
    .await;
    let held = claim(&store, NOW + 3).await.unwrap();
    assert_eq!(held.state.holder, Holder::Human);
}

#[tokio::test]
async fn a_hand_off_is_the_desks_until_it_is_handed_back() {
    let (_folder, store) = empty().await;
    let conversation = customer(&store, "+39333").await;
    let held = claim(&store, NOW).await.unwrap();
    let mut closing = answered(&held, "");
    closing.outcome = Outcome::HandedOff {
        answer: sportello::domain::Answer::text("a colleague will answer"),
        reason: HandOffReason::Upset,
        summary: "angry".to_owned(),
    };
    store.close_turn(closing, NOW + 1).await.unwrap();
    let listed = store.desk(10).await.unwrap();
    assert_eq!(listed[0].reason.as_deref(), Some("upset"));
    assert_eq!(listed[0].waiting_since, Some(NOW + 1));
    assert_eq!(store.waiting().await.unwrap(), 1);
    store
        .set_holder(&conversation, Holder::Agent, NOW + 2)
        .await
        .unwrap();
    let state = store.conversation(&conversation).await.unwrap().unwrap();
    assert_eq!(state.holder, Holder::Agent);
    assert_eq!(store.waiting().await.unwrap(), 0);
}

#[tokio::test]
async fn the_desk_lists_who_waits_longest_then_who_wrote_last() {
    let (_folder, store) = empty().await;
    let mut ids = Vec::new();
    for (place, sender) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let now = NOW + i64::try_from(place).unwrap();
        let accepted = accept(&store, vec![message(sender, sender, text("x"))], now).await;
        ids.push(accepted[0].conversation.clone());
    }
    store
        .set_holder(&ids[3], Holder::Human, NOW + 10)
        .await
        .unwrap();
    store
        .set_holder(&ids[0], Holder::Human, NOW + 20)
        .await
        .unwrap();
    let listed = async |limit| -> Vec<_> {
        let listed = store.desk(limit).await.unwrap();
        listed.into_iter().map(|overview| overview.id).collect()
    };
    let all = [3, 0, 2, 1].map(|place| ids[place].clone());
    for limit in 1..=4 {
        assert_eq!(listed(i64::try_from(limit).unwrap()).await, all[..limit]);
    }
    assert_eq!(listed(100).await, all);
}

#[tokio::test]
async fn failed_proofs_are_counted_in_their_hour() {
    let (_folder, store) = empty().await;
    let contact = ContactId::from("ct_1");
    for at in [NOW, NOW + 10, NOW + 20] {
        store.note_failed_proof(&contact, at).await.unwrap();
    }
    assert_eq!(store.failed_proofs(&contact, NOW).await.unwrap(), 2);
    assert_eq!(store.failed_proofs(&"ct_2".into(), 0).await.unwrap(), 0);
}
