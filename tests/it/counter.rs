//! The page and the desk on a free port, with a real store in a folder of its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, Response, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sportello::domain::{
    Answer, Channel, ConversationId, Currency, Language, Money, PaymentId, Product, ProductText,
};
use sportello::events::Events;
use sportello::store::{NewPaymentLink, PaymentLine, PaymentLink, Store};
use sportello::tools::{Annotations, CallContext, Caller, Registry, Tool, ToolError};
use sportello::{clock, config, desk, web};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub const PASSWORD: &str = "una tazzina";
pub const CARD: &str = "4111 1111 1111 1111";

pub struct Counter {
    pub url: String,
    pub store: Store,
    pub events: Events,
    pub wake: Arc<Notify>,
    pub folder: tempfile::TempDir,
    pub client: Client,
    shutdown: CancellationToken,
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Serves with the state changed as a test needs it.
pub async fn start(adjust: impl FnOnce(&mut web::State)) -> Counter {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut state = web_state(&store);
    adjust(&mut state);
    let desk = desk::State {
        store: store.clone(),
        events: state.events.clone(),
        wake: Arc::clone(&state.wake),
        mask,
        shop: state.shop.name.clone(),
        password: PASSWORD.into(),
        key: [7; 32],
        media: std::path::PathBuf::new(),
        picture_origins: Vec::new(),
        public_url: state.public_url.clone(),
        clock: state.clock,
        shutdown: state.shutdown.clone(),
    };
    let (events, wake, shutdown) = (
        state.events.clone(),
        state.wake.clone(),
        state.shutdown.clone(),
    );
    let router = web::router(state).merge(desk::router(desk));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stopped = shutdown.clone().cancelled_owned();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move {
        axum::serve(listener, service)
            .with_graceful_shutdown(stopped)
            .await
    });
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    Counter {
        url,
        store,
        events,
        wake,
        folder,
        client,
        shutdown,
    }
}

fn web_state(store: &Store) -> web::State {
    let events = Events::default();
    web::State {
        store: store.clone(),
        registry: Arc::new(Registry::default().with(Echo).with(Note)),
        wake: Arc::new(Notify::new()),
        mask,
        shop: config::Shop::default(),
        products: Arc::new(|| products().into()),
        images: Arc::new(image),
        payments: demo_payments(store.clone(), events.clone()),
        limits: config::Limits::default(),
        public_url: None,
        clock: clock::now,
        shutdown: CancellationToken::new(),
        events,
    }
}

pub fn demo_payments(store: Store, events: Events) -> web::PaymentDoor {
    web::PaymentDoor::Demo(Arc::new(move |id: PaymentId| {
        let (store, events) = (store.clone(), events.clone());
        Box::pin(async move {
            let thanks =
                |order: &sportello::domain::OrderNumber, _| Answer::text(format!("Order {order}"));
            let paid = store
                .pay(&id, None, "2026-11-21".to_owned(), thanks, clock::now())
                .await?;
            if let Some(paid) = &paid {
                events.tell(&paid.link.conversation, sportello::events::Event::Message);
            }
            Ok(paid)
        })
    }))
}

fn mask(text: &str) -> String {
    text.replace(CARD, "[card •••• 1111]")
}

fn image(file: &str) -> Option<(Cow<'static, [u8]>, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("knowledge/images")
        .join(file);
    Some((
        Cow::Owned(std::fs::read(path).ok()?),
        "image/svg+xml".to_owned(),
    ))
}

pub fn product(
    id: &str,
    category: &str,
    minor: i64,
    stock: u32,
    image: &str,
    titles: [&str; 2],
) -> Product {
    let text = |title: &str| ProductText {
        title: title.to_owned(),
        description: format!("{title}."),
    };
    Product {
        id: id.into(),
        category: category.to_owned(),
        price: Money::new(minor, Currency::EUR),
        stock,
        image: format!("/images/{image}.svg"),
        attributes: BTreeMap::new(),
        texts: BTreeMap::from([
            (Language::EN, text(titles[0])),
            (Language::IT, text(titles[1])),
        ]),
    }
}

pub fn products() -> Vec<Product> {
    vec![
        product(
            "aria",
            "espresso_machine",
            14_900,
            18,
            "espresso-compact-red",
            ["Aria espresso machine", "Macchina espresso Aria"],
        ),
        product(
            "moka",
            "moka",
            2_490,
            0,
            "moka-classic-red",
            ["Classic moka pot", "Moka classica"],
        ),
    ]
}

/// A read-only tool.
pub struct Echo;

#[derive(Deserialize, JsonSchema)]
pub struct EchoArgs {
    /// Words.
    words: String,
}

