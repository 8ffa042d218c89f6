//! What no client should send: any body, any headers, both eras mixed; and clients that do not wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sportello::tools::{Annotations, CallContext, Caller, Registry, Tool, ToolError};
use sportello::{app, mcp};
use tokio::sync::Notify;
use tower::ServiceExt;

use super::{Door, LEGACY, MODERN, answer, meta, state};

/// Counts how often it was called, and waits when it is told to.
#[derive(Clone, Default)]
struct Count {
    calls: Arc<AtomicU32>,
    begun: Arc<Notify>,
    release: Arc<Notify>,
    done: Arc<AtomicU32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CountArgs {
    /// Whether to wait.
    #[serde(default)]
    wait: bool,
}

#[derive(Serialize, JsonSchema)]
struct Counted {
    calls: u32,
}

#[async_trait]
impl Tool for Count {
    const NAME: &'static str = "count";
    const TITLE: &'static str = "Count";
    const DESCRIPTION: &'static str = "Use it to count.";
    // What changes something asks first, and is not done by one call.
    const ANNOTATIONS: Annotations = Annotations::READS;
    const CALLERS: &'static [Caller] = &[Caller::Anonymous];
    type Args = CountArgs;
    type Output = Counted;

    async fn call(&self, args: CountArgs, _: &CallContext) -> Result<Counted, ToolError> {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if args.wait {
            self.begun.notify_one();
            self.release.notified().await;
        }
        self.done.fetch_add(1, Ordering::SeqCst);
        Ok(Counted { calls })
    }
}

fn counting(count: &Count) -> mcp::State {
    let mut state = state(1_000_000);
    state.registry = Arc::new(Registry::default().with(count.clone()));
    state
}

#[tokio::test]
async fn a_call_whose_client_leaves_is_done_once_and_the_door_stays_open() {
    let count = Count::default();
    let door = Door::of(counting(&count)).await;
    let call = json!({"name": "count", "arguments": {"wait": true}});
    for request in [
        door.legacy("tools/call", call.clone()),
        door.modern("tools/call", call),
    ] {
        let before = count.done.load(Ordering::SeqCst);
        let sent = tokio::spawn(request.send());
        count.begun.notified().await;
        sent.abort();
        assert!(sent.await.unwrap_err().is_cancelled());
        answer(door.legacy("tools/list", json!({}))).await;
        count.release.notify_one();
        for _ in 0..200 {
            if count.done.load(Ordering::SeqCst) > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(count.done.load(Ordering::SeqCst), before + 1);
    }
    assert_eq!(count.calls.load(Ordering::SeqCst), 2);
}

const METHODS: [&str; 16] = [
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "subscriptions/listen",
    "notifications/initialized",
    "tasks/get",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,12}".prop_map(Value::from),
        select(METHODS.as_slice()).prop_map(Value::from),
    ];
    let key = prop_oneof![
        "[a-z]{1,8}",
        select(
            &[
                "name",
                "arguments",
                "uri",
                "_meta",
                "ref",
                "argument",
                "cursor",
                "inputResponses"
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(key.clone(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Parameters that a method could have, or anything.
fn params() -> impl Strategy<Value = Value> {
    let known = vec![
        json!({}),
        json!({"name": "count", "arguments": {}}),
        json!({"name": "count", "arguments": {"wait": 3}}),
        json!({"name": "count"}),
        json!({"name": "advise", "arguments": {"need": "a gift"}}),
        json!({"uri": "sportello://policies/returns/it"}),
        json!({"uri": "sportello://products/%00"}),
        json!({"ref": {"type": "ref/prompt", "name": "advise"}, "argument": {"name": "need", "value": "a"}}),
        json!({"notifications": {"resourcesListChanged": true}}),
        json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
    ];
    let meta = prop_oneof![
        2 => Just(Value::Null),
        3 => Just(meta()),
        1 => Just(json!({"io.modelcontextprotocol/protocolVersion": "2031-01-01", "io.modelcontextprotocol/clientCapabilities": {}})),
        1 => any_json(),
    ];
    let base = prop_oneof![4 => select(known).boxed(), 1 => any_json().boxed()];
    (base, meta).prop_map(|(mut params, meta)| {
        if let Value::Object(fields) = &mut params
            && !meta.is_null()
        {
            fields.insert("_meta".to_owned(), meta);
        }
        params
    })
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let id = prop_oneof![
        3 => any::<i32>().prop_map(Value::from),
        1 => "\\PC{0,6}".prop_map(Value::from),
        1 => any_json(),
    ];
    let version = prop_oneof![6 => Just("2.0"), 1 => Just("1.0")];
    let method = prop_oneof![
        6 => select(METHODS.as_slice()).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ];
    let sound = (version, option::weighted(0.9, id), method, params())
        .prop_map(|(version, id, method, params)| {
            let mut message = json!({"jsonrpc": version, "method": method, "params": params});
            if let Some(id) = id {
                message["id"] = id;
            }
            message.to_string().into_bytes()
        })
        .boxed();
    let cut = (sound.clone(), any::<prop::sample::Index>()).prop_map(|(mut bytes, place)| {
        bytes.truncate(place.index(bytes.len().max(1)));
        bytes
    });
    prop_oneof![
        10 => sound,
        1 => cut,
        1 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..64),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let one = |name: &'static str, values: &'static [&'static str]| {
        option::of(select(values)).prop_map(move |value| value.map(|v| (name, v.to_owned())))
    };
    let fixed = (
        one(
            "mcp-protocol-version",
            &[MODERN, LEGACY, MODERN, "2025-03-26", "1999-01-01", "x"],
        ),
        one("mcp-method", &METHODS),
        one(
            "mcp-name",
            &[
                "count",
                "advise",
                "=?base64?Y291bnQ=?=",
                "=?base64?*?=",
                "sportello://policies/returns/it",
            ],
        ),
        one("mcp-session-id", &["1", "../.."]),
        one("origin", &["http://localhost:1", "https://evil.example"]),
        one("accept-language", &["it", ";q=;q=9,,*"]),
    );
    let odd = option::weighted(0.2, ("[a-z]{1,8}", "[ -~]{0,20}"));
    (fixed, odd).prop_map(|((a, b, c, d, e, f), odd)| {
        let mut headers: Vec<(&'static str, String)> =
            [a, b, c, d, e, f].into_iter().flatten().collect();
        if let Some((name, value)) = odd {
            headers.push(("x-odd", format!("{name}{value}")));
        }
        headers
    })
}

/// A request as the listed headers make it, with the right `Mcp-Method` and `Mcp-Name` when wanted.
fn request(body: &[u8], mut headers: Vec<(&'static str, String)>, fitting: bool) -> Request<Body> {
    if fitting && let Ok(message) = serde_json::from_slice::<Value>(body) {
        headers.retain(|(name, _)| !name.starts_with("mcp-"));
        headers.push(("mcp-protocol-version", MODERN.to_owned()));
        let texts = [
            ("mcp-method", &message["method"]),
            ("mcp-name", &message["params"]["name"]),
            ("mcp-name", &message["params"]["uri"]),
        ];
        for (name, value) in texts {
            if let Some(text) = value.as_str() {
                headers.push((name, text.to_owned()));
            }
        }
    }
    let mut request = Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        if let Ok(value) = axum::http::HeaderValue::from_str(&value) {
            request = request.header(name, value);
        }
    }
    request.body(Body::from(body.to_vec())).unwrap()
}

/// Sends it; whether it was a call that succeeded.
async fn send(router: &Router, request: Request<Body>) -> bool {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let kind = response.headers().get("content-type").cloned();
    let kind = kind
        .map(|kind| kind.to_str().unwrap().to_owned())
        .unwrap_or_default();
    assert!(
        status.is_success() || (status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT),
        "{status}"
    );
    if kind == "text/event-stream" {
        // A stream that goes on until the client leaves.
        return false;
    }
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    if kind != "application/json" {
        return false;
    }
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
    assert!(
        answer.get("result").is_some() != answer.get("error").is_some(),
        "{answer}"
    );
    assert_ne!(answer["error"]["code"], -32603, "{answer}");
    answer["result"]["structuredContent"]["calls"].is_u64()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_comes_has_a_defined_answer_and_is_done_at_most_once(
        messages in vec((message(), headers(), any::<bool>()), 1..4)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let count = Count::default();
            let router = app::wrapped(mcp::service(counting(&count)));
            let mut succeeded = 0;
            for (body, headers, fitting) in messages {
                let sent = request(&body, headers, fitting);
                succeeded += u32::from(send(&router, sent).await);
                assert_eq!(count.calls.load(Ordering::SeqCst), succeeded, "{}", String::from_utf8_lossy(&body));
            }
        });
    }
}

#[tokio::test]
async fn the_strategy_reaches_the_tool_in_both_eras() {
    let count = Count::default();
    let router = app::wrapped(mcp::service(counting(&count)));
    let call = |meta: Option<Value>| {
        let mut params = json!({"name": "count", "arguments": {}});
        if let Some(meta) = meta {
            params["_meta"] = meta;
        }
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
            .to_string()
            .into_bytes()
    };
    assert!(send(&router, request(&call(None), Vec::new(), false)).await);
    assert!(send(&router, request(&call(Some(meta())), Vec::new(), true)).await);
    assert_eq!(count.calls.load(Ordering::SeqCst), 2);
}
