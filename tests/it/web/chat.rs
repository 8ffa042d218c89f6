//! The visitor's messages and the stream of what happens.

use reqwest::header;
use serde_json::{Value, json};
use sportello::clock;
use sportello::domain::{Channel, Holder, Progress};
use sportello::events::Event;
use sportello::store::Store;

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
