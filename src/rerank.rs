//! Reranking passages by an endpoint that speaks `/rerank`: Cohere, Jina, vLLM, text-embeddings-inference (TEI).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::{Host, Url};

use crate::config;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RETRIES: usize = 2;
/// An answer has a few numbers for each text.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// A reranking model at an endpoint.
pub struct Reranker {
    client: Client,
    url: Url,
    headers: HeaderMap,
    model: Option<String>,
    timeout: Duration,
    candidates: usize,
    /// Whether the endpoint turned out to want TEI's `texts` instead of `documents`.
    wants_texts: AtomicBool,
}

/// Why there is no ranking.
#[derive(Debug, thiserror::Error)]
pub enum RerankError {
    /// The endpoint cannot be reached or took too long.
    #[error("the reranker is unavailable: {0}")]
    Unavailable(String),
    /// The endpoint refused or answered nonsense, or it is configured wrongly.
    #[error("the reranker cannot be used: {0}")]
    Unusable(String),
}

impl Reranker {
    /// Prepares the connection; nothing is sent. None when no address is configured.
    ///
    /// # Errors
    /// [`RerankError::Unusable`] when the address or the key cannot be used.
    pub fn new(config: &config::Reranker) -> Result<Option<Self>, RerankError> {
        let Some(url) = &config.url else {
            return Ok(None);
        };
        let unusable = |reason: &str| RerankError::Unusable(reason.to_owned());
        let url = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| unusable("`retrieval.reranker.url` is not an http or https address"))?;
        let headers = headers(config.api_key.as_ref())
            .ok_or_else(|| unusable("`retrieval.reranker.api_key` cannot be sent in a header"))?;
        let timeout = Duration::from_secs(config.timeout_seconds.max(1));
        let client =
            client(&url, timeout).ok_or_else(|| unusable("the HTTP client cannot be built"))?;
        Ok(Some(Self {
            client,
            url,
            headers,
            model: config.model.clone(),
            timeout,
            candidates: config.candidates.max(1),
            wants_texts: AtomicBool::new(false),
        }))
    }

    /// How many passages are worth ranking in one call.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.candidates
    }

    /// Every text by its place, with its score, best first; equal scores keep the order of the texts. Scores are
    /// comparable within one call only.
    ///
    /// # Errors
    /// [`RerankError::Unavailable`] when no answer came within the configured time, tries included;
    /// [`RerankError::Unusable`] when the endpoint refuses or does not score every text exactly once.
    pub async fn rank(
        &self,
        query: &str,
        texts: &[&str],
    ) -> Result<Vec<(usize, f32)>, RerankError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + self.timeout;
        let answer = tokio::time::timeout_at(deadline.into(), self.ask(query, texts, deadline));
        let answer = answer.await.unwrap_or_else(|_| Err(self.too_late()));
        ranked(&answer.map_err(|failure| failure.error)?, texts.len())
    }

    /// Asks in the form that the endpoint wants; which one is learnt from the first refusal.
    async fn ask(&self, query: &str, texts: &[&str], deadline: Instant) -> Result<Value, Failure> {
        let wants_texts = self.wants_texts.load(Ordering::Relaxed);
        let body = self.body(query, texts, wants_texts);
        match self.tried(&body, deadline).await {
            Err(failure) if failure.status == Some(StatusCode::UNPROCESSABLE_ENTITY) => {
                let other = self.body(query, texts, !wants_texts);
                let answer = self.tried(&other, deadline).await?;
                self.wants_texts.store(!wants_texts, Ordering::Relaxed);
                Ok(answer)
            }
            outcome => outcome,
        }
    }

    fn body(&self, query: &str, texts: &[&str], wants_texts: bool) -> Value {
        if wants_texts {
            return json!({ "query": query, "texts": texts, "truncate": true });
        }
        let mut body = json!({ "query": query, "documents": texts, "top_n": texts.len() });
        if let Some(model) = &self.model {
            body["model"] = json!(model);
        }
        body
    }

    async fn tried(&self, body: &Value, deadline: Instant) -> Result<Value, Failure> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(1))
            .with_max_times(RETRIES)
            .with_jitter();
        (|| self.once(body))
            .retry(pauses)
            .when(|failure| failure.transient)
            .adjust(|_, pause| pause.filter(|pause| Instant::now() + *pause < deadline))
            .notify(|failure, pause| {
                tracing::debug!(
                    host = self.url.host_str(),
                    error = %failure.error,
                    wait_ms = pause.as_millis(),
                    "trying the reranker again"
                );
            })
            .await
    }

    async fn once(&self, body: &Value) -> Result<Value, Failure> {
        let request = self.client.post(self.url.clone());
        let sent = request.headers(self.headers.clone()).json(body).send();
        let response = sent.await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(Failure::of_status(status));
        }
        let body = self.read(response).await?;
        serde_json::from_slice(&body)
            .map_err(|_| Failure::unusable(format!("the body of {} bytes is not JSON", body.len())))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.broken(&error))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
                return Err(Failure::unusable("the body is too long"));
            }
        }
        Ok(body)
    }

    /// No answer, or half of one.
    fn broken(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            return self.too_late();
        }
        let what = if error.is_connect() {
            "cannot connect"
        } else {
            "the connection broke"
        };
        Failure {
            error: RerankError::Unavailable(what.to_owned()),
            transient: true,
            status: None,
        }
    }

    fn too_late(&self) -> Failure {
        Failure {
            error: RerankError::Unavailable(format!("no answer within {:?}", self.timeout)),
            transient: false,
            status: None,
        }
    }
}

