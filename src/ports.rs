//! The few outside things the agent needs, as narrow traits. Each has two real implementations.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use crate::domain::{
    Answer, ConversationId, Currency, ErrorClass, History, Language, Money, OutboxId, Passage,
    PassageKind, PaymentId, PriceRange, Triage,
};

/// A chat model: an OpenAI-compatible endpoint, or the offline model.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// Which model this is, for logs and traces.
    fn id(&self) -> &str;

    /// Answers with text or with tool calls.
    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError>;
}

/// What a model is asked.
#[derive(Debug, Clone)]
pub struct ModelRequest {
    /// The conversation, system message first. A tool call is always followed by its result.
    pub messages: Vec<ModelMessage>,
    /// The tools it may call.
    pub tools: Vec<ToolDefinition>,
    /// At most so many tokens in the answer.
    pub max_output_tokens: u32,
    /// The conversation that it is asked for. No provider is told.
    pub conversation: ConversationId,
    /// What the turn knows as values; a remote model reads the same facts in the prompt.
    pub facts: TurnFacts,
}

/// The turn as values, for a model that needs no prompt.
#[derive(Debug, Clone)]
pub struct TurnFacts {
    /// The customer's words of this turn.
    pub text: String,
    /// What the customer asks for, in order: one request, or several in one message.
    pub requests: Vec<Request>,
    /// What retrieval found, best first.
    pub passages: Vec<Passage>,
    /// What was said before.
    pub history: History,
    /// The language to answer in.
    pub language: Language,
    /// Whether the channel vouches for the customer's phone.
    pub phone_verified: bool,
    /// Whether the customer points at products: by quoting a message that shows some, or from a product's card.
    /// They are the last that `history` shows.
    pub points: bool,
}

impl TurnFacts {
    /// A turn of which only the words are known.
    #[must_use]
    pub fn of(text: impl Into<String>, language: Language) -> Self {
        Self {
            text: text.into(),
            requests: Vec::new(),
            passages: Vec::new(),
            history: History::default(),
            language,
            phone_verified: false,
            points: false,
        }
    }
}

/// One thing the customer asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The words.
    pub text: String,
    /// What was understood of them.
    pub triage: Triage,
}

/// One message of a model's conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelMessage {
    /// Instructions of the shop.
    System(String),
    /// Words of the customer.
    User(String),
    /// Words of the agent, and the tools it called.
    Assistant {
        /// The text; may be empty when tools are called.
        text: String,
        /// The calls.
        calls: Vec<ToolCall>,
    },
    /// The result of a call.
    Tool {
        /// The call it answers.
        call_id: String,
        /// The tool's name.
        name: String,
        /// JSON text.
        content: String,
    },
}

/// A tool as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDefinition {
    /// The name.
    pub name: String,
    /// When to use it.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
}

/// A call that a model asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The model's id of the call, unique in the turn.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments: an object, or whatever the model wrote, kept as a string when it is not JSON.
    pub arguments: Value,
}

/// What a model answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelReply {
    /// The text for the customer; may be empty when tools are called.
    pub text: String,
    /// Tools to call, in order.
    pub calls: Vec<ToolCall>,
    /// What the model waits to hear next; only the offline model says so.
    pub awaiting: Option<String>,
    /// The answer's parts beside the text; only the offline model fills them.
    pub answer: Option<Answer>,
    /// Tokens read, as reported.
    pub input_tokens: u64,
    /// Tokens written, as reported.
    pub output_tokens: u64,
}

/// Why a model gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It cannot be reached, took too long, or said to come back later: another model may answer.
    #[error("the model is unavailable: {0}")]
    Unavailable(String),
    /// It refused the request: a fault of ours or of the configuration.
    #[error("the model refused the request: {0}")]
    Refused(String),
    /// It answered something that is no answer.
    #[error("the model's answer cannot be read: {0}")]
    Unreadable(String),
    /// Its recording is missing: there is nothing to replay.
    #[error("a recording is missing: {0}")]
    Missing(String),
    /// The budget that it was to be paid from is spent.
    #[error("the budget is spent: {0}")]
    Spent(String),
}

