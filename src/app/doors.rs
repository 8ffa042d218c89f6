//! The router table: every door, with what it needs.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::Zoned;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use url::Url;

use super::dead_letters::sorter;
use super::media;
use super::open::{App, AppError, payment_provider};
use super::{gauges, notify};
use crate::clock;
use crate::domain::{Answer, Language, OrderNumber, PassageKind, PaymentId, mask_cards};
use crate::events::Event;
use crate::failpoint;
use crate::payments::{self, StripePayments};
use crate::ports::{Checkout, PaymentError, Payments};
use crate::store::{PaidLink, PaymentLink, StoreError};
use crate::web::PaymentDoor;
use crate::{desk, mcp, web, whatsapp};

/// What the doors need beside the app.
pub struct Doorkeeper {
    /// The desk's password.
    pub password: SecretString,
    /// Ends event streams.
    pub shutdown: CancellationToken,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
    /// Set once messages are worked on.
    pub ready: CancellationToken,
}

/// All routes.
pub async fn router(app: &Arc<App>, keeper: &Doorkeeper) -> Result<Router, AppError> {
    let public_url = Url::parse(&app.public_url)
        .map_err(|error| AppError::Configuration(format!("server.public_url: {error}")))?;
    let mut router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(Probe {
            app: Arc::clone(app),
            metrics: keeper.metrics.clone(),
            ready: keeper.ready.clone(),
        }))
        .merge(web::router(web_state(app, keeper, &public_url)?))
        .merge(desk::router(desk_state(app, keeper, &public_url).await?));
    let door = mcp_state(app, public_url);
    router = router
        .merge(mcp::discovery::router(&door.registry, &door.identity))
        .merge(mcp::service(door));
    if app.config.whatsapp.app_secret.is_empty() {
        tracing::info!("the WhatsApp door is closed: whatsapp.app_secret is not set");
    } else {
        router = router.merge(whatsapp::door::router(whatsapp_door(app)));
    }
    if let Some(token) = app.config.server.api_token.clone() {
        router = router.merge(notify::router(Arc::clone(app), token));
    }
    if let Some(secret) = app.config.payments.stripe_webhook_secret.clone() {
        let app = Arc::clone(app);
        router = router.merge(payments::door::router(payments::door::Door {
            secrets: vec![secret],
            settle: Arc::new(move |id, session| {
                let app = Arc::clone(&app);
                Box::pin(async move { app.paid(id, Some(session)).await.map(drop) })
            }),
        }));
    }
    Ok(router
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new()))
}

struct Probe {
    app: Arc<App>,
    metrics: PrometheusHandle,
    ready: CancellationToken,
}

/// Ready as soon as messages can be stored; says whether they are worked on yet.
async fn ready(State(probe): State<Arc<Probe>>) -> impl IntoResponse {
    match probe.app.store.ping().await {
        Ok(()) if probe.ready.is_cancelled() => (StatusCode::OK, "ready"),
        Ok(()) => (StatusCode::OK, "ready to store; still preparing to answer"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer",
        ),
    }
}

async fn metrics(State(probe): State<Arc<Probe>>) -> String {
    if let Ok(waiting) = probe.app.store.waiting().await {
        #[expect(clippy::cast_precision_loss, reason = "few conversations wait")]
        metrics::gauge!("sportello_conversations_waiting").set(waiting as f64);
    }
    gauges::set(&probe.app.store).await;
    probe.metrics.render()
}

fn mask(text: &str) -> String {
    mask_cards(text).text.into_owned()
}

