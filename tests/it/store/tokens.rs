//! Tokens of assistants, and questions that are answered once.

use sportello::domain::{Scope, TokenId};
use sportello::store::{AssistantCall, NewToken, Store};

use super::{NOW, count, empty};

const HOUR: i64 = 60 * 60 * 1000;

fn token(hash: &str) -> NewToken {
    NewToken {
        name: "Website".to_owned(),
        hash: hash.to_owned(),
        scopes: vec![Scope::CatalogRead, Scope::TicketsWrite],
        expires_at: NOW + 48 * HOUR,
    }
}

async fn works(store: &Store, hash: &str, now: i64) -> bool {
    store.use_token(hash, now).await.unwrap().is_some()
}

#[tokio::test]
async fn a_token_lives_until_it_is_over_or_revoked() {
    let (folder, store) = empty().await;
    let made = store.create_token(token("one"), NOW).await.unwrap();
    let other = store.create_token(token("two"), NOW).await.unwrap();
    let used = store.use_token("one", NOW).await.unwrap().unwrap();
    assert_eq!((&used.id, &used.scopes), (&made.id, &made.scopes));
    assert!(!works(&store, "three", NOW).await);
    assert!(works(&store, "one", made.expires_at - 1).await);
    assert!(!works(&store, "one", made.expires_at).await);

    let revoked = store.revoke_token(&made.id, NOW + 5).await.unwrap();
    assert_eq!(revoked.unwrap().revoked_at, Some(NOW + 5));
    assert!(!works(&store, "one", NOW + 5).await);
    assert!(works(&store, "two", NOW + 5).await, "the other still works");
    let again = store.revoke_token(&made.id, NOW + 9).await.unwrap();
    assert_eq!(
        again.unwrap().revoked_at,
        Some(NOW + 5),
        "it stays as it was"
    );
    let unknown = store.revoke_token(&TokenId::new(), NOW).await.unwrap();
    assert!(unknown.is_none());

    let listed = store.tokens().await.unwrap();
    let ids: Vec<&TokenId> = listed.iter().map(|token| &token.id).collect();
    assert_eq!(ids, [&made.id, &other.id]);
    let found = store.token(&other.id).await.unwrap().unwrap();
    assert_eq!((found.id, found.name), (other.id, other.name));
    assert!(store.token(&TokenId::new()).await.unwrap().is_none());
    let noted = store.audit_of(made.id.as_str()).await.unwrap();
    let actions: Vec<&str> = noted.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["token_created", "token_revoked"]);
    let plain = "SELECT COUNT(*) FROM tokens WHERE hash NOT IN ('one', 'two')";
    assert_eq!(count(folder.path(), plain).await, 0);
}

#[tokio::test]
async fn the_time_of_use_is_written_once_an_hour() {
    let (_folder, store) = empty().await;
    store.create_token(token("one"), NOW).await.unwrap();
    for (now, expected) in [
        (NOW, NOW),
        (NOW + HOUR - 1, NOW),
        (NOW + HOUR, NOW + HOUR),
        (NOW + HOUR + 5, NOW + HOUR),
    ] {
        assert!(works(&store, "one", now).await);
        let listed = store.tokens().await.unwrap();
        assert_eq!(listed[0].used_at, Some(expected), "at {now}");
    }
}

#[tokio::test]
async fn a_question_is_answered_once_and_in_time() {
    let (folder, store) = empty().await;
    let keep = |key: &str, now| store.keep_question(key.to_owned(), now + HOUR, now);
    let take = |key: &str, now| store.take_question(key.to_owned(), now);
    keep("a", NOW).await.unwrap();
    keep("b", NOW).await.unwrap();
    assert!(!take("c", NOW).await.unwrap());
    assert!(take("a", NOW).await.unwrap());
    assert!(!take("a", NOW).await.unwrap());
    assert!(!take("b", NOW + HOUR).await.unwrap(), "too late");
    keep("d", NOW + 2 * HOUR).await.unwrap();
    let kept = "SELECT COUNT(*) FROM confirmations";
    assert_eq!(
        count(folder.path(), kept).await,
        1,
        "old ones are forgotten"
    );
    let many = (0..20).map(|_| take("d", NOW + 2 * HOUR));
    let taken = futures::future::join_all(many).await;
    let taken = taken.into_iter().filter(|taken| *taken.as_ref().unwrap());
    assert_eq!(taken.count(), 1, "of many at once, one");
}

#[tokio::test]
async fn what_an_assistant_changes_is_written_down() {
    let (_folder, store) = empty().await;
    let call = |token: Option<&str>, contact: Option<&str>| AssistantCall {
        tool: "open_ticket".to_owned(),
        token: token.map(str::to_owned),
        contact: contact.map(str::to_owned),
    };
    let both = call(Some("at_1"), Some("ct_1"));
    store.note_call(both.clone(), NOW).await.unwrap();
    store
        .note_call(call(Some("at_1"), None), NOW)
        .await
        .unwrap();
    let noted = store.audit_of("ct_1").await.unwrap();
    assert_eq!(noted.len(), 1);
    assert_eq!((noted[0].actor.as_str(), noted[0].at), ("assistant", NOW));
    let read: AssistantCall = serde_json::from_value(noted[0].details.clone()).unwrap();
    assert_eq!(read, both);
    assert_eq!(store.audit_of("at_1").await.unwrap().len(), 1);
}
