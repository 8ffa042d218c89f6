//! The store through its own doors: real files, read again by a second connection.

mod accept;
mod backup;
mod claims;
mod dead_letters;
mod disk_full;
mod files;
mod identity;
mod lanes;
mod merge;
mod model;
mod money;
mod notices;
mod outbox;
mod plans;
mod references;
mod refusals;
mod sending;
mod sending_model;
mod statuses;
mod tokens;
mod verifications;

use std::path::Path;

use serde_json::Value;
use sportello::domain::{
    About, Answer, Channel, ConversationId, Inbound, InboundContent, InboxId, Language, Outcome,
    TemplateChange, TemplateMessage, TemplateStatus, TurnId, TurnTrace,
};
use sportello::store::{
    Accepted, Claim, Closing, DeskDelivery, Ending, Intake, OutboxRow, Pace, Store, Taker,
};
use sportello::whatsapp::intake::Sorter;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Row as _};
use tempfile::TempDir;

/// A moment, milliseconds since 1970.
pub const NOW: i64 = 1_795_000_000_000;
pub const LEASE: i64 = 60_000;
/// Our number.
pub const OURS: &str = "106540352242922";

/// An empty store in a folder of its own.
pub async fn empty() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    (folder, store)
}

pub fn text(text: &str) -> InboundContent {
    InboundContent::Text {
        text: text.to_owned(),
    }
}

/// A WhatsApp message of a customer.
pub fn message(sender: &str, id: &str, content: InboundContent) -> Inbound {
    Inbound {
        channel: Channel::Whatsapp,
        recipient: OURS.to_owned(),
        external_id: id.to_owned(),
        sender: sender.to_owned(),
        phone: Some(sender.to_owned()),
        name: Some("Ada".to_owned()),
        sent_at: NOW / 1000,
        content,
        about: About::default(),
    }
}

/// Accepts messages as one delivery, without waiting for more of a burst.
pub async fn accept(store: &Store, messages: Vec<Inbound>, now: i64) -> Vec<Accepted> {
    let intake = Intake {
        messages: messages.into_iter().map(|message| (message, 0)).collect(),
        ..Intake::default()
    };
    store.accept(intake, now).await.unwrap()
}

/// Stores a webhook as the door does, and works it in: nothing of it may be unreadable.
pub async fn deliver(store: &Store, sorter: &Sorter, body: &Value, now: i64) {
    let arrival = sorter.arrival(body.to_string().as_bytes());
    assert_eq!(arrival.fault, None);
    store.receive(arrival, now).await.unwrap();
    work_in(store, sorter).await;
}

/// Works in what a door has stored.
pub async fn work_in(store: &Store, sorter: &Sorter) {
    let waiting = store.arrivals(1_000).await.unwrap();
    store.work_in(sorter.read(&waiting)).await.unwrap();
}

/// A customer who has said something: the conversation.
pub async fn customer(store: &Store, sender: &str) -> ConversationId {
    let id = format!("wamid.{sender}");
    let accepted = accept(store, vec![message(sender, &id, text("ciao"))], NOW).await;
    accepted[0].conversation.clone()
}

/// Somebody whom we know and who never wrote.
pub async fn acquainted(store: &Store, sender: &str) -> ConversationId {
    let opened = store.open_conversation(Channel::Whatsapp, sender, OURS, NOW);
    opened.await.unwrap()
}

pub async fn claim(store: &Store, now: i64) -> Option<Claim> {
    store.claim("tester", LEASE, now).await.unwrap()
}

/// Ends a claim with an answer.
pub fn answered(claim: &Claim, words: &str) -> Closing {
    let pending = claim.pending.iter();
    Closing {
        turn: TurnId::new(),
        conversation: claim.state.id.clone(),
        epoch: claim.epoch,
        consumed: pending.map(|message| message.id.clone()).collect(),
        intent: None,
        outcome: Outcome::Answered {
            answer: Answer::text(words),
            awaiting: None,
        },
        trace: TurnTrace::default(),
        language: Language::IT,
        misunderstood: 0,
        disclosed: false,
    }
}

/// A conversation whose customer is answered with each of the words, in order.
pub async fn answers(store: &Store, sender: &str, words: &[&str]) -> ConversationId {
    answers_at(store, NOW, sender, words).await
}

/// The same at another time.
pub async fn answers_at(store: &Store, now: i64, sender: &str, words: &[&str]) -> ConversationId {
    let mut conversation = None;
    for words in words {
        let id = format!("wamid.{}", InboxId::new());
        let inbound = Inbound {
            sent_at: now / 1000,
            ..message(sender, &id, text("ciao"))
        };
        let accepted = accept(store, vec![inbound], now).await;
        conversation = Some(accepted[0].conversation.clone());
        let claim = claim(store, now).await.unwrap();
        store
            .close_turn(answered(&claim, words), now)
            .await
            .unwrap();
    }
    conversation.unwrap()
}

/// A sender.
pub fn taker(owner: &str) -> Taker {
    Taker {
        owner: owner.to_owned(),
        lease: LEASE,
        pace: Pace::default(),
    }
}

/// The next message to send, marked `sending`: its words.
pub async fn taken(store: &Store, now: i64) -> Option<(OutboxRow, String)> {
    let taken = store.take_outgoing(&taker("tester"), now).await.unwrap();
    let row = taken.row?;
    let words = row.message.answer.text.clone();
    Some((row, words))
}

pub async fn sent(store: &Store, row: &OutboxRow, wamid: &str) {
    ended(store, row, Ending::Sent(wamid.to_owned())).await;
}

/// Records how sending ended: whether a person got the conversation.
pub async fn ended(store: &Store, row: &OutboxRow, ending: Ending) -> bool {
    store.record_sending(row, ending, NOW).await.unwrap()
}

/// Not sent, and tried again then.
pub fn again(due_at: i64) -> Ending {
    Ending::Again {
        due_at,
        fault: "stand-in".to_owned(),
    }
}

/// What the desk sees of the messages that were sent in a conversation.
pub async fn deliveries(store: &Store, conversation: &ConversationId) -> Vec<DeskDelivery> {
    let said = store.transcript(conversation, "", 100).await.unwrap();
    said.into_iter().filter_map(|said| said.delivery).collect()
}

/// A second connection to the file of a folder.
pub async fn second_connection(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("sportello.db"));
    options.connect().await.unwrap()
}

/// A number that a second connection reads.
pub async fn count(folder: &Path, question: &'static str) -> i64 {
    let mut connection = second_connection(folder).await;
    let row = sqlx::query(question).fetch_one(&mut connection).await;
    row.unwrap().get(0)
}

/// Words that go as a template.
fn by_template(words: &str, name: &str) -> Answer {
    Answer {
        template: Some(Box::new(TemplateMessage {
            name: name.to_owned(),
            language: "it".to_owned(),
            header: None,
            body: Vec::new(),
            buttons: Vec::new(),
        })),
        ..Answer::text(words)
    }
}

/// The channel says that a template may be sent.
async fn approve(store: &Store, name: &str) {
    let change = TemplateChange {
        name: name.to_owned(),
        language: "it".to_owned(),
        external_id: None,
        status: Some(TemplateStatus::Approved),
        category: None,
        quality: None,
        reason: None,
    };
    store.record_template(change, NOW).await.unwrap();
}
