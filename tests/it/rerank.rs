//! The reranker against an endpoint on this machine that answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use secrecy::SecretString;
use serde_json::{Value, json};
use sportello::config;
use sportello::rerank::{RerankError, Reranker};
use tokio::task::JoinHandle;

use crate::support::listener::{self, Reset};

const QUERY: &str = "how loud is it, Anna Bianchi asks";
const TEXTS: [&str; 3] = ["delivery", "noise in decibels", "warranty"];

/// What the endpoint does with a request. When nothing is left it scores texts by their length.
enum Act {
    Status(u16),
    Body(String),
    Sleep(Duration),
    BreakOff,
    /// Like TEI: refuses `documents`, answers `texts` with an array.
    Tei,
}

struct Request {
    body: Value,
    authorization: Option<String>,
}

#[derive(Clone, Default)]
struct Script {
    acts: Arc<Mutex<VecDeque<Act>>>,
    requests: Arc<Mutex<Vec<Request>>>,
    reset: Reset,
}

struct Endpoint {
    script: Script,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Endpoint {
    async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let script = Script::default();
        script.acts.lock().unwrap().extend(acts);
        let router = Router::new()
            .route("/v1/rerank", post(answer))
            .with_state(script.clone());
        let (address, task) = listener::serve(router, script.reset.clone()).await;
        Self {
            script,
            address,
            task,
        }
    }

    fn reranker(&self) -> Reranker {
        reranker(self.address)
    }

    fn requests(&self) -> usize {
        self.script.requests.lock().unwrap().len()
    }
}

fn reranker(address: SocketAddr) -> Reranker {
    let config = config::Reranker {
        url: Some(format!("http://{address}/v1/rerank")),
        model: Some("scripted".to_owned()),
        api_key: Some(SecretString::from("secret")),
        timeout_seconds: 1,
        candidates: 20,
    };
    Reranker::new(&config).unwrap().unwrap()
}

