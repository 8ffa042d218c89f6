//! `sportello index`: incremental, interruptible, and beside a running server.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::shop;
use crate::support::program::{Program, command, copy, run, warm};

fn knowledge(folder: &Path) -> [(&'static str, &str); 1] {
    [("SPORTELLO_KNOWLEDGE__PATH", folder.to_str().unwrap())]
}

async fn search(data: &Path, variables: &[(&str, &str)], query: &str) -> Vec<String> {
    let arguments = ["search", query, "--json", "--limit", "20"];
    let found = run(data, &arguments, variables, "").await;
    assert_eq!(found.code, Some(0), "{found}");
    let found = found.json();
    let results = found["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["document"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_is_embedded_and_what_vanished_is_gone() {
    let (data, folder) = (warm().await, shop::small());
    let variables = knowledge(folder.path());
    let index = async || {
        let done = run(data.path(), &["index", "--json"], &variables, "").await;
        assert_eq!(done.code, Some(0), "{done}");
        done.json()
    };
    assert_eq!(
        index().await,
        json!({"chunks": 7, "embedded": 7, "unchanged": false})
    );
    assert_eq!(
        index().await,
        json!({"chunks": 7, "embedded": 0, "unchanged": true})
    );
    shop::products(
        folder.path(),
        &[shop::ARIA_CHANGED, shop::MOLINO, shop::TAZZA],
    );
    assert_eq!(
        index().await,
        json!({"chunks": 7, "embedded": 1, "unchanged": false})
    );
    assert_eq!(
        search(data.path(), &variables, "scalda le tazzine").await[0],
        "aria"
    );
    shop::products(folder.path(), &[shop::ARIA_CHANGED, shop::TAZZA]);
    assert_eq!(
        index().await,
        json!({"chunks": 5, "embedded": 0, "unchanged": false})
    );
    let found = search(data.path(), &variables, "Molino grinder").await;
    assert!(!found.contains(&"molino".to_owned()), "{found:?}");
    // A price is no text: nothing is embedded, and the new one is found.
    let cheaper = shop::TAZZA.replace("1900", "900");
    shop::products(folder.path(), &[shop::ARIA_CHANGED, &cheaper]);
    assert_eq!(
        index().await,
        json!({"chunks": 5, "embedded": 0, "unchanged": false})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_index_run_leaves_the_old_index_and_the_next_one_finishes() {
    let start = warm().await;
    let folder = tempfile::tempdir().unwrap();
    copy(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/knowledge")),
        folder.path(),
    );
    // Every Italian chunk of the catalog is another text now.
    let catalog = folder.path().join("catalog.csv");
    let text = std::fs::read_to_string(&catalog).unwrap();
    std::fs::write(
        &catalog,
        text.replace("Macchina", "Macchinetta")
            .replace("Il ", "Quel "),
    )
    .unwrap();
    let variables = knowledge(folder.path());

    let data = tempfile::tempdir().unwrap();
    copy(start.path(), data.path());
    let old = std::fs::read(data.path().join("index/current.json")).unwrap();
    let mut interrupted = 0;
    for wait in [0, 40, 90, 150, 220, 300, 400, 550] {
        let mut child = command(data.path(), &["index"])
            .envs(variables)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From the moment at which the new generation is written.
        let index = data.path().join("index");
        let folders = || {
            std::fs::read_dir(&index)
                .unwrap()
                .filter(|entry| entry.as_ref().unwrap().path().is_dir())
                .count()
        };
        let before = folders();
        let started = std::time::Instant::now();
        while wait > 90
            && folders() <= before
            && child.try_wait().unwrap().is_none()
            && started.elapsed() < Duration::from_secs(20)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(if wait > 90 {
            wait - 150
        } else {
            wait
        }))
        .await;
        child.kill().await.unwrap();
        let now = std::fs::read(data.path().join("index/current.json")).unwrap();
        if now == old {
            interrupted += 1;
        }
        let found = search(
            data.path(),
            &variables,
            "espresso machine with milk frother",
        )
        .await;
        assert!(found.contains(&"macchina-aria".to_owned()), "{found:?}");
    }
    assert!(interrupted >= 3, "{interrupted} runs were interrupted");
    let done = run(data.path(), &["index", "--json"], &variables, "").await;
    assert_eq!(done.code, Some(0), "{done}");
    let found = search(data.path(), &variables, "macchinetta espresso").await;
    assert!(!found.is_empty());
    let live: Value =
        serde_json::from_slice(&std::fs::read(data.path().join("index/current.json")).unwrap())
            .unwrap();
    assert_eq!(live["points"], done.json()["chunks"]);
    let folders = std::fs::read_dir(data.path().join("index")).unwrap();
    assert_eq!(
        folders
            .filter(|entry| entry.as_ref().unwrap().path().is_dir())
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_indexes_on_command_and_goes_on_searching() {
    let (data, folder) = (warm().await, shop::small());
    let mut variables = knowledge(folder.path()).to_vec();
    variables.push(("SPORTELLO_LIMITS__TOOLS_PER_MINUTE", "1000000"));
    let program = Program::serve(data.path(), &variables).await.unwrap();
    let first = run(data.path(), &["index"], &variables, "").await;
    assert_eq!(first.code, Some(0), "{first}");
    let stop = tokio_util::sync::CancellationToken::new();
    let searching = tokio::spawn(searches(program.url.clone(), stop.clone()));

    let rows: [&[&str]; 3] = [
        &[shop::ARIA_CHANGED, shop::MOLINO, shop::TAZZA],
        &[shop::ARIA, shop::TAZZA],
        &[shop::ARIA_CHANGED, shop::TAZZA, shop::MOLINO],
    ];
    for rows in rows {
        shop::products(folder.path(), rows);
        // Several at once are one after the other.
        let index = || run(data.path(), &["index", "--json"], &variables, "");
        for done in futures::future::join_all([index(), index(), index()]).await {
            assert_eq!(done.code, Some(0), "{done}");
            assert_eq!(done.json()["chunks"], rows.len() * 2 + 1);
        }
        let shelf = reqwest::get(format!("{}/api/products", program.url));
        let shelf: Value = shelf.await.unwrap().json().await.unwrap();
        assert_eq!(shelf["products"].as_array().unwrap().len(), rows.len());
        let found = search(data.path(), &variables, "Molino grinder").await;
        assert_eq!(
            found.contains(&"molino".to_owned()),
            rows.len() == 3,
            "{found:?}"
        );
    }
    stop.cancel();
    let searched = searching.await.unwrap();
    assert!(searched > 10, "{searched} searches");

    // What cannot be read is said, and what was live stays.
    std::fs::write(folder.path().join("catalog.csv"), "id,price\nx,y\n").unwrap();
    let faulty = run(data.path(), &["index"], &variables, "").await;
    assert_eq!(faulty.code, Some(1), "{faulty}");
    assert!(faulty.said.contains("catalog.csv:"), "{faulty}");
    let found = search(data.path(), &variables, "Molino grinder").await;
    assert_eq!(found[0], "molino");

    let second = run(
        data.path(),
        &["serve", "--listen", "127.0.0.1:0"],
        &variables[1..],
        "",
    )
    .await;
    assert_eq!(second.code, Some(3), "{second}");
    assert!(
        second.said.contains("another process") && second.said.contains("--data"),
        "{second}"
    );
    assert_eq!(
        search(data.path(), &variables, "Molino grinder").await[0],
        "molino"
    );
    assert_eq!(program.stop().await, Some(0));
    assert!(!data.path().join("control.sock").exists());
}

/// Searches without a pause until told to stop; how often. Every search must find something.
async fn searches(url: String, stop: tokio_util::sync::CancellationToken) -> usize {
    let client = reqwest::Client::new();
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "search_catalog", "arguments": {"query": "espresso machine"}},
    });
    let mut searched = 0;
    while !stop.is_cancelled() {
        let answer: Value = client
            .post(format!("{url}/mcp"))
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .json(&call)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_ne!(answer["result"]["isError"], true, "{answer}");
        let found = answer["result"]["structuredContent"].to_string();
        assert!(found.contains("aria"), "{answer}");
        searched += 1;
    }
    searched
}