#[derive(Serialize, JsonSchema)]
pub struct EchoOutput {
    words: String,
    conversation: bool,
    written: Vec<String>,
    language: Language,
}

#[async_trait]
impl Tool for Echo {
    const NAME: &'static str = "echo";
    const TITLE: &'static str = "Echo";
    const DESCRIPTION: &'static str = "Says who asks.";
    const ANNOTATIONS: Annotations = Annotations::READS;
    const CALLERS: &'static [Caller] = &[Caller::Page];
    type Args = EchoArgs;
    type Output = EchoOutput;

    async fn call(&self, args: EchoArgs, context: &CallContext) -> Result<EchoOutput, ToolError> {
        Ok(EchoOutput {
            words: args.words,
            conversation: context.conversation.is_some(),
            written: context.written.clone(),
            language: context.language,
        })
    }
}

/// A tool with an effect, for which there must be a conversation.
pub struct Note;

#[derive(Deserialize, JsonSchema)]
pub struct NoteArgs {}

#[derive(Serialize, JsonSchema)]
pub struct NoteOutput {
    conversation: String,
}

#[async_trait]
impl Tool for Note {
    const NAME: &'static str = "note";
    const TITLE: &'static str = "Note";
    const DESCRIPTION: &'static str = "Says where.";
    const ANNOTATIONS: Annotations = Annotations::ADDS;
    const CALLERS: &'static [Caller] = &[Caller::Page];
    type Args = NoteArgs;
    type Output = NoteOutput;

    async fn call(&self, _: NoteArgs, context: &CallContext) -> Result<NoteOutput, ToolError> {
        let conversation = context.conversation.as_ref().map(ToString::to_string);
        conversation
            .map(|conversation| NoteOutput { conversation })
            .ok_or_else(|| ToolError::NotAllowed("no conversation".to_owned()))
    }
}

impl Counter {
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    /// Says something; in the session of the cookie, or in a new one.
    pub async fn say(&self, cookie: Option<&str>, text: &str) -> Response {
        let body = json!({ "id": uuid::Uuid::new_v4(), "text": text });
        with(self.post("/api/chat/messages"), cookie)
            .json(&body)
            .send()
            .await
            .unwrap()
    }

    /// A new visitor who has said something: the cookie and the conversation.
    pub async fn visitor(&self, text: &str) -> (String, ConversationId) {
        let response = self.say(None, text).await;
        assert_eq!(response.status(), 202);
        let cookie = set_cookie(&response);
        let conversation = self.conversation(&cookie).await.unwrap();
        (cookie, conversation)
    }

    /// The conversation of a cookie's session.
    pub async fn conversation(&self, cookie: &str) -> Option<ConversationId> {
        let value = cookie.split_once('=').unwrap().1;
        let address = hex::encode(Sha256::digest(value.as_bytes()));
        self.store
            .conversation_of(Channel::Web, &address, "web")
            .await
            .unwrap()
    }

    pub async fn payment(&self, conversation: &ConversationId, expires_at: i64) -> PaymentLink {
        let price = Money::new(14_900, Currency::EUR);
        let link = NewPaymentLink {
            order: None,
            conversation: conversation.clone(),
            lines: vec![PaymentLine {
                product_id: "aria".into(),
                title: "Macchina <espresso> Aria".to_owned(),
                unit_price: price,
                quantity: 2,
            }],
            total: price.times(2).unwrap(),
            language: Language::IT,
            provider: "demo",
            expires_at,
        };
        self.store
            .payment_link(link, None, clock::now())
            .await
            .unwrap()
    }
}

pub fn with(request: RequestBuilder, cookie: Option<&str>) -> RequestBuilder {
    match cookie {
        Some(cookie) => request.header(header::COOKIE, cookie),
        None => request,
    }
}

/// The `name=value` of the cookie that a response sets.
pub fn set_cookie(response: &Response) -> String {
    let value = response.headers()[header::SET_COOKIE].to_str().unwrap();
    value.split(';').next().unwrap().to_owned()
}

/// Server-sent events, one at a time.
pub struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    pub fn new(response: Response) -> Self {
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/event-stream"
        );
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event's name and data; fails when none comes within five seconds.
    pub async fn next(&mut self) -> (String, Value) {
        tokio::time::timeout(std::time::Duration::from_secs(5), self.read())
            .await
            .expect("an event")
    }

    async fn read(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::trim)
                        .map(str::to_owned)
                };
                let told = field("event:").zip(field("data:"));
                self.text = rest.to_owned();
                if let Some((name, data)) = told {
                    return (name, serde_json::from_str(&data).unwrap());
                }
                continue;
            }
            let chunk = self
                .response
                .chunk()
                .await
                .unwrap()
                .expect("the stream goes on");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}
