//! MCP over HTTP: who may come in, how large, and answers where the library gives none.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State as Gated};
use axum::http::header::{
    ACCEPT_LANGUAGE, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ALLOW, CONTENT_TYPE, ORIGIN, RETRY_AFTER, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use rmcp::ServerHandler;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use url::Url;

use super::access::{Access, Assistant};
use super::auth::{self, Challenge, Shown};
use super::handler::Handler;
use super::{MESSAGE_LIMIT, State};
use crate::domain::Language;

const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const LOOPBACK_ORIGINS: [&str; 3] = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
/// The longest a request may take: more than a tool may, and an end for one the library forgot.
const DEADLINE: Duration = Duration::from_secs(40);
/// Entries of an `Accept-Language` header that are read.
const LANGUAGES_READ: usize = 16;

pub(super) fn router(state: State) -> Router {
    let settings = settings(&state);
    let handler = Handler::new(state.clone());
    mount(&state, handler, NeverSessionManager::default(), settings)
}

pub(super) fn settings(state: &State) -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MESSAGE_LIMIT)
        .with_allowed_hosts(hosts(state))
        .with_allowed_origins(origins(state))
        .enforce_origin_validation()
}

pub(super) fn mount(
    state: &State,
    handler: impl ServerHandler + Clone,
    sessions: impl SessionManager,
    settings: StreamableHttpServerConfig,
) -> Router {
    let metadata = auth::router(state);
    let gate = Arc::new(Gate {
        access: Arc::clone(&state.callers.access),
        metadata: auth::metadata_address(&state.identity),
        origins: origins(state),
    });
    let service =
        StreamableHttpService::new(move || Ok(handler.clone()), Arc::new(sessions), settings);
    Router::new()
        .route_service("/mcp", service)
        .route_layer(middleware::from_fn_with_state(gate, mend))
        .merge(metadata)
}

/// What is needed before the library sees a request.
struct Gate {
    access: Arc<dyn Access>,
    /// Where a client reads which tokens fit.
    metadata: String,
    origins: Vec<String>,
}

impl Gate {
    /// Notes whose token a request carries; else the answer to it.
    async fn admit(&self, parts: &mut Parts) -> Result<(), Response> {
        match auth::read(&mut parts.headers, self.access.as_ref()).await {
            Ok(Shown::Nothing) => Ok(()),
            Ok(Shown::Token(assistant)) => {
                parts.extensions.insert(assistant);
                Ok(())
            }
            // What a page of a foreign origin is told is for the library to say.
            Ok(Shown::Invalid) if self.is_foreign(&parts.headers) => Ok(()),
            Ok(Shown::Invalid) => Err(auth::refuse(&self.metadata)),
            Err(error) => {
                tracing::warn!(%error, "a token cannot be looked up");
                let message = "Tokens cannot be checked at the moment. Try again later.";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Err(failure(status, -32603, message, Value::Null))
            }
        }
    }

    fn is_foreign(&self, headers: &HeaderMap) -> bool {
        let origin = headers.get(ORIGIN).map(|origin| origin.to_str());
        match origin {
            None => false,
            Some(Ok(origin)) => !is_among(origin, &self.origins),
            Some(Err(_)) => true,
        }
    }
}

/// Whether an origin is in a list that [`origins`] made.
fn is_among(origin: &str, known: &[String]) -> bool {
    let origin = with_port(origin);
    known.iter().any(|entry| match entry.strip_suffix('*') {
        Some(start) => origin.starts_with(start),
        None => origin == *entry,
    })
}

/// Who sent a request, as far as it shows.
pub(super) struct Client {
    /// The address that rate limits count; a stream's client counts as this machine.
    pub(super) address: IpAddr,
    /// The language to answer in.
    pub(super) language: Language,
    /// Whose token came with it.
    pub(super) assistant: Option<Arc<Assistant>>,
    aside: Option<Aside>,
}

