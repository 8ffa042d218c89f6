//! A stand-in for the Graph API: checks every request as Meta would, answers like Meta, and signs webhooks.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use jsonschema::Validator;
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;
use sportello::config;
use tokio::task::JoinHandle;

use super::data::shared;
use super::listener::{Reset, serve};

pub const TOKEN: &str = "EAAG-test-token";
pub const SECRET: &str = "test-app-secret";
pub const NUMBER: &str = "106540352242922";
pub const ACCOUNT: &str = "102290129340398";

/// Templates of one page, so that few of them make several.
const PAGE: usize = 2;

/// How the stand-in answers one request that is well formed.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    /// Takes the message.
    Accept,
    /// An error of Meta's: HTTP status and code.
    Error(u16, i64),
    /// An HTTP status with a page that is no JSON, as a proxy answers.
    Bare(u16),
    /// Takes the message and says so without an id.
    AcceptWithoutId,
    /// Takes the message and never answers.
    Hang,
    /// Takes the message and resets the connection.
    Reset,
}

/// A Graph API on a free port. Dropping it fails the test when a request broke the contract, unless
/// [`Graph::faults`] was asked.
pub struct Graph {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    sent: Mutex<Vec<Value>>,
    seen: Mutex<Vec<String>>,
    faults: Mutex<Vec<String>>,
    replies: Mutex<VecDeque<Reply>>,
    templates: Mutex<Vec<Value>>,
    reset: Reset,
}

impl Graph {
    /// Starts it.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/v26.0/{number}/messages", post(messages))
            .route(
                "/v26.0/{account}/message_templates",
                get(templates).post(create_template),
            )
            .route("/v26.0/{account}/phone_numbers", get(numbers))
            .with_state(Arc::clone(&shared));
        let (address, task) = serve(router, shared.reset.clone()).await;
        Self {
            url: format!("http://{address}/v26.0"),
            shared,
            task,
        }
    }

    /// A configuration that points here.
    pub fn config(&self) -> config::Whatsapp {
        config::Whatsapp {
            app_secret: vec![SecretString::from(SECRET)],
            verify_token: Some(SecretString::from("test-verify-token")),
            access_token: Some(SecretString::from(TOKEN)),
            phone_number_id: Some(NUMBER.to_owned()),
            graph_url: self.url.clone(),
            timeout_seconds: 1,
            ..config::Whatsapp::default()
        }
    }

    /// Answers the next requests like this, in order, then accepts again.
    pub fn reply_next(&self, replies: &[Reply]) {
        self.shared.replies.lock().unwrap().extend(replies);
    }

    /// Puts a template there, as Meta has it.
    pub fn has_template(&self, template: Value) {
        self.shared.templates.lock().unwrap().push(template);
    }

    /// Every template that is there.
    pub fn templates(&self) -> Vec<Value> {
        self.shared.templates.lock().unwrap().clone()
    }

    /// Every well-formed request so far, in order, whatever the answer to it was.
    pub fn sent(&self) -> Vec<Value> {
        self.shared.sent.lock().unwrap().clone()
    }

    /// The messages that were marked as read with a typing indicator, in order.
    pub fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// What was wrong with requests so far; forgotten once asked.
    pub fn faults(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.faults.lock().unwrap())
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        self.task.abort();
        let faults = self.faults();
        assert!(
            faults.is_empty() || std::thread::panicking(),
            "requests broke the contract: {faults:?}"
        );
    }
}

