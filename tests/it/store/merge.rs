//! Joining two contacts that are one person, and the phone that a customer tells when asked.

use std::path::Path;

use sportello::domain::{
    About, ConsentChange, ConsentState, ContactCard, ContactId, Currency, Holder, Inbound,
    InboundContent, Language, MARKETING, Money,
};
use sportello::store::{
    MergeRefusal, Merged, NewPaymentLink, NewTicket, PaymentLine, Priority, Store, StoreError,
};
use sqlx::Row as _;

use super::{
    LEASE, NOW, accept, answered, claim, count, empty, message, second_connection, taken, text,
};

const PHONE: &str = "+393331234567";
const OTHER_PHONE: &str = "+393339999999";
const USER: &str = "IT.13491208655302741918";

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

async fn says(store: &Store, phone: Option<&str>, user_id: Option<&str>, words: &str) -> String {
    let id = format!("wamid.{}", uuid::Uuid::now_v7());
    let inbound = from(phone, user_id, &id, text(words));
    let accepted = accept(store, vec![inbound], NOW).await;
    accepted[0].conversation.0.clone()
}

/// The answer to what waits in a conversation; it stays in the outbox.
async fn answers(store: &Store, words: &str) {
    let claim = claim(store, NOW).await.unwrap();
    store
        .close_turn(answered(&claim, words), NOW)
        .await
        .unwrap();
}

async fn contact(store: &Store, conversation: &str) -> ContactId {
    let state = store.conversation(&conversation.into()).await.unwrap();
    state.unwrap().contact.id
}

async fn merge(store: &Store, keep: &str, other: &str) -> Result<Merged, MergeRefusal> {
    let merged = store.merge_contacts(keep, other, "operator", NOW + 1).await;
    merged.unwrap()
}

/// How many rows name a conversation or a contact that is gone.
async fn orphans(folder: &Path) -> i64 {
    let mut all = 0;
    for question in [
        "SELECT COUNT(*) FROM conversations WHERE contact_id NOT IN (SELECT id FROM contacts)",
        "SELECT COUNT(*) FROM consents WHERE contact_id NOT IN (SELECT id FROM contacts)",
        "SELECT COUNT(*) FROM tickets WHERE contact_id NOT IN (SELECT id FROM contacts)",
        "SELECT COUNT(*) FROM inbox WHERE conversation_id NOT IN (SELECT id FROM conversations)",
        "SELECT COUNT(*) FROM messages WHERE conversation_id NOT IN (SELECT id FROM conversations)",
        "SELECT COUNT(*) FROM turns WHERE conversation_id NOT IN (SELECT id FROM conversations)",
        "SELECT COUNT(*) FROM outbox WHERE conversation_id NOT IN (SELECT id FROM conversations)",
        "SELECT COUNT(*) FROM tickets WHERE conversation_id NOT IN (SELECT id FROM conversations)",
        "SELECT COUNT(*) FROM payment_links WHERE conversation_id NOT IN (SELECT id FROM conversations)",
        "SELECT COUNT(*) FROM spending WHERE scope = 'conversation' AND key NOT IN (SELECT id FROM conversations)",
    ] {
        all += count(folder, question).await;
    }
    all
}

async fn ticket(store: &Store, conversation: &str, priority: Priority, summary: &str) {
    let ticket = NewTicket {
        conversation: conversation.into(),
        contact: contact(store, conversation).await,
        subject: "Reso".to_owned(),
        summary: summary.to_owned(),
        priority,
    };
    store.open_ticket(ticket, None, NOW).await.unwrap();
}

async fn link(store: &Store, conversation: &str) {
    let price = Money::new(14_900, Currency::EUR);
    let link = NewPaymentLink {
        conversation: conversation.into(),
        lines: vec![PaymentLine {
            product_id: "aria".into(),
            title: "Aria".to_owned(),
            unit_price: price,
            quantity: 1,
        }],
        total: price,
        language: Language::IT,
        provider: "demo",
        order: None,
        expires_at: NOW + 100_000,
    };
    store.payment_link(link, None, NOW).await.unwrap();
}

