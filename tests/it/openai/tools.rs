//! Tools in both modes, and what of a conversation is sent.

use serde_json::{Value, json};
use sportello::config::{Llm, ToolMode};
use sportello::openai::tokens;
use sportello::ports::{ChatModel, ModelMessage, ModelReply, ModelRequest, ToolCall};

use super::{body, chat, request, round, tool};
use crate::support::model::{Reply, ScriptedModel};

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