async fn messages(
    State(shared): State<Arc<Shared>>,
    Path(number): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {TOKEN}")) {
        return error(401, 190);
    }
    let request = serde_json::from_str::<Value>(&body).unwrap_or_default();
    if request["status"] == "read" {
        return seen(&shared, &request);
    }
    let mut faults = faults(&request);
    if number != NUMBER {
        faults.push(format!("unknown number {number}"));
    }
    if !faults.is_empty() {
        shared.faults.lock().unwrap().append(&mut faults);
        return error(400, 100);
    }
    let place = {
        let mut sent = shared.sent.lock().unwrap();
        sent.push(request.clone());
        sent.len()
    };
    let reply = shared
        .replies
        .lock()
        .unwrap()
        .pop_front()
        .unwrap_or(Reply::Accept);
    match reply {
        Reply::Accept => accepted(&request, Some(format!("wamid.{place}"))),
        Reply::AcceptWithoutId => accepted(&request, None),
        Reply::Error(status, code) => error(status, code),
        Reply::Bare(status) => (StatusCode::from_u16(status).unwrap(), "<html>").into_response(),
        Reply::Hang => std::future::pending().await,
        Reply::Reset => {
            shared.reset.next_answer();
            accepted(&request, Some(format!("wamid.{place}")))
        }
    }
}

fn seen(shared: &Shared, request: &Value) -> Response {
    let expected = json!({
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": request["message_id"],
        "typing_indicator": { "type": "text" },
    });
    if *request != expected {
        let fault = format!("a read receipt: {request}");
        shared.faults.lock().unwrap().push(fault);
        return error(400, 100);
    }
    let message = request["message_id"].as_str().unwrap_or_default();
    shared.seen.lock().unwrap().push(message.to_owned());
    Json(json!({ "success": true })).into_response()
}

fn authorized(headers: &HeaderMap) -> bool {
    let authorization = headers.get("authorization");
    authorization.is_some_and(|given| *given == *format!("Bearer {TOKEN}"))
}

#[derive(serde::Deserialize)]
struct Page {
    after: Option<usize>,
}

