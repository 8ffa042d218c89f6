//! The protocol over HTTP, in both eras.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Door, LEGACY, MODERN, answer, outcome};

#[tokio::test]
async fn initialize_opens_the_older_era_without_a_session() {
    let door = Door::open().await;
    let opening = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let request = door.post().body(
        json!({"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": opening}).to_string(),
    );
    let response = request.send().await.unwrap();
    assert!(response.headers().get("mcp-session-id").is_none());
    assert_eq!(response.headers()["content-type"], "application/json");
    let (status, body) = outcome(response).await;
    assert_eq!(status, StatusCode::OK);
    let result = &body["result"];
    assert_eq!(result["protocolVersion"], LEGACY);
    assert_eq!(result["serverInfo"]["name"], "sportello");
    assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        result["instructions"]
            .as_str()
            .unwrap()
            .contains("Bottega Moka")
    );
    for capability in ["tools", "resources", "prompts", "completions"] {
        // Nothing stays open on which a change could be told.
        assert_eq!(
            result["capabilities"][capability],
            json!({}),
            "{capability}"
        );
    }

    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    let response = door
        .post()
        .header("mcp-protocol-version", LEGACY)
        .body(ready)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    answer(door.legacy("ping", json!({}))).await;
}

#[tokio::test]
async fn discover_opens_the_newer_era() {
    let door = Door::open().await;
    let body = answer(door.modern("server/discover", json!({}))).await;
    let result = &body["result"];
    let versions = result["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(LEGACY)) && versions.contains(&json!(MODERN)));
    assert!(result["ttlMs"].as_u64().unwrap() > 0);
    assert_eq!(result["cacheScope"], "public");
    assert_eq!(
        result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "sportello"
    );
}

#[tokio::test]
async fn both_eras_list_the_tools_of_an_anonymous_caller() {
    let door = Door::open().await;
    let [legacy, modern] = door.both("tools/list", json!({})).await;
    assert_eq!(legacy["tools"], modern["tools"]);
    assert_eq!(modern["cacheScope"], "public");
    let names: Vec<&str> = legacy["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["look_up", "shaky"]);
    let tool = &legacy["tools"][0];
    assert_eq!(tool["title"], "Look up");
    assert_eq!(tool["description"], "Use it to look something up.");
    assert_eq!(tool["annotations"]["readOnlyHint"], true);
    assert_eq!(tool["annotations"]["openWorldHint"], false);
    assert_eq!(tool["inputSchema"]["properties"]["limit"]["maximum"], 20);
    assert_eq!(tool["outputSchema"]["type"], "object");
}

#[tokio::test]
async fn a_result_is_structured_as_its_schema_says_and_the_same_as_text() {
    let door = Door::open().await;
    let [listed, _] = door.both("tools/list", json!({})).await;
    let schema = jsonschema::validator_for(&listed["tools"][0]["outputSchema"]).unwrap();
    let call = json!({"name": "look_up", "arguments": {"query": "moka", "limit": 2}});
    for result in door.both("tools/call", call).await {
        assert_eq!(result["isError"], false);
        let structured = &result["structuredContent"];
        assert_eq!(structured["found"], json!(["moka", "moka"]));
        assert_eq!(structured["language"], "it");
        let text: Value =
            serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(&text, structured);
        schema.validate(structured).unwrap();
    }
}

#[tokio::test]
async fn the_client_chooses_among_the_languages_of_the_shop() {
    let door = Door::open().await;
    let call = json!({"name": "look_up", "arguments": {"query": "moka"}});
    for (accepted, language) in [("en-GB, it;q=0.5", "en"), ("fr, de", "it")] {
        let request = door
            .modern("tools/call", call.clone())
            .header("accept-language", accepted);
        assert_eq!(
            answer(request).await["result"]["structuredContent"]["language"],
            language
        );
    }
}

#[tokio::test]
async fn what_the_model_can_mend_is_a_result_that_says_how() {
    let door = Door::open().await;
    let cases = [
        (
            json!({"name": "look_up", "arguments": {"query": "moka", "limit": 99}}),
            "`limit` must be at most 20, not 99.",
        ),
        (
            json!({"name": "look_up", "arguments": {"query": 3}}),
            "`query` must be a string, not 3.",
        ),
        (
            json!({"name": "look_up"}),
            "`query` is missing: What to look for.",
        ),
        (
            json!({"name": "look_up", "arguments": {"query": "a", "phone": "1"}}),
            "`phone` is not known; this tool takes `query`, `limit`.",
        ),
        (
            json!({"name": "shaky", "arguments": {"way": "out"}}),
            "`way` must be one of \"invalid\", \"not_allowed\", \"unavailable\", \"panic\", not \"out\".",
        ),
        (
            json!({"name": "shaky", "arguments": {"way": "invalid"}}),
            "no other way",
        ),
        (
            json!({"name": "shaky", "arguments": {"way": "not_allowed"}}),
            "Verify your phone first.",
        ),
        (
            json!({"name": "shaky", "arguments": {"way": "unavailable"}}),
            "does not work at the moment",
        ),
    ];
    for (call, expected) in cases {
        for result in door.both("tools/call", call).await {
            assert_eq!(result["isError"], true, "{result}");
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.contains(expected), "{text}");
            assert!(!text.contains("hunter2"));
            assert!(result.get("structuredContent").is_none());
        }
    }
}

#[tokio::test]
async fn a_tool_that_is_not_for_the_caller_is_as_unknown_as_one_that_is_not() {
    let door = Door::open().await;
    for name in ["secret", "nonsense"] {
        let call = json!({"name": name, "arguments": {}});
        for request in [
            door.legacy("tools/call", call.clone()),
            door.modern("tools/call", call),
        ] {
            let body = answer(request).await;
            assert_eq!(body["error"]["code"], -32602, "{body}");
            assert_eq!(
                body["error"]["message"],
                format!("There is no tool `{name}` here.")
            );
        }
    }
}

#[tokio::test]
async fn parameters_of_another_shape_are_invalid_and_other_methods_unknown() {
    let door = Door::open().await;
    let body = answer(door.legacy(
        "tools/call",
        json!({"name": "look_up", "arguments": "moka"}),
    ))
    .await;
    assert_eq!(body["error"]["code"], -32602, "{body}");
    let body = answer(door.legacy("tools/invent", json!({}))).await;
    assert_eq!(body["error"]["code"], -32601, "{body}");
    let (status, body) =
        outcome(door.modern("tools/invent", json!({})).send().await.unwrap()).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::NOT_FOUND, &json!(-32601))
    );
    let body = answer(door.legacy("tools/list", json!({"cursor": "3"}))).await;
    assert_eq!(body["error"]["code"], -32602, "{body}");
    for removed in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
    ] {
        let sent = door.modern(removed, json!({})).send().await.unwrap();
        let (status, body) = outcome(sent).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{removed}: {body}");
        assert_eq!(body["error"]["code"], -32601, "{removed}: {body}");
    }
}

