//! The shop's page.

use std::sync::Arc;

use reqwest::header;
use serde_json::{Value, json};
use sportello::clock;
use sportello::domain::{Channel, Holder, Progress};
use sportello::events::Event;
use sportello::ports::PaymentError;
use sportello::store::Store;
use sportello::web::PaymentDoor;

use crate::counter::{CARD, Stream, set_cookie, start, with};

#[tokio::test]
async fn a_message_makes_a_session_and_survives_the_process() {
    let counter = start(|_| {}).await;
    let response = counter.say(None, "Ciao!").await;
    assert_eq!(response.status(), 202);
    let attributes = response.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"),
        "{attributes}"
    );
    assert!(!attributes.contains("Secure"), "plain HTTP: {attributes}");
    let cookie = set_cookie(&response);
    let value = cookie.strip_prefix("sportello_session=").unwrap();
    assert_eq!(value.len(), 32);
    let conversation = counter.conversation(&cookie).await.unwrap();
    assert!(
        counter
            .say(Some(&cookie), "Altro")
            .await
            .headers()
            .get(header::SET_COOKIE)
            .is_none()
    );
    counter.wake.notified().await;

    // No graceful end: what was acknowledged is in the files already.
    let reopened = Store::open(counter.folder.path()).await.unwrap();
    let texts: Vec<String> = reopened
        .transcript(&conversation, "", 10)
        .await
        .unwrap()
        .into_iter()
        .map(|said| said.text)
        .collect();
    assert_eq!(texts, ["Ciao!", "Altro"]);
    assert_eq!(
        reopened
            .conversation_of(Channel::Web, value, "web")
            .await
            .unwrap(),
        None,
        "only its hash is stored"
    );
}

#[tokio::test]
async fn behind_https_the_cookie_is_secure() {
    let counter =
        start(|state| state.public_url = Some("https://shop.example/".parse().unwrap())).await;
    let response = counter.say(None, "Hi").await;
    assert!(
        response.headers()[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .ends_with("; Secure")
    );
}

#[tokio::test]
async fn the_same_id_is_the_same_message_within_one_session_only() {
    let counter = start(|_| {}).await;
    let (cookie, conversation) = counter.visitor("first").await;
    let body = json!({ "id": "3f2b8c9e-8d6a-4c52-9a40-0d2f0c1b7a11", "text": "once" });
    let send = async |cookie: Option<&str>| {
        let response = with(counter.post("/api/chat/messages"), cookie)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 202);
        response.json::<Value>().await.unwrap()
    };
    assert!(send(Some(&cookie)).await["id"].is_string());
    assert!(send(Some(&cookie)).await["id"].is_null());
    assert_eq!(
        counter
            .store
            .transcript(&conversation, "", 10)
            .await
            .unwrap()
            .len(),
        2
    );
    assert!(
        send(None).await["id"].is_string(),
        "another visitor's id stands in nobody's way"
    );
}

#[tokio::test]
async fn a_card_number_reaches_no_file() {
    let counter = start(|_| {}).await;
    let (_, conversation) = counter.visitor(&format!("pay with {CARD}")).await;
    let said = counter
        .store
        .transcript(&conversation, "", 10)
        .await
        .unwrap();
    assert_eq!(said[0].text, "pay with [card •••• 1111]");
    for entry in std::fs::read_dir(counter.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes
            .windows(CARD.len())
            .any(|window| window == CARD.as_bytes());
        assert!(!found, "{}", path.display());
    }
}

