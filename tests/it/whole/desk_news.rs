//! What the desk must see of WhatsApp, through the whole program: alerts, hand-overs by a status, quotes, contacts
//! that are one person.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use sportello::simulate::Reply;

use crate::counter::{Stream, set_cookie};
use crate::serving::deliver;
use crate::support::graph::{status_webhook, template_webhook, text_webhook};
use crate::support::program::{Program, column, number, run, until, warm};
use crate::support::stand_in::StandIn;
use crate::support::stripe::unix_now;

const PASSWORD: &str = "una tazzina";
const PHONE: &str = "393331234567";
const SETTLED: &str = "SELECT (SELECT COUNT(*) FROM inbox WHERE turn_id IS NULL) \
    + (SELECT COUNT(*) FROM outbox WHERE state = 'sending')";

struct Desk {
    program: Program,
    client: Client,
    cookie: String,
}

impl Desk {
    async fn open(data: &std::path::Path, stand_in: &StandIn) -> Self {
        let own = stand_in.variables();
        let mut all: Vec<(&str, &str)> = own
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        all.push(("SPORTELLO_DESK__PASSWORD", PASSWORD));
        let program = Program::serve(data, &all).await.unwrap();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let login = client
            .post(format!("{}/desk/login", program.url))
            .form(&[("password", PASSWORD)])
            .send()
            .await
            .unwrap();
        let cookie = set_cookie(&login);
        Self {
            program,
            client,
            cookie,
        }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.program.url);
        let request = self.client.get(url).header("cookie", &self.cookie);
        request.send().await.unwrap()
    }

    async fn list(&self) -> Value {
        self.get("/desk/api/conversations")
            .await
            .json()
            .await
            .unwrap()
    }

    async fn alerts(&self) -> Vec<Value> {
        self.list().await["alerts"].as_array().unwrap().clone()
    }

    async fn clear(&self, alert: &Value) -> u16 {
        let url = format!("{}/desk/api/alerts/clear", self.program.url);
        let body = json!({ "kind": alert["kind"], "subject": alert["subject"] });
        let request = self.client.post(url).header("cookie", &self.cookie);
        request.json(&body).send().await.unwrap().status().as_u16()
    }

    async fn metric(&self, line: &str) -> bool {
        let text = self.get("/metrics").await.text().await.unwrap();
        text.lines().any(|found| found == line)
    }

    async fn deliver(&self, body: &Value) {
        assert_eq!(deliver(&self.program.url, body).await, Some(200));
    }

    async fn says(&self, id: &str, text: &str) {
        self.deliver(&text_webhook(PHONE, id, text, unix_now()))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_error_table_alerts_of_is_on_the_desk_and_on_metrics() {
    let (data, stand_in) = (warm().await, StandIn::start().await);
    let desk = Desk::open(data.path(), &stand_in).await;
    desk.deliver(&template_webhook("APPROVED", "order_update", "it"))
        .await;
    // Token, restriction, payment method, a wrong request and spam: each answers a reply. A paused template
    // answers a notification.
    let table = [
        (190, "number"),
        (131_031, "number"),
        (131_042, "number"),
        (131_009, "payload"),
        (132_015, "template"),
        (131_048, "bulk"),
    ];
    for (place, (code, kind)) in table.into_iter().enumerate() {
        stand_in.graph.reply_next(&[Reply::Code(code)]);
        if kind == "template" {
            let told = run(
                data.path(),
                &["notify", "order", "10412", "--key", "once"],
                &[],
                "",
            )
            .await;
            assert_eq!(told.code, Some(0), "{told}");
        } else {
            let phone = format!("39335000000{place}");
            let words = "Spedite a Malta?";
            let message = text_webhook(&phone, &format!("wamid.{code}"), words, unix_now());
            desk.deliver(&message).await;
        }
        let (mut found, asked) = (Value::Null, format!("code {code}"));
        until("the desk shows the alert", async || {
            let alerts = desk.alerts().await;
            let is = |alert: &&Value| alert["detail"].as_str().unwrap().contains(&asked);
            found = alerts.iter().find(is).cloned().unwrap_or_default();
            found != Value::Null
        })
        .await;
        assert_eq!(found["kind"], kind, "{code}");
        let counted = format!("sportello_alerts{{kind=\"{kind}\"}} 1");
        until("it is counted", async || desk.metric(&counted).await).await;
        assert_eq!(desk.clear(&found).await, 204);
        assert!(desk.alerts().await.is_empty(), "{code}");
        if kind == "number" {
            until("what waited for the number goes", async || {
                stand_in.taken().len() == place + 1 && number(data.path(), SETTLED).await == 0
            })
            .await;
        }
    }
    desk.program.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_by_a_status_reaches_an_open_desk_at_once() {
    let (data, stand_in) = (warm().await, StandIn::start().await);
    let desk = Desk::open(data.path(), &stand_in).await;
    desk.says("wamid.one", "Spedite a Malta?").await;
    until("it is answered", async || {
        stand_in.taken().len() == 1 && number(data.path(), SETTLED).await == 0
    })
    .await;
    // What the turn itself tells is over.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut changes = Stream::new(desk.get("/desk/api/events").await);
    assert_eq!(changes.next().await.0, "everything");
    let sent = &stand_in.taken()[0];
    let mut failed = status_webhook(&sent.request, &sent.wamid, "failed", unix_now());
    failed["entry"][0]["changes"][0]["value"]["statuses"][0]["errors"] =
        json!([{ "code": 131_009, "title": "wrong" }]);
    desk.deliver(&failed).await;
    let event = tokio::time::timeout(Duration::from_secs(20), changes.next()).await;
    let conversation = column(data.path(), "SELECT id FROM conversations")
        .await
        .remove(0);
    let expected = ("conversation".to_owned(), json!({ "id": conversation }));
    assert_eq!(event.expect("the page is told"), expected);
    let list = desk.list().await;
    assert_eq!(list["conversations"][0]["reason"], "not_sent");
    desk.program.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_a_quoted_product_is_answered_about_it() {
    let (data, stand_in) = (warm().await, StandIn::start().await);
    let desk = Desk::open(data.path(), &stand_in).await;
    let mut asked = text_webhook(PHONE, "wamid.one", "Do you have this in black?", unix_now());
    asked["entry"][0]["changes"][0]["value"]["messages"][0]["context"] = json!({
        "from": "15550783881", "id": "wamid.catalog",
        "referred_product": { "catalog_id": "1", "product_retailer_id": "macchina-aria" },
    });
    desk.deliver(&asked).await;
    until("it is answered", async || stand_in.taken().len() == 1).await;
    let answer = stand_in.taken()[0].clone();
    let text = answer.request.to_string();
    assert!(
        text.contains("Aria") && text.to_lowercase().contains("black"),
        "{text}"
    );

    // And about the answer itself, after something else was said.
    desk.says("wamid.two", "Do you ship to Malta?").await;
    until("that is answered", async || stand_in.taken().len() == 2).await;
    let mut quoting = text_webhook(PHONE, "wamid.three", "and this in red?", unix_now());
    quoting["entry"][0]["changes"][0]["value"]["messages"][0]["context"] =
        json!({ "from": "15550783881", "id": answer.wamid });
    desk.deliver(&quoting).await;
    until("this too", async || stand_in.taken().len() == 3).await;
    let text = stand_in.taken()[2].request.to_string();
    assert!(
        text.contains("Aria") && text.to_lowercase().contains("red"),
        "{text}"
    );

    let conversation = column(data.path(), "SELECT id FROM conversations")
        .await
        .remove(0);
    let open = desk
        .get(&format!("/desk/api/conversations/{conversation}"))
        .await;
    let open: Value = open.json().await.unwrap();
    let messages = open["messages"].as_array().unwrap();
    assert_eq!(messages[0]["product"], "macchina-aria");
    assert_eq!(messages[4]["quoted"]["id"], messages[1]["id"]);
    desk.program.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_contacts_are_joined_by_hand_while_a_server_runs_and_without_one() {
    let (data, stand_in) = (warm().await, StandIn::start().await);
    let desk = Desk::open(data.path(), &stand_in).await;
    let user = "IT.13491208655302741918";
    let by_name = |id: &str, user: &str| {
        let mut body = text_webhook("x", id, "ciao", unix_now());
        let value = &mut body["entry"][0]["changes"][0]["value"];
        value["contacts"] = json!([{ "profile": { "name": "Ada" }, "user_id": user }]);
        let message = value["messages"][0].as_object_mut().unwrap();
        message.remove("from");
        message.insert("from_user_id".to_owned(), json!(user));
        body
    };
    desk.says("wamid.one", "ciao").await;
    desk.deliver(&by_name("wamid.two", user)).await;
    desk.deliver(&by_name("wamid.three", "IT.999")).await;
    until("all are answered", async || {
        stand_in.taken().len() == 3 && number(data.path(), SETTLED).await == 0
    })
    .await;
    let phone = format!("+{PHONE}");
    let merge = async |other: &str| {
        let arguments = ["contacts", "merge", user, other, "--json"];
        run(data.path(), &arguments, &[], "").await
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut changes = Stream::new(desk.get("/desk/api/events").await);
    assert_eq!(changes.next().await.0, "everything");
    let refused = merge("+390000000").await;
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.said.contains("contacts list"), "{refused}");
    let merged = merge(&phone).await;
    assert_eq!(merged.code, Some(0), "{merged}");
    assert_eq!(merged.json()["joined"].as_array().unwrap().len(), 1);
    let told = tokio::time::timeout(Duration::from_secs(20), changes.next()).await;
    assert_eq!(told.expect("the desk is told").0, "conversation");
    assert_eq!(
        number(data.path(), "SELECT COUNT(*) FROM contacts").await,
        2
    );
    assert_eq!(desk.program.stop().await, Some(0));

    let merged = merge("IT.999").await;
    assert_eq!(merged.code, Some(0), "{merged}");
    let list = run(data.path(), &["contacts", "list", "--json"], &[], "").await;
    let list = list.json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(
        (&list[0]["phone"], &list[0]["user_id"]),
        (&json!(phone), &json!(user))
    );
    let shown = run(data.path(), &["contacts", "show", &phone], &[], "").await;
    assert_eq!(shown.code, Some(0), "{shown}");
    assert_eq!(
        shown.out.matches("contact_merged by operator").count(),
        2,
        "{shown}"
    );
    let ads = run(data.path(), &["report", "ads", "--json"], &[], "").await;
    assert_eq!(ads.json(), json!([]));
}
