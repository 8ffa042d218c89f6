//! News of an order: on the command line and at `POST /api/notify/order`. Text inside the day after the
//! customer's last message, else the template [`TEMPLATE`].

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::open::{App, AppError};
use crate::clock;
use crate::domain::{Answer, Filling, Language, Order, OrderNumber, OrderStatus};
use crate::store::{Notification, Notified};
use crate::whatsapp::templates::for_language;

/// The template for news of an order: its blanks are `name`, `order` and `status`.
pub const TEMPLATE: &str = "order_update";

const BODY_LIMIT: usize = 16 * 1024;
const LONGEST_KEY: usize = 200;

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyOrder {
    /// The order's number.
    pub number: String,
    /// What happened: a status of orders; the order's own when missing.
    #[serde(default)]
    pub event: Option<String>,
    /// Said once under this key; once per order and event when missing.
    #[serde(default)]
    pub key: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedOrder {
    /// Its conversation.
    pub conversation: String,
    /// Whether it goes as a template.
    pub template: bool,
    /// Whether it was said before; then nothing is sent again.
    pub before: bool,
}

/// Why an order's news cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The call is wrong.
    #[error("{0}")]
    Wrong(String),
    /// There is no such order.
    #[error("there is no order {0}")]
    NoOrder(String),
    /// The customer may not or cannot be written to now.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<NotifyError> for AppError {
    fn from(error: NotifyError) -> Self {
        match error {
            NotifyError::App(error) => error,
            other @ (NotifyError::Wrong(_) | NotifyError::NoOrder(_) | NotifyError::Refused(_)) => {
                Self::Configuration(other.to_string())
            }
        }
    }
}

impl App {
    /// Tells a customer the news of an order, once.
    ///
    /// # Errors
    /// [`NotifyError`], with what to do about it.
    pub async fn notify_order(&self, asked: NotifyOrder) -> Result<NotifiedOrder, NotifyError> {
        let number = OrderNumber::from(asked.number.trim().trim_start_matches('#'));
        let event = asked
            .event
            .as_deref()
            .map(str::parse::<OrderStatus>)
            .transpose()
            .map_err(NotifyError::Wrong)?;
        let found = self.store.order(&number).await.map_err(AppError::from)?;
        let (order, _) = found.ok_or_else(|| NotifyError::NoOrder(number.0.clone()))?;
        let event = event.unwrap_or(order.status);
        let sender = self.config.whatsapp.first_number().ok_or_else(|| {
            NotifyError::Refused(
                "WhatsApp is not connected: set whatsapp.phone_number_id".to_owned(),
            )
        })?;
        if !order.phone.starts_with('+') {
            let message = format!("the order {number} has no phone number");
            return Err(NotifyError::Refused(message));
        }
        let key = match asked.key.as_deref().map(str::trim) {
            Some(key) if key.is_empty() || key.len() > LONGEST_KEY => {
                let message = format!("the key has 1 to {LONGEST_KEY} characters");
                return Err(NotifyError::Wrong(message));
            }
            Some(key) => format!("key:{key}"),
            None => format!("order:{number}:{}", event.name()),
        };
        let (answer, language) = self.order_news(&order, event)?;
        let notification = Notification {
            key,
            sender,
            phone: order.phone,
            language,
            answer,
        };
        let notified = self.store.notify(notification, clock::now()).await;
        let done = |conversation: String, template, before| NotifiedOrder {
            conversation,
            template,
            before,
        };
        match notified.map_err(AppError::from)? {
            Notified::Queued {
                conversation,
                template,
            } => {
                self.outbox.notify_one();
                Ok(done(conversation.0, template, false))
            }
            Notified::Before { conversation } => Ok(done(conversation.0, false, true)),
            Notified::NoTemplate(why) => Err(NotifyError::Refused(format!(
                "the customer last wrote more than 24 hours ago, and no template may be sent: {why}; \
                 see `sportello templates list`"
            ))),
            Notified::NoConsent => Err(NotifyError::Refused(format!(
                "`{TEMPLATE}` is a marketing template at Meta now, and the customer has not agreed to marketing"
            ))),
        }
    }