fn web_state(
    app: &Arc<App>,
    keeper: &Doorkeeper,
    public_url: &Url,
) -> Result<web::State, AppError> {
    let knowledge = Arc::clone(&app.knowledge);
    let catalog = Arc::clone(&app.knowledge);
    Ok(web::State {
        store: app.store.clone(),
        events: app.events.clone(),
        registry: Arc::clone(&app.tools),
        wake: Arc::clone(&app.inbox),
        mask,
        shop: app.config.shop.clone(),
        products: Arc::new(move || Arc::clone(&catalog.load().products)),
        images: Arc::new(move |file| {
            knowledge
                .load()
                .image(file)
                .map(|(bytes, kind)| (bytes, kind.to_owned()))
        }),
        payments: payment_door(app)?,
        limits: app.config.limits.clone(),
        public_url: Some(public_url.clone()),
        clock: clock::now,
        shutdown: keeper.shutdown.clone(),
    })
}

async fn desk_state(
    app: &Arc<App>,
    keeper: &Doorkeeper,
    public_url: &Url,
) -> Result<desk::State, AppError> {
    let made: [u8; 32] = rand::random();
    let kept = app.store.setting("desk_key", hex::encode(made)).await?;
    let mut key = [0; 32];
    hex::decode_to_slice(&kept, &mut key)
        .map_err(|error| AppError::Machine(format!("the desk's key cannot be read: {error}")))?;
    Ok(desk::State {
        store: app.store.clone(),
        events: app.events.clone(),
        wake: Arc::clone(&app.outbox),
        mask,
        shop: app.config.shop.name.clone(),
        password: keeper.password.clone(),
        key,
        picture_origins: Vec::new(),
        media: app.data.join(media::FOLDER),
        public_url: Some(public_url.clone()),
        clock: clock::now,
        shutdown: keeper.shutdown.clone(),
    })
}

fn whatsapp_door(app: &Arc<App>) -> whatsapp::door::Door {
    whatsapp::door::Door {
        store: app.store.clone(),
        arrivals: Arc::clone(&app.arrivals),
        whatsapp: app.config.whatsapp.clone(),
        sorter: sorter(&app.config),
    }
}

/// What MCP shows, over HTTP and over a stream.
pub fn mcp_state(app: &Arc<App>, public_url: Url) -> mcp::State {
    let knowledge = Arc::clone(&app.knowledge);
    mcp::State {
        registry: Arc::clone(&app.tools),
        identity: mcp::Identity {
            name: app.config.shop.name.clone(),
            about: app.config.shop.about.clone(),
            public_url,
        },
        languages: app.config.shop.languages.clone(),
        access: app.config.mcp.clone(),
        calls_per_minute: app.config.limits.tools_per_minute,
        callers: app.callers(),
        library: library(knowledge),
        prompts: Arc::new(vec![counter_prompt(app)]),
    }
}

type LibraryOf = Arc<dyn Fn() -> Arc<mcp::Library> + Send + Sync>;

/// Made anew only when the knowledge was read anew.
fn library(knowledge: Arc<arc_swap::ArcSwap<crate::knowledge::Knowledge>>) -> LibraryOf {
    let made: std::sync::Mutex<Option<(String, Arc<mcp::Library>)>> = std::sync::Mutex::new(None);
    Arc::new(move || {
        let knowledge = knowledge.load();
        let mut made = made
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((fingerprint, library)) = made.as_ref()
            && *fingerprint == knowledge.fingerprint
        {
            return Arc::clone(library);
        }
        let documents = knowledge.documents.iter().map(|document| {
            let (kind, prefix) = match document.kind {
                PassageKind::Policy => (mcp::DocumentKind::Policy, "policy-"),
                PassageKind::Faq | PassageKind::Product => (mcp::DocumentKind::Faq, "faq-"),
            };
            mcp::Document {
                kind,
                slug: document.id.trim_start_matches(prefix).to_owned(),
                language: document.language,
                title: document.title.clone(),
                body: document.body.clone(),
            }
        });
        let library = Arc::new(mcp::Library::new(
            documents,
            knowledge.products.iter().cloned(),
        ));
        *made = Some((knowledge.fingerprint.clone(), Arc::clone(&library)));
        library
    })
}

