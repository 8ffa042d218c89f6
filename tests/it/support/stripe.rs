//! A stand-in for Stripe's Checkout Sessions: checks the form, keeps idempotency keys, signs events.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;
use sportello::config;
use tokio::task::JoinHandle;

use super::listener::{Reset, serve};

pub const KEY: &str = "sk_test_stand_in";
pub const SECRET: &str = "whsec_stand_in";

/// How the stand-in answers one request that is well formed.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    /// Opens the session.
    Accept,
    /// An HTTP status with an error of this type.
    Error(u16, &'static str),
    /// Opens the session and never answers.
    Hang,
    /// Opens the session and resets the connection.
    Reset,
}

type Form = BTreeMap<String, String>;

/// Stripe on a free port.
pub struct Stripe {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    sessions: Mutex<Vec<Session>>,
    requests: Mutex<Vec<Form>>,
    replies: Mutex<VecDeque<Reply>>,
    reset: Reset,
}

struct Session {
    key: String,
    form: Form,
    object: Value,
}

impl Stripe {
    /// Starts it.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/v1/checkout/sessions", post(create).get(list))
            .with_state(Arc::clone(&shared));
        let (address, task) = serve(router, shared.reset.clone()).await;
        Self {
            url: format!("http://{address}"),
            shared,
            task,
        }
    }

    /// A configuration that points here.
    pub fn config(&self) -> config::Payments {
        config::Payments {
            provider: Some(config::PaymentProvider::Stripe),
            stripe_secret_key: Some(SecretString::from(KEY)),
            stripe_webhook_secret: Some(SecretString::from(SECRET)),
            stripe_url: self.url.clone(),
            timeout_seconds: 1,
            ..config::Payments::default()
        }
    }

    /// Answers the next requests that open a session like this, in order, then accepts again.
    pub fn reply_next(&self, replies: &[Reply]) {
        self.shared.replies.lock().unwrap().extend(replies);
    }

    /// Every form that came with a good key, repeats included.
    pub fn requests(&self) -> Vec<Form> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The sessions that were opened.
    pub fn sessions(&self) -> Vec<Value> {
        self.shared
            .sessions
            .lock()
            .unwrap()
            .iter()
            .map(|session| session.object.clone())
            .collect()
    }

    /// Marks every session as paid, or as whatever Stripe calls it.
    pub fn close_sessions(&self, status: &str) {
        for session in self.shared.sessions.lock().unwrap().iter_mut() {
            session.object["status"] = json!(status);
        }
    }
}

impl Drop for Stripe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn create(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if header("authorization") != format!("Bearer {KEY}") {
        return error(401, "invalid_request_error", "authorization");
    }
    let form: Form = url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    shared.requests.lock().unwrap().push(form.clone());
    let key = header("idempotency-key").to_owned();
    if key.is_empty() || header("content-type") != "application/x-www-form-urlencoded" {
        return error(400, "invalid_request_error", "headers");
    }
    if let Some(fault) = fault(&form) {
        return error(400, "invalid_request_error", &fault);
    }
    let reply = shared
        .replies
        .lock()
        .unwrap()
        .pop_front()
        .unwrap_or(Reply::Accept);
    if let Reply::Error(status, kind) = reply {
        return error(status, kind, "none");
    }
    let answer = open(&mut shared.sessions.lock().unwrap(), key, form);
    match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Reset => shared.reset.next_answer(),
        Reply::Accept | Reply::Error(..) => {}
    }
    answer
}

fn open(sessions: &mut Vec<Session>, key: String, form: Form) -> Response {
    if let Some(session) = sessions.iter().find(|session| session.key == key) {
        return if session.form == form {
            Json(session.object.clone()).into_response()
        } else {
            error(400, "idempotency_error", "none")
        };
    }
    let id = format!("cs_test_{}", sessions.len() + 1);
    let object = json!({
        "id": id,
        "object": "checkout.session",
        "client_reference_id": form["client_reference_id"],
        "expires_at": form["expires_at"].parse::<i64>().unwrap(),
        "payment_status": "unpaid",
        "status": "open",
        "url": format!("https://checkout.stripe.test/c/pay/{id}"),
    });
    sessions.push(Session {
        key,
        form,
        object: object.clone(),
    });
    Json(object).into_response()
}

async fn list(State(shared): State<Arc<Shared>>, Query(query): Query<Form>) -> Response {
    let sessions = shared.sessions.lock().unwrap();
    let data: Vec<&Value> = sessions
        .iter()
        .map(|session| &session.object)
        .filter(|session| {
            query
                .get("status")
                .is_none_or(|status| session["status"] == **status)
        })
        .collect();
    Json(json!({ "object": "list", "data": data, "has_more": false })).into_response()
}

/// The first thing that Stripe would refuse.
fn fault(form: &Form) -> Option<String> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let number = |name: &str| field(name).parse::<i64>().ok();
    if field("mode") != "payment" {
        return Some("mode".to_owned());
    }
    for name in ["success_url", "cancel_url"] {
        if !field(name).starts_with("http") {
            return Some(name.to_owned());
        }
    }
    let left = number("expires_at").unwrap_or(0) - unix_now();
    if !(30 * 60..=24 * 60 * 60).contains(&left) {
        return Some("expires_at".to_owned());
    }
    let lines = (0..).take_while(|place| {
        form.keys()
            .any(|name| name.starts_with(&format!("line_items[{place}]")))
    });
    let faulty = |place: &usize| {
        let line = |name: &str| format!("line_items[{place}]{name}");
        field(&line("[price_data][currency]")).len() != 3
            || number(&line("[price_data][unit_amount]")).is_none_or(|amount| amount < 0)
            || field(&line("[price_data][product_data][name]")).is_empty()
            || number(&line("[quantity]")).is_none_or(|quantity| quantity < 1)
    };
    let lines: Vec<usize> = lines.collect();
    (lines.is_empty() || lines.iter().any(faulty)).then(|| "line_items".to_owned())
}

fn error(status: u16, kind: &str, parameter: &str) -> Response {
    let body = json!({ "error": { "type": kind, "param": parameter, "message": "stand-in" } });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

/// Seconds since 1970.
pub fn unix_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .try_into()
        .unwrap()
}

/// The `Stripe-Signature` header of a body.
pub fn sign(secret: &str, time: i64, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let mac = mac.chain_update(format!("{time}.")).chain_update(body);
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// An event about a session, for example `checkout.session.completed`.
pub fn event(kind: &str, session: &Value) -> Value {
    json!({ "id": format!("evt_{kind}"), "object": "event", "type": kind, "data": { "object": session } })
}
