//! A scripted OpenAI-compatible endpoint on a free port. It judges every request as strict providers do.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use secrecy::SecretString;
use serde_json::{Value, json};
use sportello::config::{Embedding, EmbeddingProvider, Llm};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the endpoint answers next.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Text, finished with `stop`.
    Text(String),
    /// Tool calls: name and the arguments as they are written.
    Calls(Vec<(String, String)>),
    /// A body as it is, status 200.
    Body(String),
    /// Another status, with headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// No answer at all.
    Hang,
    /// Headers and half a body, then nothing more while the connection stays.
    Stall,
    /// Headers and half a body, then the connection breaks.
    Cut,
}

impl Reply {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// One tool call.
    pub fn call(name: &str, arguments: &Value) -> Self {
        Self::Calls(vec![(name.to_owned(), arguments.to_string())])
    }

    /// A status with a plain body.
    pub fn status(status: u16) -> Self {
        Self::Status(status, vec![], "<html>no</html>".to_owned())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `/v1/chat/completions` or `/v1/embeddings`.
    pub path: &'static str,
    /// The Authorization header.
    pub authorization: Option<String>,
    /// The body.
    pub body: Value,
}

#[derive(Debug, Default)]
struct Script {
    replies: VecDeque<Reply>,
    requests: Vec<Request>,
    faults: Vec<String>,
    dimension: usize,
    answered: u64,
}

type Shared = Arc<Mutex<Script>>;

/// The endpoint. A request that no strict provider would take fails the test when this is dropped.
pub struct ScriptedModel {
    base_url: String,
    script: Shared,
    server: JoinHandle<()>,
}

impl ScriptedModel {
    /// Starts on a free port; answers the replies in order.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Shared::default();
        locked(&script).replies.extend(replies);
        locked(&script).dimension = 16;
        let routes = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/embeddings", post(embeddings))
            .with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            base_url,
            script,
            server,
        }
    }

    /// The address, ending in `/v1`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A configuration that points here.
    pub fn llm(&self) -> Llm {
        Llm {
            base_url: Some(self.base_url.clone()),
            api_key: Some(SecretString::from("sk-scripted")),
            model: "scripted".to_owned(),
            timeout_seconds: 10,
            ..Llm::default()
        }
    }

    /// A configuration of the embedding model that points here.
    pub fn embedding(&self) -> Embedding {
        Embedding {
            provider: EmbeddingProvider::Openai,
            base_url: Some(self.base_url.clone()),
            model: "scripted-embedding".to_owned(),
            timeout_seconds: 10,
            ..Embedding::default()
        }
    }

    /// Adds replies to the end of the queue. For embeddings, only those that are no answer are used.
    pub fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        locked(&self.script).replies.extend(replies);
    }

    /// The length of the vectors from now on.
    pub fn set_dimension(&self, dimension: usize) {
        locked(&self.script).dimension = dimension;
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.script).requests.clone()
    }

    /// Replies that nobody asked for yet.
    pub fn remaining(&self) -> usize {
        locked(&self.script).replies.len()
    }

    /// Takes what was wrong with the requests, so that dropping does not fail.
    pub fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.script).faults)
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.server.abort();
        if !std::thread::panicking() {
            let faults = self.take_faults();
            assert!(
                faults.is_empty(),
                "the model was asked wrongly: {faults:#?}"
            );
        }
    }
}

fn locked(script: &Shared) -> MutexGuard<'_, Script> {
    script.lock().unwrap()
}

async fn chat(State(script): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let body = record(&script, "/v1/chat/completions", &headers, &body);
    let next = {
        let mut script = locked(&script);
        let mut faults = faults_of(&body);
        let next = script.replies.pop_front();
        if next.is_none() {
            faults.push("no reply is scripted for this request".to_owned());
        }
        if !faults.is_empty() {
            let text = faults.join("; ");
            script.faults.extend(faults);
            return refusal(&text);
        }
        script.answered += 1;
        next.map(|reply| (reply, script.answered))
    };
    match next {
        Some((Reply::Text(text), _)) => {
            completion(&json!({"role": "assistant", "content": text}), "stop")
        }
        Some((Reply::Calls(calls), round)) => completion(&calling(&calls, round), "tool_calls"),
        Some((other, _)) => misbehave(other).await,
        None => refusal("no reply"),
    }
}

