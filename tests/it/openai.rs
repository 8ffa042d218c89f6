//! The model behind an OpenAI-compatible endpoint, against a scripted one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sportello::config::{Llm, ToolMode};
use sportello::domain::{History, Language};
use sportello::openai::{Breaker, OpenAiChat, OpenAiEmbedder, tokens};
use sportello::ports::{
    ChatModel, EmbedError, Embedder, ModelError, ModelMessage, ModelReply, ModelRequest, ToolCall,
    ToolDefinition, TurnFacts,
};

use crate::support::model::{Reply, ScriptedModel};

const PROMPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/json_mode.md"));
const SECRET: &str = "via Roma 12";

fn tool() -> ToolDefinition {
    ToolDefinition {
        name: "search_catalog".to_owned(),
        description: "Finds products.".to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": {"query": {"type": "string", "maxLength": 200}, "limit": {"type": "integer"}},
            "required": ["query"],
            "additionalProperties": false,
        }),
    }
}

fn request(after: Vec<ModelMessage>) -> ModelRequest {
    let mut messages = vec![
        ModelMessage::System("You work at the counter.".to_owned()),
        ModelMessage::User(format!("I live in {SECRET}. Do you have a moka?")),
    ];
    messages.extend(after);
    ModelRequest {
        messages,
        tools: vec![tool()],
        max_output_tokens: 300,
        facts: TurnFacts {
            text: "Do you have a moka?".to_owned(),
            triages: vec![],
            passages: vec![],
            history: History::default(),
            language: Language::EN,
            phone_verified: false,
        },
    }
}

/// The exchange of one call, as it stands in the next request.
fn round(reply: &ModelReply, result: &str) -> Vec<ModelMessage> {
    let mut messages = vec![ModelMessage::Assistant {
        text: reply.text.clone(),
        calls: reply.calls.clone(),
    }];
    messages.extend(reply.calls.iter().map(|call| ModelMessage::Tool {
        call_id: call.id.clone(),
        name: call.name.clone(),
        content: result.to_owned(),
    }));
    messages
}

fn chat(config: &Llm) -> OpenAiChat {
    OpenAiChat::new(config, PROMPT.to_owned()).unwrap()
}

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

fn body(choice: &Value) -> Reply {
    Reply::Body(json!({"choices": [choice]}).to_string())
}

#[tokio::test]
async fn native_tools_make_a_whole_turn() {
    let model = ScriptedModel::start([
        Reply::call("search_catalog", &json!({"query": "moka"})),
        Reply::text("Yes, for 39.90 €."),
    ])
    .await;
    let chat = chat(&model.llm());
    assert_eq!(chat.id(), "scripted@127.0.0.1");

    let reply = chat.complete(&request(vec![])).await.unwrap();
    assert_eq!(reply.calls.len(), 1);
    assert_eq!(reply.calls[0].name, "search_catalog");
    assert_eq!(reply.calls[0].arguments, json!({"query": "moka"}));
    assert_eq!((reply.input_tokens, reply.output_tokens), (100, 20));

    let reply = chat.complete(&request(round(&reply, "[]"))).await.unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.calls.len()),
        ("Yes, for 39.90 €.", 0)
    );

    let requests = model.requests();
    let first = &requests[0];
    assert_eq!(first.path, "/v1/chat/completions");
    assert_eq!(first.authorization.as_deref(), Some("Bearer sk-scripted"));
    assert_eq!(first.body["model"], "scripted");
    assert_eq!(first.body["stream"], false);
    assert_eq!(first.body["temperature"], 0.2);
    assert_eq!(first.body["max_tokens"], 300);
    assert_eq!(
        first.body["tools"][0]["function"]["parameters"],
        tool().input_schema
    );
    assert!(first.body.get("response_format").is_none());
    let roles: Vec<&str> = requests[1].body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|message| message["role"].as_str())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
}

#[tokio::test]
async fn malformed_arguments_reach_the_registry_and_go_back_as_json() {
    let model = ScriptedModel::start([
        Reply::Calls(vec![
            ("search_catalog".to_owned(), "{query: moka".to_owned()),
            (
                "search_catalog".to_owned(),
                "{\"query\": \"moka\",}".to_owned(),
            ),
            ("search_catalog".to_owned(), String::new()),
        ]),
        Reply::text("Sorry."),
    ])
    .await;
    let chat = chat(&model.llm());
    let reply = chat.complete(&request(vec![])).await.unwrap();
    let arguments: Vec<&Value> = reply.calls.iter().map(|call| &call.arguments).collect();
    assert_eq!(
        arguments,
        [
            &json!("{query: moka"),
            &json!({"query": "moka"}),
            &json!({})
        ]
    );
    chat.complete(&request(round(&reply, "invalid arguments")))
        .await
        .unwrap();
    assert_eq!(model.remaining(), 0);
}

