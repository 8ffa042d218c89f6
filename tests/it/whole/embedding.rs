//! Vectors from an endpoint: built, cached, exchanged, and done without.

use std::path::Path;

use serde_json::Value;

use super::shop;
use crate::support::listener::nobody;
use crate::support::model::{Reply, ScriptedModel};
use crate::support::program::{Ended, Program, run, until, warm};

const CHUNKS: u64 = 7;

fn variables<'a>(knowledge: &'a Path, base_url: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("SPORTELLO_KNOWLEDGE__PATH", knowledge.to_str().unwrap()),
        ("SPORTELLO_EMBEDDING__PROVIDER", "openai"),
        ("SPORTELLO_EMBEDDING__BASE_URL", base_url),
        ("SPORTELLO_EMBEDDING__MODEL", "hashes"),
        ("SPORTELLO_EMBEDDING__TIMEOUT_SECONDS", "2"),
    ]
}

async fn index(data: &Path, variables: &[(&str, &str)]) -> Ended {
    run(data, &["index", "--json"], variables, "").await
}

async fn search(data: &Path, variables: &[(&str, &str)], query: &str) -> Value {
    let found = run(data, &["search", query, "--json"], variables, "").await;
    assert_eq!(found.code, Some(0), "{found}");
    found.json()
}

fn live(data: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(data.join("index/current.json")).unwrap()).unwrap()
}

fn texts(model: &ScriptedModel) -> usize {
    let inputs = |request: &crate::support::model::Request| {
        request.body["input"].as_array().map_or(0, Vec::len)
    };
    model.requests().iter().map(inputs).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_with_the_endpoint_once() {
    let (data, knowledge) = (warm().await, shop::small());
    let model = ScriptedModel::start([]).await;
    let openai = variables(knowledge.path(), model.base_url());

    let built = index(data.path(), &openai).await;
    assert_eq!(built.code, Some(0), "{built}");
    assert_eq!(
        (
            built.json()["chunks"].as_u64(),
            built.json()["embedded"].as_u64()
        ),
        (Some(CHUNKS), Some(CHUNKS))
    );
    assert_eq!(live(data.path())["model"], "hashes@127.0.0.1");
    assert_eq!(live(data.path())["dimension"], 16);
    assert_eq!(texts(&model), 7, "each text once and nothing else");

    let again = index(data.path(), &openai).await;
    assert_eq!(again.json()["unchanged"], true);
    assert_eq!(texts(&model), 7, "an index that is up to date asks nothing");
    let found = search(data.path(), &openai, "Molino grinder").await;
    assert_eq!(found["mode"], "hybrid");
    assert_eq!(found["results"][0]["document"], "molino");
    assert_eq!(texts(&model), 8, "the query");

    // The way back and forth costs nothing: vectors are kept by model.
    let builtin = &openai[..1];
    let before = live(data.path());
    let words = search(data.path(), builtin, "Molino grinder").await;
    assert_eq!(words["mode"], "bm25", "vectors of two models never meet");
    assert_eq!(live(data.path()), before);
    let back = index(data.path(), builtin).await;
    assert_eq!(back.json()["embedded"], CHUNKS);
    assert_ne!(live(data.path())["model"], "hashes@127.0.0.1");
    assert_eq!(
        search(data.path(), builtin, "Molino grinder").await["mode"],
        "hybrid"
    );
    let forth = index(data.path(), &openai).await;
    assert_eq!(
        (
            forth.json()["embedded"].as_u64(),
            forth.json()["unchanged"].as_bool()
        ),
        (Some(0), Some(false)),
        "{forth}"
    );
    assert_eq!(live(data.path())["dimension"], 16);
    assert_eq!(texts(&model), 8);
    let folders = std::fs::read_dir(data.path().join("index")).unwrap();
    let folders = folders.filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), 1, "an old generation goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_endpoint_words_answer_and_the_exit_code_says_why() {
    let (data, knowledge) = (warm().await, shop::small());
    std::fs::remove_dir_all(data.path().join("index")).unwrap();
    let away = format!("http://{}/v1", nobody().await);
    let away = variables(knowledge.path(), &away);

    let failed = index(data.path(), &away).await;
    assert_eq!(failed.code, Some(3), "{failed}");
    assert!(failed.said.contains("embedding"), "{failed}");
    let found = search(data.path(), &away, "Molino grinder").await;
    assert_eq!(found["mode"], "bm25");
    assert_eq!(found["results"][0]["document"], "molino");

    let program = Program::serve(data.path(), &away).await.unwrap();
    let found = search(data.path(), &away, "porcelain cups").await;
    assert_eq!(found["mode"], "bm25");
    assert_eq!(found["results"][0]["document"], "tazza");
    assert_eq!(index(data.path(), &away).await.code, Some(3));
    let chat = run(
        data.path(),
        &["chat", "--json"],
        &away,
        "How fast do you ship?\n",
    )
    .await;
    assert_eq!(chat.lines()[0]["outcome"]["outcome"], "answered", "{chat}");
    assert_eq!(chat.lines()[0]["trace"]["retrieval"], "bm25", "{chat}");
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_builds_its_index_when_the_endpoint_comes_back() {
    let (data, knowledge) = (warm().await, shop::small());
    std::fs::remove_dir_all(data.path().join("index")).unwrap();
    let model = ScriptedModel::start(vec![Reply::status(503); 3]).await;
    let openai = variables(knowledge.path(), model.base_url());
    let program = Program::serve(data.path(), &openai).await.unwrap();
    until("the vectors are there", async || {
        live_or_null(data.path())["vectors"] == true
    })
    .await;
    assert_eq!(
        search(data.path(), &openai, "cappuccino").await["mode"],
        "hybrid"
    );
    // An endpoint that hangs costs a search a few seconds, not its answer.
    model.then(vec![Reply::Hang; 3]);
    let found = search(data.path(), &openai, "Molino grinder").await;
    assert_eq!(found["mode"], "bm25");
    assert_eq!(found["results"][0]["document"], "molino");
    assert_eq!(program.stop().await, Some(0));
}

fn live_or_null(data: &Path) -> Value {
    std::fs::read(data.join("index/current.json"))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}