#[tokio::test]
async fn two_contacts_become_one_with_all_that_was_theirs() {
    let (folder, store) = empty().await;
    let phone = says(&store, Some(PHONE), None, "dal telefono").await;
    answers(&store, "al telefono").await;
    let user = says(&store, None, Some(USER), "dal nome utente").await;
    answers(&store, "al nome utente").await;
    for conversation in [&phone, &user] {
        ticket(&store, conversation, Priority::Normal, conversation).await;
        link(&store, conversation).await;
    }
    let (keep, gone) = (contact(&store, &user).await, contact(&store, &phone).await);

    let merged = merge(&store, USER, PHONE).await.unwrap();
    assert_eq!(merged.contact, keep);
    assert_eq!(merged.gone, gone);
    assert_eq!(merged.conversations, [user.as_str().into()]);
    assert_eq!(merged.joined, [phone.as_str().into()]);
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM contacts").await,
        1
    );
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM conversations").await,
        1
    );
    assert_eq!(orphans(folder.path()).await, 0);

    let transcript = store
        .transcript(&user.as_str().into(), "", 100)
        .await
        .unwrap();
    let said: Vec<&str> = transcript.iter().map(|said| said.text.as_str()).collect();
    let expected = [
        "dal telefono",
        "al telefono",
        "dal nome utente",
        "al nome utente",
    ];
    assert_eq!(said, expected, "in the order of time");
    let state = store
        .conversation(&user.as_str().into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(state.contact.phone.as_deref(), Some(PHONE));
    assert_eq!(state.contact.user_id.as_deref(), Some(USER));
    assert_eq!(state.contact.address, PHONE);

    let tickets = store.tickets(&user.as_str().into()).await.unwrap();
    let open: Vec<_> = tickets
        .iter()
        .filter(|ticket| ticket.state == "open")
        .collect();
    assert_eq!((tickets.len(), open.len()), (2, 1));
    for conversation in [&phone, &user] {
        assert!(open[0].summary.contains(conversation.as_str()));
    }
    let links = "SELECT COUNT(*) FROM payment_links WHERE state = 'open'";
    assert_eq!(count(folder.path(), links).await, 1);

    // What waited goes one after the other, to where the customer is.
    for words in ["al telefono", "al nome utente"] {
        let (row, said) = taken(&store, NOW + 2).await.unwrap();
        assert_eq!(
            (said.as_str(), row.message.recipient.as_str()),
            (words, PHONE)
        );
        assert!(taken(&store, NOW + 2).await.is_none(), "one at a time");
        super::sent(&store, &row, &format!("wamid.{words}")).await;
    }
    // Either address leads there from now on.
    assert_eq!(says(&store, Some(PHONE), None, "ciao").await, user);
    assert_eq!(says(&store, None, Some(USER), "ciao").await, user);

    let audit = store.audit_of(keep.as_str()).await.unwrap();
    let last = audit.last().unwrap();
    assert_eq!(
        (last.actor.as_str(), last.action.as_str()),
        ("operator", "contact_merged")
    );
    assert_eq!(last.details["gone"], gone.as_str());
    let into = store.audit_of(gone.as_str()).await.unwrap();
    assert_eq!(into.last().unwrap().action, "contact_merged_into");
}

#[tokio::test]
async fn a_no_of_either_is_the_last_word() {
    let (folder, store) = empty().await;
    let phone = says(&store, Some(PHONE), None, "ciao").await;
    let user = says(&store, None, Some(USER), "ciao").await;
    let (keep, other) = (contact(&store, &user).await, contact(&store, &phone).await);
    let say = async |who: &ContactId, state, at| {
        let change = ConsentChange::marketing(state, "desk", None);
        store.record_consent(who, change, at).await.unwrap();
    };
    say(&other, ConsentState::Revoked, NOW).await;
    say(&keep, ConsentState::Granted, NOW + 5).await;
    merge(&store, keep.as_str(), other.as_str()).await.unwrap();
    let latest = store.consent_of(&keep, MARKETING).await.unwrap();
    assert_eq!(latest, Some(ConsentState::Revoked));
    let all = "SELECT COUNT(*) FROM consents";
    assert_eq!(
        count(folder.path(), all).await,
        3,
        "what was said before is kept"
    );
}

