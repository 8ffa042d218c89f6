//! What the desk's page reads and does.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Desk;
use crate::domain::{ContactId, ConversationId, Holder};
use crate::edge::{Body, Fault};
use crate::events::Event;
use crate::store::{DeskConversation, MergeRefusal, Merged, Spending};

/// The page lists so many conversations.
const LISTED: i64 = 100;

const LONGEST: usize = 4000;

/// `{"conversations": […], "waiting": n, "alerts": […], "spent": […], "now": ms}`, those who wait longest first; `spent` is
/// today's sum (UTC) in millionths of each currency.
pub async fn list(Shared(desk): Shared<Arc<Desk>>) -> Result<Json<Value>, Fault> {
    let store = &desk.state.store;
    let conversations = store.desk(LISTED).await?;
    let waiting = store.waiting().await?;
    let alerts = store.alerts().await?;
    let now = (desk.state.clock)();
    let spent = store.spending(Spending::Today, now).await?;
    Ok(Json(json!({
        "conversations": conversations,
        "waiting": waiting,
        "alerts": alerts,
        "spent": spent,
        "now": now,
    })))
}

/// Which alert a person has dealt with.
#[derive(Deserialize)]
pub struct Cleared {
    kind: String,
    subject: String,
}

/// Ends an alert; what it stopped goes on.
pub async fn clear(
    Shared(desk): Shared<Arc<Desk>>,
    Body(alert): Body<Cleared>,
) -> Result<StatusCode, Fault> {
    let now = (desk.state.clock)();
    let cleared = desk
        .state
        .store
        .clear_alert(&alert.kind, &alert.subject, now)
        .await?;
    if !cleared {
        return Err(Fault::new(
            StatusCode::NOT_FOUND,
            "There is no such alert. Read the list again.",
        ));
    }
    desk.state.wake.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// One conversation with its transcript, triage and tickets.
pub async fn open(
    Shared(desk): Shared<Arc<Desk>>,
    Path(id): Path<ConversationId>,
) -> Result<Json<DeskConversation>, Fault> {
    desk.state
        .store
        .desk_conversation(&id)
        .await?
        .map(Json)
        .ok_or_else(unknown)
}

/// What a person writes.
#[derive(Deserialize)]
pub struct Reply {
    text: String,
}

/// Sends what a person wrote; from then on the conversation is theirs.
pub async fn reply(
    Shared(desk): Shared<Arc<Desk>>,
    Path(id): Path<ConversationId>,
    Body(reply): Body<Reply>,
) -> Result<StatusCode, Fault> {
    let text = reply.text.trim();
    if text.is_empty() || text.chars().count() > LONGEST {
        return Err(Fault::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "`text` must have 1 to 4000 characters. Mend it and send again.",
        ));
    }
    let text = (desk.state.mask)(text);
    if !desk
        .state
        .store
        .reply(&id, text, (desk.state.clock)())
        .await?
    {
        return Err(unknown());
    }
    desk.state.wake.notify_one();
    desk.state.events.tell(&id, Event::Message);
    desk.state.events.tell(&id, Event::Holder);
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a conversation: the agent is silent from then on.
pub async fn take(
    Shared(desk): Shared<Arc<Desk>>,
    Path(id): Path<ConversationId>,
) -> Result<StatusCode, Fault> {
    give(&desk, &id, Holder::Human).await
}

/// Gives a conversation back to the agent.
pub async fn hand_back(
    Shared(desk): Shared<Arc<Desk>>,
    Path(id): Path<ConversationId>,
) -> Result<StatusCode, Fault> {
    give(&desk, &id, Holder::Agent).await
}

async fn give(desk: &Desk, id: &ConversationId, holder: Holder) -> Result<StatusCode, Fault> {
    let store = &desk.state.store;
    if store.conversation(id).await?.is_none() {
        return Err(unknown());
    }
    store.set_holder(id, holder, (desk.state.clock)()).await?;
    desk.state.events.tell(id, Event::Holder);
    Ok(StatusCode::NO_CONTENT)
}

/// Which contact becomes part of the conversation's.
#[derive(Deserialize)]
pub struct Merge {
    contact: ContactId,
}

/// Joins a contact that a message has shown as perhaps the same person. Answers with what was joined.
pub async fn merge(
    Shared(desk): Shared<Arc<Desk>>,
    Path(id): Path<ConversationId>,
    Body(Merge { contact: other }): Body<Merge>,
) -> Result<Json<Merged>, Fault> {
    let store = &desk.state.store;
    let conversation = store.conversation(&id).await?.ok_or_else(unknown)?;
    let keep = conversation.contact.id;
    let noted = store.perhaps_same(&keep).await?;
    let merged = if noted.iter().any(|contact| contact.id == other) {
        let now = (desk.state.clock)();
        store
            .merge_contacts(keep.as_str(), other.as_str(), "desk", now)
            .await?
    } else {
        Err(MergeRefusal::NotNoted)
    };
    let merged =
        merged.map_err(|refusal| Fault::new(StatusCode::CONFLICT, format!("{refusal}.")))?;
    desk.state.wake.notify_one();
    for changed in merged.joined.iter().chain(&merged.conversations) {
        desk.state.events.tell(changed, Event::Message);
        desk.state.events.tell(changed, Event::Holder);
    }
    Ok(Json(merged))
}

/// `{"numbers": […], "templates": […]}`: what the channel says of us.
pub async fn channel(Shared(desk): Shared<Arc<Desk>>) -> Result<Json<Value>, Fault> {
    let store = &desk.state.store;
    let numbers = store.channel_numbers().await?;
    let templates = store.channel_templates().await?;
    Ok(Json(json!({ "numbers": numbers, "templates": templates })))
}

fn unknown() -> Fault {
    Fault::new(
        StatusCode::NOT_FOUND,
        "There is no such conversation. Read the list again.",
    )
}