    /// What is said of an order, and in which language: the customer's where there are words for it.
    fn order_news(
        &self,
        order: &Order,
        event: OrderStatus,
    ) -> Result<(Answer, Language), NotifyError> {
        let home = self.config.shop.languages.first().copied();
        let home = home.unwrap_or(Language::EN);
        let definition = for_language(&self.templates, TEMPLATE, order.language, home);
        let language = definition
            .and_then(|definition| definition.language.parse().ok())
            .unwrap_or_else(|| self.prompts.words(order.language).spoken());
        let words = self.prompts.words(language);
        let status = words.name("order_states", event.name());
        let order_number = order.number.as_str();
        let free = words.say(
            "notify_order",
            minijinja::context! { order => order_number, status => status.as_str() },
        );
        let Some(definition) = definition else {
            return Ok((Answer::text(free), language));
        };
        let first_name = order.name.split_whitespace().next().unwrap_or(&order.name);
        let values: BTreeMap<String, Filling> = [
            ("name", first_name),
            ("order", order_number),
            ("status", status.as_str()),
        ]
        .map(|(name, text)| {
            let text = text.to_owned();
            (name.to_owned(), Filling::Text { text })
        })
        .into();
        let (template, text) = definition.fill(&values).map_err(|faults| {
            NotifyError::Refused(format!("`{TEMPLATE}`: {}", faults.join("; ")))
        })?;
        let answer = Answer {
            template: Some(Box::new(template)),
            ..Answer::text(text)
        };
        Ok((answer, language))
    }
}

/// The route `/api/notify/order`, for who has the token.
pub fn router(app: Arc<App>, token: SecretString) -> Router {
    Router::new()
        .route("/api/notify/order", post(notify))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(Door { app, token }))
}

struct Door {
    app: Arc<App>,
    token: SecretString,
}

/// 202 with what became of it, 200 when it was said before.
async fn notify(State(door): State<Arc<Door>>, headers: HeaderMap, body: String) -> Response {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let known = given.is_some_and(|given| {
        bool::from(
            given
                .as_bytes()
                .ct_eq(door.token.expose_secret().as_bytes()),
        )
    });
    if !known {
        let message = "the call needs `Authorization: Bearer` with server.api_token";
        return problem(StatusCode::UNAUTHORIZED, message);
    }
    let mut asked: NotifyOrder = match serde_json::from_str(&body) {
        Ok(asked) => asked,
        Err(error) => {
            let message = format!("write {{\"number\": …, \"event\": …}}: {error}");
            return problem(StatusCode::UNPROCESSABLE_ENTITY, &message);
        }
    };
    let key = headers.get("idempotency-key").map(|key| key.to_str());
    match key {
        Some(Ok(key)) => asked.key = Some(key.to_owned()),
        Some(Err(_)) => {
            let message = "`Idempotency-Key` is not plain text";
            return problem(StatusCode::UNPROCESSABLE_ENTITY, message);
        }
        None => {}
    }
    match door.app.notify_order(asked).await {
        Ok(notified) => {
            let status = if notified.before {
                StatusCode::OK
            } else {
                StatusCode::ACCEPTED
            };
            (status, Json(notified)).into_response()
        }
        Err(error) => {
            let status = match &error {
                NotifyError::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
                NotifyError::NoOrder(_) => StatusCode::NOT_FOUND,
                NotifyError::Refused(_) => StatusCode::CONFLICT,
                NotifyError::App(error) => {
                    tracing::error!(%error, "an order's news was not stored");
                    let message = "nothing was stored; try again in a moment";
                    return problem(StatusCode::SERVICE_UNAVAILABLE, message);
                }
            };
            problem(status, &error.to_string())
        }
    }
}

fn problem(status: StatusCode, message: &str) -> Response {
    let body: Value = json!({ "error": message });
    (status, Json(body)).into_response()
}
