//! The desk: where people see who waits, read along, reply and hand back.
//!
//! The router needs connect info: serve it with `into_make_service_with_connect_info::<SocketAddr>()`.

mod api;
mod media;
mod pages;
mod session;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::edge::{Client, Limiter, content_security_policy, guarded};
use crate::events::Events;
use crate::store::Store;

/// Tries at the password from one address.
const LOGINS_PER_MINUTE: u32 = 10;

/// What the desk needs of the rest of the program.
#[derive(Clone)]
pub struct State {
    /// The database.
    pub store: Store,
    /// What happens in conversations.
    pub events: Events,
    /// Woken when something is to be sent.
    pub wake: Arc<Notify>,
    /// Masks card numbers, before anything is stored.
    pub mask: fn(&str) -> String,
    /// The shop's name.
    pub shop: String,
    /// The password.
    pub password: SecretString,
    /// Signs the session cookies; a new key ends all sessions.
    pub key: [u8; 32],
    /// Other sites that the catalog's pictures come from, as origins.
    pub picture_origins: Vec<String>,
    /// The folder of the files that customers sent.
    pub media: PathBuf,
    /// How the outside reaches the server.
    pub public_url: Option<Url>,
    /// Milliseconds since 1970.
    pub clock: fn() -> i64,
    /// Ends the event streams, which would hold up the server's shutdown.
    pub shutdown: CancellationToken,
}

struct Desk {
    state: State,
    logins: Limiter<Client>,
    templates: minijinja::Environment<'static>,
}

/// The routes of the desk, all below `/desk`.
pub fn router(state: State) -> Router {
    let policy = content_security_policy(state.picture_origins.iter().map(String::as_str));
    let desk = Arc::new(Desk {
        logins: Limiter::per_minute(LOGINS_PER_MINUTE),
        templates: pages::templates(),
        state,
    });
    let private = Router::new()
        .route("/desk/api/conversations", get(api::list))
        .route("/desk/api/conversations/{id}", get(api::open))
        .route("/desk/api/conversations/{id}/reply", post(api::reply))
        .route("/desk/api/conversations/{id}/take", post(api::take))
        .route(
            "/desk/api/conversations/{id}/hand-back",
            post(api::hand_back),
        )
        .route("/desk/api/conversations/{id}/merge", post(api::merge))
        .route("/desk/api/channel", get(api::channel))
        .route("/desk/api/alerts/clear", post(api::clear))
        .route("/desk/media/{message}", get(media::open))
        .route("/desk/api/events", get(stream::events))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&desk),
            session::required,
        ));
    let router = Router::new()
        .route("/desk", get(pages::desk))
        .route("/desk/login", post(pages::login))
        .route("/desk/logout", post(pages::logout))
        .route("/desk/assets/{file}", get(pages::asset))
        .merge(private)
        .with_state(desk);
    guarded(router, policy)
}
