//! The configuration's sections: one struct per concern, each with its defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::{Transcription, Whatsapp};
use crate::domain::{Currency, Language};

/// Everything that can be configured.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether the demo shop's orders and payment page are loaded.
    pub demo: bool,
    /// Whether a demo may listen on an address that others can reach.
    pub demo_public: bool,
    /// The shop.
    pub shop: Shop,
    /// The HTTP server.
    pub server: Server,
    /// Where the knowledge is.
    pub knowledge: Knowledge,
    /// The chat model.
    pub llm: Llm,
    /// The embedding model.
    pub embedding: Embedding,
    /// The index and how it is searched.
    pub retrieval: Retrieval,
    /// The agent's limits.
    pub agent: Agent,
    /// The WhatsApp door.
    pub whatsapp: Whatsapp,
    /// Who writes voice notes down.
    pub transcription: Transcription,
    /// Payments.
    pub payments: Payments,
    /// The desk.
    pub desk: Desk,
    /// The MCP door.
    pub mcp: Mcp,
    /// Rate limits.
    pub limits: Limits,
}

/// The shop.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shop {
    /// Its name, as customers know it.
    pub name: String,
    /// What it sells, in a few words; used in prompts.
    pub about: String,
    /// Languages customers write in; the first is used when nothing else is known.
    pub languages: Vec<Language>,
    /// IANA time zone.
    pub timezone: String,
    /// Currency of the catalog.
    pub currency: Currency,
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            name: "Bottega Moka".to_owned(),
            about: "coffee machines, grinders, coffee and accessories".to_owned(),
            languages: vec![
                Language::EN,
                Language::IT,
                Language::ES,
                Language::PT,
                Language::DE,
                Language::FR,
            ],
            timezone: "Europe/Rome".to_owned(),
            currency: Currency::EUR,
        }
    }
}

/// The HTTP server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// `HOST:PORT` to listen on; port 0 takes a free one.
    pub listen: String,
    /// How the outside reaches the server, for payment links, the manifest and pictures.
    pub public_url: Option<String>,
    /// What calls of `/api/notify` must carry; without it that door is closed.
    #[schemars(with = "Option<String>")]
    pub api_token: Option<SecretString>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: None,
            api_token: None,
        }
    }
}

/// Where the knowledge is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Knowledge {
    /// The folder; without it the demo shop that is part of the program.
    pub path: Option<PathBuf>,
}

/// How tools are offered to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolMode {
    /// The endpoint's own tool calls.
    Native,
    /// Schema-constrained decoding of one JSON object; makes small local models reliable.
    JsonSchema,
}

/// The chat model. Without a base URL the offline model answers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Llm {
    /// An OpenAI-compatible endpoint, ending in `/v1`.
    pub base_url: Option<String>,
    /// Its key.
    #[schemars(with = "Option<String>")]
    pub api_key: Option<SecretString>,
    /// The model's name there.
    pub model: String,
    /// How tools are offered.
    pub tool_mode: ToolMode,
    /// Seconds for one call.
    pub timeout_seconds: u64,
    /// Tries for one call, the first included.
    pub tries: u32,
    /// Tokens of context that a request may fill.
    pub context_tokens: usize,
    /// Tokens of one answer.
    pub max_output_tokens: u32,
    /// Sampling temperature.
    pub temperature: f32,
}

impl Default for Llm {
    fn default() -> Self {
        Self {
            base_url: None,
            api_key: None,
            model: "gpt-5-mini".to_owned(),
            tool_mode: ToolMode::Native,
            timeout_seconds: 20,
            tries: 3,
            context_tokens: 8_000,
            max_output_tokens: 700,
            temperature: 0.2,
        }
    }
}

/// Who makes the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingProvider {
    /// The encoder in the process.
    Builtin,
    /// An OpenAI-compatible `/v1/embeddings` endpoint.
    Openai,
}

/// The encoders in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuiltinEncoder {
    /// The multilingual Universal Sentence Encoder.
    Use,
    /// Multilingual E5-small.
    E5,
}

/// The embedding model.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Embedding {
    /// Who makes the vectors.
    pub provider: EmbeddingProvider,
    /// Which encoder in the process makes the index's vectors.
    pub encoder: BuiltinEncoder,
    /// The endpoint, ending in `/v1`.
    pub base_url: Option<String>,
    /// Its key.
    #[schemars(with = "Option<String>")]
    pub api_key: Option<SecretString>,
    /// The model's name there.
    pub model: String,
    /// Seconds for one call.
    pub timeout_seconds: u64,
}

impl Default for Embedding {
    fn default() -> Self {
        Self {
            provider: EmbeddingProvider::Builtin,
            encoder: BuiltinEncoder::E5,
            base_url: None,
            api_key: None,
            model: "text-embedding-3-small".to_owned(),
            timeout_seconds: 15,
        }
    }
}

/// The index and how it is searched.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retrieval {
    /// A Qdrant server (gRPC); without it Qdrant Edge in the data folder.
    pub url: Option<String>,
    /// Its key.
    #[schemars(with = "Option<String>")]
    pub api_key: Option<SecretString>,
    /// Name of the alias on the server.
    pub collection: String,
    /// Seconds for one call.
    pub timeout_seconds: u64,
    /// Passages that the agent reads in a turn.
    pub passages: usize,
    /// Tokens of one chunk.
    pub chunk_tokens: usize,
    /// What repeating all words of a better passage costs, in units of the score; 0 lets passages repeat each other.
    pub diversity: f32,
    /// An endpoint that puts the best passages in order.
    pub reranker: Reranker,
}

