//! What goes wrong at an endpoint, and what is said of it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sportello::config::Llm;
use sportello::openai::Breaker;
use sportello::ports::{ChatModel, ModelError, ModelReply};

use super::{SECRET, body, chat, request};
use crate::support::model::{Reply, ScriptedModel};

async fn ask(model: &ScriptedModel) -> Result<ModelReply, ModelError> {
    chat(&model.llm()).complete(&request(vec![])).await
}

/// Asks once with these replies and expects exactly that many requests.
async fn failure(replies: Vec<Reply>) -> ModelError {
    let count = replies.len();
    let model = ScriptedModel::start(replies).await;
    let error = ask(&model).await.unwrap_err();
    assert_eq!(model.requests().len(), count, "{error}");
    assert!(
        !format!("{error:?}").contains("Roma") && !format!("{error:?}").contains("sk-"),
        "{error:?}"
    );
    error
}

#[tokio::test]
async fn tries_again_what_passes() {
    for passing in [
        Reply::Status(
            429,
            vec![("retry-after", "0".to_owned())],
            "slow down".to_owned(),
        ),
        Reply::status(408),
        Reply::status(409),
        Reply::status(500),
        Reply::status(529),
        Reply::Cut,
    ] {
        let model = ScriptedModel::start([passing.clone(), passing, Reply::text("Here.")]).await;
        assert_eq!(ask(&model).await.unwrap().text, "Here.");
    }
}

#[tokio::test]
async fn gives_up_after_the_tries() {
    for reply in [Reply::status(503), Reply::status(429), Reply::Cut] {
        let error = failure(vec![reply.clone(), reply.clone(), reply]).await;
        assert!(matches!(error, ModelError::Unavailable(_)), "{error}");
    }
}

