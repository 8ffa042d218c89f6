//! The section on WhatsApp: the door, the numbers, what messages cost.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::domain::Currency;

/// The WhatsApp door. Closed without an app secret.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Whatsapp {
    /// One or several app secrets; each may sign.
    #[schemars(with = "Option<OneOrMany>")]
    #[serde(deserialize_with = "super::one_or_many")]
    pub app_secret: Vec<SecretString>,
    /// What the webhook's verification must carry.
    #[schemars(with = "Option<String>")]
    pub verify_token: Option<SecretString>,
    /// The token for sending.
    #[schemars(with = "Option<String>")]
    pub access_token: Option<SecretString>,
    /// The number's id; short form of `[[whatsapp.numbers]]`.
    pub phone_number_id: Option<String>,
    /// The WhatsApp business account.
    pub waba_id: Option<String>,
    /// The Graph API with its version.
    pub graph_url: String,
    /// Numbers, when there are several.
    pub numbers: Vec<WhatsappNumber>,
    /// Seconds for one call.
    pub timeout_seconds: u64,
    /// The catalog at Meta whose products have our ids.
    pub catalog_id: Option<String>,
    /// The folder of templates; without it those of the demo shop.
    pub templates: Option<PathBuf>,
    /// The template with a one-time code; without it any that Meta has approved.
    pub code_template: Option<String>,
    /// Messages a second of one number.
    pub messages_per_second: u32,
    /// People to whom the portfolio may write first in 24 hours, at most; 0 leaves it to WhatsApp. Without it, 250
    /// until WhatsApp has told its limit, and then that.
    pub people_per_day: Option<u32>,
    /// What messages cost.
    pub rates: Rates,
    /// What they may cost.
    pub budget: Budget,
}

impl Whatsapp {
    /// Whether messages can be sent: there are a token and the app secret.
    #[must_use]
    pub fn sends(&self) -> bool {
        let own = self
            .numbers
            .iter()
            .any(|number| number.access_token.is_some());
        (self.access_token.is_some() || own) && !self.app_secret.is_empty()
    }

    /// The number that begins conversations.
    #[must_use]
    pub fn first_number(&self) -> Option<String> {
        let first = self.numbers.first();
        self.phone_number_id
            .clone()
            .or_else(|| first.map(|number| number.phone_number_id.clone()))
    }
}

/// What a message costs by category, as decimals of the currency. Meta's statuses tell the category, not the amount.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// The currency of the rates and of the budget.
    pub currency: Currency,
    /// An answer in free words.
    pub service: String,
    /// A template about something the customer did.
    pub utility: String,
    /// A template that advertises.
    pub marketing: String,
    /// The same through the interface for marketing messages.
    pub marketing_lite: String,
    /// A template with a one-time code.
    pub authentication: String,
    /// The same, to another country.
    pub authentication_international: String,
}

impl Default for Rates {
    fn default() -> Self {
        let nothing = || "0".to_owned();
        Self {
            currency: Currency::EUR,
            service: nothing(),
            utility: nothing(),
            marketing: nothing(),
            marketing_lite: nothing(),
            authentication: nothing(),
            authentication_international: nothing(),
        }
    }
}

/// What messages may cost, as decimals of the rates' currency. Without one there is no limit.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// In one conversation.
    pub conversation: Option<String>,
    /// In one day (UTC), over all conversations.
    pub day: Option<String>,
}

impl Default for Whatsapp {
    fn default() -> Self {
        Self {
            app_secret: Vec::new(),
            verify_token: None,
            access_token: None,
            phone_number_id: None,
            waba_id: None,
            graph_url: "https://graph.facebook.com/v26.0".to_owned(),
            numbers: Vec::new(),
            timeout_seconds: 15,
            catalog_id: None,
            templates: None,
            code_template: None,
            messages_per_second: 80,
            people_per_day: None,
            rates: Rates::default(),
            budget: Budget::default(),
        }
    }
}

/// One number of ours.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhatsappNumber {
    /// Meta's id of the number.
    pub phone_number_id: String,
    /// A token of its own; without it the section's.
    #[schemars(with = "Option<String>")]
    #[serde(default)]
    pub access_token: Option<SecretString>,
    /// The business portfolio it belongs to, where there are several: user ids are unique in one only.
    #[serde(default)]
    pub portfolio_id: Option<String>,
}

/// Text or a list of texts.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the schema only")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}
