//! Files of customers from the Graph API: one call names the address, a second one fetches the bytes, both
//! with our token. Meta keeps a file for seven days and an address for five minutes.

mod sniff;

pub use sniff::{fits, type_of};

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::config;
use crate::store::MediaJob;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For the bytes of the largest document on a slow line.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);
/// Where Meta keeps files; our token goes nowhere else.
const META: [&str; 4] = ["fbsbx.com", "facebook.com", "fbcdn.net", "whatsapp.net"];

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What they are, read from themselves.
    pub mime_type: &'static str,
    /// Their SHA-256, lower-case hex: the file's name.
    pub hash: String,
}

/// Why a file was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// Trying again later may work.
    #[error("not fetched, try again: {0}")]
    Retry(String),
    /// Trying again cannot work.
    #[error("not fetched: {0}")]
    Final(String),
}

/// Fetches files, for any number of ours that has a token.
pub struct GraphMedia {
    client: Client,
    graph: Url,
    token: Option<SecretString>,
    number_tokens: HashMap<String, SecretString>,
}

impl GraphMedia {
    /// A client for the configured address and tokens; none without a token or without an address.
    #[must_use]
    pub fn new(config: &config::Whatsapp) -> Option<Self> {
        let numbers = config.numbers.iter();
        let number_tokens: HashMap<String, SecretString> = numbers
            .filter_map(|number| {
                Some((number.phone_number_id.clone(), number.access_token.clone()?))
            })
            .collect();
        if config.access_token.is_none() && number_tokens.is_empty() {
            return None;
        }
        let client = Client::builder()
            .timeout(FETCH_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .build()
            .ok()?;
        Some(Self {
            client,
            graph: Url::parse(&config.graph_url).ok()?,
            token: config.access_token.clone(),
            number_tokens,
        })
    }

    /// Fetches a file: never more bytes than its kind may have, and only what it is said to be.
    ///
    /// # Errors
    /// [`MediaError`], with what to do.
    pub async fn fetch(&self, job: &MediaJob) -> Result<Fetched, MediaError> {
        let token = self
            .number_tokens
            .get(&job.number)
            .or(self.token.as_ref())
            .ok_or_else(|| {
                MediaError::Retry("there is no access token for this number".to_owned())
            })?;
        let limit = job.kind.limit();
        let address = self.address(job, token, limit).await?;
        let answer = self.get(address, token).await?;
        if !answer.status().is_success() {
            // The address lives for minutes: a new one is asked for.
            return Err(MediaError::Retry(format!(
                "the file's address answered {}",
                answer.status()
            )));
        }
        let bytes = bytes(answer, limit).await?;
        let digest = Sha256::digest(&bytes);
        let told = job
            .sha256
            .as_deref()
            .and_then(|told| STANDARD.decode(told).ok());
        if told.is_some_and(|told| told.len() == digest.len() && told[..] != digest[..]) {
            return Err(MediaError::Retry(
                "the bytes are not those that were sent".to_owned(),
            ));
        }
        let mime_type = type_of(&bytes);
        if !fits(job.kind, mime_type) {
            return Err(MediaError::Final(format!(
                "it is said to be a file of the kind {} and is {mime_type}",
                job.kind.name()
            )));
        }
        Ok(Fetched {
            hash: hex::encode(digest),
            mime_type,
            bytes,
        })
    }

    /// The first step: where the bytes are.
    async fn address(
        &self,
        job: &MediaJob,
        token: &SecretString,
        limit: usize,
    ) -> Result<Url, MediaError> {
        let odd = |what: &str| MediaError::Final(format!("the Graph API {what}"));
        let mut asked = self.graph.clone();
        asked
            .path_segments_mut()
            .map_err(|()| odd("has an address that takes no path"))?
            .pop_if_empty()
            .push(&job.external_id);
        asked
            .query_pairs_mut()
            .append_pair("phone_number_id", &job.number);
        let answer = self.get(asked, token).await?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refusal(status));
        }
        let body: Value = answer
            .json()
            .await
            .map_err(|error| MediaError::Retry(error.without_url().to_string()))?;
        let size = body.get("file_size").and_then(Value::as_u64);
        if size.is_some_and(|size| usize::try_from(size).unwrap_or(usize::MAX) > limit) {
            return Err(too_large(limit));
        }
        let url = body.get("url").and_then(Value::as_str);
        let url = url.and_then(|url| Url::parse(url).ok());
        let url = url.ok_or_else(|| odd("named no address"))?;
        if self.is_trusted(&url) {
            Ok(url)
        } else {
            Err(odd("named an address that is not Meta's"))
        }
    }

    async fn get(&self, address: Url, token: &SecretString) -> Result<Response, MediaError> {
        self.client
            .get(address)
            .bearer_auth(token.expose_secret())
            .send()
            .await
            .map_err(|error| MediaError::Retry(error.without_url().to_string()))
    }

    /// The same place as the Graph API, or one of Meta's over TLS.
    fn is_trusted(&self, url: &Url) -> bool {
        if url.origin() == self.graph.origin() {
            return true;
        }
        let host = url.host_str().unwrap_or_default();
        let is_metas = |domain: &str| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        url.scheme() == "https" && META.iter().any(|domain| is_metas(domain))
    }
}

/// A wrong token may be mended; a file that is not there stays so.
fn refusal(status: StatusCode) -> MediaError {
    let reason = format!("the Graph API answered {status} when asked for the file");
    match status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::GONE => {
            MediaError::Final(reason)
        }
        _ => MediaError::Retry(reason),
    }
}

async fn bytes(mut answer: Response, limit: usize) -> Result<Vec<u8>, MediaError> {
    let broken = |error: reqwest::Error| MediaError::Retry(error.without_url().to_string());
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large(limit: usize) -> MediaError {
    MediaError::Final(format!("it is larger than {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_token_goes_to_meta_only() {
        let config = config::Whatsapp {
            access_token: Some("token".into()),
            ..config::Whatsapp::default()
        };
        let source = GraphMedia::new(&config).unwrap();
        for (url, trusted) in [
            (
                "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
                true,
            ),
            ("https://graph.facebook.com/v26.0/1", true),
            ("https://media.whatsapp.net/1", true),
            ("http://lookaside.fbsbx.com/1", false),
            ("https://fbsbx.com.evil.example/1", false),
            ("https://evilfbsbx.com/1", false),
            ("https://127.0.0.1/1", false),
        ] {
            assert_eq!(
                source.is_trusted(&Url::parse(url).unwrap()),
                trusted,
                "{url}"
            );
        }
        assert!(GraphMedia::new(&config::Whatsapp::default()).is_none());
    }
}
