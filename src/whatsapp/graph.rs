//! The Graph API: sends messages and says what became of them.
//!
//! `/messages` knows no idempotency key: a request is sent once. What may have arrived is ambiguous and is
//! never repeated here; what certainly did not is for the outbox to try again.

mod errors;

pub use errors::ErrorClass;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::render::{self, Style};
use super::upload;
use crate::config;
use crate::ports::{Messenger, Outgoing, Seen, SendError, SentMessage};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Short, because a message on a connection that the other side just closed ends ambiguously.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// A typing indicator that comes late is worth nothing.
const SEEN_TIMEOUT: Duration = Duration::from_secs(3);

/// Why there is no client for the Graph API.
#[derive(Debug, thiserror::Error)]
pub enum GraphSetupError {
    /// `whatsapp.graph_url` is no address that paths can be added to.
    #[error("`whatsapp.graph_url` is not an http or https address: {0}")]
    Address(String),
    /// The HTTP client cannot be built.
    #[error("the HTTP client for the Graph API cannot be built: {0}")]
    Client(#[from] reqwest::Error),
}

/// Sends messages through the Graph API, for any number of ours that has a token.
pub struct GraphMessenger {
    client: Client,
    graph: Url,
    token: Option<SecretString>,
    number_tokens: HashMap<String, SecretString>,
    style: Style,
    /// For files of ours, which are fetched from anywhere.
    files: Client,
    timeout: Duration,
}

impl GraphMessenger {
    /// A client for the configured address and tokens. Without a token every send says to try again, so that
    /// replies wait until there is one.
    ///
    /// # Errors
    /// When the address is none, or the HTTP client cannot be built.
    pub fn new(config: &config::Whatsapp) -> Result<Self, GraphSetupError> {
        let graph = Url::parse(&config.graph_url)
            .map_err(|error| GraphSetupError::Address(error.to_string()))?;
        if !matches!(graph.scheme(), "http" | "https") {
            return Err(GraphSetupError::Address(format!(
                "its scheme is `{}`",
                graph.scheme()
            )));
        }
        let timeout = Duration::from_secs(config.timeout_seconds.max(1));
        let client = Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(Policy::none())
            .build()?;
        let number_tokens = config
            .numbers
            .iter()
            .filter_map(|number| {
                Some((number.phone_number_id.clone(), number.access_token.clone()?))
            })
            .collect();
        Ok(Self {
            client,
            graph,
            token: config.access_token.clone(),
            number_tokens,
            style: Style {
                catalog_id: config.catalog_id.clone(),
                pages: None,
            },
            files: upload::client(timeout)?,
            timeout,
        })
    }

    /// Where pages with whole texts are; a token follows.
    #[must_use]
    pub fn with_pages(mut self, pages: String) -> Self {
        self.style.pages = Some(pages);
        self
    }

    fn token(&self, sender: &str) -> Result<&str, SendError> {
        let token = self.number_tokens.get(sender).or(self.token.as_ref());
        token
            .map(ExposeSecret::expose_secret)
            .ok_or_else(|| SendError::Retry("there is no access token for this number".to_owned()))
    }

    fn request(&self, sender: &str, body: &Value) -> Result<RequestBuilder, SendError> {
        Ok(self
            .client
            .post(self.address(sender, "messages")?)
            .bearer_auth(self.token(sender)?)
            .json(body))
    }

    /// All files of a request in the time of one call, so that the row's lease outlives both.
    async fn upload(&self, sender: &str, body: &mut Value) -> Result<(), SendError> {
        let media = self.address(sender, "media")?;
        let uploaded = upload::upload(&self.files, &media, self.token(sender)?, body);
        match tokio::time::timeout(self.timeout, uploaded).await {
            Ok(uploaded) => uploaded,
            Err(_) => Err(upload::refused("an upload took too long".to_owned())),
        }
    }

    fn address(&self, sender: &str, what: &str) -> Result<Url, SendError> {
        let mut address = self.graph.clone();
        address
            .path_segments_mut()
            .map_err(|()| SendError::Rejected("the Graph API's address takes no path".to_owned()))?
            .pop_if_empty()
            .extend([sender, what]);
        Ok(address)
    }
}

#[async_trait]
impl Messenger for GraphMessenger {
    async fn send(&self, message: &Outgoing) -> Result<SentMessage, SendError> {
        let mut body = render::styled(message, &self.style);
        if message.upload {
            self.upload(&message.sender, &mut body).await?;
        }
        let request = self.request(&message.sender, &body)?;
        outcome(request.send().await.map_err(unanswered)?).await
    }

    async fn seen(&self, message: &Seen) -> Result<(), SendError> {
        let request = self
            .request(&message.recipient, &seen(&message.external_id))?
            .timeout(SEEN_TIMEOUT);
        let response = request.send().await.map_err(unanswered)?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(without_code(status)),
        }
    }
}

/// Read receipt and typing indicator in one; it has no recipient.
fn seen(wamid: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": wamid,
        "typing_indicator": { "type": "text" },
    })
}

/// What the lack of an answer means: only a connection that was never made is certain.
fn unanswered(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    if error.is_connect() {
        SendError::Retry(format!("the Graph API cannot be reached: {error}"))
    } else if error.is_builder() {
        SendError::Rejected(format!("the request cannot be made: {error}"))
    } else if error.is_timeout() {
        SendError::Ambiguous("the Graph API did not answer in time".to_owned())
    } else {
        SendError::Ambiguous(format!("the connection to the Graph API broke: {error}"))
    }
}

async fn outcome(response: Response) -> Result<SentMessage, SendError> {
    let status = response.status();
    let body = response.bytes().await.ok();
    let body = body
        .and_then(|body| serde_json::from_slice::<Value>(&body).ok())
        .unwrap_or_default();
    if let Some(code) = body.pointer("/error/code").and_then(Value::as_i64) {
        return Err(ErrorClass::of(code).send_error(code, status, trace(&body)));
    }
    let id = body.pointer("/messages/0/id").and_then(Value::as_str);
    match id {
        Some(id) if status.is_success() => Ok(SentMessage {
            external_id: id.to_owned(),
        }),
        _ => Err(without_code(status)),
    }
}

fn without_code(status: StatusCode) -> SendError {
    let reason = format!("the Graph API answered {status} without a code");
    if status == StatusCode::TOO_MANY_REQUESTS {
        SendError::Retry(reason)
    } else if status.is_client_error() || status.is_redirection() {
        SendError::Rejected(reason)
    } else {
        SendError::Ambiguous(reason)
    }
}

/// What Meta's support asks for. Its words are left out: they can quote the message.
fn trace(body: &Value) -> &str {
    body.pointer("/error/fbtrace_id")
        .and_then(Value::as_str)
        .unwrap_or("none")
}