#[tokio::test]
async fn a_bad_body_is_refused_with_what_to_do() {
    let counter = start(|_| {}).await;
    let id = "3f2b8c9e-8d6a-4c52-9a40-0d2f0c1b7a11";
    let cases = [
        ("{".to_owned(), 400),
        (json!({ "id": id }).to_string(), 422),
        (json!({ "id": "1", "text": "x" }).to_string(), 422),
        (json!({ "id": id, "text": " \n" }).to_string(), 422),
        (
            json!({ "id": id, "text": "é".repeat(4001) }).to_string(),
            422,
        ),
        (
            json!({ "id": id, "text": "é".repeat(4000) }).to_string(),
            202,
        ),
        (format!("\"{}\"", "x".repeat(70_000)), 413),
    ];
    for (body, status) in cases {
        let start: String = body.chars().take(60).collect();
        let response = counter
            .post("/api/chat/messages")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{start}");
        if status != 202 {
            let text = response.json::<Value>().await.unwrap()["error"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(text.contains('.') && text.len() > 20, "{text}");
        }
    }
}

#[tokio::test]
async fn a_session_and_an_address_have_their_limits() {
    let counter = start(|state| {
        state.limits.messages_per_minute = 2;
        state.limits.address_per_minute = 6;
    })
    .await;
    let (cookie, _) = counter.visitor("1").await;
    assert_eq!(counter.say(Some(&cookie), "2").await.status(), 202);
    let refused = counter.say(Some(&cookie), "3").await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=31).contains(&wait), "{wait}");
    for _ in 0..3 {
        assert_eq!(counter.say(None, "another session").await.status(), 202);
    }
    assert_eq!(counter.say(None, "too many from here").await.status(), 429);
}