impl ModelError {
    /// Whether another model may answer instead. Where a recording or money is missing, that would hide it.
    #[must_use]
    pub fn may_be_replaced(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Refused(_) | Self::Unreadable(_) => true,
            Self::Missing(_) | Self::Spent(_) => false,
        }
    }
}

/// Turns text into vectors: the encoder in the process, or an endpoint.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// Names the model; vectors of different ids are never mixed.
    fn id(&self) -> &str;

    /// Length of a vector; 0 while an endpoint has not told it.
    fn dimension(&self) -> usize;

    /// One L2-normalised vector per text, in order.
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// The same for questions that are compared with what [`Self::embed`] made. Most models make no difference.
    async fn embed_queries(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.embed(texts).await
    }
}

/// Why there is no vector.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The endpoint cannot be reached or took too long.
    #[error("the embedding endpoint is unavailable: {0}")]
    Unavailable(String),
    /// The endpoint refused or answered nonsense.
    #[error("the embedding endpoint's answer cannot be used: {0}")]
    Unusable(String),
}

/// A vector index with one live generation: Qdrant Edge in process, or a Qdrant server.
#[async_trait]
pub trait Index: Send + Sync {
    /// What is live now; none before the first build.
    async fn live(&self) -> Result<Option<Generation>, IndexError>;

    /// Starts a new generation beside the live one; an unfinished one is discarded.
    async fn begin(&self, generation: &Generation) -> Result<(), IndexError>;

    /// Adds points to the generation that was begun. A point without a vector is found by BM25 only.
    async fn add(&self, points: &[IndexPoint]) -> Result<(), IndexError>;

    /// Makes the begun generation live in one step and drops the one before it.
    async fn commit(&self) -> Result<(), IndexError>;

    /// Runs both legs of a hybrid search. A leg without a query is empty.
    async fn search(&self, request: &SearchRequest) -> Result<Legs, IndexError>;
}

/// What a generation of the index was built from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Generation {
    /// Unique name, also of its folder or collection.
    pub name: String,
    /// The embedding model's id.
    pub model: String,
    /// The length of its vectors.
    pub dimension: usize,
    /// Hash over all its chunks.
    pub content: String,
    /// Whether the vectors are in it; without them search is BM25 only.
    pub vectors: bool,
    /// How many points it holds.
    pub points: usize,
    /// How many documents it holds.
    #[serde(default)]
    pub documents: usize,
    /// How many of them exist in each language.
    #[serde(default)]
    pub languages: BTreeMap<Language, usize>,
}

/// One chunk as the index stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexPoint {
    /// The passage; its score and ranking are not stored.
    pub passage: Passage,
    /// What BM25 reads: title, headings and text.
    pub words: String,
    /// The languages in which its document exists.
    pub languages: Vec<Language>,
    /// The vector, when there is one.
    pub vector: Option<Vec<f32>>,
    /// Price in minor units, for products.
    pub price: Option<i64>,
    /// Whether it is in stock, for products.
    pub in_stock: Option<bool>,
    /// The category, for products.
    pub category: Option<String>,
}

/// A search as the index runs it.
#[derive(Debug, Clone, Default)]
pub struct SearchRequest {
    /// The query's words and the language whose stemmer reads them.
    pub words: Option<(String, Language)>,
    /// More words that a passage may have instead: synonyms and corrected spellings.
    pub instead: Vec<String>,
    /// The query's vector.
    pub vector: Option<Vec<f32>>,
    /// Passages per leg.
    pub limit: usize,
    /// What passages must be.
    pub filter: Filter,
}

