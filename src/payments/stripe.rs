//! Stripe Checkout: sessions on Stripe's own pages, and the webhooks that say what became of them.

mod webhook;

pub use webhook::{StripeEvent, StripeEventKind, WebhookError, verify_webhook};

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::config;
use crate::ports::{Checkout, CheckoutPage, PaymentError, Payments};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRIES: usize = 2;
/// Stripe takes 30 minutes to 24 hours from now; a minute less than that for clocks that differ.
const SHORTEST: i64 = 31 * 60;
const LONGEST: i64 = 24 * 60 * 60 - 60;
/// How far back open sessions are looked through, 100 a page.
const PAGES: usize = 3;

/// Creates Checkout Sessions.
pub struct StripePayments {
    client: Client,
    sessions: Url,
    key: SecretString,
}

impl StripePayments {
    /// A client for the configured address and secret key.
    ///
    /// # Errors
    /// [`PaymentError::Refused`] when the key or the address is missing or wrong.
    pub fn new(config: &config::Payments) -> Result<Self, PaymentError> {
        let refused = |reason: String| PaymentError::Refused(reason);
        let key = config
            .stripe_secret_key
            .clone()
            .ok_or_else(|| refused("`payments.stripe_secret_key` is not set".to_owned()))?;
        let sessions = Url::parse(&format!(
            "{}/v1/checkout/sessions",
            config.stripe_url.trim_end_matches('/')
        ))
        .map_err(|error| refused(format!("`payments.stripe_url` is not an address: {error}")))?;
        let timeout = Duration::from_secs(config.timeout_seconds.max(1));
        let client = Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .redirect(Policy::none())
            .build()
            .map_err(|error| {
                refused(format!(
                    "the HTTP client for Stripe cannot be built: {error}"
                ))
            })?;
        Ok(Self {
            client,
            sessions,
            key,
        })
    }

    /// The session that an earlier request with the same key opened, when it is still open. Stripe answers
    /// a key that comes back with another expiry with an error, not with that session.
    async fn open_session(&self, payment: &str) -> Result<CheckoutPage, PaymentError> {
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let mut address = self.sessions.clone();
            address
                .query_pairs_mut()
                .extend_pairs([("status", "open"), ("limit", "100")]);
            if let Some(after) = &after {
                address
                    .query_pairs_mut()
                    .append_pair("starting_after", after);
            }
            let list = self
                .call(|| self.client.get(address.clone()))
                .await
                .map_err(PaymentError::from)?;
            let sessions = list
                .get("data")
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            let ours = sessions
                .iter()
                .find(|session| session["client_reference_id"] == payment);
            if let Some(session) = ours {
                return page(session);
            }
            after = sessions
                .last()
                .and_then(|session| session["id"].as_str())
                .map(str::to_owned);
            if list["has_more"] != true || after.is_none() {
                break;
            }
        }
        Err(PaymentError::Refused(
            "the session of this link is no longer open".to_owned(),
        ))
    }

    /// Calls Stripe, again after a while when that may help. Every call is safe to repeat: it reads, or its
    /// idempotency key makes it one call.
    async fn call(&self, request: impl Fn() -> RequestBuilder) -> Result<Value, Failure> {
        let once = || async {
            let response = request()
                .bearer_auth(self.key.expose_secret())
                .send()
                .await?;
            let status = response.status();
            let body = response.bytes().await?;
            let body = serde_json::from_slice::<Value>(&body).unwrap_or_default();
            if status.is_success() {
                Ok(body)
            } else {
                Err(Failure::answer(status, &body))
            }
        };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(RETRIES)
            .with_jitter();
        once.retry(pauses).when(Failure::passes).await
    }
}

#[async_trait]
impl Payments for StripePayments {
    fn name(&self) -> &'static str {
        "stripe"
    }

    async fn checkout(&self, request: &Checkout) -> Result<CheckoutPage, PaymentError> {
        let form = form(request, now())?;
        let created = self
            .call(|| {
                self.client
                    .post(self.sessions.clone())
                    .header("Idempotency-Key", request.id.as_str())
                    .form(&form)
            })
            .await;
        match created {
            Ok(session) => page(&session),
            Err(Failure::KeyInUse) => self.open_session(request.id.as_str()).await,
            Err(failure) => Err(failure.into()),
        }
    }
}

