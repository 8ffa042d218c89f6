//! Voice notes to words, at any endpoint that speaks `/audio/transcriptions`.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::config;
use crate::multipart::Form;

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
        let form = Form::new(
            &[("model", &self.model), ("response_format", "json")],
            &format!("voice.{}", ending(mime_type)),
            mime_type,
            sound,
        );
        let retry = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(300))
            .with_max_times(self.tries - 1)
            .with_jitter();
        let once = || self.once(form.clone());
        once.retry(retry)
            .when(|error| matches!(error, TranscriptionError::Unavailable(_)))
            .await
    }

    async fn once(&self, form: Form) -> Result<String, TranscriptionError> {
        let unavailable = |error: reqwest::Error| {
            TranscriptionError::Unavailable(error.without_url().to_string())
        };
        let mut request = self
            .client
            .post(&self.url)
            .header("content-type", form.content_type)
            .body(form.body);
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

/// The endpoint tells the format by the file's name.
fn ending(mime_type: &str) -> &'static str {
    match mime_type {
        "audio/mpeg" => "mp3",
        "audio/mp4" | "video/mp4" | "video/3gpp" => "m4a",
        "audio/wav" => "wav",
        "audio/aac" => "aac",
        "audio/amr" => "amr",
        _ => "ogg",
    }
}
