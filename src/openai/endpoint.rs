//! One endpoint: its address and key, time limits, bounded tries and the circuit.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use async_openai::Client;
use async_openai::config::Config;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use backon::{ExponentialBuilder, Retryable};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use serde_json::Value;
use url::Url;

use super::breaker::Breaker;
use super::failure::{Failure, Kind};

/// The longest wait that an endpoint can ask of us.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(4);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest wait for the body that explains an error.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// A batch of 128 vectors of 4,096 numbers stays below it.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// How an endpoint is reached.
pub(super) struct Settings<'a> {
    /// The configuration's section, for errors.
    pub(super) section: &'static str,
    pub(super) base_url: Option<&'a str>,
    pub(super) api_key: Option<&'a SecretString>,
    pub(super) timeout_seconds: u64,
    pub(super) tries: u32,
}

/// An OpenAI-compatible endpoint.
pub(super) struct Endpoint {
    client: Client<Door>,
    pub(super) breaker: Breaker,
    timeout: Duration,
    tries: u32,
    host: String,
}

impl Endpoint {
    /// Checks the settings; nothing is sent.
    pub(super) fn new(settings: &Settings<'_>) -> Result<Self, Failure> {
        let door = Door::new(settings)?;
        let timeout = Duration::from_secs(settings.timeout_seconds.max(1));
        let http = http_client(&door.base, timeout)?;
        let host = door.base.host_str().unwrap_or_default().to_owned();
        let service = {
            let http = http.clone();
            tower::service_fn(move |factory: HttpRequestFactory| {
                let http = http.clone();
                async move { exchange(&http, &factory).await }
            })
        };
        Ok(Self {
            client: Client::build(http, door).with_http_service(service),
            breaker: Breaker::default(),
            timeout,
            tries: settings.tries.max(1),
            host,
        })
    }

    /// The host, without the port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// When a call that starts now must be over, its tries included.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Asks for a chat completion.
    pub(super) async fn chat(&self, body: &Value, deadline: Instant) -> Result<Value, Failure> {
        self.tried(deadline, async || {
            self.client.chat().create_byot(body).await
        })
        .await
    }

    /// Asks for vectors.
    pub(super) async fn embeddings(
        &self,
        body: &Value,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        self.tried(deadline, async || {
            self.client.embeddings().create_byot(body).await
        })
        .await
    }

    async fn tried<F>(
        &self,
        deadline: Instant,
        attempt: impl Fn() -> F + Send,
    ) -> Result<Value, Failure>
    where
        F: Future<Output = Result<Value, OpenAIError>> + Send,
    {
        let permit = self.breaker.admit(Instant::now()).map_err(|wait| {
            Failure::unavailable(format!(
                "circuit open, next try in {:.0} s",
                wait.as_secs_f64().ceil()
            ))
        })?;
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_jitter()
            .with_max_times(self.tries as usize - 1);
        let tries = (|| async { attempt().await.map_err(Failure::from) })
            .retry(backoff)
            .when(|failure| failure.transient)
            .adjust(|failure, delay| {
                let asked = failure.retry_after.unwrap_or_default().min(RETRY_AFTER_CAP);
                let wait = delay? + asked;
                (Instant::now() + wait < deadline).then_some(wait)
            })
            .notify(|failure, wait| {
                tracing::debug!(host = self.host, %failure, wait_ms = wait.as_millis(), "trying again");
            });
        let outcome = tokio::time::timeout_at(deadline.into(), tries)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::unavailable(format!(
                    "no answer within {:?}",
                    self.timeout
                )))
            });
        match &outcome {
            Err(failure) if failure.kind == Kind::Unavailable => permit.fail(Instant::now()),
            Ok(_) | Err(_) => permit.succeed(),
        }
        outcome
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

fn http_client(base: &Url, timeout: Duration) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("sportello/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        // A redirect would carry the customer's words somewhere that nobody configured.
        .redirect(reqwest::redirect::Policy::none());
    let local = match base.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if local {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|_| Failure::refused("the HTTP client cannot be built"))
}

/// One request, one answer. The client above sees only JSON of a success: it would log every other
/// body, and with it the customer's words.
async fn exchange(
    http: &reqwest::Client,
    factory: &HttpRequestFactory,
) -> Result<reqwest::Response, Failure> {
    let request = factory
        .build()
        .await
        .map_err(|_| Failure::refused("the request cannot be built"))?;
    let response = http
        .execute(request)
        .await
        .map_err(|error| Failure::of_transport(&error))?;
    let status = response.status();
    if !status.is_success() {
        let headers = response.headers().clone();
        let body = tokio::time::timeout(ERROR_BODY_TIMEOUT, body_of(response)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        return Err(Failure::of_status(status, &headers, &body));
    }
    let body = body_of(response).await?;
    serde_json::from_slice::<IgnoredAny>(&body).map_err(|_| {
        Failure::unreadable(format!("the body of {} bytes is not JSON", body.len()))
    })?;
    Ok(http::Response::new(body).into())
}

async fn body_of(mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Failure::of_transport(&error))?
    {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            return Err(Failure::unreadable("the body is too long"));
        }
    }
    Ok(body)
}

/// Address and headers. The crate's own configuration reads the environment and panics on a key
/// that no header can carry.
#[derive(Clone)]
struct Door {
    base: Url,
    headers: HeaderMap,
    key: SecretString,
}

impl Door {
    fn new(settings: &Settings<'_>) -> Result<Self, Failure> {
        let section = settings.section;
        let base = settings.base_url.unwrap_or_default();
        let base = Url::parse(base)
            .ok()
            .filter(|base| matches!(base.scheme(), "http" | "https") && base.has_host())
            .ok_or_else(|| {
                Failure::refused(format!(
                    "`{section}.base_url` is not an http or https address"
                ))
            })?;
        let key = settings.api_key.cloned().unwrap_or_default();
        let mut headers = HeaderMap::new();
        if !key.expose_secret().is_empty() {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", key.expose_secret().trim())).map_err(
                    |_| Failure::refused(format!("`{section}.api_key` cannot be sent in a header")),
                )?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self { base, headers, key })
    }
}

impl Config for Door {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.into()
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        self.base.as_str()
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings<'a>(base_url: Option<&'a str>, api_key: Option<&'a SecretString>) -> Settings<'a> {
        Settings {
            section: "llm",
            base_url,
            api_key,
            timeout_seconds: 1,
            tries: 1,
        }
    }

    #[test]
    fn paths_join_the_base_and_keep_its_query() {
        for (base, whole) in [
            (
                "http://localhost:8000/v1",
                "http://localhost:8000/v1/chat/completions",
            ),
            (
                "http://localhost:8000/v1/",
                "http://localhost:8000/v1/chat/completions",
            ),
            (
                "https://host/v1?api-version=1",
                "https://host/v1/chat/completions?api-version=1",
            ),
        ] {
            let door = Door::new(&settings(Some(base), None)).unwrap();
            assert_eq!(door.url("/chat/completions"), whole);
        }
    }

    #[test]
    fn a_faulty_configuration_is_refused_without_its_secrets() {
        let key = SecretString::from("se\ncret");
        for (base, key) in [
            (None, None),
            (Some("ftp://host/v1"), None),
            (Some("secret"), None),
            (Some("http://host/v1"), Some(&key)),
        ] {
            let failure = Endpoint::new(&settings(base, key)).unwrap_err();
            assert_eq!(failure.kind, Kind::Refused);
            assert!(!failure.to_string().contains("secret"), "{failure}");
            assert!(failure.to_string().contains("llm."), "{failure}");
        }
    }
}
