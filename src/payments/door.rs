//! The door for Stripe's webhook: verify, then settle the link.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::stripe::{StripeEventKind, WebhookError, verify_webhook};
use crate::clock;
use crate::domain::PaymentId;
use crate::store::StoreError;

/// Stripe's events are small.
const BODY_LIMIT: usize = 256 * 1024;

/// Marks a link as paid by a session and thanks the customer, once.
pub type Settle =
    Arc<dyn Fn(PaymentId, String) -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync>;

/// What the door needs of the rest of the program.
pub struct Door {
    /// The webhook secrets.
    pub secrets: Vec<SecretString>,
    /// Settles a paid link.
    pub settle: Settle,
}

/// The route `/webhooks/stripe`.
pub fn router(door: Door) -> Router {
    Router::new()
        .route("/webhooks/stripe", post(deliver))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(door))
}

async fn deliver(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers
        .get("stripe-signature")
        .and_then(|value| value.to_str().ok());
    let event = match verify_webhook(&door.secrets, signature, &body, clock::now() / 1000) {
        Ok(event) => event,
        Err(WebhookError::Signature | WebhookError::Stale) => return StatusCode::UNAUTHORIZED,
        Err(WebhookError::Unreadable) => return StatusCode::BAD_REQUEST,
    };
    match event.kind {
        StripeEventKind::Completed {
            payment_id,
            session_id,
            paid: true,
        } => match (door.settle)(payment_id, session_id).await {
            Ok(()) => StatusCode::OK,
            Err(error) => {
                tracing::error!(%error, "a payment was not recorded; Stripe will say it again");
                StatusCode::SERVICE_UNAVAILABLE
            }
        },
        StripeEventKind::Completed { paid: false, .. }
        | StripeEventKind::Expired { .. }
        | StripeEventKind::Failed { .. }
        | StripeEventKind::Other => StatusCode::OK,
    }
}
