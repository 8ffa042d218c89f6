//! Messages that the shop begins, through the whole program and a Graph API.

use std::path::Path;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::serving::{deliver, serve, variables};
use crate::support::graph::{
    ACCOUNT, Graph, account_webhook, faults, template_webhook, text_webhook,
};
use crate::support::program::{Ended, Program, number, run, until, warm};

const TOKEN: &str = "a-token-of-sixteen";

async fn notify(program: &Program, key: Option<&str>, body: Value) -> (StatusCode, Value) {
    let mut request = Client::new()
        .post(format!("{}/api/notify/order", program.url))
        .bearer_auth(TOKEN)
        .json(&body);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn says(program: &Program, id: &str, text: &str) {
    let now = jiff::Timestamp::now().as_second();
    let body = text_webhook("393385550147", id, text, now);
    assert_eq!(deliver(&program.url, &body).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_news_of_an_order_go_once_as_a_template_and_as_text() {
    let (data, graph) = (warm().await, Graph::start().await);
    let token = [("SPORTELLO_SERVER__API_TOKEN", TOKEN)];
    let program = serve(data.path(), &graph, &token).await.unwrap();
    let anonymous = Client::new()
        .post(format!("{}/api/notify/order", program.url))
        .json(&json!({ "number": "10412" }))
        .send()
        .await
        .unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    let order = json!({ "number": "10412", "event": "shipped" });
    let (status, refused) = notify(&program, None, order.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    assert!(
        refused["error"].as_str().unwrap().contains("not approved"),
        "{refused}"
    );
    let (status, _) = notify(&program, None, json!({ "number": "99999" })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = notify(
        &program,
        None,
        json!({ "number": "10412", "event": "danced" }),
    )
    .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);

    let approved = template_webhook("APPROVED", "order_update", "it");
    assert_eq!(deliver(&program.url, &approved).await, Some(200));
    let (status, queued) = notify(&program, None, order.clone()).await;
    assert_eq!(
        (status, &queued["template"]),
        (StatusCode::ACCEPTED, &json!(true)),
        "{queued}"
    );
    until("the template is sent", async || graph.sent().len() == 1).await;
    let sent = graph.sent().remove(0);
    assert_eq!(faults(&sent), Vec::<String>::new());
    assert_eq!(sent["to"], "+393385550147");
    assert_eq!(sent["template"]["language"]["code"], "it");
    let blanks = &sent["template"]["components"][0]["parameters"];
    assert_eq!(
        blanks[0],
        json!({ "type": "text", "text": "Marco", "parameter_name": "name" })
    );
    assert_eq!(blanks[2]["text"], "spedito");

    // The same again, here and on the command line, is said once.
    let (status, again) = notify(&program, None, order.clone()).await;
    assert_eq!((status, &again["before"]), (StatusCode::OK, &json!(true)));
    let arguments = ["notify", "order", "10412", "--event", "shipped", "--json"];
    let ended = run(data.path(), &arguments, &[], "").await;
    assert_eq!(
        (ended.code, &ended.json()["before"]),
        (Some(0), &json!(true)),
        "{ended}"
    );
    let unknown = run(data.path(), &["notify", "order", "99999"], &[], "").await;
    assert_eq!(unknown.code, Some(2), "{unknown}");

    // Once the customer has written, it is text; a key of the caller's makes it another message.
    says(&program, "wamid.1", "STOP").await;
    until("the stop is confirmed", async || graph.sent().len() == 2).await;
    let (status, queued) = notify(&program, Some("mine"), order.clone()).await;
    assert_eq!(
        (status, &queued["template"]),
        (StatusCode::ACCEPTED, &json!(false)),
        "{queued}"
    );
    until("the text is sent", async || graph.sent().len() == 3).await;
    let text = graph.sent()[2]["text"]["body"].as_str().unwrap().to_owned();
    assert!(
        text.contains("Marco") && text.contains("10412") && text.contains("spedito"),
        "{text}"
    );
    let (status, _) = notify(&program, Some("mine"), order).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        number(data.path(), "SELECT COUNT(*) FROM notifications").await,
        2
    );
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_confirmed_once_and_starts_no_turn() {
    let (data, graph) = (warm().await, Graph::start().await);
    let program = serve(data.path(), &graph, &[]).await.unwrap();
    says(&program, "wamid.1", "ANNULLA").await;
    until("it is confirmed", async || graph.sent().len() == 1).await;
    let said = |place: usize| {
        graph.sent()[place]["text"]["body"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(said(0).contains("START"), "{}", said(0));
    let turns = "SELECT COUNT(*) FROM turns";
    says(&program, "wamid.2", "stop").await;
    until("it is over", async || number(data.path(), turns).await == 2).await;
    says(&program, "wamid.3", "start").await;
    until("it is confirmed", async || graph.sent().len() == 2).await;
    assert!(said(1).contains("STOP"), "{}", said(1));
    let consents = "SELECT COUNT(*) FROM consents WHERE source = 'keyword' AND proof IS NOT NULL";
    assert_eq!(number(data.path(), consents).await, 2);
    let models = "SELECT COUNT(*) FROM turns WHERE trace LIKE '%\"model\"%'";
    assert_eq!(number(data.path(), models).await, 0, "no model was asked");

    // What Meta says of us is on the metrics.
    let flagged = json!({ "display_phone_number": "15550783881", "event": "FLAGGED",
                          "current_limit": "TIER_2K" });
    let body = account_webhook("phone_number_quality_update", flagged);
    assert_eq!(deliver(&program.url, &body).await, Some(200));
    let paused = template_webhook("PAUSED", "order_update", "it");
    assert_eq!(deliver(&program.url, &paused).await, Some(200));
    let metrics = reqwest::get(format!("{}/metrics", program.url))
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "sportello_whatsapp_quality{number=\"106540352242922\"} 1",
        "sportello_whatsapp_tier{number=\"106540352242922\"} 2000",
        "sportello_whatsapp_templates_paused 1",
        "sportello_alerts{kind=\"account\"} 1",
        "sportello_alerts{kind=\"template\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert_eq!(program.stop().await, Some(0));
}

async fn sync(data: &Path, graph: &Graph, more: &[(&str, &str)]) -> Ended {
    let config = graph.config();
    let own = variables(&config.graph_url);
    let mut all: Vec<(&str, &str)> = own
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    all.push(("SPORTELLO_WHATSAPP__WABA_ID", ACCOUNT));
    all.extend(more);
    run(data, &["templates", "sync", "--json"], &all, "").await
}

fn outcomes(ended: &Ended) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let report = ended.json();
    let templates = report["templates"].as_array().unwrap();
    templates
        .iter()
        .map(|one| {
            (
                text(&one["name"]),
                text(&one["language"]),
                text(&one["outcome"]),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_created_once_and_differences_are_told() {
    let (data, graph) = (tempfile::tempdir().unwrap(), Graph::start().await);
    graph.has_template(
        json!({ "id": "1", "name": "by_hand", "language": "en-US", "status": "APPROVED",
        "category": "UTILITY", "components": [{ "type": "BODY", "text": "Hello" }] }),
    );
    graph.has_template(
        json!({ "id": "2", "name": "order_update", "language": "it", "status": "APPROVED",
        "category": "MARKETING", "quality_score": { "score": "GREEN" },
        "components": [{ "type": "BODY", "text": "Altro" }] }),
    );
    let first = sync(data.path(), &graph, &[]).await;
    assert_eq!(first.code, Some(1), "one differs: {first}");
    let told = outcomes(&first);
    let count = |outcome: &str| told.iter().filter(|(.., found)| found == outcome).count();
    assert_eq!(
        (count("created"), count("different"), count("only_at_meta")),
        (5, 1, 1),
        "{told:?}"
    );
    assert_eq!(graph.templates().len(), 7);

    // Nothing is created twice, over several pages.
    let second = sync(data.path(), &graph, &[]).await;
    let told = outcomes(&second);
    let count = |outcome: &str| told.iter().filter(|(.., found)| found == outcome).count();
    assert_eq!(
        (count("same"), count("different"), count("only_at_meta")),
        (5, 1, 1),
        "{told:?}"
    );
    assert_eq!(graph.templates().len(), 7);
    assert!(!second.said.contains("secret") && !second.out.contains("secret"));

    let listed = run(data.path(), &["templates", "list", "--json"], &[], "").await;
    let listed = listed.json();
    let italian = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "order_update" && one["language"] == "it");
    let italian = italian.unwrap();
    assert_eq!(
        (&italian["category"], &italian["quality"]),
        (&json!("MARKETING"), &json!("GREEN"))
    );
    let tier = "SELECT COUNT(*) FROM channel_numbers WHERE tier = '2000' AND quality = 'GREEN' \
                AND display = '15550783881'";
    assert_eq!(number(data.path(), tier).await, 1);
    let without = run(data.path(), &["templates", "sync"], &[], "").await;
    assert_eq!(without.code, Some(2), "{without}");
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_with_faults_stop_the_check_and_the_start() {
    let data = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("bad.toml"),
        "name = \"Bad\"\nlanguage = \"it\"\ncategory = \"utility\"\ncomponents = []\n",
    )
    .unwrap();
    let path = folder.path().display().to_string();
    let variables = [("SPORTELLO_WHATSAPP__TEMPLATES", path.as_str())];
    let checked = run(
        data.path(),
        &["templates", "check", "--json"],
        &variables,
        "",
    )
    .await;
    assert_eq!(checked.code, Some(1), "{checked}");
    assert_eq!(
        checked.json()["faults"].as_array().unwrap().len(),
        2,
        "{checked}"
    );
    let good = run(data.path(), &["templates", "check"], &[], "").await;
    assert_eq!(
        (good.code, good.out.trim()),
        (Some(0), "ok: 6 templates"),
        "{good}"
    );
    let serving = run(
        data.path(),
        &["serve", "--listen", "127.0.0.1:0"],
        &variables,
        "",
    )
    .await;
    assert_eq!(serving.code, Some(2), "{serving}");
    assert!(serving.said.contains("bad.toml:1"), "{serving}");
}