async fn answer(State(script): State<Script>, headers: HeaderMap, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let authorization = headers.get("authorization");
    script.requests.lock().unwrap().push(Request {
        authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
        body: body.clone(),
    });
    let act = script.acts.lock().unwrap().pop_front();
    match act {
        None => json!({ "results": scored(&body["documents"], "relevance_score") })
            .to_string()
            .into_response(),
        Some(Act::Status(status)) => {
            (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
        }
        Some(Act::Body(text)) => text.into_response(),
        Some(Act::Sleep(pause)) => {
            tokio::time::sleep(pause).await;
            "[]".into_response()
        }
        Some(Act::BreakOff) => {
            script.reset.next_answer();
            "[]".into_response()
        }
        Some(Act::Tei) => match body.get("texts") {
            Some(texts) => Value::from(scored(texts, "score"))
                .to_string()
                .into_response(),
            None => (StatusCode::UNPROCESSABLE_ENTITY, "missing field `texts`").into_response(),
        },
    }
}

/// The shortest first, whatever their scores, as some endpoints answer.
fn scored(texts: &Value, key: &str) -> Vec<Value> {
    let texts = texts.as_array().unwrap();
    let mut lengths: Vec<(usize, usize)> = texts
        .iter()
        .map(|text| text.as_str().unwrap().len())
        .enumerate()
        .collect();
    lengths.sort_by_key(|(_, length)| *length);
    let scored = lengths
        .into_iter()
        .map(|(index, length)| json!({ "index": index, key: length as f64 / 100.0 }));
    scored.collect()
}

#[tokio::test]
async fn the_best_text_comes_first() {
    let endpoint = Endpoint::start([]).await;
    let reranker = endpoint.reranker();
    let ranked = reranker.rank(QUERY, &TEXTS).await.unwrap();
    assert_eq!(ranked, [(1, 0.17), (0, 0.08), (2, 0.08)]);
    assert_eq!(reranker.candidates(), 20);
    assert!(reranker.rank(QUERY, &[]).await.unwrap().is_empty());
    let requests = endpoint.script.requests.lock().unwrap();
    assert_eq!(requests.len(), 1, "nothing to rank is not asked");
    assert_eq!(
        requests[0].body,
        json!({"model": "scripted", "query": QUERY, "documents": TEXTS, "top_n": 3})
    );
    assert_eq!(requests[0].authorization.as_deref(), Some("Bearer secret"));
}

#[tokio::test]
async fn an_endpoint_that_wants_texts_is_understood_and_remembered() {
    let endpoint = Endpoint::start([Act::Tei, Act::Tei, Act::Tei]).await;
    let reranker = endpoint.reranker();
    for requests in [2, 3] {
        let ranked = reranker.rank(QUERY, &TEXTS).await.unwrap();
        assert_eq!(ranked[0], (1, 0.17));
        assert_eq!(endpoint.requests(), requests);
    }
    endpoint
        .script
        .acts
        .lock()
        .unwrap()
        .extend([Act::Status(422), Act::Status(422)]);
    let error = reranker.rank(QUERY, &TEXTS).await.unwrap_err();
    assert!(matches!(error, RerankError::Unusable(_)), "{error}");
}

#[tokio::test]
async fn a_passing_failure_is_tried_again() {
    for act in [Act::Status(500), Act::Status(429), Act::BreakOff] {
        let endpoint = Endpoint::start([act]).await;
        let ranked = endpoint.reranker().rank(QUERY, &TEXTS).await.unwrap();
        assert_eq!((ranked[0].0, endpoint.requests()), (1, 2));
    }
}

#[tokio::test]
async fn a_failure_that_stays_is_told_without_the_texts() {
    let endpoint = Endpoint::start([500, 502, 503, 200].map(Act::Status)).await;
    let error = endpoint.reranker().rank(QUERY, &TEXTS).await.unwrap_err();
    assert!(matches!(error, RerankError::Unavailable(_)), "{error}");
    assert_eq!(endpoint.requests(), 3);
    for status in [301, 400, 401, 404] {
        let endpoint = Endpoint::start([Act::Status(status)]).await;
        let error = endpoint.reranker().rank(QUERY, &TEXTS).await.unwrap_err();
        assert!(matches!(error, RerankError::Unusable(_)), "{error}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert!(!error.to_string().contains("Bianchi"), "{error}");
        assert_eq!(endpoint.requests(), 1);
    }
    let error = reranker(listener::nobody().await).rank(QUERY, &TEXTS).await;
    assert!(
        matches!(error, Err(RerankError::Unavailable(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_slow_endpoint_is_not_waited_for() {
    let endpoint = Endpoint::start([Act::Status(500), Act::Sleep(Duration::from_secs(20))]).await;
    let begun = Instant::now();
    let error = endpoint.reranker().rank(QUERY, &TEXTS).await.unwrap_err();
    assert!(matches!(error, RerankError::Unavailable(_)), "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(endpoint.requests(), 2);
}

#[tokio::test]
async fn nonsense_and_partial_results_are_refused() {
    let result =
        |index: i64, score: &str| format!("{{\"index\": {index}, \"relevance_score\": {score}}}");
    let whole = [result(0, "0.1"), result(1, "0.2"), result(2, "0.3")];
    let with = |last: String| format!("{{\"results\": [{}, {}, {last}]}}", whole[0], whole[1]);
    let right = with(whole[2].clone());
    let wrong = [
        String::new(),
        "<html>Anna Bianchi</html>".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        "{\"results\": {}}".to_owned(),
        format!("{{\"results\": [{}, {}]}}", whole[0], whole[1]),
        format!(
            "[{}, {}, {}, {}]",
            whole[0],
            whole[1],
            whole[2],
            result(3, "0.1")
        ),
        with(whole[1].clone()),
        with(result(3, "0.3")),
        with(result(-1, "0.3")),
        with(result(2, "NaN")),
        with(result(2, "null")),
        with(result(2, "1e300")),
        with(result(2, "\"0.3\"")),
        with("{\"index\": 2}".to_owned()),
        with("{\"relevance_score\": 0.3}".to_owned()),
        with("7".to_owned()),
        right.replace("results", "answers"),
    ];
    let endpoint = Endpoint::start([Act::Body(right)]).await;
    let reranker = endpoint.reranker();
    let ranked = reranker.rank(QUERY, &TEXTS).await.unwrap();
    assert_eq!(ranked, [(2, 0.3), (1, 0.2), (0, 0.1)]);
    for body in wrong {
        endpoint
            .script
            .acts
            .lock()
            .unwrap()
            .push_back(Act::Body(body.clone()));
        let asked = endpoint.requests();
        let error = reranker.rank(QUERY, &TEXTS).await.expect_err(&body);
        assert!(matches!(error, RerankError::Unusable(_)), "{body}: {error}");
        assert!(!error.to_string().contains("Bianchi"), "{error}");
        assert_eq!(endpoint.requests(), asked + 1, "{body}");
    }
}
