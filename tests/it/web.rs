//! The shop's page.

mod chat;
mod message;
mod pay;

use reqwest::header;
use serde_json::{Value, json};

use crate::counter::{set_cookie, start, with};

#[tokio::test]
async fn another_sites_page_cannot_post() {
    let counter = start(|_| {}).await;
    let (cookie, conversation) = counter.visitor("mine").await;
    let body = json!({ "id": "3f2b8c9e-8d6a-4c52-9a40-0d2f0c1b7a11", "text": "theirs" });
    let paths = [
        "/api/chat/messages",
        "/api/tools/echo",
        "/api/tools/echo/check",
        "/pay/x",
        "/desk/login",
        "/desk/logout",
    ];
    for path in paths {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ] {
            let request = with(counter.post(path), Some(&cookie)).header(name, value);
            assert_eq!(
                request.json(&body).send().await.unwrap().status(),
                403,
                "{path} {name}"
            );
        }
    }
    assert_eq!(
        counter
            .store
            .transcript(&conversation, "", 10)
            .await
            .unwrap()
            .len(),
        1
    );
    let own =
        with(counter.post("/api/chat/messages"), Some(&cookie)).header("origin", &counter.url);
    assert_eq!(own.json(&body).send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn tools_run_in_the_visitors_session() {
    let counter = start(|state| state.limits.tools_per_minute = 4).await;
    let call = async |cookie: Option<&str>, name: &str, body: Value| {
        let request = with(counter.post(&format!("/api/tools/{name}")), cookie);
        let response = request
            .header("accept-language", "it")
            .json(&body)
            .send()
            .await
            .unwrap();
        let cookie = response
            .headers()
            .get(header::SET_COOKIE)
            .is_some()
            .then(|| set_cookie(&response));
        (
            response.status().as_u16(),
            cookie,
            response.json::<Value>().await.unwrap(),
        )
    };
    let (status, cookie, result) = call(None, "echo", json!({ "words": "hi" })).await;
    let cookie = cookie.unwrap();
    assert_eq!((status, &result["isError"]), (200, &json!(false)));
    let expected = json!({ "words": "hi", "conversation": false, "written": [], "language": "it" });
    assert_eq!(result["structuredContent"], expected);
    let text = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expected);
    assert_eq!(
        counter.conversation(&cookie).await,
        None,
        "reading opens no conversation"
    );

    let (status, _, result) = call(Some(&cookie), "echo", json!({ "word": 1 })).await;
    assert_eq!((status, &result["isError"]), (200, &json!(true)));
    assert!(
        result["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("words")
    );
    assert!(result.get("structuredContent").is_none());

    let (status, _, result) = call(Some(&cookie), "note/check", json!({})).await;
    assert_eq!((status, &result["isError"]), (200, &json!(false)));
    let (status, _, result) = call(Some(&cookie), "echo/check", json!({ "word": 1 })).await;
    assert_eq!((status, &result["isError"]), (200, &json!(true)));
    let (status, _, result) = call(Some(&cookie), "absent/check", json!({})).await;
    assert_eq!((status, &result["isError"]), (404, &json!(true)));
    assert_eq!(
        counter.conversation(&cookie).await,
        None,
        "asking whether it would be taken does nothing"
    );

    let (_, _, result) = call(Some(&cookie), "note", json!({})).await;
    let opened = counter.conversation(&cookie).await.unwrap();
    assert_eq!(result["structuredContent"]["conversation"], opened.as_str());
    counter.say(Some(&cookie), "my mail is a@b.example").await;
    let (_, _, result) = call(Some(&cookie), "echo", json!({ "words": "" })).await;
    assert_eq!(
        result["structuredContent"]["written"],
        json!(["my mail is a@b.example"])
    );

    let (status, _, _) = call(Some(&cookie), "echo", json!({ "words": "" })).await;
    assert_eq!(status, 429);
    let (status, _, result) = call(None, "payment_of_one_euro", json!({})).await;
    assert_eq!((status, &result["isError"]), (404, &json!(true)));
    let malformed = counter
        .post("/api/tools/echo")
        .body("{")
        .send()
        .await
        .unwrap();
    assert_eq!(malformed.status(), 400);
}

#[tokio::test]
async fn the_page_is_closed_to_other_scripts_and_speaks_the_browsers_language() {
    let counter = start(|_| {}).await;
    let response = counter
        .get("/")
        .header("accept-language", "de-AT,de;q=0.9")
        .send()
        .await
        .unwrap();
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let html = response.text().await.unwrap();
    assert!(html.contains("<html lang=\"de\"") && html.contains("Nachricht schreiben"));
    assert!(html.contains("href=\"/desk\"") && html.contains("href=\"/llms.txt\""));
    let english = counter
        .get("/?language=en")
        .header("accept-language", "de")
        .send()
        .await
        .unwrap();
    assert!(english.text().await.unwrap().contains("Write a message"));

    let script = counter.get("/assets/app.js").send().await.unwrap();
    assert_eq!(
        script.headers()[header::CONTENT_TYPE],
        "text/javascript; charset=utf-8"
    );
    let tag = script.headers()[header::ETAG].clone();
    let again = counter
        .get("/assets/app.js")
        .header(header::IF_NONE_MATCH, tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(
        counter
            .get("/assets/missing.js")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test]
async fn the_shelf_and_its_pictures() {
    let counter = start(|_| {}).await;
    let body: Value = counter
        .get("/api/products?language=it")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(body["products"][0]["title"], "Macchina espresso Aria");
    assert_eq!(
        body["products"][0]["price"],
        json!({ "minor": 14_900, "currency": "EUR" })
    );
    let picture = counter
        .get(body["products"][0]["image"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(picture.headers()[header::CONTENT_TYPE], "image/svg+xml");
    assert!(
        picture.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .contains("sandbox")
    );
    assert_eq!(
        counter
            .get("/images/none.svg")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    assert_eq!(
        counter
            .get("/images/..%2Fcatalog.csv")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}
