//! Who is who: phones, user ids, both, changes of either, and what is left to a person.

use std::path::Path;

use sportello::domain::{About, Channel, Inbound, InboundContent, Moved};
use sportello::store::Store;
use sqlx::Row as _;

use super::{NOW, accept, count, empty, message, second_connection, text};

const PHONE: &str = "+393331234567";
const OTHER_PHONE: &str = "+393339999999";
const USER: &str = "IT.13491208655302741918";
const OTHER_USER: &str = "IT.22222222222222222222";

fn from(phone: Option<&str>, user_id: Option<&str>, id: &str, content: InboundContent) -> Inbound {
    let sender = phone.or(user_id).unwrap();
    Inbound {
        phone: phone.map(str::to_owned),
        about: About {
            user_id: user_id.map(str::to_owned),
            ..About::default()
        },
        ..message(sender, id, content)
    }
}

async fn conversation(store: &Store, inbound: Inbound) -> String {
    accept(store, vec![inbound], NOW)
        .await
        .remove(0)
        .conversation
        .0
}

async fn says(store: &Store, phone: Option<&str>, user_id: Option<&str>) -> String {
    let id = format!("wamid.{}", uuid::Uuid::now_v7());
    conversation(store, from(phone, user_id, &id, text("ciao"))).await
}

async fn notes(folder: &Path) -> Vec<String> {
    let mut connection = second_connection(folder).await;
    let rows = sqlx::query("SELECT action FROM audit ORDER BY id")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn address(store: &Store, conversation: &str) -> String {
    let id = conversation.into();
    store
        .conversation(&id)
        .await
        .unwrap()
        .unwrap()
        .contact
        .address
}

#[tokio::test]
async fn phone_then_both_then_user_id_is_one_person() {
    let (folder, store) = empty().await;
    let first = says(&store, Some(PHONE), None).await;
    assert_eq!(says(&store, Some(PHONE), Some(USER)).await, first);
    assert_eq!(says(&store, None, Some(USER)).await, first);
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM contacts").await,
        1
    );
    assert_eq!(notes(folder.path()).await, ["contact_user_id"]);
    assert_eq!(address(&store, &first).await, PHONE);
}

#[tokio::test]
async fn a_user_id_is_written_to_until_the_phone_is_known() {
    let (folder, store) = empty().await;
    let first = says(&store, None, Some(USER)).await;
    assert_eq!(address(&store, &first).await, USER);
    assert_eq!(says(&store, Some(PHONE), Some(USER)).await, first);
    assert_eq!(address(&store, &first).await, PHONE);
    assert_eq!(says(&store, Some(PHONE), None).await, first);
    assert_eq!(notes(folder.path()).await, ["contact_phone"]);
    let found = store
        .conversation_of(Channel::Whatsapp, PHONE, super::OURS)
        .await
        .unwrap();
    assert_eq!(found.unwrap().0, first);
}

#[tokio::test]
async fn two_contacts_are_never_joined_by_a_message() {
    let (folder, store) = empty().await;
    let phone = says(&store, Some(PHONE), None).await;
    let user = says(&store, None, Some(USER)).await;
    assert_ne!(phone, user);
    for _ in 0..2 {
        assert_eq!(says(&store, Some(PHONE), Some(USER)).await, user);
    }
    assert_eq!(address(&store, &user).await, USER);
    assert_eq!(address(&store, &phone).await, PHONE);
    assert_eq!(
        notes(folder.path()).await,
        ["contact_conflict"],
        "noted once"
    );
}

#[tokio::test]
async fn a_phone_that_comes_with_another_user_id_was_given_away() {
    let (folder, store) = empty().await;
    let before = says(&store, Some(PHONE), Some(USER)).await;
    let after = says(&store, Some(PHONE), Some(OTHER_USER)).await;
    assert_ne!(before, after, "nobody reads what another person wrote");
    assert_eq!(address(&store, &before).await, USER);
    assert_eq!(address(&store, &after).await, PHONE);
    assert_eq!(notes(folder.path()).await, ["contact_phone_passed_on"]);
}

