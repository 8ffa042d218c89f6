//! The section on writing voice notes down.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

/// Who writes voice notes down. Without a base URL nobody does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transcription {
    /// An endpoint that speaks OpenAI's `/audio/transcriptions`, ending in `/v1`.
    pub base_url: Option<String>,
    /// Its key.
    #[schemars(with = "Option<String>")]
    pub api_key: Option<SecretString>,
    /// The model's name there.
    pub model: String,
    /// Seconds for one call.
    pub timeout_seconds: u64,
    /// Tries for one voice note, the first included.
    pub tries: u32,
    /// Larger voice notes are not written down.
    pub max_megabytes: u64,
}

impl Default for Transcription {
    fn default() -> Self {
        Self {
            base_url: None,
            api_key: None,
            model: "whisper-1".to_owned(),
            timeout_seconds: 30,
            tries: 2,
            max_megabytes: 16,
        }
    }
}