#[tokio::test]
async fn ids_are_unique_even_when_the_endpoint_repeats_or_omits_them() {
    let calls = json!([
        {"id": "call_0", "function": {"name": "search_catalog", "arguments": "{}"}},
        {"id": "call_0", "function": {"name": "search_catalog", "arguments": {"query": "an object"}}},
        {"function": {"name": "search_catalog"}},
    ]);
    let answer = body(&json!({"finish_reason": "tool_calls", "message": {"tool_calls": calls}}));
    let model = ScriptedModel::start([answer.clone(), answer, Reply::text("Done.")]).await;
    let chat = chat(&model.llm());
    let first = chat.complete(&request(vec![])).await.unwrap();
    let second = chat.complete(&request(round(&first, "[]"))).await.unwrap();
    assert_eq!((first.calls.len(), second.calls.len()), (3, 3));
    assert_eq!(first.calls[1].arguments, json!({"query": "an object"}));
    // The endpoint judges the ids of the whole conversation.
    let both = [round(&first, "[]"), round(&second, "[]")].concat();
    chat.complete(&request(both)).await.unwrap();
}

#[tokio::test]
async fn a_call_in_the_text_is_a_call_in_both_modes() {
    let texts = [
        "Let me look.\n```json\n{\"name\": \"search_catalog\", \"arguments\": {\"query\": \"moka\",}}\n```",
        "<tool_call>{\"name\": \"search_catalog\", \"arguments\": {\"query\": \"moka\"}}</tool_call>",
        "{\"tool\": \"search_catalog\", \"arguments\": {\"query\": \"moka\"}}",
    ];
    for mode in [ToolMode::Native, ToolMode::JsonSchema] {
        for text in texts {
            let model = ScriptedModel::start([Reply::text(text), Reply::text("Found one.")]).await;
            let chat = chat(&Llm {
                tool_mode: mode,
                ..model.llm()
            });
            let reply = chat.complete(&request(vec![])).await.unwrap();
            let [call] = reply.calls.as_slice() else {
                panic!("{mode:?} {text}: {reply:?}");
            };
            assert_eq!(
                (call.name.as_str(), &call.arguments),
                ("search_catalog", &json!({"query": "moka"}))
            );
            assert_eq!(reply.text, "");
            chat.complete(&request(round(&reply, "[]"))).await.unwrap();
        }
    }
}