async fn templates(
    State(shared): State<Arc<Shared>>,
    Path(account): Path<String>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Response {
    if !authorized(&headers) || account != ACCOUNT {
        return error(401, 190);
    }
    let all = shared.templates.lock().unwrap().clone();
    let from = page.after.unwrap_or(0);
    let to = all.len().min(from + PAGE);
    let mut body = json!({
        "data": all[from..to],
        "paging": { "cursors": { "before": from.to_string(), "after": to.to_string() } },
    });
    if to < all.len() {
        body["paging"]["next"] = json!("https://graph.facebook.com/next?access_token=secret");
    }
    Json(body).into_response()
}

/// Takes a template as Meta would, and looks at it for a while.
async fn create_template(
    State(shared): State<Arc<Shared>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    Json(mut template): Json<Value>,
) -> Response {
    if !authorized(&headers) || account != ACCOUNT {
        return error(401, 190);
    }
    if template["name"] == "refused" {
        return error(400, 100);
    }
    let mut all = shared.templates.lock().unwrap();
    let id = (1000 + all.len()).to_string();
    template["id"] = json!(id);
    template["status"] = json!("PENDING");
    all.push(template.clone());
    Json(json!({ "id": id, "status": "PENDING", "category": template["category"] })).into_response()
}

async fn numbers(Path(account): Path<String>, headers: HeaderMap) -> Response {
    if !authorized(&headers) || account != ACCOUNT {
        return error(401, 190);
    }
    Json(json!({ "data": [{
        "id": NUMBER, "display_phone_number": "+1 555-078-3881", "quality_rating": "GREEN",
        "messaging_limit_tier": "TIER_2K",
    }] }))
    .into_response()
}

fn accepted(request: &Value, id: Option<String>) -> Response {
    let address = request
        .get("to")
        .or_else(|| request.get("recipient"))
        .cloned();
    let messages: Vec<Value> = id.into_iter().map(|id| json!({ "id": id })).collect();
    Json(json!({
        "messaging_product": "whatsapp",
        "contacts": [{ "input": address }],
        "messages": messages,
    }))
    .into_response()
}

fn error(status: u16, code: i64) -> Response {
    let body = json!({ "error": {
        "message": format!("(#{code}) stand-in"),
        "type": "OAuthException",
        "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": "stand-in" },
        "fbtrace_id": "AStandInTrace",
    } });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

static SCHEMA: LazyLock<Option<Validator>> = LazyLock::new(|| {
    let path = shared("whatsapp/meta-openapi/schema/messages.request.derived.schema.json")?;
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    Some(jsonschema::validator_for(&schema).unwrap())
});

/// What Meta would refuse in a request: by the derived schema where it is present, and always by the rules
/// that we know.
pub fn faults(request: &Value) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    if let Some(schema) = SCHEMA.as_ref() {
        faults.extend(
            schema
                .iter_errors(request)
                .map(|error| format!("{}: {error}", error.instance_path())),
        );
    }
    let mut rule = |holds: bool, rule: &str| {
        if !holds {
            faults.push(format!("{rule}: {request}"));
        }
    };
    let to = request["to"].as_str();
    let e164 = to.is_none_or(|to| {
        to.strip_prefix('+')
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
    });
    rule(
        request["messaging_product"] == "whatsapp",
        "messaging_product",
    );
    rule(e164, "`to` is E.164 with +");
    rule(
        to.is_some() != request["recipient"].is_string(),
        "`to` or `recipient`",
    );
    rule(
        request["biz_opaque_callback_data"]
            .as_str()
            .is_some_and(|data| fits(data, 512)),
        "opaque data",
    );
    rule(context(&request["context"]), "a quoted message has an id");
    match request["type"].as_str() {
        Some("image" | "video" | "document" | "audio" | "sticker" | "reaction" | "contacts") => {}
        Some("location") => rule(request["location"]["latitude"].is_number(), "location"),
        Some("template") => rule(template(&request["template"]), "template"),
        Some("text") => rule(text(&request["text"]["body"], 4096), "text"),
        Some("interactive") => {
            let interactive = &request["interactive"];
            let limit = if interactive["type"] == "list" {
                4096
            } else {
                1024
            };
            let bodiless = interactive["type"] == "product" && interactive["body"].is_null();
            rule(
                bodiless || text(&interactive["body"]["text"], limit),
                "body",
            );
            match interactive["type"].as_str() {
                Some("button") => rule(buttons(&interactive["action"]), "buttons"),
                Some("list") => rule(list(&interactive["action"]), "list"),
                Some("cta_url") => {
                    let parameters = &interactive["action"]["parameters"];
                    rule(interactive["action"]["name"] == "cta_url", "cta_url");
                    rule(
                        text(&parameters["display_text"], 20) && text(&parameters["url"], 2000),
                        "cta_url",
                    );
                }
                Some("product") => rule(interactive["header"].is_null(), "a product has no header"),
                Some("product_list") => rule(
                    text(&interactive["header"]["text"], 60) && products(&interactive["action"]),
                    "product list",
                ),
                Some(
                    "catalog_message"
                    | "flow"
                    | "carousel"
                    | "location_request_message"
                    | "request_contact_info",
                ) => {}
                _ => rule(false, "a known interactive type"),
            }
        }
        _ => rule(false, "a known type"),
    }
    faults
}

fn context(context: &Value) -> bool {
    context.is_null() || context["message_id"].is_string()
}

/// Blanks take no line breaks, and every button has a place of its own.
fn template(template: &Value) -> bool {
    let components = elements(&template["components"]);
    let texts = components
        .iter()
        .flat_map(|component| elements(&component["parameters"]))
        .filter(|parameter| parameter["type"] == "text");
    let places: Vec<&Value> = components
        .iter()
        .filter(|component| component["type"] == "button")
        .map(|button| &button["index"])
        .collect();
    text(&template["name"], 512)
        && text(&template["language"]["code"], 20)
        && unique(places.into_iter())
        && texts.into_iter().all(|parameter| {
            text(&parameter["text"], 1024)
                && !parameter["text"]
                    .as_str()
                    .unwrap_or_default()
                    .contains(['\n', '\t'])
        })
}

/// Thirty products in all, each once.
fn products(action: &Value) -> bool {
    let items: Vec<&Value> = elements(&action["sections"])
        .iter()
        .flat_map(|section| elements(&section["product_items"]))
        .map(|item| &item["product_retailer_id"])
        .collect();
    (1..=30).contains(&items.len()) && unique(items.into_iter())
}

