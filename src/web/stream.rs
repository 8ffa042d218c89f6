//! A visitor's conversation as server-sent events: first what was said, then what happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event as Sse, KeepAlive, Sse as Stream};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::chat::RECIPIENT;
use super::{Web, session};
use crate::domain::{Channel, ConversationId};
use crate::edge::{Client, Fault};
use crate::events::Event;
use crate::store::StoreError;

/// At most so many messages are told again to a page that was away.
const REPLAY: i64 = 200;

/// After which message to begin.
#[derive(Debug, Deserialize)]
pub struct From {
    #[serde(default)]
    after: String,
}

/// Streams `message`, `holder`, `progress` and `done`. 204, after which a browser does not come back by
/// itself, while the visitor has not written anything.
pub async fn events(
    Shared(web): Shared<Arc<Web>>,
    client: Client,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    web.clients.check(&client)?;
    let Some(session) = session::known(&headers) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let conversation = web
        .state
        .store
        .conversation_of(Channel::Web, &session.address, RECIPIENT)
        .await?;
    let Some(conversation) = conversation else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok());
    let watch = Watch {
        // Watching begins before the first read, so nothing falls between.
        receiver: web.state.events.watch(&conversation),
        conversation,
        after: last.map_or(from.after, str::to_owned),
        waiting: VecDeque::new(),
        begun: false,
        web,
    };
    let stream = futures::stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok::<_, Infallible>(event), watch))
    });
    let stream = Stream::new(stream).keep_alive(KeepAlive::default());
    Ok((
        [(HeaderName::from_static("x-accel-buffering"), "no")],
        stream,
    )
        .into_response())
}

struct Watch {
    web: Arc<Web>,
    conversation: ConversationId,
    receiver: Receiver<Event>,
    after: String,
    waiting: VecDeque<Sse>,
    begun: bool,
}

impl Watch {
    /// The next event; none ends the stream, and the browser comes back for the rest.
    async fn next(&mut self) -> Option<Sse> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let told = if self.begun {
                self.happen().await
            } else {
                self.catch_up().await
            };
            self.begun = true;
            match told {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    tracing::error!(%error, conversation = %self.conversation, "a stream ended");
                    return None;
                }
            }
        }
    }

    async fn happen(&mut self) -> Result<bool, StoreError> {
        let received = tokio::select! {
            () = self.web.state.shutdown.cancelled() => return Ok(false),
            received = self.receiver.recv() => received,
        };
        match received {
            Ok(Event::Message) => self.messages().await?,
            Ok(Event::Holder) => self.holder().await?,
            Ok(Event::Progress { stage }) => self.tell("progress", &json!({ "stage": stage })),
            Ok(Event::Done) => self.tell("done", &json!({})),
            Err(RecvError::Lagged(_)) => return self.catch_up().await,
            Err(RecvError::Closed) => return Ok(false),
        }
        Ok(true)
    }

    async fn catch_up(&mut self) -> Result<bool, StoreError> {
        self.messages().await?;
        self.holder().await?;
        Ok(true)
    }

    async fn messages(&mut self) -> Result<(), StoreError> {
        let store = &self.web.state.store;
        for message in store
            .transcript(&self.conversation, &self.after, REPLAY)
            .await?
        {
            self.waiting
                .push_back(sse("message", &message).id(&message.id));
            self.after = message.id;
        }
        Ok(())
    }

    async fn holder(&mut self) -> Result<(), StoreError> {
        if let Some(state) = self
            .web
            .state
            .store
            .conversation(&self.conversation)
            .await?
        {
            self.tell("holder", &json!({ "holder": state.holder }));
        }
        Ok(())
    }

    fn tell(&mut self, name: &str, data: &serde_json::Value) {
        self.waiting.push_back(sse(name, data));
    }
}

fn sse(name: &str, data: &impl Serialize) -> Sse {
    // JSON of our own values always serialises; a line without data would be dropped by the browser.
    Sse::default()
        .event(name)
        .data(serde_json::to_string(data).unwrap_or_default())
}
