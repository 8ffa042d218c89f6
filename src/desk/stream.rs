//! Which conversations change, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::HeaderName;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Sse, KeepAlive, Sse as Stream};
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Desk;
use crate::domain::ConversationId;

/// Streams `conversation` with the id of each that changed; first, and whenever some were missed,
/// `everything`. The page reads again what it shows.
pub async fn events(Shared(desk): Shared<Arc<Desk>>) -> impl IntoResponse {
    let receiver = desk.state.events.watch_desk();
    let begin = (desk, receiver, false);
    let stream = futures::stream::unfold(begin, |(desk, mut receiver, begun)| async move {
        let event = if begun {
            changed(&desk, &mut receiver).await?
        } else {
            everything()
        };
        Some((Ok::<_, Infallible>(event), (desk, receiver, true)))
    });
    let stream = Stream::new(stream).keep_alive(KeepAlive::default());
    (
        [(HeaderName::from_static("x-accel-buffering"), "no")],
        stream,
    )
}

async fn changed(desk: &Desk, receiver: &mut Receiver<ConversationId>) -> Option<Sse> {
    let received = tokio::select! {
        () = desk.state.shutdown.cancelled() => return None,
        received = receiver.recv() => received,
    };
    match received {
        Ok(id) => Some(
            Sse::default()
                .event("conversation")
                .data(json!({ "id": id }).to_string()),
        ),
        Err(RecvError::Lagged(_)) => Some(everything()),
        Err(RecvError::Closed) => None,
    }
}

fn everything() -> Sse {
    Sse::default().event("everything").data("{}")
}