async fn embeddings(State(script): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let body = record(&script, "/v1/embeddings", &headers, &body);
    let (next, dimension) = {
        let mut script = locked(&script);
        (script.replies.pop_front(), script.dimension)
    };
    if let Some(reply) = next {
        return misbehave(reply).await;
    }
    let texts: Vec<&str> = body["input"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if texts.is_empty() || texts.len() > 128 || texts.contains(&"") {
        locked(&script)
            .faults
            .push(format!("an input of {} texts", texts.len()));
        return refusal("input");
    }
    // Backwards and not normalised: nothing promises otherwise.
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .rev()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": vector_of(text, dimension)}))
        .collect();
    json_response(&json!({"object": "list", "data": data}))
}

fn record(script: &Shared, path: &'static str, headers: &HeaderMap, body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    locked(script).requests.push(Request {
        path,
        authorization,
        body: body.clone(),
    });
    body
}

/// Words hashed into directions: texts with words in common are near each other.
fn vector_of(text: &str, dimension: usize) -> Vec<f32> {
    let mut vector = vec![0.25_f32; dimension];
    for word in text
        .to_lowercase()
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        vector[usize::try_from(hash % dimension as u64).unwrap()] += 3.0;
    }
    vector
}

fn faults_of(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if body["stream"].as_bool() == Some(true) {
        faults.push("streaming was asked for".to_owned());
    }
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    if messages.is_empty() {
        faults.push("there are no messages".to_owned());
    }
    let mut open: HashSet<String> = HashSet::new();
    let mut seen: HashSet<String> = HashSet::new();
    for message in &messages {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            if !open.remove(id) {
                faults.push(format!("the result `{id}` has no call"));
            }
            continue;
        }
        faults.extend(
            open.drain()
                .map(|id| format!("the call `{id}` has no result")),
        );
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let id = call["id"].as_str().unwrap_or_default().to_owned();
            if id.is_empty() || !seen.insert(id.clone()) {
                faults.push(format!("the id `{id}` of a call is not unique"));
            }
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            if !serde_json::from_str::<Value>(arguments)
                .is_ok_and(|arguments| arguments.is_object())
            {
                faults.push("the arguments of a call are not a JSON object in a string".to_owned());
            }
            open.insert(id);
        }
    }
    faults.extend(
        open.drain()
            .map(|id| format!("the call `{id}` has no result")),
    );
    faults
}

fn calling(calls: &[(String, String)], round: u64) -> Value {
    let calls: Vec<Value> = calls
        .iter()
        .enumerate()
        .map(|(index, (name, arguments))| {
            json!({
                "id": format!("call_{round}_{index}"),
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            })
        })
        .collect();
    json!({"role": "assistant", "content": null, "tool_calls": calls})
}

fn completion(message: &Value, finish: &str) -> Response {
    json_response(&json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }))
}

async fn misbehave(reply: Reply) -> Response {
    let half = Bytes::from_static(b"{\"choices\": [{\"message\": {\"content\": \"We ha");
    match reply {
        Reply::Text(body) | Reply::Body(body) => {
            ([("content-type", "application/json")], body).into_response()
        }
        Reply::Status(status, headers, body) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Reply::Hang => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            refusal("late")
        }
        Reply::Stall => {
            let first = futures::stream::iter([Ok::<_, Infallible>(half)]);
            let body = futures::StreamExt::chain(first, futures::stream::pending());
            Body::from_stream(body).into_response()
        }
        Reply::Cut => {
            let broken = std::io::Error::other("cut");
            Body::from_stream(futures::stream::iter([Ok(half), Err(broken)])).into_response()
        }
        Reply::Calls(_) => refusal("tool calls are no answer here"),
    }
}

fn refusal(text: &str) -> Response {
    let body = json!({"error": {"message": text, "type": "invalid_request_error", "param": null, "code": null}});
    (StatusCode::BAD_REQUEST, json_response(&body)).into_response()
}

fn json_response(body: &Value) -> Response {
    ([("content-type", "application/json")], body.to_string()).into_response()
}