#[tokio::test]
async fn a_changed_number_or_user_id_stays_the_same_person() {
    let (folder, store) = empty().await;
    let first = says(&store, Some(PHONE), Some(USER)).await;
    let moved = |phone: Option<&str>, user_id: Option<&str>| {
        InboundContent::Moved(Moved {
            phone: phone.map(str::to_owned),
            user_id: user_id.map(str::to_owned),
        })
    };
    let notice = from(
        Some(PHONE),
        None,
        "wamid.n1",
        moved(Some(OTHER_PHONE), None),
    );
    for _ in 0..2 {
        assert_eq!(conversation(&store, notice.clone()).await, first);
    }
    assert_eq!(address(&store, &first).await, OTHER_PHONE);
    let notice = from(
        Some(OTHER_PHONE),
        Some(USER),
        "wamid.n2",
        moved(None, Some(OTHER_USER)),
    );
    assert_eq!(conversation(&store, notice).await, first);
    assert_eq!(says(&store, None, Some(OTHER_USER)).await, first);
    assert_eq!(says(&store, Some(OTHER_PHONE), None).await, first);
    let changes = ["contact_moved", "contact_moved"];
    assert_eq!(notes(folder.path()).await, changes);
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM contacts").await,
        1
    );

    // The old number is somebody else's one day.
    assert_ne!(says(&store, Some(PHONE), None).await, first);
    let contact = store
        .conversation(&first.as_str().into())
        .await
        .unwrap()
        .unwrap()
        .contact;
    let audit = store.audit_of(contact.id.as_str()).await.unwrap();
    assert_eq!(audit[0].actor, "channel");
    assert_eq!(audit[0].details["phone"]["from"], PHONE);
    assert_eq!(audit[0].details["phone"]["to"], OTHER_PHONE);
}

#[tokio::test]
async fn what_waits_for_someone_who_moved_goes_where_they_are() {
    let (folder, store) = empty().await;
    let first = super::answers(&store, PHONE, &["salve"]).await;
    let moved = InboundContent::Moved(Moved {
        phone: Some(OTHER_PHONE.to_owned()),
        user_id: None,
    });
    let notice = from(Some(PHONE), None, "wamid.n1", moved);
    assert_eq!(conversation(&store, notice).await, first.0);
    let (row, _) = super::taken(&store, NOW + 1).await.unwrap();
    assert_eq!(row.message.recipient, OTHER_PHONE);
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM contacts").await,
        1
    );
}

#[tokio::test]
async fn a_move_to_somebody_elses_number_changes_nothing() {
    let (folder, store) = empty().await;
    let first = says(&store, Some(PHONE), None).await;
    let other = says(&store, Some(OTHER_PHONE), None).await;
    let moved = InboundContent::Moved(Moved {
        phone: Some(OTHER_PHONE.to_owned()),
        user_id: None,
    });
    conversation(&store, from(Some(PHONE), None, "wamid.n1", moved)).await;
    assert_eq!(address(&store, &first).await, PHONE);
    assert_eq!(address(&store, &other).await, OTHER_PHONE);
    assert_eq!(notes(folder.path()).await, ["contact_conflict"]);
}

#[tokio::test]
async fn a_user_id_is_somebody_in_one_portfolio_only() {
    let (folder, store) = empty().await;
    let in_portfolio = |portfolio: &str, id: &str| {
        let mut inbound = from(Some(PHONE), Some(USER), id, text("ciao"));
        portfolio.clone_into(&mut inbound.about.portfolio);
        inbound
    };
    let here = conversation(&store, in_portfolio("", "wamid.1")).await;
    let there = conversation(&store, in_portfolio("900", "wamid.2")).await;
    assert_ne!(here, there);
    assert_eq!(address(&store, &there).await, PHONE);
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM contacts").await,
        2
    );
}
