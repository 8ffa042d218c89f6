//! Who is turned away at the HTTP door, and how.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Door, outcome};

#[tokio::test]
async fn only_known_origins_may_call_and_are_told_so() {
    let door = Door::open().await;
    for origin in [
        "https://evil.example",
        "https://shop.example:8443",
        "http://shop.example",
        "null",
        "nonsense",
    ] {
        let response = door
            .legacy("tools/list", json!({}))
            .header("origin", origin)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
        assert!(
            response
                .headers()
                .get("access-control-allow-origin")
                .is_none(),
            "{origin}"
        );
    }
    for origin in [
        "https://shop.example",
        "https://assistant.example",
        "http://localhost:5173",
        "http://[::1]:80",
    ] {
        let response = door
            .legacy("tools/list", json!({}))
            .header("origin", origin)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{origin}");
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
        assert_eq!(response.headers()["vary"], "Origin");
    }
}

#[tokio::test]
async fn a_browser_may_ask_before_it_posts() {
    let door = Door::open().await;
    let ask = |origin: &'static str| {
        door.client
            .request(Method::OPTIONS, door.url("/mcp"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,mcp-method")
            .send()
    };
    let allowed = ask("https://assistant.example").await.unwrap();
    assert_eq!(allowed.status(), StatusCode::NO_CONTENT);
    assert_eq!(allowed.headers()["access-control-allow-methods"], "POST");
    assert_eq!(
        allowed.headers()["access-control-allow-headers"],
        "content-type,mcp-method"
    );
    assert_eq!(
        ask("https://evil.example").await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_foreign_host_is_refused() {
    let door = Door::open().await;
    for (host, status) in [
        ("evil.example", StatusCode::FORBIDDEN),
        ("shop.example.evil.example", StatusCode::FORBIDDEN),
        ("shop.example", StatusCode::OK),
        ("counter.example", StatusCode::OK),
        ("localhost:1", StatusCode::OK),
    ] {
        let response = door
            .legacy("tools/list", json!({}))
            .header("host", host)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{host}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_message_is_a_bad_request() {
    let door = Door::open().await;
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{}1{}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    for (body, code, id) in [
        ("{\"jsonrpc\": ", -32700, json!(null)),
        ("", -32700, json!(null)),
        ("\u{fffd}{}", -32700, json!(null)),
        ("{\"id\": 5, \"hello\": 1}", -32600, json!(5)),
        ("[]", -32600, json!(null)),
        (
            "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}]",
            -32600,
            json!(null),
        ),
        ("3", -32600, json!(null)),
        (deep.as_str(), -32600, json!(null)),
    ] {
        let (status, answer) =
            outcome(door.post().body(body.to_owned()).send().await.unwrap()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body:.60}");
        assert_eq!(answer["error"]["code"], code, "{body:.60}");
        assert_eq!(answer["id"], id, "{body:.60}");
        assert_eq!(answer["jsonrpc"], "2.0");
    }
}

#[tokio::test]
async fn a_large_body_is_refused_by_its_size() {
    let door = Door::open().await;
    let call = |size: usize| json!({"name": "look_up", "arguments": {"query": "a".repeat(size)}});
    let (status, _) = outcome(
        door.legacy("tools/call", call(300 * 1024))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, _) = outcome(
        door.legacy("tools/call", call(200 * 1024))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn other_methods_and_types_are_refused_as_the_specification_says() {
    let door = Door::open().await;
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let response = door
            .client
            .request(method.clone(), door.url("/mcp"))
            .header("accept", "text/event-stream")
            .send()
            .await
            .unwrap();
        assert_eq!(
            response.status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method}"
        );
        assert_eq!(response.headers()["allow"], "POST");
    }
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let text = door
        .client
        .post(door.url("/mcp"))
        .header("content-type", "text/plain");
    let text = text
        .header("accept", "application/json, text/event-stream")
        .body(body.clone());
    assert_eq!(
        text.send().await.unwrap().status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let page = door
        .client
        .post(door.url("/mcp"))
        .header("content-type", "application/json");
    let page = page.header("accept", "text/html").body(body);
    assert_eq!(
        page.send().await.unwrap().status(),
        StatusCode::NOT_ACCEPTABLE
    );
}

#[tokio::test]
async fn headers_that_contradict_the_body_are_refused() {
    let door = Door::open().await;
    let call = json!({"name": "look_up", "arguments": {"query": "a"}});
    let other = door.modern("tools/call", call).header("mcp-name", "shaky");
    let (status, answer) = outcome(other.send().await.unwrap()).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::BAD_REQUEST, &json!(-32020)),
        "{answer}"
    );
    let unknown = door.post().header("mcp-protocol-version", "1999-01-01");
    let unknown =
        unknown.body(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string());
    assert_eq!(
        unknown.send().await.unwrap().status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn tool_calls_beyond_the_allowance_are_told_when_to_come_back() {
    let door = Door::with_allowance(2).await;
    let call = json!({"name": "look_up", "arguments": {"query": "a"}});
    for request in [
        door.legacy("tools/call", call.clone()),
        door.modern("tools/call", call.clone()),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
    for request in [
        door.legacy("tools/call", call.clone()),
        door.modern("tools/call", call),
    ] {
        let response = request.send().await.unwrap();
        let seconds: u64 = response.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=31).contains(&seconds), "{seconds}");
        let (status, answer) = outcome(response).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer["error"]["data"]["retryAfterSeconds"], seconds);
        assert_eq!(answer["id"], 7);
    }
    let listed = door.legacy("tools/list", json!({})).send().await.unwrap();
    assert_eq!(listed.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_hundred_calls_at_once_and_a_panic_among_them_are_all_answered() {
    let door = Door::open().await;
    let broken = json!({"name": "shaky", "arguments": {"way": "panic"}});
    for result in door.both("tools/call", broken).await {
        assert_eq!(result["isError"], true);
    }
    let calls = (0..100).map(|index| {
        let call = json!({"name": "look_up", "arguments": {"query": index.to_string()}});
        let request = if index % 2 == 0 {
            door.legacy("tools/call", call)
        } else {
            door.modern("tools/call", call)
        };
        async move { outcome(request.send().await.unwrap()).await }
    });
    for (index, (status, answer)) in join_all(calls).await.into_iter().enumerate() {
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            answer["result"]["structuredContent"]["found"][0],
            index.to_string()
        );
    }
}