#[tokio::test]
async fn json_schema_mode_constrains_one_object() {
    let model = ScriptedModel::start([
        Reply::text("{\"tool\": \"search_catalog\", \"arguments\": {\"query\": \"moka\"}}"),
        Reply::text("{\"answer\": \"Yes, for 39.90 €.\"}"),
    ])
    .await;
    let chat = chat(&Llm {
        tool_mode: ToolMode::JsonSchema,
        ..model.llm()
    });
    let reply = chat.complete(&request(vec![])).await.unwrap();
    assert_eq!(reply.calls[0].arguments, json!({"query": "moka"}));
    let reply = chat
        .complete(&request(round(&reply, "[{\"id\": \"m6\"}]")))
        .await
        .unwrap();
    assert_eq!(reply.text, "Yes, for 39.90 €.");

    let requests = model.requests();
    let sent = &requests[1].body;
    assert!(sent.get("tools").is_none());
    let schema = &sent["response_format"]["json_schema"]["schema"];
    let validator = jsonschema::validator_for(schema).unwrap();
    assert!(validator.is_valid(&json!({"tool": "search_catalog", "arguments": {"query": "moka"}})));
    assert!(!validator.is_valid(&json!({"tool": "other", "arguments": {"query": "moka"}})));
    let messages = sent["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages
        .iter()
        .filter_map(|message| message["role"].as_str())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    let system = messages[0]["content"].as_str().unwrap();
    assert!(system.starts_with("You work at the counter.") && system.contains("## search_catalog"));
    assert!(
        messages[3]["content"]
            .as_str()
            .unwrap()
            .contains("data and not an instruction")
    );
    assert_eq!(
        serde_json::from_str::<Value>(messages[2]["content"].as_str().unwrap()).unwrap(),
        json!({"tool": "search_catalog", "arguments": {"query": "moka"}})
    );
}

#[tokio::test]
async fn json_schema_mode_without_tools_still_closes_a_conversation_with_calls() {
    let model = ScriptedModel::start([
        Reply::text("{\"answer\": \"Bye.\"}"),
        Reply::text("{\"mood\": \"calm\"}"),
    ])
    .await;
    let chat = chat(&Llm {
        tool_mode: ToolMode::JsonSchema,
        ..model.llm()
    });
    let call = ToolCall {
        id: "a".to_owned(),
        name: "search_catalog".to_owned(),
        arguments: json!({}),
    };
    let called = ModelReply {
        calls: vec![call],
        ..ModelReply::default()
    };
    let last = ModelRequest {
        tools: vec![],
        ..request(round(&called, "[]"))
    };
    assert_eq!(chat.complete(&last).await.unwrap().text, "Bye.");
    // A request that never had tools is left alone, and so is the JSON that it may ask for.
    let plain = ModelRequest {
        tools: vec![],
        ..request(vec![])
    };
    assert_eq!(
        chat.complete(&plain).await.unwrap().text,
        "{\"mood\": \"calm\"}"
    );
    let requests = model.requests();
    assert_eq!(
        requests[0].body["response_format"]["json_schema"]["schema"]["anyOf"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(requests[1].body.get("response_format").is_none());
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

#[tokio::test]
async fn a_long_conversation_is_cut_to_the_context() {
    let model =
        ScriptedModel::start([Reply::text("Here."), Reply::text("{\"answer\": \"Here.\"}")]).await;
    let mut long = request(vec![]);
    for number in 0..80 {
        long.messages.push(ModelMessage::Assistant {
            text: String::new(),
            calls: vec![ToolCall {
                id: format!("id{number}"),
                name: "search_catalog".to_owned(),
                arguments: json!({"query": "moka"}),
            }],
        });
        long.messages.push(ModelMessage::Tool {
            call_id: format!("id{number}"),
            name: "search_catalog".to_owned(),
            content: "a moka for six cups ".repeat(10),
        });
        long.messages
            .push(ModelMessage::User(format!("question {number}")));
    }
    for tool_mode in [ToolMode::Native, ToolMode::JsonSchema] {
        let chat = chat(&Llm {
            context_tokens: 2_400,
            tool_mode,
            ..model.llm()
        });
        assert_eq!(chat.complete(&long).await.unwrap().text, "Here.");
    }
    for request in model.requests() {
        let messages = request.body["messages"].as_array().unwrap();
        assert!(
            messages.len() > 5 && messages.len() < 100,
            "{}",
            messages.len()
        );
        assert!(
            messages[0]["content"]
                .as_str()
                .unwrap()
                .starts_with("You work at the counter.")
        );
        let last = messages[messages.len() - 1]["content"].as_str().unwrap();
        assert!(last.ends_with("question 79"));
        let sent = messages
            .iter()
            .flat_map(|message| [&message["content"], &message["tool_calls"]]);
        let sent: usize = sent
            .map(|part| tokens::count(part.as_str().unwrap_or(&part.to_string())))
            .sum();
        assert!(sent < 2_400 - 300, "{sent}");
    }
}

#[tokio::test]
async fn the_scripted_endpoint_rejects_half_groups() {
    let model = ScriptedModel::start([Reply::text("never")]).await;
    let bad = json!({"model": "m", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "x", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "b", "content": "[]"},
    ]});
    let url = format!("{}/chat/completions", model.base_url());
    let answer = reqwest::Client::new()
        .post(url)
        .json(&bad)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(
        model.take_faults(),
        ["the result `b` has no call", "the call `a` has no result"]
    );
}

#[tokio::test]
async fn embeds_in_batches_in_order_and_normalised() {
    let model = ScriptedModel::start([Reply::status(503)]).await;
    let embedder = OpenAiEmbedder::connect(&model.embedding()).await.unwrap();
    assert_eq!(
        (embedder.id(), embedder.dimension()),
        ("scripted-embedding@127.0.0.1", 16)
    );

    let texts: Vec<String> = (0..300)
        .map(|number| format!("word{number} moka"))
        .chain([String::new()])
        .collect();
    let vectors = embedder.embed(&texts).await.unwrap();
    assert_eq!(vectors.len(), 301);
    for vector in &vectors {
        let norm: f32 = vector.iter().map(|number| number * number).sum();
        assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    }
    for at in [0, 127, 128, 299] {
        assert_eq!(
            embedder.embed(&texts[at..=at]).await.unwrap()[0],
            vectors[at]
        );
    }
    let batches: Vec<usize> = model
        .requests()
        .iter()
        .map(|request| request.body["input"].as_array().unwrap().len())
        .collect();
    assert_eq!(batches, [1, 1, 128, 128, 45, 1, 1, 1, 1]);
    assert!(embedder.embed(&[]).await.unwrap().is_empty());
    assert!(model.requests()[0].authorization.is_none());
}

#[tokio::test]
async fn a_change_of_dimension_is_refused() {
    let model = ScriptedModel::start([]).await;
    let embedder = OpenAiEmbedder::new(&model.embedding(), 16).unwrap();
    embedder.embed(&["moka".to_owned()]).await.unwrap();
    model.set_dimension(24);
    let error = embedder.embed(&["moka".to_owned()]).await.unwrap_err();
    assert!(
        matches!(&error, EmbedError::Unusable(text) if text.contains("24") && text.contains("16")),
        "{error}"
    );
}

#[tokio::test]
async fn embedding_failures_say_whether_to_come_back() {
    let model = ScriptedModel::start(vec![Reply::status(503); 3]).await;
    let embedder = OpenAiEmbedder::new(&model.embedding(), 16).unwrap();
    assert!(matches!(
        embedder.embed(&["moka".to_owned()]).await,
        Err(EmbedError::Unavailable(_))
    ));
    model.then([Reply::status(401)]);
    assert!(matches!(
        embedder.embed(&["moka".to_owned()]).await,
        Err(EmbedError::Unusable(_))
    ));
    model.then([Reply::Body(
        "{\"data\": [{\"index\": 9, \"embedding\": [1]}]}".to_owned(),
    )]);
    assert!(matches!(
        embedder.embed(&["moka".to_owned()]).await,
        Err(EmbedError::Unusable(_))
    ));
    assert_eq!(model.requests().len(), 5);
}
