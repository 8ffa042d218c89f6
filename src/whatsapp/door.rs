//! The webhook's door: verify, store, answer. Everything else happens later.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::sync::Notify;

use super::intake::Sorter;
use super::signature;
use crate::clock;
use crate::config;
use crate::failpoint;
use crate::store::{Store, StoreError};

/// Meta sends up to 3 MB.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// What the door needs of the rest of the program.
pub struct Door {
    /// The store.
    pub store: Store,
    /// Rings when something was stored.
    pub arrivals: Arc<Notify>,
    /// The configuration of the channel; it has a secret.
    pub whatsapp: config::Whatsapp,
    /// Sorts what comes.
    pub sorter: Sorter,
}

/// The route `/webhooks/whatsapp`.
pub fn router(door: Door) -> Router {
    Router::new()
        .route("/webhooks/whatsapp", get(handshake).post(deliver))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(door))
}

#[derive(Deserialize)]
struct Handshake {
    #[serde(rename = "hub.mode", default)]
    mode: String,
    #[serde(rename = "hub.challenge", default)]
    challenge: String,
    #[serde(rename = "hub.verify_token", default)]
    token: String,
}

/// The challenge comes back only when our own token came with it.
async fn handshake(State(door): State<Arc<Door>>, Query(asked): Query<Handshake>) -> Response {
    let known = door
        .whatsapp
        .verify_token
        .as_ref()
        .is_some_and(|token| same(token, &asked.token));
    if asked.mode == "subscribe" && known {
        asked.challenge.into_response()
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

fn same(token: &SecretString, given: &str) -> bool {
    let token = token.expose_secret().as_bytes();
    !token.is_empty() && bool::from(token.ct_eq(given.as_bytes()))
}

async fn deliver(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers
        .get("x-hub-signature-256")
        .and_then(|value| value.to_str().ok());
    if !signature::verify(&door.whatsapp.app_secret, signature, &body) {
        metrics::counter!("sportello_webhooks_total", "result" => "unsigned").increment(1);
        return StatusCode::UNAUTHORIZED;
    }
    failpoint::point("webhook verified");
    // Reading 3 MB takes tens of milliseconds; small bodies are not worth another thread.
    let arrival = if body.len() > 64 * 1024 {
        let door = Arc::clone(&door);
        match tokio::task::spawn_blocking(move || door.sorter.arrival(&body)).await {
            Ok(arrival) => arrival,
            Err(_) => return StatusCode::SERVICE_UNAVAILABLE,
        }
    } else {
        door.sorter.arrival(&body)
    };
    match door.store.receive(arrival, clock::now()).await {
        Ok(()) => {
            failpoint::point("webhook stored");
            metrics::counter!("sportello_webhooks_total", "result" => "stored").increment(1);
            door.arrivals.notify_one();
            StatusCode::OK
        }
        Err(error) => {
            metrics::counter!("sportello_webhooks_total", "result" => "failed").increment(1);
            log(&error);
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

fn log(error: &StoreError) {
    tracing::error!(%error, "a webhook was not stored; Meta will send it again");
}