#[tokio::test]
async fn another_sites_page_cannot_post() {
    let counter = start(|_| {}).await;
    let (cookie, conversation) = counter.visitor("mine").await;
    let body = json!({ "id": "3f2b8c9e-8d6a-4c52-9a40-0d2f0c1b7a11", "text": "theirs" });
    let paths = [
        "/api/chat/messages",
        "/api/tools/echo",
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
async fn the_stream_tells_what_was_said_then_what_happens() {
    let counter = start(|_| {}).await;
    assert_eq!(
        counter
            .get("/api/chat/events")
            .send()
            .await
            .unwrap()
            .status(),
        204,
        "nothing said yet"
    );
    let (cookie, conversation) = counter.visitor("one").await;
    counter.say(Some(&cookie), "two").await;
    let mut stream = Stream::new(
        with(counter.get("/api/chat/events"), Some(&cookie))
            .send()
            .await
            .unwrap(),
    );
    let (name, first) = stream.next().await;
    assert_eq!(
        (name.as_str(), first["text"].as_str()),
        ("message", Some("one"))
    );
    assert_eq!(first["speaker"], "customer");
    assert_eq!(stream.next().await.1["text"], "two");
    assert_eq!(
        stream.next().await,
        ("holder".to_owned(), json!({ "holder": "agent" }))
    );

    counter.events.tell(
        &conversation,
        Event::Progress {
            stage: Progress::LookingUp,
        },
    );
    assert_eq!(
        stream.next().await,
        ("progress".to_owned(), json!({ "stage": "looking_up" }))
    );
    counter.say(Some(&cookie), "three").await;
    assert_eq!(stream.next().await.1["text"], "three");
    counter
        .store
        .set_holder(&conversation, Holder::Human, clock::now())
        .await
        .unwrap();
    counter.events.tell(&conversation, Event::Holder);
    assert_eq!(stream.next().await.1["holder"], "human");
    counter.events.tell(&conversation, Event::Done);
    assert_eq!(stream.next().await.0, "done");

    let first = first["id"].as_str().unwrap();
    let after = with(
        counter.get(&format!("/api/chat/events?after={first}")),
        Some(&cookie),
    );
    assert_eq!(
        Stream::new(after.send().await.unwrap()).next().await.1["text"],
        "two"
    );
    let again = with(counter.get("/api/chat/events"), Some(&cookie)).header("last-event-id", first);
    assert_eq!(
        Stream::new(again.send().await.unwrap()).next().await.1["text"],
        "two"
    );
}

#[tokio::test]
async fn a_stream_that_fell_behind_reads_again() {
    let counter = start(|_| {}).await;
    let (cookie, conversation) = counter.visitor("one").await;
    let mut stream = Stream::new(
        with(counter.get("/api/chat/events"), Some(&cookie))
            .send()
            .await
            .unwrap(),
    );
    assert_eq!(stream.next().await.1["text"], "one");
    assert_eq!(stream.next().await.0, "holder");
    counter
        .store
        .reply(&conversation, "hello".to_owned(), clock::now())
        .await
        .unwrap();
    // More than the channel holds, while nothing else runs on this thread.
    for _ in 0..200 {
        counter.events.tell(&conversation, Event::Done);
    }
    let (name, said) = stream.next().await;
    assert_eq!(
        (name.as_str(), said["text"].as_str()),
        ("message", Some("hello"))
    );
    assert_eq!(said["speaker"], "human");
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

#[tokio::test]
async fn a_demo_link_is_paid_once() {
    let counter = start(|_| {}).await;
    let (_, conversation) = counter.visitor("ok").await;
    let link = counter.payment(&conversation, clock::now() + 60_000).await;
    let path = format!("/pay/{}", link.id);
    let page = counter.get(&path).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(
        html.contains("nessun addebito") && html.contains("298,00\u{a0}€"),
        "{html}"
    );
    assert!(html.contains("Macchina &lt;espresso&gt; Aria") && html.contains("lang=\"it\""));

    let paid = counter.post(&path).send().await.unwrap();
    assert_eq!(
        (
            paid.status().as_u16(),
            paid.headers()[header::LOCATION].to_str().unwrap()
        ),
        (303, path.as_str())
    );
    let order = counter
        .store
        .payment(&link.id)
        .await
        .unwrap()
        .unwrap()
        .order
        .unwrap();
    for page in [
        counter.get(&path).send().await.unwrap(),
        counter.post(&path).send().await.unwrap(),
    ] {
        let html = page.text().await.unwrap();
        assert!(
            html.contains("Pagato, grazie") && html.contains(&format!(">{order}<")),
            "{html}"
        );
        assert!(!html.contains("<form"));
    }
    let thanks = counter
        .store
        .transcript(&conversation, "", 10)
        .await
        .unwrap();
    assert_eq!(thanks.len(), 2, "one thank-you");
}

#[tokio::test]
async fn an_expired_or_unknown_link_says_what_to_do() {
    let counter = start(|_| {}).await;
    let (_, conversation) = counter.visitor("ok").await;
    let link = counter.payment(&conversation, clock::now() - 1).await;
    let path = format!("/pay/{}", link.id);
    for page in [
        counter.get(&path).send().await.unwrap(),
        counter.post(&path).send().await.unwrap(),
    ] {
        assert_eq!(page.status(), 410);
        assert!(page.text().await.unwrap().contains("chiedi un nuovo link"));
    }
    assert_eq!(
        counter
            .store
            .payment(&link.id)
            .await
            .unwrap()
            .unwrap()
            .order,
        None
    );
    let unknown = counter.get("/pay/none").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert!(
        unknown
            .text()
            .await
            .unwrap()
            .contains("no such payment link")
    );
}

#[tokio::test]
async fn a_hosted_link_leads_to_the_provider_and_cannot_be_paid_here() {
    let counter = start(|state| {
        state.payments = PaymentDoor::Hosted(Arc::new(|link| {
            Box::pin(async move { Ok(format!("https://pay.example/c/{}", link.id)) })
        }));
    })
    .await;
    let (_, conversation) = counter.visitor("ok").await;
    let link = counter.payment(&conversation, clock::now() + 60_000).await;
    let path = format!("/pay/{}", link.id);
    let sent_on = counter.get(&path).send().await.unwrap();
    assert_eq!(sent_on.status(), 303);
    assert_eq!(
        sent_on.headers()[header::LOCATION],
        format!("https://pay.example/c/{}", link.id)
    );
    let back = counter
        .get(&format!("{path}?returned=1"))
        .send()
        .await
        .unwrap();
    assert!(
        back.text()
            .await
            .unwrap()
            .contains("http-equiv=\"refresh\"")
    );
    assert_eq!(counter.post(&path).send().await.unwrap().status(), 405);
    assert_eq!(
        counter
            .store
            .payment(&link.id)
            .await
            .unwrap()
            .unwrap()
            .order,
        None
    );
}

#[tokio::test]
async fn a_provider_that_is_away_is_said_so() {
    let counter = start(|state| {
        state.payments = PaymentDoor::Hosted(Arc::new(|_| {
            Box::pin(async { Err(PaymentError::Unavailable("timeout".to_owned())) })
        }));
    })
    .await;
    let (_, conversation) = counter.visitor("ok").await;
    let link = counter.payment(&conversation, clock::now() + 60_000).await;
    let page = counter
        .get(&format!("/pay/{}", link.id))
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 502);
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("Non è stato addebitato nulla")
    );
}
