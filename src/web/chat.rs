//! A visitor's message: masked, stored, then acknowledged.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::{Web, session};
use crate::domain::{About, Channel, Inbound, InboundContent};
use crate::edge::{Body, Client, Fault};
use crate::events::Event;
use crate::store::Intake;

/// The page as a recipient of messages.
pub const RECIPIENT: &str = "web";

const LONGEST: usize = 4000;

/// What the page sends. A second message with the same id is the same message.
#[derive(Debug, Deserialize)]
pub struct Message {
    id: Uuid,
    text: String,
    choice: Option<String>,
}

/// Stores a message: 202 with its id, which is null when it was stored before.
pub async fn receive(
    Shared(web): Shared<Arc<Web>>,
    client: Client,
    headers: HeaderMap,
    body: Result<Body<Message>, Fault>,
) -> Result<Response, Fault> {
    web.clients.check(&client)?;
    let Body(message) = body?;
    let (session, cookie) = session::known_or_new(&headers, web.secure());
    web.messages.check(&session.address)?;
    let content = content(&message, web.state.mask)?;
    let now = (web.state.clock)();
    let inbound = Inbound {
        channel: Channel::Web,
        recipient: RECIPIENT.to_owned(),
        // Scoped by the session: nobody's id can stand in the way of somebody else's message.
        external_id: format!("{}:{}", session.address, message.id.simple()),
        sender: session.address,
        phone: None,
        name: None,
        sent_at: now / 1000,
        content,
        about: About::default(),
    };
    let intake = Intake {
        messages: vec![(inbound, 0)],
        ..Intake::default()
    };
    let accepted = web.state.store.accept(intake, now).await?;
    let mut id = None;
    for message in accepted {
        if message.id.is_some() {
            web.state.events.tell(&message.conversation, Event::Message);
        }
        id = message.id;
    }
    web.state.wake.notify_one();
    let mut response =
        (StatusCode::ACCEPTED, Json(serde_json::json!({ "id": id }))).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn content(message: &Message, mask: fn(&str) -> String) -> Result<InboundContent, Fault> {
    let refuse = |text| Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, text));
    let text = message.text.trim();
    if text.is_empty() {
        return refuse("`text` is empty. Write at least one character.");
    }
    if text.chars().count() > LONGEST {
        return refuse("`text` is too long. Write at most 4000 characters, or send it in parts.");
    }
    Ok(match &message.choice {
        Some(choice) if choice.chars().count() > 200 => {
            return refuse(
                "`choice` is too long. Send the id of one of the choices that were offered.",
            );
        }
        Some(choice) => InboundContent::Choice {
            id: mask(choice),
            title: mask(text),
        },
        None => InboundContent::Text { text: mask(text) },
    })
}