/// The counter's own prompt, for an assistant that wants to answer as the shop does.
fn counter_prompt(app: &Arc<App>) -> mcp::Prompt {
    let prompts = Arc::clone(&app.prompts);
    let config = Arc::clone(&app.config);
    mcp::Prompt {
        name: "counter".to_owned(),
        title: format!("Answer as {}", app.config.shop.name),
        description: "How the shop's own agent answers its customers.".to_owned(),
        arguments: vec![mcp::PromptArgument {
            name: "language".to_owned(),
            description: "ISO 639-1 code of the customer's language".to_owned(),
            required: true,
            choices: app
                .config
                .shop
                .languages
                .iter()
                .map(ToString::to_string)
                .collect(),
        }],
        render: Arc::new(move |filled| {
            let language = filled.get("language").map_or("en", String::as_str);
            let code: Language = language.parse()?;
            prompts
                .agent(minijinja::context! {
                    shop => config.shop.name.as_str(),
                    about => config.shop.about.as_str(),
                    language => code.code(),
                    language_name => prompts.words(Language::EN).name("languages", code.code()),
                    intent => "-",
                    intent_score => 0,
                    sentiment => "neutral",
                    polarity => 0,
                    phone_verified => false,
                    products_shown => "",
                    passages => Vec::<String>::new(),
                })
                .map_err(|error| error.to_string())
        }),
    }
}

fn payment_door(app: &Arc<App>) -> Result<PaymentDoor, AppError> {
    match payment_provider(&app.config) {
        Some("demo") => {
            let app = Arc::clone(app);
            Ok(PaymentDoor::Demo(Arc::new(move |id| {
                let app = Arc::clone(&app);
                Box::pin(async move { app.paid(id, None).await })
            })))
        }
        Some(_) => {
            let stripe = StripePayments::new(&app.config.payments)
                .map_err(|error| AppError::Configuration(error.to_string()))?;
            let stripe: Arc<dyn Payments> = Arc::new(stripe);
            let public_url = Arc::clone(&app.public_url);
            Ok(PaymentDoor::Hosted(Arc::new(move |link| {
                let stripe = Arc::clone(&stripe);
                let request = checkout(&link, &public_url);
                Box::pin(async move {
                    let page = stripe.checkout(&request).await?;
                    page.url
                        .ok_or_else(|| PaymentError::Refused("no page to pay on".to_owned()))
                })
            })))
        }
        None => Ok(PaymentDoor::Closed),
    }
}

fn checkout(link: &PaymentLink, public_url: &str) -> Checkout {
    let lines = link
        .lines
        .iter()
        .map(|line| (line.title.clone(), line.unit_price, line.quantity));
    Checkout {
        id: link.id.clone(),
        lines: lines.collect(),
        currency: link.total.currency,
        expires_at: link.expires_at / 1000,
        return_url: format!("{public_url}/pay/{}?returned=1", link.id),
    }
}

impl App {
    /// Marks a link as paid, makes the order and thanks the customer, once.
    ///
    /// # Errors
    /// What the store says.
    pub async fn paid(
        &self,
        id: PaymentId,
        session: Option<String>,
    ) -> Result<Option<PaidLink>, StoreError> {
        let prompts = Arc::clone(&self.prompts);
        let thanks = move |order: &OrderNumber, language: Language| {
            Answer::text(
                prompts
                    .words(language)
                    .say("paid", minijinja::context! { order => order.as_str() }),
            )
        };
        let today = Zoned::now()
            .in_tz(&self.config.shop.timezone)
            .map_or_else(|_| Zoned::now().date(), |now| now.date())
            .to_string();
        failpoint::point("payment told");
        let paid = self
            .store
            .pay(&id, session, today, thanks, clock::now())
            .await?;
        failpoint::point("payment stored");
        if let Some(paid) = paid.as_ref().filter(|paid| paid.first) {
            self.events.tell(&paid.link.conversation, Event::Message);
            self.outbox.notify_one();
        }
        Ok(paid)
    }
}