#[tokio::test]
async fn resources_are_listed_read_and_described_by_templates() {
    let door = Door::open().await;
    let [legacy, modern] = door.both("resources/list", json!({})).await;
    assert_eq!(legacy["resources"], modern["resources"]);
    let resources = legacy["resources"].as_array().unwrap();
    assert_eq!(resources.len(), 3);
    for resource in resources {
        for read in door
            .both("resources/read", json!({"uri": resource["uri"]}))
            .await
        {
            assert_eq!(read["contents"][0]["mimeType"], "text/markdown");
            assert_eq!(
                read["contents"][0]["text"].as_str().unwrap().len(),
                resource["size"].as_u64().unwrap() as usize
            );
        }
    }
    let [templates, _] = door.both("resources/templates/list", json!({})).await;
    assert_eq!(
        templates["resourceTemplates"][2]["uriTemplate"],
        "sportello://products/{id}"
    );
    let [read, _] = door
        .both(
            "resources/read",
            json!({"uri": "sportello://products/grinder-one"}),
        )
        .await;
    let product: Value =
        serde_json::from_str(read["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(product["image"], "https://shop.example/images/grinder.svg");
    assert_eq!(product["stock"], 4);
    let missing = json!({"uri": "sportello://products/none"});
    assert_eq!(
        answer(door.legacy("resources/read", missing.clone())).await["error"]["code"],
        -32002
    );
    assert_eq!(
        answer(door.modern("resources/read", missing)).await["error"]["code"],
        -32602
    );
}

#[tokio::test]
async fn prompts_are_listed_filled_and_completed() {
    let door = Door::open().await;
    for listed in door.both("prompts/list", json!({})).await {
        assert_eq!(listed["prompts"][0]["name"], "advise");
        assert_eq!(listed["prompts"][0]["arguments"][0]["required"], true);
    }
    let get = json!({"name": "advise", "arguments": {"need": "a grinder"}});
    for filled in door.both("prompts/get", get).await {
        assert_eq!(filled["messages"][0]["role"], "user");
        assert_eq!(filled["messages"][0]["content"]["text"], "Find: a grinder");
    }
    for wrong in [
        json!({"name": "none"}),
        json!({"name": "advise"}),
        json!({"name": "advise", "arguments": {"need": 1}}),
    ] {
        assert_eq!(
            answer(door.legacy("prompts/get", wrong)).await["error"]["code"],
            -32602
        );
    }
    let prompt = json!({"ref": {"type": "ref/prompt", "name": "advise"}, "argument": {"name": "need", "value": "A G"}});
    for result in door.both("completion/complete", prompt).await {
        assert_eq!(
            result["completion"]["values"],
            json!(["a grinder", "a gift"])
        );
    }
    let product = json!({"ref": {"type": "ref/resource", "uri": "sportello://products/{id}"}, "argument": {"name": "id", "value": "gri"}});
    let [result, _] = door.both("completion/complete", product).await;
    assert_eq!(result["completion"]["values"], json!(["grinder-one"]));
    let policies = "sportello://policies/{slug}/{language}";
    let language = json!({
        "ref": {"type": "ref/resource", "uri": policies},
        "argument": {"name": "language", "value": ""},
        "context": {"arguments": {"slug": "returns"}},
    });
    let [result, _] = door.both("completion/complete", language).await;
    assert_eq!(result["completion"]["values"], json!(["en", "it"]));
    let unknown = json!({"ref": {"type": "ref/prompt", "name": "none"}, "argument": {"name": "need", "value": ""}});
    for result in door.both("completion/complete", unknown).await {
        assert_eq!(result["completion"]["values"], json!([]));
    }
}