#[tokio::test]
async fn a_huge_retry_after_is_capped() {
    let busy = Reply::Status(
        429,
        vec![("retry-after", "86400".to_owned())],
        String::new(),
    );
    let model = ScriptedModel::start([busy, Reply::text("Here.")]).await;
    let start = Instant::now();
    assert_eq!(ask(&model).await.unwrap().text, "Here.");
    assert!(
        (4.0..6.0).contains(&start.elapsed().as_secs_f64()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn never_waits_beyond_the_deadline() {
    let busy = Reply::Status(503, vec![("retry-after", "3".to_owned())], String::new());
    let model = ScriptedModel::start([busy]).await;
    let start = Instant::now();
    let error = chat(&Llm {
        timeout_seconds: 2,
        ..model.llm()
    })
    .complete(&request(vec![]))
    .await
    .unwrap_err();
    assert!(matches!(error, ModelError::Unavailable(_)), "{error}");
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test]
async fn time_outs_are_unavailable_and_not_tried_again() {
    for slow in [Reply::Hang, Reply::Stall] {
        let model = ScriptedModel::start([slow]).await;
        let start = Instant::now();
        let error = chat(&Llm {
            timeout_seconds: 1,
            ..model.llm()
        })
        .complete(&request(vec![]))
        .await
        .unwrap_err();
        assert!(matches!(error, ModelError::Unavailable(_)), "{error}");
        assert!(
            (0.9..2.0).contains(&start.elapsed().as_secs_f64()),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(model.requests().len(), 1);
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let model = ScriptedModel::start([]).await;
    let config = model.llm();
    drop(model);
    let error = chat(&config).complete(&request(vec![])).await.unwrap_err();
    assert!(
        matches!(&error, ModelError::Unavailable(text) if text.starts_with("cannot connect")),
        "{error}"
    );
}

#[tokio::test]
async fn faults_of_ours_are_refused_at_once() {
    for status in [301, 400, 401, 403, 404, 422] {
        let echo = format!(
            "{{\"error\": {{\"message\": \"I read {SECRET}\", \"code\": \"invalid_api_key\"}}}}"
        );
        let error = failure(vec![Reply::Status(
            status,
            vec![("location", "/elsewhere".to_owned())],
            echo,
        )])
        .await;
        assert!(matches!(error, ModelError::Refused(_)), "{error}");
        assert_eq!(
            error.to_string(),
            format!("the model refused the request: status {status}, code invalid_api_key")
        );
    }
}

#[tokio::test]
async fn what_is_no_answer_is_unreadable_at_once() {
    let message = |content: Value| json!({"role": "assistant", "content": content});
    let replies = [
        Reply::Body(format!("<html>{SECRET}</html>")),
        Reply::Body("{\"choices\": [{\"message\": {\"content\": \"We ha".to_owned()),
        Reply::Body("{\"choices\": []}".to_owned()),
        Reply::Body("[]".to_owned()),
        Reply::text(""),
        Reply::text("<think>The customer lives in via Roma 12"),
        Reply::text("{\"answer\": \"We ha"),
        body(&json!({"message": message(json!("We ha"))})),
        body(&json!({"message": message(json!("We ha")), "finish_reason": null})),
        body(&json!({"message": message(Value::Null), "finish_reason": "length"})),
        body(&json!({"message": message(Value::Null), "finish_reason": SECRET})),
    ];
    for reply in replies {
        let shown = format!("{reply:?}");
        let error = failure(vec![reply]).await;
        assert!(
            matches!(error, ModelError::Unreadable(_)),
            "{shown}: {error}"
        );
    }
}

#[tokio::test]
async fn forgives_what_providers_leave_out() {
    let parts = json!([{"type": "text", "text": "<think>hm</think>We "}, {"type": "text", "text": "have."}]);
    let model = ScriptedModel::start([
        body(&json!({"finish_reason": "stop", "message": {"content": parts}})),
        body(&json!({"finish_reason": "length", "message": {"content": "We have a lot of"}})),
    ])
    .await;
    assert_eq!(ask(&model).await.unwrap().text, "We have.");
    assert_eq!(ask(&model).await.unwrap().text, "We have a lot of");
}

#[tokio::test]
async fn learns_which_parameters_a_model_refuses() {
    let refuses = |parameter: &str| {
        let body = json!({"error": {"message": "no", "param": parameter, "code": "unsupported_parameter"}});
        Reply::Status(400, vec![], body.to_string())
    };
    let model = ScriptedModel::start([
        refuses("max_tokens"),
        refuses("temperature"),
        Reply::text("Here."),
        Reply::text("Again."),
        refuses("messages"),
    ])
    .await;
    let chat = chat(&model.llm());
    assert_eq!(chat.complete(&request(vec![])).await.unwrap().text, "Here.");
    assert_eq!(
        chat.complete(&request(vec![])).await.unwrap().text,
        "Again."
    );
    assert!(matches!(
        chat.complete(&request(vec![])).await,
        Err(ModelError::Refused(_))
    ));
    let requests = model.requests();
    assert_eq!(requests.len(), 5);
    assert_eq!(requests[3].body["max_completion_tokens"], 300 + 2_048);
    assert_eq!(requests[3].body["reasoning_effort"], "low");
    assert!(
        requests[3].body.get("max_tokens").is_none()
            && requests[3].body.get("temperature").is_none()
    );
}

#[tokio::test]
async fn the_circuit_opens_and_recovers() {
    let model = ScriptedModel::start(vec![Reply::status(500); 3]).await;
    let chat = chat(&Llm {
        tries: 1,
        ..model.llm()
    })
    .with_breaker(Breaker::new(3, Duration::from_millis(400)));
    for _ in 0..3 {
        chat.complete(&request(vec![])).await.unwrap_err();
    }
    let error = chat.complete(&request(vec![])).await.unwrap_err();
    assert!(
        matches!(&error, ModelError::Unavailable(text) if text.starts_with("circuit open")),
        "{error}"
    );
    assert_eq!(model.requests().len(), 3);

    model.then([
        Reply::status(500),
        Reply::text("Back."),
        Reply::text("And again."),
    ]);
    tokio::time::sleep(Duration::from_millis(450)).await;
    chat.complete(&request(vec![])).await.unwrap_err();
    assert!(
        chat.complete(&request(vec![]))
            .await
            .unwrap_err()
            .to_string()
            .contains("circuit open")
    );
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(chat.complete(&request(vec![])).await.unwrap().text, "Back.");
    assert_eq!(
        chat.complete(&request(vec![])).await.unwrap().text,
        "And again."
    );
}

#[tokio::test]
async fn a_refusal_does_not_open_the_circuit() {
    let model = ScriptedModel::start(vec![Reply::status(401); 5]).await;
    let chat = chat(&model.llm()).with_breaker(Breaker::new(2, Duration::from_secs(60)));
    for _ in 0..5 {
        assert!(matches!(
            chat.complete(&request(vec![])).await,
            Err(ModelError::Refused(_))
        ));
    }
}

/// Everything that is logged on this thread, down to the lowest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nobodys_words_and_no_key_are_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let echo = format!("{{\"error\": {{\"message\": \"I read {SECRET}\"}}}}");
    let replies = [
        Reply::Status(429, vec![("retry-after", "0".to_owned())], echo.clone()),
        Reply::Status(500, vec![], echo.clone()),
        Reply::Status(422, vec![], SECRET.to_owned()),
        Reply::Body(format!("<html>{SECRET}</html>")),
        Reply::Body(format!("{{\"choices\": \"{SECRET}\"}}")),
        Reply::text(format!("You live in {SECRET}.")),
    ];
    let model = ScriptedModel::start(replies).await;
    for answered in [false, false, false, true] {
        assert_eq!(ask(&model).await.is_ok(), answered);
    }
    assert_eq!(model.remaining(), 0);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("trying again"), "{log}");
    for secret in [SECRET, "Roma", "sk-scripted"] {
        assert!(!log.contains(secret), "{log}");
    }
}
