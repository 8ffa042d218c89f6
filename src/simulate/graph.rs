//! The stand-in for the Graph API: takes messages, answers like Meta, and tells what became of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::files::Medium;
use super::{Account, check, errors, files, templates, webhook};
use crate::clock;

/// Meta takes documents of up to 100 MB.
const UPLOAD_LIMIT: usize = 100 * 1024 * 1024;
/// Between two tries to post a webhook, and how many there are: half a minute, where Meta tries for days.
const AGAIN: Duration = Duration::from_millis(200);
const TRIES: usize = 150;

/// How one request that is well formed is answered.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    /// Takes the message.
    Accept,
    /// The error of this code, with Meta's status for it.
    Code(i64),
    /// An error with this HTTP status and code.
    Error(u16, i64),
    /// An HTTP status with a page that is no JSON, as a proxy answers.
    Bare(u16),
    /// Takes the message and says so without an id.
    AcceptWithoutId,
    /// Takes the message, and a `failed` status with this code follows.
    FailLater(i64),
    /// Takes the message and never answers.
    Hang,
    /// Takes the message and breaks the connection; the answer carries [`Broken`].
    Reset,
}

/// Marks an answer whose connection is to be broken.
#[derive(Debug, Clone, Copy)]
pub struct Broken;

/// A status that follows a message.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// So long after the message was taken.
    pub after: Duration,
    /// `sent`, `delivered`, `read`, …
    pub status: &'static str,
}

impl Step {
    /// Sent, delivered and read within a second.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        Self::list(&[(100, "sent"), (300, "delivered"), (800, "read")])
    }

    /// Each of them twice, late and in the wrong order; the first perhaps before the request is answered.
    #[must_use]
    pub fn troubled() -> Vec<Self> {
        Self::list(&[
            (0, "read"),
            (150, "sent"),
            (200, "delivered"),
            (300, "read"),
            (400, "sent"),
            (900, "delivered"),
        ])
    }

    fn list(steps: &[(u64, &'static str)]) -> Vec<Self> {
        let step = |&(milliseconds, status)| Self {
            after: Duration::from_millis(milliseconds),
            status,
        };
        steps.iter().map(step).collect()
    }
}

/// A message that the server sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Meta's id of it.
    pub wamid: String,
    /// The request.
    pub request: Value,
    /// Whether it was taken.
    pub taken: bool,
}

/// The stand-in: cheap to clone.
#[derive(Clone)]
pub struct Graph(Arc<Shared>);

struct Shared {
    account: Account,
    kept: Mutex<Kept>,
    more_checks: OnceLock<fn(&Value) -> Vec<String>>,
    posts: mpsc::UnboundedSender<Post>,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Post>>,
    news: broadcast::Sender<Sent>,
}

#[derive(Default)]
struct Kept {
    sent: Vec<Sent>,
    receipts: Vec<Value>,
    faults: Vec<String>,
    replies: VecDeque<Reply>,
    steps: Vec<Step>,
    media: HashMap<String, Medium>,
    templates: Vec<Value>,
    ids: u64,
}

struct Post {
    after: Duration,
    body: Value,
}

impl Graph {
    /// A Graph API that knows one number and tells no statuses yet.
    #[must_use]
    pub fn new(account: Account) -> Self {
        let (posts, waiting) = mpsc::unbounded_channel();
        Self(Arc::new(Shared {
            account,
            kept: Mutex::default(),
            more_checks: OnceLock::new(),
            posts,
            waiting: tokio::sync::Mutex::new(waiting),
            news: broadcast::channel(1024).0,
        }))
    }