impl Default for Retrieval {
    fn default() -> Self {
        Self {
            url: None,
            api_key: None,
            collection: "sportello".to_owned(),
            timeout_seconds: 5,
            passages: 6,
            chunk_tokens: 220,
            diversity: 0.05,
            reranker: Reranker::default(),
        }
    }
}

/// An endpoint that scores passages against a question. Without an address none is asked.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reranker {
    /// The whole address, usually ending in `/rerank`.
    pub url: Option<String>,
    /// The model's name there; some endpoints need none.
    pub model: Option<String>,
    /// Its key.
    #[schemars(with = "Option<String>")]
    pub api_key: Option<SecretString>,
    /// Seconds for one call, its tries included.
    pub timeout_seconds: u64,
    /// Passages in one call.
    pub candidates: usize,
}

impl Default for Reranker {
    fn default() -> Self {
        Self {
            url: None,
            model: None,
            api_key: None,
            timeout_seconds: 3,
            candidates: 20,
        }
    }
}

/// The agent's limits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// Seconds for a whole turn.
    pub deadline_seconds: u64,
    /// Calls to a model in one turn.
    pub max_steps: u32,
    /// Tokens in and out over all calls of one turn.
    pub max_tokens: u64,
    /// Conversations worked on at once.
    pub workers: usize,
    /// Seconds to wait for more of a burst, on WhatsApp.
    pub debounce_seconds: f64,
    /// Seconds after the first message of a burst at which it is answered in any case, on WhatsApp.
    pub burst_seconds: f64,
    /// Minutes after which a message that was on its way is late: answered only if nothing newer came.
    pub late_minutes: u64,
    /// Failures to understand, in a row, before a person is called.
    pub misunderstandings: u32,
    /// Polarity at or below which a person is called, in [-1, 0].
    pub upset_below: f32,
    /// What tells customers that this is an AI, by language; `{shop}` is the shop's name.
    pub disclosure: BTreeMap<Language, String>,
    /// A folder whose `prompts/` and `tools/` take the place of the program's own texts, file by file.
    pub texts: Option<PathBuf>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            deadline_seconds: 45,
            max_steps: 6,
            max_tokens: 30_000,
            workers: 4,
            debounce_seconds: 3.0,
            burst_seconds: 10.0,
            late_minutes: 30,
            misunderstandings: 3,
            upset_below: -0.75,
            disclosure: BTreeMap::new(),
            texts: None,
        }
    }
}

/// Who takes the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentProvider {
    /// A labelled page of our own; no money moves.
    Demo,
    /// Stripe Checkout.
    Stripe,
}

/// Payments.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Payments {
    /// Who takes the money; without it, payment links are off outside the demo.
    pub provider: Option<PaymentProvider>,
    /// Minutes that a link lives.
    pub link_minutes: i64,
    /// Stripe's secret key.
    #[schemars(with = "Option<String>")]
    pub stripe_secret_key: Option<SecretString>,
    /// Stripe's webhook secret.
    #[schemars(with = "Option<String>")]
    pub stripe_webhook_secret: Option<SecretString>,
    /// Stripe's API.
    pub stripe_url: String,
    /// Seconds for one call.
    pub timeout_seconds: u64,
}

impl Default for Payments {
    fn default() -> Self {
        Self {
            provider: None,
            link_minutes: 24 * 60,
            stripe_secret_key: None,
            stripe_webhook_secret: None,
            stripe_url: "https://api.stripe.com".to_owned(),
            timeout_seconds: 15,
        }
    }
}

/// The desk.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Desk {
    /// The password; without it a random one is printed at start.
    #[schemars(with = "Option<String>")]
    pub password: Option<SecretString>,
    /// When someone is there, for example `Mo-Fr 09:30-18:30, Sa 10:00-13:00`; empty means always.
    pub hours: String,
}

/// The MCP door.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mcp {
    /// Hosts that may be named in the Host header, beside the loopback ones and the public URL's.
    pub allowed_hosts: Vec<String>,
    /// Origins of browsers that may call, beside the public URL's.
    pub allowed_origins: Vec<String>,
    /// OAuth servers that hand tokens of ours out, for the metadata.
    pub authorization_servers: Vec<String>,
}

/// Rate limits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Messages of one web session.
    pub messages_per_minute: u32,
    /// Tool calls of one page session or anonymous MCP client.
    pub tools_per_minute: u32,
    /// Tool calls of one token over MCP.
    pub assistant_tools_per_minute: u32,
    /// Tool calls for one verified customer over MCP.
    pub customer_tools_per_minute: u32,
    /// One-time codes, an hour, that one anonymous MCP client may ask for.
    pub codes_per_hour: u32,
    /// One-time codes, an hour, that one token may ask for.
    pub assistant_codes_per_hour: u32,
    /// Requests of any kind from one address to the chat, tool and login routes.
    pub address_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages_per_minute: 30,
            tools_per_minute: 60,
            assistant_tools_per_minute: 600,
            customer_tools_per_minute: 30,
            codes_per_hour: 10,
            assistant_codes_per_hour: 100,
            address_per_minute: 300,
        }
    }
}
