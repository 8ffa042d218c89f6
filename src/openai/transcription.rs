//! Voice notes to words, at any endpoint that speaks `/audio/transcriptions`.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use uuid::Uuid;

use crate::config;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// More of a transcript is left out.
const CHARACTERS: usize = 4_000;

/// An endpoint that writes voice notes down.
pub struct Transcriber {
    client: Client,
    url: String,
    key: Option<SecretString>,
    model: String,
    tries: usize,
    limit: usize,
}

/// Why there are no words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptionError {
    /// The endpoint cannot be reached, took too long, or said to come back later.
    #[error("the transcription endpoint is unavailable: {0}")]
    Unavailable(String),
    /// It refused, answered nonsense, or the voice note is too large for it.
    #[error("the voice note cannot be written down: {0}")]
    Refused(String),
}

impl Transcriber {
    /// Prepares the connection; nothing is sent. None when no endpoint is configured.
    #[must_use]
    pub fn new(config: &config::Transcription) -> Option<Self> {
        let base = config.base_url.as_ref()?;
        let timeout = Duration::from_secs(config.timeout_seconds.max(1));
        let client = Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .redirect(Policy::none())
            .build()
            .ok()?;
        let megabytes = usize::try_from(config.max_megabytes).unwrap_or(usize::MAX);
        Some(Self {
            client,
            url: format!("{}/audio/transcriptions", base.trim_end_matches('/')),
            key: config.api_key.clone(),
            model: config.model.clone(),
            tries: usize::try_from(config.tries.max(1)).unwrap_or(1),
            limit: megabytes.saturating_mul(1 << 20),
        })
    }

    /// What is said in a sound file; empty when nothing is.
    ///
    /// # Errors
    /// [`TranscriptionError`] after the configured tries.
    pub async fn transcribe(
        &self,
        sound: &[u8],
        mime_type: &str,
    ) -> Result<String, TranscriptionError> {
        if sound.len() > self.limit {
            return Err(TranscriptionError::Refused(format!(
                "it is larger than {} bytes",
                self.limit
            )));
        }
        let boundary = format!("sportello-{}", Uuid::new_v4().simple());
        let form = form(&boundary, &self.model, sound, mime_type);
        let retry = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(300))
            .with_max_times(self.tries - 1)
            .with_jitter();
        let once = || self.once(&boundary, form.clone());
        once.retry(retry)
            .when(|error| matches!(error, TranscriptionError::Unavailable(_)))
            .await
    }

    async fn once(&self, boundary: &str, form: Vec<u8>) -> Result<String, TranscriptionError> {
        let unavailable = |error: reqwest::Error| {
            TranscriptionError::Unavailable(error.without_url().to_string())
        };
        let mut request = self
            .client
            .post(&self.url)
            .header(
                "content-type",
                format!("multipart/form-data; boundary={boundary}"),
            )
            .body(form);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let answer = request.send().await.map_err(unavailable)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refusal(status));
        }
        let body: Value = answer
            .json()
            .await
            .map_err(|error| TranscriptionError::Refused(error.without_url().to_string()))?;
        let text = body.get("text").and_then(Value::as_str);
        let text =
            text.ok_or_else(|| TranscriptionError::Refused("the answer has no `text`".to_owned()))?;
        Ok(text.trim().chars().take(CHARACTERS).collect())
    }
}

fn refusal(status: StatusCode) -> TranscriptionError {
    let reason = format!("it answered {status}");
    let passes = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    if passes {
        TranscriptionError::Unavailable(reason)
    } else {
        TranscriptionError::Refused(reason)
    }
}

/// A form of three fields (RFC 7578). The endpoint tells the format by the file's name.
fn form(boundary: &str, model: &str, sound: &[u8], mime_type: &str) -> Vec<u8> {
    let ending = match mime_type {
        "audio/mpeg" => "mp3",
        "audio/mp4" | "video/mp4" | "video/3gpp" => "m4a",
        "audio/wav" => "wav",
        "audio/aac" => "aac",
        "audio/amr" => "amr",
        _ => "ogg",
    };
    let field = |name: &str, value: &str| {
        format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let mut form = field("model", model).into_bytes();
    form.extend(field("response_format", "json").into_bytes());
    form.extend(
        format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"voice.{ending}\"\r\n\
             content-type: {mime_type}\r\n\r\n"
        )
        .into_bytes(),
    );
    form.extend_from_slice(sound);
    form.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    form
}
