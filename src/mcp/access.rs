//! Who is asking: nobody we know, the shop's own assistant by its token, a customer by a handle.
//!
//! Every secret has 256 random bits. What is kept of it is a hash that also covers who it was given to, so that
//! with anybody else it is simply unknown.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::config;
use crate::domain::{CodeRecipient, ContactId, ConversationId, Scope, TokenId};

/// What tokens begin with, so that people and scanners recognise them.
const TOKEN: &str = "spt_";
/// The longest text that is looked up as a secret.
const LONGEST: usize = 100;

/// Why it cannot be known who is asking; for the log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct AccessError(pub String);

/// The shop's own assistant, by a token that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assistant {
    /// The token's id.
    pub token: TokenId,
    /// What it allows.
    pub scopes: Vec<Scope>,
}

/// A customer who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The contact.
    pub contact: ContactId,
    /// Their conversation with the shop.
    pub conversation: ConversationId,
    /// E.164 phone.
    pub phone: Option<String>,
}

/// A one-time code to be sent.
#[derive(Debug, Clone)]
pub struct AskedCode {
    /// Under which it is kept.
    pub key: String,
    /// Hash of whom it is for.
    pub subject: String,
    /// Hash of the code.
    pub code_hash: String,
    /// The code.
    pub code: String,
    /// Whom it is for.
    pub recipient: CodeRecipient,
    /// Whose assistant asks; none for one that we do not know.
    pub token: Option<TokenId>,
    /// How long it can be used, seconds.
    pub seconds: i64,
}

/// A code that is shown, and the handle it is to be exchanged for.
#[derive(Debug, Clone)]
pub struct ShownCode {
    /// Under which the code is kept.
    pub key: String,
    /// Hash of the code that was shown.
    pub code_hash: String,
    /// Under which the handle is to be kept.
    pub handle_key: String,
    /// How long the handle can be used, seconds.
    pub seconds: i64,
}

/// A call that changes something, for the record.
#[derive(Debug, Clone)]
pub struct Change {
    /// The tool.
    pub tool: String,
    /// The token that was shown.
    pub token: Option<TokenId>,
    /// For whom.
    pub contact: Option<ContactId>,
}

/// What knows tokens, codes, handles and questions. Keys are hashes.
#[async_trait]
pub trait Access: Send + Sync {
    /// The assistant whose token has this hash, while it can be used.
    async fn assistant(&self, token_hash: &str) -> Result<Option<Assistant>, AccessError>;
    /// Whether customers can be sent codes.
    fn sends_codes(&self) -> bool;
    /// Sends a code where the recipient is known and can be written to; otherwise keeps one that fits nothing.
    /// False when the recipient had its codes for now.
    async fn send_code(&self, asked: AskedCode) -> Result<bool, AccessError>;
    /// Exchanges a code for a handle; false when it does not fit.
    async fn exchange(&self, shown: ShownCode) -> Result<bool, AccessError>;
    /// The customer whose handle has this key, while it holds.
    async fn customer(&self, key: &str) -> Result<Option<Customer>, AccessError>;
    /// Keeps a question for some seconds.
    async fn keep_question(&self, key: String, seconds: i64) -> Result<(), AccessError>;
    /// Takes a question, once; false when there is none.
    async fn take_question(&self, key: String) -> Result<bool, AccessError>;
    /// Writes down what is about to be changed.
    async fn note(&self, change: Change) -> Result<(), AccessError>;
}

/// Who may call beside anonymous clients, and how often.
#[derive(Clone)]
pub struct Callers {
    /// What knows them.
    pub access: Arc<dyn Access>,
    /// How often they may call.
    pub limits: config::Limits,
}

/// A new secret, with a prefix that says what it is.
pub(super) fn secret(prefix: &str) -> String {
    let bytes: [u8; 32] = rand::random();
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// A new token.
#[must_use]
pub fn new_token() -> String {
    secret(TOKEN)
}

/// What is kept of a token.
#[must_use]
pub fn token_hash(token: &str) -> String {
    hash(&["token", token])
}

/// One hash over several texts, each with its length, so that no two lists of texts share one.
pub(super) fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// Whether a text may be one of our secrets at all.
pub(super) fn plausible(secret: &str) -> bool {
    (1..=LONGEST).contains(&secret.len()) && secret.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_different_and_recognisable() {
        let (one, other) = (new_token(), new_token());
        assert!(one.starts_with("spt_") && one.len() == 4 + 43, "{one}");
        assert_ne!(one, other);
        assert!(plausible(&one) && !plausible("") && !plausible(&"a".repeat(101)));
    }

    #[test]
    fn a_hash_knows_where_its_parts_end() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["ab"]), hash(&["ab", ""]));
        assert_ne!(token_hash("a"), hash(&["a"]));
        assert_eq!(hash(&["a"]).len(), 64);
    }
}
