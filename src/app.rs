//! The composition root: everything is made and connected here, and only here are tasks started.

mod arrivals;
mod callers;
mod contacts;
mod control;
mod conversing;
mod corpus;
mod dead_letters;
mod doors;
mod gauges;
mod media;
mod notify;
mod open;
mod prepare;
mod serve;
mod templates;
mod tokens;

pub use callers::KnownCallers;
pub use control::{Command, Remote, RemoteError, Report, perform};
pub use conversing::{Said, Talk};
pub use corpus::{Corpus, CorpusReader, CorpusSearch};
pub use dead_letters::{Replayed, replay};
pub use doors::{mcp_state, wrapped};
pub use notify::{NotifiedOrder, NotifyError, NotifyOrder};
pub use open::{App, AppError, Encoders, encoder, folder, knowledge_source, own_texts, questions};
pub use prepare::{Prepared, Readers, examples};
pub use serve::{Addresses, serve};
pub use templates::{check_templates, known_templates, sync_templates};
pub use tokens::{TokenCommand, tokens, tokens_without_server};
