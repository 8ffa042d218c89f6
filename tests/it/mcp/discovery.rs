//! The documents that lead to the door.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Door, LEGACY, MODERN};

const DOCUMENTS: [(&str, &str); 4] = [
    ("/.well-known/webmcp.json", "application/json"),
    ("/mcp/server-card", "application/mcp-server-card+json"),
    (
        "/.well-known/ai-catalog.json",
        "application/ai-catalog+json",
    ),
    ("/llms.txt", "text/plain; charset=utf-8"),
];

#[tokio::test]
async fn every_document_is_tagged_and_not_sent_twice() {
    let door = Door::open().await;
    for (path, media_type) in DOCUMENTS {
        let first = door.client.get(door.url(path)).send().await.unwrap();
        assert_eq!(first.status(), StatusCode::OK, "{path}");
        assert_eq!(first.headers()["content-type"], media_type);
        assert_eq!(first.headers()["access-control-allow-origin"], "*");
        assert!(
            first.headers()["cache-control"]
                .to_str()
                .unwrap()
                .starts_with("public, ")
        );
        let tag = first.headers()["etag"].clone();
        // Also sent compressed, so not the same byte by byte.
        assert!(tag.to_str().unwrap().starts_with("W/\""), "{tag:?}");
        let text = first.text().await.unwrap();
        assert!(!text.is_empty());

        let head = door.client.head(door.url(path)).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::OK, "{path}");
        assert_eq!(head.headers()["etag"], tag);
        assert_eq!(head.headers()["content-length"], text.len().to_string());
        assert!(head.text().await.unwrap().is_empty());

        let again = door
            .client
            .get(door.url(path))
            .header("if-none-match", &tag)
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(again.headers()["etag"], tag);
        assert_eq!(again.headers()["access-control-allow-origin"], "*");
        assert!(again.headers().contains_key("cache-control"));
        assert!(again.text().await.unwrap().is_empty());

        let other = door
            .client
            .get(door.url(path))
            .header("if-none-match", "\"other\"")
            .send()
            .await
            .unwrap();
        assert_eq!(other.status(), StatusCode::OK, "{path}");
        let asked = door
            .client
            .request(Method::OPTIONS, door.url(path))
            .header("origin", "https://assistant.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version")
            .send()
            .await
            .unwrap();
        assert_eq!(asked.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(asked.headers()["access-control-allow-origin"], "*");
        assert_eq!(asked.headers()["access-control-allow-headers"], "*");
        let methods = asked.headers()["access-control-allow-methods"].to_str();
        assert!(methods.unwrap().contains("GET"), "{path}");
        let posted = door.client.post(door.url(path)).send().await.unwrap();
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test]
async fn the_manifest_lists_the_tools_that_mcp_lists() {
    let door = Door::open().await;
    let manifest: Value = fetch(&door, "/.well-known/webmcp.json").await;
    assert_eq!(manifest["name"], "Bottega Moka");
    assert_eq!(manifest["homepage"], "https://shop.example/");
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        manifest["mcp"],
        json!({
            "url": "https://shop.example/mcp",
            "transport": "streamable-http",
            "serverCard": "https://shop.example/mcp/server-card",
        })
    );
    let [listed, _] = door.both("tools/list", json!({})).await;
    let listed = listed["tools"].as_array().unwrap();
    let tools = manifest["tools"].as_array().unwrap();
    assert_eq!(tools.len(), listed.len());
    for (tool, listed) in tools.iter().zip(listed) {
        for key in ["name", "title", "description", "inputSchema"] {
            assert_eq!(tool[key], listed[key], "{key}");
        }
        for hint in [
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        ] {
            assert_eq!(
                tool["annotations"][hint], listed["annotations"][hint],
                "{hint}"
            );
        }
    }
}

#[tokio::test]
async fn card_and_catalog_have_what_their_formats_require() {
    let door = Door::open().await;
    let card: Value = fetch(&door, "/mcp/server-card").await;
    assert_eq!(
        card["$schema"],
        "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"
    );
    assert_eq!(card["name"], "example.shop/sportello");
    assert!(card["description"].as_str().unwrap().chars().count() <= 100);
    assert_eq!(card["remotes"][0]["url"], "https://shop.example/mcp");
    assert!(card.get("tools").is_none());
    assert_eq!(card["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(card["remotes"][0]["type"], "streamable-http");

    let catalog: Value = fetch(&door, "/.well-known/ai-catalog.json").await;
    assert_eq!(catalog["specVersion"], "1.0");
    assert_eq!(catalog["entries"].as_array().unwrap().len(), 1);
    let entry = &catalog["entries"][0];
    assert_eq!(entry["identifier"], "urn:air:shop.example:mcp:sportello");
    assert_eq!(entry["url"], "https://shop.example/mcp/server-card");
    assert!(entry.get("data").is_none());
    assert_eq!(entry["type"], "application/mcp-server-card+json");
    assert_eq!(entry["displayName"], "Bottega Moka");
    assert!((2..=5).contains(&entry["representativeQueries"].as_array().unwrap().len()));
}

#[tokio::test]
async fn every_version_of_the_card_is_spoken() {
    let door = Door::open().await;
    let card = fetch(&door, "/mcp/server-card").await;
    let versions = card["remotes"][0]["supportedProtocolVersions"].clone();
    let versions: Vec<String> = serde_json::from_value(versions).unwrap();
    assert!(versions.contains(&MODERN.to_owned()) && versions.contains(&LEGACY.to_owned()));
    let request = door.modern("server/discover", json!({}));
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["result"]["supportedVersions"], json!(versions));
    for version in versions.iter().filter(|version| *version != MODERN) {
        let client = json!({ "name": "test", "version": "1" });
        let params =
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        let request = door.post().header("mcp-protocol-version", version);
        let answer = request.body(body.to_string()).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["result"]["protocolVersion"], json!(version));
    }
}

#[tokio::test]
async fn llms_txt_leads_to_every_document() {
    let door = Door::open().await;
    let url = door.url("/llms.txt");
    let text = door.client.get(url).send().await.unwrap();
    let text = text.text().await.unwrap();
    assert_eq!(
        text.lines().filter(|line| line.starts_with("# ")).count(),
        1
    );
    for path in [
        "/",
        "/mcp",
        "/mcp/server-card",
        "/.well-known/webmcp.json",
        "/.well-known/ai-catalog.json",
    ] {
        assert!(
            text.contains(&format!("](https://shop.example{path})")),
            "{text}"
        );
    }
    assert!(text.contains("`look_up`") && !text.contains("`secret`"));
}

async fn fetch(door: &Door, path: &str) -> Value {
    let text = door
        .client
        .get(door.url(path))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    serde_json::from_str(&text).unwrap()
}
