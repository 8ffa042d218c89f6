//! The door for assistants: MCP over HTTP and over a byte stream, and the documents that lead there.
//!
//! The only module that names `rmcp`. Both eras of the protocol are answered on one endpoint, without
//! sessions: 2026-07-28, where every request stands alone, and the versions that open with `initialize`.

mod access;
mod admission;
mod auth;
mod confirm;
#[cfg(all(feature = "conformance", debug_assertions))]
pub mod conformance;
pub mod discovery;
mod handler;
mod http;
mod library;
mod listen;
mod listing;
mod prompts;
mod throttle;
mod verify;

use std::sync::Arc;

use axum::Router;
use rmcp::service::{RoleServer, ServerInitializeError, ServiceExt};
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config;
use crate::domain::Language;
use crate::tools::Registry;

pub use access::{
    Access, AccessError, AskedCode, Assistant, Callers, Change, Customer, ShownCode, new_token,
    token_hash,
};
pub use library::{Document, DocumentKind, Library};
pub use prompts::{Filled, Prompt, PromptArgument, Render};

use handler::Handler;

/// The largest message a client may send, in bytes.
pub const MESSAGE_LIMIT: usize = 256 * 1024;

/// What the door shows. Cheap to clone.
#[derive(Clone)]
pub struct State {
    /// The tools; an assistant gets those of [`crate::tools::Caller::Anonymous`].
    pub registry: Arc<Registry>,
    /// Who we are.
    pub identity: Identity,
    /// The shop's languages; the first answers a client that names none.
    pub languages: Vec<Language>,
    /// Hosts and origins beside the loopback ones and the public URL's.
    pub access: config::Mcp,
    /// Tool calls that one client address may make in a minute.
    pub calls_per_minute: u32,
    /// Assistants with a token, and customers.
    pub callers: Callers,
    /// Gives the knowledge of this moment; called once per request.
    pub library: Arc<dyn Fn() -> Arc<Library> + Send + Sync>,
    /// Rings when the knowledge has changed.
    pub changes: watch::Receiver<()>,
    /// Ends what clients keep open.
    pub shutdown: CancellationToken,
    /// Prompts, in the order of the list.
    pub prompts: Arc<Vec<Prompt>>,
}

/// The shop as machines see it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// What it sells, in a few words.
    pub about: String,
    /// How the outside reaches the server.
    pub public_url: Url,
}

impl Identity {
    /// The address of a path that starts with `/`, below the public URL.
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Name and trade in one line.
    fn summary(&self) -> String {
        if self.about.is_empty() {
            self.name.clone()
        } else {
            format!("{}: {}", self.name, self.about)
        }
    }
}

/// Serves `/mcp`. Rate limits read the client's address from axum's `ConnectInfo<SocketAddr>`; without
/// it all clients share one allowance.
pub fn service(state: State) -> Router {
    http::router(state)
}

/// Why a stream ended badly.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The client's first message opened no conversation that the protocol knows.
    #[error("the client did not open the conversation as MCP says")]
    Opening,
    /// The task that served it failed.
    #[error("serving the stream failed")]
    Failed,
}

/// Serves one client on a byte stream, a JSON-RPC message a line, until it closes the stream.
///
/// # Errors
/// [`StreamError`]; a client that leaves, also before it said anything, is no error.
pub async fn serve_stream<R, W>(state: State, reader: R, writer: W) -> Result<(), StreamError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let transport = AsyncRwTransport::<RoleServer, R, W>::new(reader, writer)
        .with_max_line_length(MESSAGE_LIMIT);
    match Handler::new(state.clone()).serve(transport).await {
        Ok(running) => {
            let peer = running.peer().clone();
            let mut served = std::pin::pin!(running.waiting());
            let ended = tokio::select! {
                ended = &mut served => ended,
                () = listen::tell_stream(&state, &peer) => served.await,
            };
            ended.map(drop).map_err(|_| StreamError::Failed)
        }
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(_) => Err(StreamError::Opening),
    }
}