fn buttons(action: &Value) -> bool {
    let buttons = elements(&action["buttons"]);
    let replies: Vec<&Value> = buttons.iter().map(|button| &button["reply"]).collect();
    (1..=3).contains(&replies.len())
        && buttons.iter().all(|button| button["type"] == "reply")
        && replies
            .iter()
            .all(|reply| text(&reply["title"], 20) && text(&reply["id"], 256))
        && unique(replies.iter().map(|reply| &reply["title"]))
        && unique(replies.iter().map(|reply| &reply["id"]))
}

/// Ten rows in all over the sections, and titles once several sections have to be told apart.
fn list(action: &Value) -> bool {
    let sections = elements(&action["sections"]);
    let rows: Vec<&Value> = sections
        .iter()
        .flat_map(|section| elements(&section["rows"]))
        .collect();
    text(&action["button"], 20)
        && (1..=10).contains(&sections.len())
        && (sections.len() == 1 || sections.iter().all(|section| text(&section["title"], 24)))
        && sections
            .iter()
            .all(|section| !elements(&section["rows"]).is_empty())
        && (1..=10).contains(&rows.len())
        && rows
            .iter()
            .all(|row| text(&row["title"], 24) && text(&row["id"], 200))
        && rows
            .iter()
            .all(|row| row.get("description").is_none_or(|words| text(words, 72)))
        && unique(rows.iter().map(|row| &row["title"]))
        && unique(rows.iter().map(|row| &row["id"]))
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, limit: usize) -> bool {
    value
        .as_str()
        .is_some_and(|text| !text.trim().is_empty() && fits(text, limit))
}

fn fits(text: &str, limit: usize) -> bool {
    text.encode_utf16().count() <= limit
}

fn unique<'a>(values: impl Iterator<Item = &'a Value>) -> bool {
    let mut seen = std::collections::HashSet::new();
    values
        .into_iter()
        .all(|value| seen.insert(value.as_str().unwrap_or_default()))
}

/// The `X-Hub-Signature-256` header of a body.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .unwrap()
        .chain_update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// A webhook with a text message from a phone (digits without `+`).
pub fn text_webhook(from: &str, wamid: &str, text: &str, timestamp: i64) -> Value {
    webhook(json!({
        "contacts": [{ "profile": { "name": "Test Customer" }, "wa_id": from }],
        "messages": [{
            "from": from,
            "id": wamid,
            "timestamp": timestamp.to_string(),
            "type": "text",
            "text": { "body": text },
        }],
    }))
}

/// A webhook with a status of a message that was sent.
pub fn status_webhook(sent: &Value, wamid: &str, status: &str, timestamp: i64) -> Value {
    let recipient = sent["to"]
        .as_str()
        .unwrap_or_default()
        .trim_start_matches('+');
    webhook(json!({ "statuses": [{
        "id": wamid,
        "status": status,
        "timestamp": timestamp.to_string(),
        "recipient_id": recipient,
        "biz_opaque_callback_data": sent["biz_opaque_callback_data"],
    }] }))
}

/// A webhook with an event of the account.
pub fn account_webhook(field: &str, value: Value) -> Value {
    json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": ACCOUNT, "time": 1_795_000_000,
                    "changes": [{ "field": field, "value": value }] }],
    })
}

/// A webhook with Meta's word on a template.
pub fn template_webhook(event: &str, name: &str, language: &str) -> Value {
    account_webhook(
        "message_template_status_update",
        json!({ "event": event, "message_template_id": 1, "message_template_name": name,
                "message_template_language": language, "reason": "NONE" }),
    )
}

fn webhook(mut value: Value) -> Value {
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({ "display_phone_number": "15550783881", "phone_number_id": NUMBER });
    json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": "102290129340398", "changes": [{ "field": "messages", "value": value }] }],
    })
}