impl fmt::Debug for Reranker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reranker")
            .field("host", &self.url.host_str())
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// A failed exchange; its text has no word of the request or the answer.
struct Failure {
    error: RerankError,
    /// Whether the same request may succeed a moment later.
    transient: bool,
    status: Option<StatusCode>,
}

impl Failure {
    fn unusable(text: impl Into<String>) -> Self {
        Self {
            error: RerankError::Unusable(text.into()),
            transient: false,
            status: None,
        }
    }

    fn of_status(status: StatusCode) -> Self {
        let transient = matches!(status.as_u16(), 408 | 409 | 429 | 500..=599);
        let text = format!("status {}", status.as_u16());
        let error = if transient {
            RerankError::Unavailable(text)
        } else {
            RerankError::Unusable(text)
        };
        Self {
            error,
            transient,
            status: Some(status),
        }
    }
}

/// None when no header can carry the key.
fn headers(key: Option<&SecretString>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let bearer = format!("Bearer {}", key.expose_secret().trim());
        let mut value = HeaderValue::from_str(&bearer).ok()?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Some(headers)
}

fn client(url: &Url, timeout: Duration) -> Option<Client> {
    let builder = Client::builder()
        .user_agent(concat!("sportello/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        // A redirect would carry the customer's words somewhere that nobody configured.
        .redirect(Policy::none());
    let is_local = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let builder = if is_local {
        builder.no_proxy()
    } else {
        builder
    };
    builder.build().ok()
}

/// Reads `{"results": [{"index", "relevance_score"}]}` or `[{"index", "score"}]`: every text once, with a finite score.
fn ranked(answer: &Value, texts: usize) -> Result<Vec<(usize, f32)>, RerankError> {
    let unusable = |reason: String| RerankError::Unusable(reason);
    let results = answer.get("results").unwrap_or(answer);
    let results = results
        .as_array()
        .ok_or_else(|| unusable("the answer has no results".to_owned()))?;
    if results.len() != texts {
        return Err(unusable(format!(
            "{} results for {texts} texts",
            results.len()
        )));
    }
    let mut seen = vec![false; texts];
    let mut ranked = Vec::with_capacity(texts);
    for result in results {
        let index = result["index"].as_u64();
        let index = index.and_then(|index| usize::try_from(index).ok());
        let fresh = index.and_then(|index| Some((index, seen.get_mut(index)?)));
        let Some((index, seen)) = fresh.filter(|(_, seen)| !**seen) else {
            return Err(unusable(
                "an index is missing, repeated or out of range".to_owned(),
            ));
        };
        *seen = true;
        let score = result
            .get("relevance_score")
            .or_else(|| result.get("score"));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what does not fit is refused"
        )]
        let score = score.and_then(Value::as_f64).map(|score| score as f32);
        let score = score
            .filter(|score| score.is_finite())
            .ok_or_else(|| unusable("a score is missing or no number".to_owned()))?;
        ranked.push((index, score));
    }
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    Ok(ranked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: Option<&str>, key: Option<&str>) -> config::Reranker {
        config::Reranker {
            url: url.map(str::to_owned),
            api_key: key.map(SecretString::from),
            ..config::Reranker::default()
        }
    }

    #[test]
    fn both_forms_of_an_answer_are_read() {
        let cohere = json!({"id": "x", "results": [
            {"index": 1, "relevance_score": 0.2}, {"index": 0, "relevance_score": 0.9}, {"index": 2, "relevance_score": 0.2},
        ]});
        assert_eq!(ranked(&cohere, 3).unwrap(), [(0, 0.9), (1, 0.2), (2, 0.2)]);
        let tei = json!([{"index": 1, "score": 3}, {"index": 0, "score": -4.5, "text": null}]);
        assert_eq!(ranked(&tei, 2).unwrap(), [(1, 3.0), (0, -4.5)]);
    }

    #[test]
    fn a_faulty_configuration_is_refused_without_its_secrets() {
        assert!(Reranker::new(&config(None, Some("k"))).unwrap().is_none());
        for (url, key) in [
            ("ftp://secret/rerank", None),
            ("secret", None),
            ("http://host/rerank", Some("se\ncret")),
        ] {
            let error = Reranker::new(&config(Some(url), key)).unwrap_err();
            assert!(
                matches!(&error, RerankError::Unusable(text) if text.contains("retrieval.reranker."))
            );
            assert!(!error.to_string().contains("cret"), "{error}");
        }
        let shown = Reranker::new(&config(Some("http://host/rerank"), Some("secret"))).unwrap();
        assert!(!format!("{shown:?}").contains("secret"));
    }
}
