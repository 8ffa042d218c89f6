//! The desk.

use reqwest::{Response, header};
use serde_json::{Value, json};
use sportello::domain::{About, Channel, Inbound, InboundContent, Speaker};
use sportello::store::Intake;

use crate::counter::{CARD, Counter, PASSWORD, Stream, set_cookie, start, with};

async fn log_in(counter: &Counter, password: &str) -> Response {
    counter
        .post("/desk/login")
        .form(&[("password", password)])
        .send()
        .await
        .unwrap()
}

async fn cookie(counter: &Counter) -> String {
    set_cookie(&log_in(counter, PASSWORD).await)
}

async fn read(counter: &Counter, cookie: &str, path: &str) -> Value {
    let response = with(counter.get(path), Some(cookie)).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

#[tokio::test]
async fn only_the_password_opens_the_desk() {
    let counter = start(|_| {}).await;
    let form = counter.get("/desk").send().await.unwrap();
    assert!(form.text().await.unwrap().contains("type=\"password\""));
    let wrong = log_in(&counter, "una tazza").await;
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers().get(header::SET_COOKIE).is_none());
    assert!(wrong.text().await.unwrap().contains("not the password"));

    let right = log_in(&counter, PASSWORD).await;
    assert_eq!(right.status(), 303);
    let attributes = right.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    for part in [
        "sportello_desk=",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/desk",
    ] {
        assert!(attributes.contains(part), "{attributes}");
    }
    let page = with(counter.get("/desk"), Some(&set_cookie(&right)))
        .send()
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("id=\"waiting\""));

    let out = counter.post("/desk/logout").send().await.unwrap();
    assert!(
        out.headers()[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
}

#[tokio::test]
async fn guessing_the_password_is_slowed_down() {
    let counter = start(|_| {}).await;
    for _ in 0..10 {
        assert_eq!(log_in(&counter, "guess").await.status(), 401);
    }
    let refused = log_in(&counter, PASSWORD).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().get(header::RETRY_AFTER).is_some());
}

