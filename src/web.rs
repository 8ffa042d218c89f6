//! The shop's page: the shelf, the chat, the page's tools and the payment page.
//!
//! The router needs connect info: serve it with `into_make_service_with_connect_info::<SocketAddr>()`.

mod chat;
mod language;
mod message;
mod pay;
mod session;
mod shop;
mod stream;
mod tools;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config;
use crate::domain::{PaymentId, Product};
use crate::edge::{Client, Limiter, content_security_policy, guarded};
use crate::events::Events;
use crate::ports::PaymentError;
use crate::store::{PaidLink, PaymentLink, Store, StoreError};
use crate::tools::Registry;

/// A picture's bytes and media type by its file name.
pub type Images = Arc<dyn Fn(&str) -> Option<(Cow<'static, [u8]>, String)> + Send + Sync>;

/// Marks a link as paid and thanks the customer; none when there is no such link.
pub type Pay = Arc<
    dyn Fn(PaymentId) -> BoxFuture<'static, Result<Option<PaidLink>, StoreError>> + Send + Sync,
>;

/// The address of the provider's page for an open link.
pub type Checkout =
    Arc<dyn Fn(PaymentLink) -> BoxFuture<'static, Result<String, PaymentError>> + Send + Sync>;

/// Where a payment link leads.
#[derive(Clone)]
pub enum PaymentDoor {
    /// A labelled page of our own on which no money moves.
    Demo(Pay),
    /// The provider's page. It comes back to `/pay/{id}?returned=1`.
    Hosted(Checkout),
    /// Nowhere: payments are off.
    Closed,
}

/// What the page needs of the rest of the program.
#[derive(Clone)]
pub struct State {
    /// The database.
    pub store: Store,
    /// What happens in conversations.
    pub events: Events,
    /// The page's tools.
    pub registry: Arc<Registry>,
    /// Woken when a message was stored.
    pub wake: Arc<Notify>,
    /// Masks card numbers, before anything is stored.
    pub mask: fn(&str) -> String,
    /// The shop.
    pub shop: config::Shop,
    /// The catalog as it is now, in its order.
    pub products: Arc<dyn Fn() -> Arc<[Product]> + Send + Sync>,
    /// The catalog's pictures.
    pub images: Images,
    /// Where payment links lead.
    pub payments: PaymentDoor,
    /// Rate limits.
    pub limits: config::Limits,
    /// How the outside reaches the server.
    pub public_url: Option<Url>,
    /// Milliseconds since 1970.
    pub clock: fn() -> i64,
    /// Ends the event streams, which would hold up the server's shutdown.
    pub shutdown: CancellationToken,
}

struct Web {
    state: State,
    messages: Limiter<String>,
    calls: Limiter<String>,
    clients: Limiter<Client>,
    templates: minijinja::Environment<'static>,
}

impl Web {
    fn secure(&self) -> bool {
        self.state
            .public_url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https")
    }
}

/// The routes of the page.
pub fn router(state: State) -> Router {
    let policy = content_security_policy(
        picture_origins(&(state.products)())
            .iter()
            .map(String::as_str),
    );
    let web = Arc::new(Web {
        messages: Limiter::per_minute(state.limits.messages_per_minute),
        calls: Limiter::per_minute(state.limits.tools_per_minute),
        clients: Limiter::per_minute(state.limits.address_per_minute),
        templates: templates(),
        state,
    });
    let router = Router::new()
        .route("/", get(shop::page))
        .route("/assets/{file}", get(shop::asset))
        .route("/images/{file}", get(shop::image))
        .route("/api/products", get(shop::products))
        .route("/api/chat/messages", post(chat::receive))
        .route("/api/chat/events", get(stream::events))
        .route("/api/tools/{name}", post(tools::call))
        .route("/api/tools/{name}/check", post(tools::check))
        .route("/m/{token}", get(message::page))
        .route("/pay/{id}", get(pay::page).post(pay::pay))
        .with_state(web);
    guarded(router, policy)
}

/// Templates are part of the program; a test renders each, so that a fault in one cannot ship.
fn templates() -> minijinja::Environment<'static> {
    let mut templates = minijinja::Environment::new();
    templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    for (name, text) in [
        ("shop.html", include_str!("web/pages/shop.html")),
        ("pay.html", include_str!("web/pages/pay.html")),
        ("message.html", include_str!("web/pages/message.html")),
    ] {
        if let Err(error) = templates.add_template(name, text) {
            tracing::error!(name, %error, "a template cannot be read");
        }
    }
    templates
}

/// Other sites that the catalog's pictures come from.
fn picture_origins(products: &[Product]) -> BTreeSet<String> {
    products
        .iter()
        .filter_map(|product| Url::parse(&product.image).ok())
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(|url| url.origin().ascii_serialization())
        .collect()
}