/// The form that opens a session, with Stripe's brackets.
fn form(request: &Checkout, now: i64) -> Result<Vec<(String, String)>, PaymentError> {
    let refused = |reason: &str| Err(PaymentError::Refused(reason.to_owned()));
    if request.expires_at <= now {
        return refused("the link has expired");
    }
    if request.lines.is_empty() {
        return refused("there is nothing to pay");
    }
    let expires_at = request.expires_at.clamp(now + SHORTEST, now + LONGEST);
    let mut form = vec![
        ("mode".to_owned(), "payment".to_owned()),
        ("client_reference_id".to_owned(), request.id.to_string()),
        ("metadata[payment_id]".to_owned(), request.id.to_string()),
        ("expires_at".to_owned(), expires_at.to_string()),
        ("success_url".to_owned(), request.return_url.clone()),
        ("cancel_url".to_owned(), request.return_url.clone()),
    ];
    let currency = request.currency.code().to_ascii_lowercase();
    for (place, (title, price, quantity)) in request.lines.iter().enumerate() {
        if price.currency != request.currency || price.minor < 0 || *quantity == 0 {
            return refused("a line has another currency, no quantity or a negative price");
        }
        let line = format!("line_items[{place}]");
        form.extend([
            (format!("{line}[price_data][currency]"), currency.clone()),
            (
                format!("{line}[price_data][unit_amount]"),
                price.minor.to_string(),
            ),
            (
                format!("{line}[price_data][product_data][name]"),
                title.clone(),
            ),
            (format!("{line}[quantity]"), quantity.to_string()),
        ]);
    }
    Ok(form)
}

fn page(session: &Value) -> Result<CheckoutPage, PaymentError> {
    match (session["id"].as_str(), session["url"].as_str()) {
        (Some(id), Some(url)) => Ok(CheckoutPage {
            external_id: id.to_owned(),
            url: Some(url.to_owned()),
        }),
        _ => Err(PaymentError::Unavailable(
            "Stripe's session has no id or no page".to_owned(),
        )),
    }
}

fn now() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// Why a call failed.
#[derive(Debug)]
enum Failure {
    /// No answer, too many requests, or a fault of Stripe's.
    Passing(String),
    /// The idempotency key was used with other parameters.
    KeyInUse,
    /// Refused for good.
    Refused(String),
}

impl Failure {
    /// Stripe's type, code and parameter say enough; its words can quote what was sent.
    fn answer(status: StatusCode, body: &Value) -> Self {
        let error = |name: &str| {
            body.pointer(&format!("/error/{name}"))
                .and_then(Value::as_str)
                .unwrap_or("none")
        };
        let reason = format!(
            "{status}, type {}, code {}, parameter {}",
            error("type"),
            error("code"),
            error("param")
        );
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT => Self::Passing(reason),
            status if status.is_server_error() => Self::Passing(reason),
            _ if error("type") == "idempotency_error" => Self::KeyInUse,
            _ => Self::Refused(reason),
        }
    }

    fn passes(&self) -> bool {
        matches!(self, Self::Passing(_))
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let reason = error.without_url();
        if reason.is_builder() {
            Self::Refused(reason.to_string())
        } else {
            Self::Passing(reason.to_string())
        }
    }
}

impl From<Failure> for PaymentError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Passing(reason) => Self::Unavailable(reason),
            Failure::KeyInUse => Self::Refused("the idempotency key is in use".to_owned()),
            Failure::Refused(reason) => Self::Refused(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Currency, Money, PaymentId};

    const NOW: i64 = 1_800_000_000;

    fn checkout() -> Checkout {
        Checkout {
            id: PaymentId::from("p1"),
            lines: vec![("Aria".to_owned(), Money::new(29_900, Currency::EUR), 2)],
            currency: Currency::EUR,
            expires_at: NOW + 3_600,
            return_url: "https://shop.example/pay/p1".to_owned(),
        }
    }

    fn value(request: &Checkout, name: &str) -> String {
        let form = form(request, NOW).unwrap();
        form.into_iter().find(|(key, _)| key == name).unwrap().1
    }

    #[test]
    fn the_form_says_what_is_paid_until_when_and_for_whom() {
        let request = checkout();
        assert_eq!(value(&request, "mode"), "payment");
        assert_eq!(value(&request, "client_reference_id"), "p1");
        assert_eq!(
            value(&request, "line_items[0][price_data][currency]"),
            "eur"
        );
        assert_eq!(
            value(&request, "line_items[0][price_data][unit_amount]"),
            "29900"
        );
        assert_eq!(value(&request, "line_items[0][quantity]"), "2");
        assert_eq!(value(&request, "expires_at"), (NOW + 3_600).to_string());
    }

    #[test]
    fn the_expiry_stays_within_stripes_limits() {
        for (ours, stripes) in [(60, SHORTEST), (7_200, 7_200), (7 * 86_400, LONGEST)] {
            let request = Checkout {
                expires_at: NOW + ours,
                ..checkout()
            };
            assert_eq!(value(&request, "expires_at"), (NOW + stripes).to_string());
        }
    }

    #[test]
    fn what_cannot_be_paid_is_refused() {
        let usd = "USD".parse::<Currency>().unwrap();
        for request in [
            Checkout {
                expires_at: NOW,
                ..checkout()
            },
            Checkout {
                lines: Vec::new(),
                ..checkout()
            },
            Checkout {
                currency: usd,
                ..checkout()
            },
            Checkout {
                lines: vec![("x".to_owned(), Money::new(-1, Currency::EUR), 1)],
                ..checkout()
            },
            Checkout {
                lines: vec![("x".to_owned(), Money::new(1, Currency::EUR), 0)],
                ..checkout()
            },
        ] {
            assert!(matches!(form(&request, NOW), Err(PaymentError::Refused(_))));
        }
    }
}