#[tokio::test]
async fn nothing_of_the_desk_answers_without_its_cookie() {
    let counter = start(|_| {}).await;
    let (visitor, conversation) = counter.visitor("hello").await;
    let base = format!("/desk/api/conversations/{conversation}");
    let forged = "sportello_desk=9999999999999.00000000000000000000000000000000";
    for cookie in [None, Some(visitor.as_str()), Some(forged)] {
        for path in ["/desk/api/conversations", &base, "/desk/api/events"] {
            assert_eq!(
                with(counter.get(path), cookie)
                    .send()
                    .await
                    .unwrap()
                    .status(),
                401,
                "{path}"
            );
        }
        for verb in ["reply", "take", "hand-back"] {
            let request =
                with(counter.post(&format!("{base}/{verb}")), cookie).json(&json!({ "text": "x" }));
            assert_eq!(request.send().await.unwrap().status(), 401, "{verb}");
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
}

#[tokio::test]
async fn a_person_takes_replies_and_hands_back_and_the_visitor_sees_it() {
    let counter = start(|_| {}).await;
    let (visitor, conversation) = counter.visitor("è la terza volta!").await;
    let desk = cookie(&counter).await;
    let mut watched = Stream::new(
        with(counter.get("/api/chat/events"), Some(&visitor))
            .send()
            .await
            .unwrap(),
    );
    assert_eq!(watched.next().await.1["text"], "è la terza volta!");
    assert_eq!(watched.next().await.1["holder"], "agent");
    let mut changes = Stream::new(
        with(counter.get("/desk/api/events"), Some(&desk))
            .send()
            .await
            .unwrap(),
    );
    assert_eq!(changes.next().await.0, "everything");
    let base = format!("/desk/api/conversations/{conversation}");
    let act = async |verb: &str, body: Value| {
        let request = with(counter.post(&format!("{base}/{verb}")), Some(&desk)).json(&body);
        request.send().await.unwrap().status().as_u16()
    };

    assert_eq!(act("take", json!({})).await, 204);
    assert_eq!(watched.next().await.1["holder"], "human");
    assert_eq!(
        changes.next().await,
        ("conversation".to_owned(), json!({ "id": conversation }))
    );
    let list = read(&counter, &desk, "/desk/api/conversations").await;
    assert_eq!(
        (&list["waiting"], &list["conversations"][0]["holder"]),
        (&json!(1), &json!("human"))
    );
    assert_eq!(list["conversations"][0]["last"], "è la terza volta!");

    assert_eq!(
        act("reply", json!({ "text": format!("Eccomi {CARD}") })).await,
        204
    );
    let (name, said) = watched.next().await;
    assert_eq!(
        (name.as_str(), said["speaker"].as_str()),
        ("message", Some("human"))
    );
    assert_eq!(said["text"], "Eccomi [card •••• 1111]");
    let said = counter
        .store
        .transcript(&conversation, "", 10)
        .await
        .unwrap();
    assert_eq!(said.last().unwrap().speaker, Speaker::Human);
    let open = read(&counter, &desk, &base).await;
    assert_eq!(open["messages"].as_array().unwrap().len(), 2);

    assert_eq!(watched.next().await.1["holder"], "human");
    assert_eq!(act("hand-back", json!({})).await, 204);
    assert_eq!(watched.next().await.1["holder"], "agent");
    let list = read(&counter, &desk, "/desk/api/conversations").await;
    assert_eq!(
        (&list["waiting"], &list["conversations"][0]["holder"]),
        (&json!(0), &json!("agent"))
    );
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let counter = start(|_| {}).await;
    let (_, conversation) = counter.visitor("hello").await;
    let desk = cookie(&counter).await;
    let act = async |id: &str, verb: &str, body: Value| {
        let request = with(
            counter.post(&format!("/desk/api/conversations/{id}/{verb}")),
            Some(&desk),
        )
        .json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    let id = conversation.as_str();
    assert_eq!(act(id, "reply", json!({ "text": " " })).await, 422);
    assert_eq!(
        act(id, "reply", json!({ "text": "x".repeat(4001) })).await,
        422
    );
    assert_eq!(act("cv_none", "reply", json!({ "text": "x" })).await, 404);
    assert_eq!(act("cv_none", "take", json!({})).await, 404);
    let open = with(counter.get("/desk/api/conversations/cv_none"), Some(&desk))
        .send()
        .await
        .unwrap();
    assert_eq!(open.status(), 404);
}

#[tokio::test]
async fn two_contacts_that_a_message_has_shown_as_one_are_joined_at_the_desk() {
    let counter = start(|_| {}).await;
    let desk = cookie(&counter).await;
    let says = async |phone: Option<&str>, user: Option<&str>, id: &str| {
        let inbound = Inbound {
            channel: Channel::Whatsapp,
            recipient: "us".to_owned(),
            external_id: id.to_owned(),
            sender: phone.or(user).unwrap().to_owned(),
            phone: phone.map(str::to_owned),
            name: Some("Ada".to_owned()),
            sent_at: 1,
            content: InboundContent::Text {
                text: id.to_owned(),
            },
            about: About {
                user_id: user.map(str::to_owned),
                ..About::default()
            },
        };
        let intake = Intake {
            messages: vec![(inbound, 0)],
            ..Intake::default()
        };
        let accepted = counter.store.accept(intake, 1).await.unwrap();
        accepted[0].conversation.clone()
    };
    let (phone, user) = ("+393331234567", "IT.1234");
    let other = says(Some(phone), None, "one").await;
    let stranger = says(Some("+390000000001"), None, "stranger").await;
    says(None, Some(user), "two").await;
    let kept = says(Some(phone), Some(user), "three").await;
    let base = format!("/desk/api/conversations/{kept}");
    let open = read(&counter, &desk, &base).await;
    assert_eq!(open["perhaps"][0]["phone"], phone);
    let merge = async |contact: &Value| {
        let request = with(counter.post(&format!("{base}/merge")), Some(&desk));
        request
            .json(&json!({ "contact": contact }))
            .send()
            .await
            .unwrap()
    };
    let stranger = counter
        .store
        .conversation(&stranger)
        .await
        .unwrap()
        .unwrap();
    let refused = merge(&json!(stranger.contact.id)).await;
    assert_eq!(refused.status(), 409);
    let why: Value = refused.json().await.unwrap();
    assert!(
        why["error"]
            .as_str()
            .unwrap()
            .contains("no message has shown"),
        "{why}"
    );

    let joined = merge(&open["perhaps"][0]["id"]).await;
    assert_eq!(joined.status(), 200);
    let joined: Value = joined.json().await.unwrap();
    assert_eq!(joined["joined"], json!([other]));
    let open = read(&counter, &desk, &base).await;
    assert_eq!(open["messages"].as_array().unwrap().len(), 3);
    assert_eq!(open["perhaps"], json!([]));
    let gone = with(
        counter.get(&format!("/desk/api/conversations/{other}")),
        Some(&desk),
    );
    assert_eq!(gone.send().await.unwrap().status(), 404);
}
