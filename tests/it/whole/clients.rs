//! The PyPI clients `mcp` and `fastmcp` against the program: over HTTP, in both modes of the first, on
//! standard input and output beside a running server and alone.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::program::{Program, command, run, warm};
use crate::support::python::{client, interpreter, script};

const TOOLS: [&str; 3] = ["search_catalog", "get_product", "search_policies"];

/// A call of every tool, and one that is refused.
const CALLS: [[&str; 3]; 4] = [
    ["--call", TOOLS[0], r#"{"query": "moka", "limit": 2}"#],
    ["--call", TOOLS[1], r#"{"id": "macchina-aria"}"#],
    [
        "--call",
        TOOLS[2],
        r#"{"query": "Can I return an opened box?"}"#,
    ],
    ["--call", TOOLS[1], r#"{"id": 3}"#],
];

/// Lists everything and calls every tool that reads.
async fn look(python: &Path, mode: &str, server: &[&str]) -> Value {
    let mut arguments = vec!["--mode", mode];
    arguments.extend(CALLS.iter().flatten());
    arguments.extend(["--read", "sportello://products/macchina-aria"]);
    arguments.extend(["--read", "sportello://policies/returns/it"]);
    arguments.extend(["--prompt", "counter", r#"{"language": "it"}"#]);
    arguments.extend(server);
    client(python, &arguments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_shows_the_same_and_it_works() {
    let python = interpreter().await;
    let data = warm().await;
    let folder = data.path().to_str().unwrap();
    let stdio = [
        "--",
        env!("CARGO_BIN_EXE_sportello"),
        "--data",
        folder,
        "mcp",
    ];
    let program = Program::serve(data.path(), &[]).await.unwrap();
    let url = format!("{}/mcp", program.url);
    let mut seen = vec![
        look(&python, "auto", &[&url]).await,
        look(&python, "legacy", &[&url]).await,
        look(&python, "auto", &stdio).await,
        look(&python, "legacy", &stdio).await,
    ];
    the_lists_agree(&program, data.path(), &seen[0]["tools"]).await;
    for server in [&[url.as_str()][..], &stdio] {
        another_client_agrees(&python, server, &seen[0]).await;
    }
    // Alone it only has to know where its pictures are.
    let public_url = format!("SPORTELLO_SERVER__PUBLIC_URL={}", program.url);
    assert_eq!(program.stop().await, Some(0));
    let alone = [&["--", "env", &public_url], &stdio[1..]].concat();
    seen.push(look(&python, "auto", &alone).await);

    assert_eq!(seen[0]["protocolVersion"], "2026-07-28");
    assert_eq!(seen[1]["protocolVersion"], "2025-11-25");
    for other in &seen[1..] {
        for key in ["tools", "resources", "templates", "prompts"] {
            assert_eq!(seen[0][key], other[key], "{key}");
        }
        for (place, call) in other["calls"].as_array().unwrap().iter().enumerate() {
            let first = &seen[0]["calls"][place];
            assert_eq!(call["structuredContent"], first["structuredContent"]);
        }
        for (place, read) in other["reads"].as_array().unwrap().iter().enumerate() {
            assert_eq!(read["contents"], seen[0]["reads"][place]["contents"]);
        }
    }
    let calls = &seen[0]["calls"];
    the_answers_fit_the_schemas(&seen[0]);
    let products = calls[0]["structuredContent"]["products"]
        .as_array()
        .unwrap();
    assert_eq!(products.len(), 2);
    assert_eq!(
        calls[1]["structuredContent"]["product"]["id"],
        "macchina-aria"
    );
    let passages = &calls[2]["structuredContent"]["passages"];
    assert!(passages.to_string().contains("30"), "{passages}");
    let text = seen[0]["reads"][0]["contents"][0]["text"].as_str().unwrap();
    assert!(text.contains("Macchina espresso Aria"), "{text}");
    let returns = &seen[0]["reads"][1]["contents"][0];
    assert_eq!(returns["mimeType"], "text/markdown");
}

fn the_answers_fit_the_schemas(seen: &Value) {
    for place in 0..TOOLS.len() {
        let call = &seen["calls"][place];
        assert_ne!(call["isError"], true, "{call}");
        let schema = jsonschema::validator_for(&seen["tools"][place]["outputSchema"]).unwrap();
        schema.validate(&call["structuredContent"]).unwrap();
    }
    let refused = &seen["calls"][TOOLS.len()];
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(refused.get("structuredContent").is_none(), "{refused}");
    assert_eq!(
        refused["content"][0]["text"],
        "`id` must be a string, not 3. Mend the arguments and call again."
    );
}

/// `fastmcp` sees the tools, texts and answers that `mcp` sees.
async fn another_client_agrees(python: &Path, server: &[&str], first: &Value) {
    let arguments = [&CALLS.concat()[..], server].concat();
    let seen = script(python, "fastmcp_calls.py", &arguments).await;
    for key in ["tools", "resources", "prompts"] {
        assert_eq!(seen[key], first[key], "{key}");
    }
    for (place, call) in first["calls"].as_array().unwrap().iter().enumerate() {
        let other = &seen["calls"][place];
        assert_eq!(other["isError"], call["isError"] == true, "{other}");
        assert_eq!(
            other["structuredContent"], call["structuredContent"],
            "{place}"
        );
        assert_eq!(other["text"], call["content"][0]["text"], "{place}");
    }
}

async fn the_lists_agree(program: &Program, data: &Path, listed: &Value) {
    let manifest = reqwest::get(format!("{}/.well-known/webmcp.json", program.url));
    let manifest: Value = manifest.await.unwrap().json().await.unwrap();
    let all = run(data, &["tools", "list", "--json"], &[], "")
        .await
        .json();
    let all: Vec<&Value> = all
        .as_array()
        .unwrap()
        .iter()
        .filter(|tool| {
            tool["callers"]
                .as_array()
                .unwrap()
                .contains(&json!("anonymous"))
        })
        .collect();
    let listed = listed.as_array().unwrap();
    let manifest = manifest["tools"].as_array().unwrap();
    // On the page an assistant may also do two things that the visitor is asked about.
    assert_eq!((listed.len(), manifest.len(), all.len()), (3, 5, 3));
    for (place, name) in TOOLS.into_iter().enumerate() {
        let (one, two, three) = (&listed[place], &manifest[place], all[place]);
        assert_eq!(one["name"], name);
        for key in ["name", "title", "description", "inputSchema"] {
            assert_eq!(one[key], two[key], "{name} {key}");
        }
        for key in ["name", "title", "description"] {
            assert_eq!(one[key], three[key], "{name} {key}");
        }
        assert_eq!(one["annotations"]["readOnlyHint"], true, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_ends_its_clients() {
    let data = warm().await;
    let program = Program::serve(data.path(), &[]).await.unwrap();
    let mut child = command(data.path(), &["mcp"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let opening = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    stdin
        .write_all(format!("{opening}\n").as_bytes())
        .await
        .unwrap();
    let mut lines = tokio::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut line)
        .await
        .unwrap();
    assert!(line.contains("\"id\":1"), "{line}");
    assert_eq!(program.stop().await, Some(0));
    let ended = tokio::time::timeout(Duration::from_secs(20), child.wait()).await;
    ended
        .expect("the client's end closes with the server")
        .unwrap();
    drop(stdin);
}