impl Client {
    pub(super) fn of(context: &RequestContext<RoleServer>, languages: &[Language]) -> Self {
        let parts = context.extensions.get::<Parts>();
        let extensions = parts.map(|parts| &parts.extensions);
        Self {
            address: extensions
                .and_then(|extensions| extensions.get::<ConnectInfo<SocketAddr>>())
                .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip()),
            language: preferred(
                parts.and_then(|parts| parts.headers.get(ACCEPT_LANGUAGE)),
                languages,
            ),
            assistant: extensions
                .and_then(|extensions| extensions.get::<Arc<Assistant>>())
                .cloned(),
            aside: extensions
                .and_then(|extensions| extensions.get::<Aside>())
                .cloned(),
        }
    }

    /// Makes the answer a 429; false when there is no HTTP to say so.
    pub(super) fn ask_to_wait(&self, seconds: u64) -> bool {
        self.say(Status::Wait(seconds))
    }

    /// Makes the answer a 401 or 403; false when there is no HTTP to say so.
    pub(super) fn challenge(&self, challenge: Challenge) -> bool {
        self.say(Status::Challenge(challenge))
    }

    fn say(&self, status: Status) -> bool {
        let aside = self.aside.as_ref();
        aside.is_some_and(|aside| aside.0.set(status).is_ok())
    }
}

/// What the handler wants HTTP to say beside its answer; carried back past the protocol library.
#[derive(Clone, Default)]
struct Aside(Arc<OnceLock<Status>>);

#[derive(Debug)]
enum Status {
    /// Seconds to wait.
    Wait(u64),
    /// Another token is needed.
    Challenge(Challenge),
}

impl Status {
    fn put(&self, response: &mut Response, gate: &Gate) {
        match self {
            Self::Wait(seconds) => {
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                let seconds = HeaderValue::from(*seconds);
                response.headers_mut().insert(RETRY_AFTER, seconds);
            }
            Self::Challenge(challenge) => {
                *response.status_mut() = challenge.status();
                challenge.put(response, &gate.metadata);
            }
        }
    }
}

/// Answers what the library answers differently from the specification, and adds CORS for the origins
/// that the library let pass.
async fn mend(Gated(gate): Gated<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MESSAGE_LIMIT).await else {
        let message = format!("The message is larger than {MESSAGE_LIMIT} bytes.");
        return failure(StatusCode::PAYLOAD_TOO_LARGE, -32600, &message, Value::Null);
    };
    let caller = Browser::of(&parts.headers, &parts.method);
    let json = is_json(&parts.headers);
    if let Err(response) = gate.admit(&mut parts).await {
        return caller.permit(response);
    }
    let aside = Aside::default();
    parts.extensions.insert(aside.clone());
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let Ok(mut response) = tokio::time::timeout(DEADLINE, next.run(request)).await else {
        let message = "This took too long. Try again later.";
        return failure(StatusCode::GATEWAY_TIMEOUT, -32603, message, Value::Null);
    };
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && json {
        response = unreadable(&body);
    }
    let said = aside.0.get();
    if let Some(status) = said {
        status.put(&mut response, &gate);
    }
    // The library refuses a foreign origin with the same status as we a token.
    if response.status() == StatusCode::FORBIDDEN && said.is_none() {
        return response;
    }
    caller.permit(response)
}

/// What a browser said about the page that calls.
struct Browser {
    origin: Option<HeaderValue>,
    preflight: bool,
    headers: Option<HeaderValue>,
}

impl Browser {
    fn of(headers: &HeaderMap, method: &Method) -> Self {
        Self {
            origin: headers.get(ORIGIN).cloned(),
            preflight: method == Method::OPTIONS,
            headers: headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
        }
    }

    fn permit(self, mut response: Response) -> Response {
        let Some(origin) = self.origin else {
            return response;
        };
        if self.preflight && response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response = StatusCode::NO_CONTENT.into_response();
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("POST"));
            response.headers_mut().insert(
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static("POST"),
            );
            if let Some(headers) = self.headers {
                response
                    .headers_mut()
                    .insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
            }
        }
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Retry-After, WWW-Authenticate"),
        );
        headers.append(VARY, HeaderValue::from_static("Origin"));
        response
    }
}