    /// Its routes, under any version: messages and read receipts, media, templates.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/{version}/{number}/messages", post(messages))
            .route("/{version}/{number}/media", post(files::upload))
            .route("/{version}/{id}", get(files::describe))
            .route("/media/{id}", get(files::fetch))
            .route(
                "/{version}/{account}/message_templates",
                get(templates::list).post(templates::create),
            )
            .layer(DefaultBodyLimit::max(UPLOAD_LIMIT))
            .with_state(self.clone())
    }

    /// Posts webhooks to a server's door until told to stop; one that is not answered with 200 again and
    /// again, as Meta does.
    pub async fn deliver(&self, door: &str, stop: CancellationToken) {
        let client = reqwest::Client::new();
        let mut waiting = self.0.waiting.lock().await;
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(post) = waiting.recv() => {
                    under_way.push(self.post(&client, door, post));
                }
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
            }
        }
    }

    async fn post(&self, client: &reqwest::Client, door: &str, post: Post) {
        tokio::time::sleep(post.after).await;
        for _ in 0..TRIES {
            let answer = webhook::post(client, door, &self.0.account.secret, &post.body).await;
            if matches!(answer, Ok(200)) {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Posts a webhook soon.
    pub fn post_soon(&self, body: Value) {
        self.post_after(Duration::ZERO, body);
    }

    fn post_after(&self, after: Duration, body: Value) {
        // The receiver lives as long as this does.
        let _ = self.0.posts.send(Post { after, body });
    }

    /// Whose requests are taken.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.0.account
    }

    /// Answers the next requests like this, in order, then accepts again.
    pub fn reply_next(&self, replies: &[Reply]) {
        self.kept().replies.extend(replies);
    }

    /// Tells these statuses of every message from now on.
    pub fn tell(&self, steps: Vec<Step>) {
        self.kept().steps = steps;
    }

    /// Has every message checked by another rule book as well.
    pub fn check_also(&self, checks: fn(&Value) -> Vec<String>) {
        let _ = self.0.more_checks.set(checks);
    }

    /// Every well-formed message so far, in order, whatever the answer to it was.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.kept().sent.clone()
    }

    /// Every read receipt so far.
    #[must_use]
    pub fn receipts(&self) -> Vec<Value> {
        self.kept().receipts.clone()
    }

    /// What was wrong with requests so far; forgotten once asked.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        std::mem::take(&mut self.kept().faults)
    }

    /// Messages that are taken from now on.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Sent> {
        self.0.news.subscribe()
    }

    /// Keeps a file under an id, to be fetched in two steps.
    #[must_use]
    pub fn add_file(&self, bytes: Bytes, kind: &str) -> String {
        self.keep(Medium {
            bytes,
            kind: kind.to_owned(),
        })
    }

    /// Adds a template that is listed.
    pub fn add_template(&self, template: Value) {
        self.kept().templates.push(template);
    }

    /// A number that was not used before.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        let mut kept = self.kept();
        kept.ids += 1;
        kept.ids
    }

    pub(super) fn keep(&self, medium: Medium) -> String {
        let id = (1_000_000_000 + self.next_id()).to_string();
        self.kept().media.insert(id.clone(), medium);
        id
    }

    pub(super) fn medium(&self, id: &str) -> Option<Medium> {
        self.kept().media.get(id).cloned()
    }

    pub(super) fn templates(&self) -> Vec<Value> {
        self.kept().templates.clone()
    }

    pub(super) fn note_fault(&self, fault: &str) {
        self.kept().faults.push(fault.to_owned());
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults_of(&self, number: &str, request: &Value) -> Vec<String> {
        let mut faults: Vec<String> = check::faults(request)
            .into_iter()
            .map(str::to_owned)
            .collect();
        if let Some(checks) = self.0.more_checks.get() {
            faults.extend(checks(request));
        }
        if number != self.0.account.number {
            faults.push("an unknown number".to_owned());
        }
        faults
    }

    /// Keeps a well-formed message; its id and how it is answered.
    fn take(&self, request: &Value) -> (Sent, Reply) {
        let mut kept = self.kept();
        let reply = kept.replies.pop_front().unwrap_or(Reply::Accept);
        let sent = Sent {
            wamid: format!("wamid.{}{}", self.0.account.run, kept.sent.len() + 1),
            request: request.clone(),
            taken: !matches!(reply, Reply::Code(_) | Reply::Error(..) | Reply::Bare(_)),
        };
        kept.sent.push(sent.clone());
        (sent, reply)
    }

    fn follow(&self, sent: &Sent, failed: Option<i64>) {
        if let Some(code) = failed {
            let body = self.status(sent, "failed", Some(code));
            return self.post_after(Duration::from_millis(100), body);
        }
        let steps = self.kept().steps.clone();
        for step in steps {
            self.post_after(step.after, self.status(sent, step.status, None));
        }
    }

    fn status(&self, sent: &Sent, status: &str, code: Option<i64>) -> Value {
        let at = clock::now() / 1000;
        webhook::status(
            &self.0.account,
            &sent.request,
            &sent.wamid,
            status,
            code,
            at,
        )
    }
}

/// The answer to a request without our token.
pub(super) fn refused(graph: &Graph, headers: &HeaderMap) -> Option<Response> {
    let given = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let known = given == Some(&format!("Bearer {}", graph.account().token));
    (!known).then(|| fault(190))
}

/// An error as Meta answers it.
pub(super) fn fault(code: i64) -> Response {
    fault_with(errors::status(code), code)
}

fn fault_with(status: u16, code: i64) -> Response {
    (code_of(status), Json(errors::body(code))).into_response()
}

fn code_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn messages(
    State(graph): State<Graph>,
    Path((_, number)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if let Some(refusal) = refused(&graph, &headers) {
        return refusal;
    }
    let request = serde_json::from_str::<Value>(&body).unwrap_or_default();
    if request.get("status").is_some() {
        return receipt(&graph, request);
    }
    let mut faults = graph.faults_of(&number, &request);
    if !faults.is_empty() {
        graph.kept().faults.append(&mut faults);
        return fault(100);
    }
    let (sent, reply) = graph.take(&request);
    if sent.taken {
        let failed = if let Reply::FailLater(code) = reply {
            Some(code)
        } else {
            None
        };
        graph.follow(&sent, failed);
        // Nobody may be watching.
        let _ = graph.0.news.send(sent.clone());
    }
    match reply {
        Reply::Accept | Reply::FailLater(_) => accepted(&request, Some(&sent.wamid)),
        Reply::AcceptWithoutId => accepted(&request, None),
        Reply::Code(code) => fault(code),
        Reply::Error(status, code) => fault_with(status, code),
        Reply::Bare(status) => (code_of(status), "<html>").into_response(),
        Reply::Hang => std::future::pending().await,
        Reply::Reset => broken(),
    }
}

fn receipt(graph: &Graph, request: Value) -> Response {
    let faults = check::receipt_faults(&request);
    if !faults.is_empty() {
        graph
            .kept()
            .faults
            .extend(faults.into_iter().map(str::to_owned));
        return fault(100);
    }
    graph.kept().receipts.push(request);
    Json(json!({ "success": true })).into_response()
}

fn accepted(request: &Value, wamid: Option<&str>) -> Response {
    let contact = match request["to"].as_str() {
        Some(to) => json!({ "input": to, "wa_id": to.trim_start_matches('+') }),
        None => json!({ "input": request["recipient"], "user_id": request["recipient"] }),
    };
    let messages: Vec<Value> = wamid.map(|id| json!({ "id": id })).into_iter().collect();
    Json(json!({
        "messaging_product": "whatsapp",
        "contacts": [contact],
        "messages": messages,
    }))
    .into_response()
}

fn broken() -> Response {
    let torn = futures::stream::once(async {
        Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    let mut response = Body::from_stream(torn).into_response();
    response.extensions_mut().insert(Broken);
    response
}
