//! The webhook's door: verify, store, answer. Everything else happens later.

use std::collections::HashSet;
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

use super::webhook::{self, Item, ItemKind, Status, StatusKind};
use super::{notices, rates, signature};
use crate::clock;
use crate::config;
use crate::domain::ErrorClass;
use crate::failpoint;
use crate::store::{Delivered, Event, Intake, Store, StoreError};

/// Meta sends up to 3 MB.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// What the door needs of the rest of the program.
pub struct Door {
    /// The store.
    pub store: Store,
    /// Rings when something was accepted.
    pub inbox: Arc<Notify>,
    /// The configuration of the channel; it has a secret.
    pub whatsapp: config::Whatsapp,
    /// Milliseconds to wait for more of a burst.
    pub debounce: i64,
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
    let intake = if body.len() > 64 * 1024 {
        let door = Arc::clone(&door);
        match tokio::task::spawn_blocking(move || door.intake(&body)).await {
            Ok(intake) => intake,
            Err(_) => return StatusCode::SERVICE_UNAVAILABLE,
        }
    } else {
        door.intake(&body)
    };
    match door.store.accept(intake, clock::now()).await {
        Ok(_) => {
            failpoint::point("webhook stored");
            metrics::counter!("sportello_webhooks_total", "result" => "stored").increment(1);
            door.inbox.notify_one();
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

/// Why a message failed: the first error counts.
fn failure(status: &Status) -> Option<(ErrorClass, i64)> {
    let error = status.errors.first()?;
    (status.status == StatusKind::Failed).then(|| (ErrorClass::of(error.code), error.code))
}

impl Door {
    fn intake(&self, body: &[u8]) -> Intake {
        let delivery = match webhook::parse(body) {
            Ok(delivery) => delivery,
            Err(malformed) => {
                return Intake {
                    raw: Some(malformed.body),
                    fault: Some(malformed.reason),
                    ..Intake::default()
                };
            }
        };
        let mut intake = Intake {
            raw: Some(delivery.body),
            ..Intake::default()
        };
        let numbers = self.numbers();
        for item in delivery.items {
            self.sort(item, &numbers, &mut intake);
        }
        intake
    }

    fn numbers(&self) -> HashSet<&str> {
        let several = self
            .whatsapp
            .numbers
            .iter()
            .map(|number| number.phone_number_id.as_str());
        several
            .chain(self.whatsapp.phone_number_id.as_deref())
            .collect()
    }

    fn sort(&self, item: Item, numbers: &HashSet<&str>, intake: &mut Intake) {
        let recipient = item.phone_number_id.clone().unwrap_or_default();
        let ours =
            recipient.is_empty() || numbers.is_empty() || numbers.contains(recipient.as_str());
        let event = |kind: &str| Event {
            recipient: recipient.clone(),
            key: item.key.clone(),
            kind: kind.to_owned(),
            body: item.raw.to_string(),
        };
        if !ours {
            intake.events.push(event("unknown_number"));
            intake.fault = Some("an item for a number that is not configured".to_owned());
            return;
        }
        let ours: Vec<String> = numbers.iter().map(|number| (*number).to_owned()).collect();
        let notice = notices::notice(&item, &ours);
        let noticed = notice.is_some();
        intake.notices.extend(notice);
        match item.kind {
            ItemKind::Message(inbound) => intake.messages.push((inbound, self.debounce)),
            ItemKind::Status(status) => intake.deliveries.push(Delivered {
                recipient: recipient.clone(),
                key: item.key.clone(),
                external_id: status.wamid.clone(),
                outbox_id: status.outbox_id.as_ref().map(|id| id.0.clone()),
                status: status.status.name().to_owned(),
                failure: failure(&status),
                priced: status
                    .pricing
                    .as_ref()
                    .map(|pricing| rates::priced(&self.whatsapp.rates, pricing)),
                body: item.raw.to_string(),
            }),
            // It is kept with what it changes.
            ItemKind::Other { .. } if noticed => {}
            ItemKind::Other { ref field } => intake.events.push(event(field)),
            ItemKind::Unparsable { ref reason } => {
                intake.fault = Some(reason.clone());
                intake.events.push(event("unparsable"));
            }
        }
    }
}
