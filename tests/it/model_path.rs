//! Whole turns with a model endpoint: its tools, its refusals, its failures before and after an effect.

mod conversations;

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::model::{Reply, ScriptedModel};
use crate::support::program::{command, warm};

/// Says the lines in one conversation and answers a turn for each.
async fn chat(model: &ScriptedModel, mode: &str, lines: &[&str]) -> Vec<Value> {
    chat_as(model, mode, None, lines).await
}

/// The same from a verified phone.
async fn chat_as(
    model: &ScriptedModel,
    mode: &str,
    phone: Option<&str>,
    lines: &[&str],
) -> Vec<Value> {
    let data = warm().await;
    let mut arguments = vec!["chat", "--json"];
    if let Some(phone) = phone {
        arguments.extend(["--phone", phone]);
    }
    let mut child = command(data.path(), &arguments)
        .env("SPORTELLO_LLM__BASE_URL", model.base_url())
        .env("SPORTELLO_LLM__MODEL", "scripted")
        .env("SPORTELLO_LLM__TOOL_MODE", mode)
        .env("SPORTELLO_LLM__TRIES", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all((lines.join("\n") + "\n").as_bytes())
        .await
        .unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let turns: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(turns.len(), lines.len());
    turns
}

fn tools(turn: &Value) -> Vec<&str> {
    let tools = turn["trace"]["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_searches_and_its_products_become_cards() {
    let search = json!({"query": "cappuccino", "max_price": 300, "in_stock": true});
    let model = ScriptedModel::start([
        Reply::call("search_catalog", &search),
        Reply::text("Macchina espresso Aria con cappuccinatore, 149,00 €, fa il cappuccino."),
    ])
    .await;
    let turns = chat(
        &model,
        "native",
        &["Cerco una macchina sotto i 300 euro per il cappuccino"],
    )
    .await;
    assert_eq!(turns[0]["outcome"]["outcome"], "answered", "{}", turns[0]);
    assert_eq!(tools(&turns[0]), ["search_catalog"]);
    assert_eq!(
        turns[0]["outcome"]["answer"]["products"][0]["id"],
        "macchina-aria"
    );
    let system = model.requests()[0].body["messages"][0]["content"].to_string();
    assert!(
        system.contains("Italian"),
        "the prompt says the customer's language"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_mode_calls_the_same_tools() {
    let call = json!({"tool": "search_policies", "arguments": {"query": "shipping to Malta"}});
    let answer = json!({"answer": "Yes, we ship to Malta for €14.90."});
    let model = ScriptedModel::start([
        Reply::text(call.to_string()),
        Reply::text(answer.to_string()),
    ])
    .await;
    let turns = chat(&model, "json_schema", &["do you ship to Malta?"]).await;
    assert_eq!(tools(&turns[0]), ["search_policies"]);
    let text = turns[0]["outcome"]["answer"]["text"].as_str().unwrap();
    assert!(text.starts_with("Yes, we ship to Malta"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_come_back_to_the_model() {
    let model = ScriptedModel::start([
        Reply::call("search_catalog", &json!({"limit": 99})),
        Reply::text("Let me ask differently: what are you looking for?"),
    ])
    .await;
    let turns = chat(&model, "native", &["I am looking for a coffee grinder"]).await;
    let tool = &turns[0]["trace"]["tools"][0];
    assert_eq!(tool["failed"], true);
    assert!(
        tool["result"]["error"].as_str().unwrap().contains("limit"),
        "{tool}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_price_of_an_attacker_reaches_a_link() {
    let items = json!([{"product_id": "macchina-sabauda", "quantity": 1}]);
    let model = ScriptedModel::start([
        Reply::call("payment_link", &json!({"items": items, "amount": 1})),
        Reply::call("payment_link", &json!({"items": items})),
        Reply::text("Here is your link."),
    ])
    .await;
    let turns = chat(
        &model,
        "native",
        &["I take the Sabauda, make it 1 euro please"],
    )
    .await;
    assert_eq!(
        turns[0]["trace"]["tools"][0]["failed"], true,
        "no tool takes an amount"
    );
    assert_eq!(
        turns[0]["outcome"]["answer"]["payment"]["total"]["minor"],
        189_000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn before_an_effect_the_offline_model_takes_over() {
    let model = ScriptedModel::start([Reply::status(503)]).await;
    let turns = chat(&model, "native", &["do you ship to Malta?"]).await;
    assert_eq!(turns[0]["outcome"]["outcome"], "answered", "{}", turns[0]);
    assert_eq!(
        turns[0]["trace"]["models"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()["model"],
        "offline"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_effect_a_person_takes_over() {
    let ticket = json!({"subject": "Broken grinder", "summary": "The grinder arrived broken."});
    let model =
        ScriptedModel::start([Reply::call("open_ticket", &ticket), Reply::status(503)]).await;
    let turns = chat(&model, "native", &["my grinder arrived broken"]).await;
    assert_eq!(turns[0]["outcome"]["outcome"], "handed_off", "{}", turns[0]);
    assert_eq!(turns[0]["outcome"]["reason"], "failure");
    assert_eq!(turns[0]["holder"], "human");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_of_tools_ends_with_a_person() {
    let search = json!({"query": "moka"});
    let model = ScriptedModel::start((0..6).map(|_| Reply::call("search_catalog", &search))).await;
    let turns = chat(&model, "native", &["I am looking for a moka pot"]).await;
    assert_eq!(turns[0]["outcome"]["outcome"], "handed_off", "{}", turns[0]);
    assert_eq!(turns[0]["outcome"]["reason"], "limit");
}
