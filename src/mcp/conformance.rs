//! The way in for the tools, prompts and resources that the official conformance suite asks for. They are
//! no part of the program: a test wraps them around the door's own handler. Only with the feature
//! `conformance`, and never in a release build.

use axum::Router;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

pub use super::handler::Handler;
use super::{State, http};

/// The door as [`super::service`] opens it, with something around its handler. Clients that open with
/// `initialize` get a session here, because half of the older era's scenarios have the server ask the
/// client something, which takes one.
pub fn service<H>(state: State, around: impl FnOnce(Handler) -> H) -> Router
where
    H: ServerHandler + Clone,
{
    let settings = http::settings(&state).with_legacy_session_mode(true);
    let handler = around(Handler::new(state.clone()));
    http::mount(&state, handler, LocalSessionManager::default(), settings)
}