/// What a passage must be to be found. An empty filter lets everything pass.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// One of these kinds.
    pub kinds: Vec<PassageKind>,
    /// One of these languages.
    pub languages: Vec<Language>,
    /// One of these categories.
    pub categories: Vec<String>,
    /// A document that does not exist in this language.
    pub missing_in: Option<Language>,
    /// A price in this range, if it has a price at all.
    pub price: Option<PriceRange>,
    /// In stock.
    pub in_stock: bool,
}

/// What each leg found, best first, ties broken by id, with the leg's own score.
#[derive(Debug, Clone, Default)]
pub struct Legs {
    /// Nearest vectors; the score is the cosine.
    pub dense: Vec<(Passage, f32)>,
    /// BM25; the score is at least 0.
    pub bm25: Vec<(Passage, f32)>,
    /// Words of the query that BM25 read, stop words left out.
    pub words: usize,
}

/// Why the index did not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Another process holds the embedded index.
    #[error("{0}")]
    Locked(String),
    /// It cannot be reached or took too long.
    #[error("the index is unavailable: {0}")]
    Unavailable(String),
    /// It answered, but not with what we stored.
    #[error("the index cannot be used: {0}")]
    Unusable(String),
}

/// Sends messages to customers of one channel.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Sends one message. Never called twice for a row whose first call ended ambiguously.
    async fn send(&self, message: &Outgoing) -> Result<SentMessage, SendError>;

    /// Shows the customer that their message was read and that an answer is being written. Short and without
    /// consequence: a failure is not worth more than a line in the log.
    async fn seen(&self, message: &Seen) -> Result<(), SendError>;
}

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The row in the outbox; travels along so that a status can find it.
    pub id: OutboxId,
    /// Which number of ours sends it.
    pub sender: String,
    /// The channel's address of the customer.
    pub recipient: String,
    /// What is said.
    pub answer: Answer,
    /// The language of the words around it, such as a list's button.
    pub language: Language,
    /// Whether files in it are uploaded, because the channel could not fetch them.
    pub upload: bool,
}

/// A customer's message that is being answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which number of ours received it.
    pub recipient: String,
    /// The channel's id of the message.
    pub external_id: String,
}

/// What the channel said of an accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// The channel's id of the message.
    pub external_id: String,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Certainly not sent, because the channel was not reached; trying again later may work.
    #[error("not sent, try again: {0}")]
    Retry(String),
    /// Certainly not sent, and the channel says why.
    #[error("not sent: {reason}")]
    Refused {
        /// What is to be done about it.
        class: ErrorClass,
        /// The channel's number of it.
        code: i64,
        /// For the log and the desk; never the message's words.
        reason: String,
    },
    /// Certainly not sent; trying again cannot work.
    #[error("not sent: {0}")]
    Rejected(String),
    /// Perhaps sent: never send it again blindly.
    #[error("perhaps sent: {0}")]
    Ambiguous(String),
}

/// Creates hosted pages where a customer pays: the demo page, or Stripe.
#[async_trait]
pub trait Payments: Send + Sync {
    /// The provider's name in the store.
    fn name(&self) -> &'static str;

    /// Where to send a customer who opened our link: the provider's page. Idempotent per link.
    async fn checkout(&self, request: &Checkout) -> Result<CheckoutPage, PaymentError>;
}

/// What is to be paid. Amounts come from the catalog.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// Our link.
    pub id: PaymentId,
    /// Title, unit price and quantity of each line.
    pub lines: Vec<(String, Money, u32)>,
    /// The currency of all lines.
    pub currency: Currency,
    /// Until when it can be paid, seconds since 1970.
    pub expires_at: i64,
    /// Where the customer comes back to.
    pub return_url: String,
}

/// A page where the customer pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutPage {
    /// The provider's id of the checkout.
    pub external_id: String,
    /// Where it is; none when our own page is the place.
    pub url: Option<String>,
}

/// Why there is no page to pay on.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The provider cannot be reached or took too long.
    #[error("the payment provider is unavailable: {0}")]
    Unavailable(String),
    /// The provider refused.
    #[error("the payment provider refused: {0}")]
    Refused(String),
}