#[tokio::test]
async fn a_person_who_holds_one_of_them_holds_both() {
    let (_folder, store) = empty().await;
    let phone = says(&store, Some(PHONE), None, "ciao").await;
    let user = says(&store, None, Some(USER), "ciao").await;
    answers(&store, "non va più detto").await;
    answers(&store, "nemmeno questo").await;
    let phone = phone.as_str().into();
    store.set_holder(&phone, Holder::Human, NOW).await.unwrap();
    merge(&store, USER, PHONE).await.unwrap();
    let state = store.conversation(&user.as_str().into()).await.unwrap();
    assert_eq!(state.unwrap().holder, Holder::Human);
    assert!(
        taken(&store, NOW + 2).await.is_none(),
        "the assistant is silent"
    );
}

#[tokio::test]
async fn conversations_with_other_numbers_of_ours_only_change_hands() {
    let (folder, store) = empty().await;
    let user = says(&store, None, Some(USER), "ciao").await;
    let mut elsewhere = from(Some(PHONE), None, "wamid.elsewhere", text("ciao"));
    "another".clone_into(&mut elsewhere.recipient);
    let other = accept(&store, vec![elsewhere], NOW).await[0]
        .conversation
        .clone();
    let merged = merge(&store, USER, PHONE).await.unwrap();
    assert!(merged.joined.is_empty());
    assert_eq!(merged.conversations.len(), 2);
    assert_eq!(
        contact(&store, other.as_str()).await,
        contact(&store, &user).await
    );
    assert_eq!(orphans(folder.path()).await, 0);
}

#[tokio::test]
async fn what_cannot_be_joined_is_refused_and_stays() {
    let (folder, store) = empty().await;
    let phone = says(&store, Some(PHONE), None, "ciao").await;
    says(&store, None, Some(USER), "ciao").await;
    let same = contact(&store, &phone).await;
    assert_eq!(
        merge(&store, PHONE, same.as_str()).await,
        Err(MergeRefusal::Same(same.clone()))
    );
    let unknown = MergeRefusal::Unknown("+390000000".to_owned());
    assert_eq!(merge(&store, PHONE, "+390000000").await, Err(unknown));

    let mut web = message("session", "1", text("ciao"));
    web.channel = sportello::domain::Channel::Web;
    web.phone = None;
    let web = accept(&store, vec![web], NOW).await[0].conversation.clone();
    let web = contact(&store, web.as_str()).await;
    let channels = MergeRefusal::Channels("whatsapp".to_owned(), "web".to_owned());
    assert_eq!(merge(&store, PHONE, web.as_str()).await, Err(channels));

    let mut foreign = from(Some(OTHER_PHONE), None, "wamid.foreign", text("ciao"));
    "900".clone_into(&mut foreign.about.portfolio);
    accept(&store, vec![foreign], NOW).await;
    let refused = merge(&store, PHONE, OTHER_PHONE).await;
    assert_eq!(refused, Err(MergeRefusal::Portfolios));

    // A turn is running in one of them.
    let running = claim(&store, NOW).await.unwrap();
    let refused = merge(&store, PHONE, USER).await;
    assert!(matches!(refused, Err(MergeRefusal::Busy(_))), "{refused:?}");
    assert_eq!(
        count(folder.path(), "SELECT COUNT(*) FROM contacts").await,
        4
    );
    let merged = "SELECT COUNT(*) FROM audit WHERE action LIKE 'contact_merged%'";
    assert_eq!(count(folder.path(), merged).await, 0);

    // Its lease ran out: they are joined, and the slow worker is refused, whichever of them it had.
    let later = store.merge_contacts(USER, PHONE, "desk", NOW + LEASE + 1);
    later.await.unwrap().unwrap();
    let closed = store.close_turn(answered(&running, "troppo tardi"), NOW + LEASE + 2);
    assert!(matches!(closed.await, Err(StoreError::Stale)));
}

