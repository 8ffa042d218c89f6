//! Assistants and customers at the MCP door: what the store knows of them, and the message with a code.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::open::App;
use crate::clock;
use crate::config::Config;
use crate::domain::{Language, TokenId};
use crate::mcp::{Access, AccessError, AskedCode, Assistant, Callers, Change, Customer, ShownCode};
use crate::prompts::Prompts;
use crate::store::{AssistantCall, NewVerification, Started, Store, StoreError, Wording};

/// What the MCP door knows of its callers.
pub struct KnownCallers {
    /// The store.
    pub store: Store,
    /// The shop's words.
    pub prompts: Arc<Prompts>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Rings when a code is to be sent.
    pub outbox: Arc<Notify>,
    /// Milliseconds since 1970.
    pub clock: fn() -> i64,
}

impl App {
    /// The callers of the MCP door.
    #[must_use]
    pub fn callers(&self) -> Callers {
        Callers {
            access: Arc::new(KnownCallers {
                store: self.store.clone(),
                prompts: Arc::clone(&self.prompts),
                config: Arc::clone(&self.config),
                outbox: Arc::clone(&self.outbox),
                clock: clock::now,
            }),
            limits: self.config.limits.clone(),
        }
    }
}

impl KnownCallers {
    fn until(&self, seconds: i64) -> i64 {
        (self.clock)().saturating_add(seconds.saturating_mul(1000))
    }

    /// Who asks for the code, as the message says it; nothing for an assistant that we do not know.
    async fn asks(&self, token: Option<&TokenId>) -> Result<Option<String>, AccessError> {
        let Some(token) = token else { return Ok(None) };
        let found = self.store.token(token).await?;
        Ok(found.map(|token| token.name))
    }

    fn wording(&self, who: Option<String>) -> Wording {
        let prompts = Arc::clone(&self.prompts);
        let shop = self.config.shop.name.clone();
        Arc::new(move |language: Language| {
            let words = prompts.words(language);
            let who = match &who {
                Some(name) => name.clone(),
                None => words.plain("an_assistant"),
            };
            let code = Store::code_placeholder();
            words.say(
                "one_time_code",
                minijinja::context! { shop => shop.as_str(), who => who, code => code },
            )
        })
    }
}

#[async_trait]
impl Access for KnownCallers {
    async fn assistant(&self, token_hash: &str) -> Result<Option<Assistant>, AccessError> {
        let token = self.store.use_token(token_hash, (self.clock)()).await?;
        Ok(token.map(|token| Assistant {
            token: token.id,
            scopes: token.scopes,
        }))
    }

    fn sends_codes(&self) -> bool {
        self.config.whatsapp.sends() && self.config.whatsapp.first_number().is_some()
    }

    async fn send_code(&self, asked: AskedCode) -> Result<bool, AccessError> {
        let sender = self.config.whatsapp.first_number();
        let sender = sender.ok_or_else(|| AccessError("there is no number to send from".into()))?;
        let who = self.asks(asked.token.as_ref()).await?;
        let new = NewVerification {
            key: asked.key,
            subject: asked.subject,
            code_hash: asked.code_hash,
            code: asked.code,
            person: asked.recipient,
            sender,
            template: self.config.whatsapp.code_template.clone(),
            home: self
                .config
                .shop
                .languages
                .first()
                .copied()
                .unwrap_or(Language::EN),
            wording: self.wording(who),
            expires_at: self.until(asked.seconds),
        };
        match self.store.start_verification(new, (self.clock)()).await? {
            Started::TooMany => Ok(false),
            Started::Waiting { conversation } => {
                if let Some(conversation) = conversation {
                    tracing::info!(%conversation, "a one-time code is sent");
                    self.outbox.notify_one();
                }
                Ok(true)
            }
        }
    }

    async fn exchange(&self, shown: ShownCode) -> Result<bool, AccessError> {
        let handle = (shown.handle_key, self.until(shown.seconds));
        let now = (self.clock)();
        Ok(self
            .store
            .redeem_code(shown.key, shown.code_hash, handle, now)
            .await?)
    }

    async fn customer(&self, key: &str) -> Result<Option<Customer>, AccessError> {
        let found = self.store.customer_of_handle(key, (self.clock)()).await?;
        Ok(found.map(|customer| Customer {
            contact: customer.contact,
            conversation: customer.conversation,
            phone: customer.phone,
        }))
    }

    async fn keep_question(&self, key: String, seconds: i64) -> Result<(), AccessError> {
        let until = self.until(seconds);
        Ok(self.store.keep_question(key, until, (self.clock)()).await?)
    }

    async fn take_question(&self, key: String) -> Result<bool, AccessError> {
        Ok(self.store.take_question(key, (self.clock)()).await?)
    }

    async fn note(&self, change: Change) -> Result<(), AccessError> {
        let call = AssistantCall {
            tool: change.tool,
            token: change.token.map(|token| token.0),
            contact: change.contact.map(|contact| contact.0),
        };
        Ok(self.store.note_call(call, (self.clock)()).await?)
    }
}

impl From<StoreError> for AccessError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
