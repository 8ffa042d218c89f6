//! OpenAI-compatible endpoints: chat, embeddings and the counting of tokens. Nobody else speaks their wire format.

mod breaker;
mod chat;
mod constrained;
mod embeddings;
mod endpoint;
mod failure;
mod found;
mod reply;
mod schema;
pub mod tokens;
mod transcription;

pub use breaker::{Breaker, Permit};
pub use chat::OpenAiChat;
pub use embeddings::OpenAiEmbedder;
pub use transcription::{Transcriber, TranscriptionError};