#[tokio::test]
async fn a_message_that_shows_two_contacts_lets_the_desk_join_them() {
    let (_folder, store) = empty().await;
    let phone = says(&store, Some(PHONE), None, "ciao").await;
    says(&store, None, Some(USER), "ciao").await;
    let both = says(&store, Some(PHONE), Some(USER), "ciao").await;
    let open = store
        .desk_conversation(&both.as_str().into())
        .await
        .unwrap()
        .unwrap();
    let other = contact(&store, &phone).await;
    assert_eq!(open.perhaps.len(), 1);
    assert_eq!(open.perhaps[0].id, other);
    let files = store.contact_files(USER).await.unwrap();
    assert_eq!(files[0].perhaps, open.perhaps);
    merge(&store, USER, PHONE).await.unwrap();
    let open = store
        .desk_conversation(&both.as_str().into())
        .await
        .unwrap()
        .unwrap();
    assert!(open.perhaps.is_empty(), "there is nobody left to join");
}

fn card(own_phone: Option<&str>) -> InboundContent {
    InboundContent::Contacts {
        cards: vec![ContactCard {
            name: Some("Ada".to_owned()),
            phones: vec![PHONE.to_owned()],
            emails: Vec::new(),
        }],
        requested: true,
        own_phone: own_phone.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_phone_that_was_shared_when_asked_for_is_the_customers() {
    let (folder, store) = empty().await;
    let user = says(&store, None, Some(USER), "ciao").await;
    let mut forwarded = from(None, Some(USER), "wamid.f", card(Some(PHONE)));
    forwarded.about.forwarded = true;
    let not_own = from(None, Some(USER), "wamid.n", card(None));
    accept(&store, vec![forwarded, not_own], NOW).await;
    let state = store
        .conversation(&user.as_str().into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        state.contact.phone, None,
        "a card of anybody else's tells nothing"
    );

    let own = from(None, Some(USER), "wamid.o", card(Some(PHONE)));
    for _ in 0..2 {
        accept(&store, vec![own.clone()], NOW).await;
    }
    let state = store
        .conversation(&user.as_str().into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(state.contact.phone.as_deref(), Some(PHONE));
    assert_eq!(says(&store, Some(PHONE), None, "ciao").await, user);
    let audit = store.audit_of(state.contact.id.as_str()).await.unwrap();
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0].details["source"], "contact_request");
    assert_eq!(audit[0].details["to"], PHONE);

    // Another phone later changes nothing: the channel vouches for this one.
    let mut again = card(Some(OTHER_PHONE));
    if let InboundContent::Contacts { cards, .. } = &mut again {
        cards[0].phones = vec![OTHER_PHONE.to_owned()];
    }
    accept(&store, vec![from(None, Some(USER), "wamid.p", again)], NOW).await;
    let mut connection = second_connection(folder.path()).await;
    let row = sqlx::query("SELECT phone FROM contacts")
        .fetch_one(&mut connection)
        .await;
    assert_eq!(row.unwrap().get::<String, _>(0), PHONE);
}

#[tokio::test]
async fn a_shared_phone_that_is_somebody_elses_is_left_to_a_person() {
    let (_folder, store) = empty().await;
    let phone = says(&store, Some(PHONE), None, "ciao").await;
    let user = says(&store, None, Some(USER), "ciao").await;
    accept(
        &store,
        vec![from(None, Some(USER), "wamid.o", card(Some(PHONE)))],
        NOW,
    )
    .await;
    let state = store
        .conversation(&user.as_str().into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(state.contact.phone, None);
    let perhaps = store.perhaps_same(&state.contact.id).await.unwrap();
    assert_eq!(perhaps[0].id, contact(&store, &phone).await);
}