/// A body that is no message: no JSON at all, or JSON of another shape.
fn unreadable(body: &Bytes) -> Response {
    if serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return failure(
            StatusCode::BAD_REQUEST,
            -32700,
            "The body is not JSON.",
            Value::Null,
        );
    }
    let id = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|message| message.get("id").cloned())
        .filter(|id| id.is_string() || id.is_number())
        .unwrap_or(Value::Null);
    failure(
        StatusCode::BAD_REQUEST,
        -32600,
        "The body is not one JSON-RPC 2.0 message.",
        id,
    )
}

pub(super) fn failure(status: StatusCode, code: i32, message: &str, id: Value) -> Response {
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
    (status, axum::Json(body)).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn hosts(state: &State) -> Vec<String> {
    let public = state.identity.public_url.host_str();
    LOOPBACK_HOSTS
        .into_iter()
        .chain(public)
        .map(str::to_owned)
        .chain(state.access.allowed_hosts.iter().cloned())
        .collect()
}

fn origins(state: &State) -> Vec<String> {
    LOOPBACK_ORIGINS
        .into_iter()
        .map(str::to_owned)
        .chain([with_port(state.identity.public_url.as_str())])
        .chain(
            state
                .access
                .allowed_origins
                .iter()
                .map(|origin| with_port(origin)),
        )
        .collect()
}

/// Names the scheme's own port where an origin leaves it out, because without one any port would do.
fn with_port(origin: &str) -> String {
    let parsed = Url::parse(origin).ok();
    let whole = parsed.as_ref().and_then(|url| {
        Some(format!(
            "{}://{}:{}",
            url.scheme(),
            url.host_str()?,
            url.port_or_known_default()?
        ))
    });
    whole.unwrap_or_else(|| origin.to_owned())
}

/// The language of ours that the client likes best, else our first.
fn preferred(accepted: Option<&HeaderValue>, languages: &[Language]) -> Language {
    let ours = languages.first().copied().unwrap_or(Language::EN);
    let accepted = accepted
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut best: Option<(f32, Language)> = None;
    for entry in accepted.split(',').take(LANGUAGES_READ) {
        let (name, quality) = entry.split_once(";q=").unwrap_or((entry, "1"));
        let quality: f32 = quality.trim().parse().unwrap_or(0.0);
        let language = match name.trim() {
            "*" => Some(ours),
            name => name
                .parse()
                .ok()
                .filter(|language| languages.contains(language)),
        };
        if let Some(language) = language
            && quality > best.map_or(0.0, |(highest, _)| highest)
        {
            best = Some((quality, language));
        }
    }
    best.map_or(ours, |(_, language)| language)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHOP: [Language; 3] = [Language::IT, Language::EN, Language::DE];

    fn chosen(header: &str) -> Language {
        preferred(HeaderValue::from_str(header).ok().as_ref(), &SHOP)
    }

    #[test]
    fn the_best_liked_language_of_ours_wins() {
        assert_eq!(preferred(None, &SHOP), Language::IT);
        assert_eq!(chosen("en"), Language::EN);
        assert_eq!(chosen("fr-FR, de-DE;q=0.8, en;q=0.9"), Language::EN);
        assert_eq!(chosen("fr, *;q=0.1"), Language::IT);
        assert_eq!(chosen("en;q=0, de;q=0.2"), Language::DE);
        assert_eq!(chosen("fr"), Language::IT);
        assert_eq!(preferred(None, &[]), Language::EN);
    }

    #[test]
    fn an_origin_gets_the_port_of_its_scheme() {
        assert_eq!(
            with_port("https://shop.example/chat"),
            "https://shop.example:443"
        );
        assert_eq!(
            with_port("http://shop.example:8080"),
            "http://shop.example:8080"
        );
        assert_eq!(
            with_port("https://shop.example:*"),
            "https://shop.example:*"
        );
        assert_eq!(with_port("null"), "null");
    }

    proptest! {
        #[test]
        fn any_header_gives_a_language_of_ours(header in "[ -~]{0,80}") {
            prop_assert!(SHOP.contains(&chosen(&header)));
        }
    }
}
