//! Stripe from the first question to the thanks, with its failures.

use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::Value;

use crate::serving::{deliver, serve};
use crate::support::graph::{Graph, text_webhook};
use crate::support::listener::nobody;
use crate::support::program::{Program, number, until, warm};
use crate::support::stripe::{KEY, Reply, SECRET, Stripe, event, sign, unix_now};

const CUSTOMER: &str = "4915112340000";
const PAID: &str = "SELECT COUNT(*) FROM payment_links WHERE state = 'paid'";
const PLACED: &str = "SELECT COUNT(*) FROM orders WHERE conversation_id IS NOT NULL";

fn variables(url: &str) -> [(&'static str, &str); 4] {
    [
        ("SPORTELLO_PAYMENTS__PROVIDER", "stripe"),
        ("SPORTELLO_PAYMENTS__STRIPE_SECRET_KEY", KEY),
        ("SPORTELLO_PAYMENTS__STRIPE_WEBHOOK_SECRET", SECRET),
        ("SPORTELLO_PAYMENTS__STRIPE_URL", url),
    ]
}

async fn say(program: &Program, graph: &Graph, id: &str, text: &str) -> Value {
    let before = graph.sent().len();
    let body = text_webhook(CUSTOMER, id, text, unix_now());
    assert_eq!(deliver(&program.url, &body).await, Some(200));
    until("the answer is sent", async || graph.sent().len() > before).await;
    graph.sent().last().unwrap().clone()
}

/// Chooses two pieces of a machine on WhatsApp; the path of the link in the answer.
async fn buy(program: &Program, graph: &Graph) -> String {
    say(
        program,
        graph,
        "wamid.ask",
        "hi, I'm looking for an espresso machine under 200 euros",
    )
    .await;
    let offer = say(
        program,
        graph,
        "wamid.buy",
        "ok I take two of the first one",
    )
    .await
    .to_string();
    let start = offer
        .find("/pay/")
        .unwrap_or_else(|| panic!("no link in {offer}"));
    let end = offer[start + 5..]
        .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
        .unwrap();
    offer[start..start + 5 + end].to_owned()
}

fn browser() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .build()
        .unwrap()
}

async fn tell(program: &Program, body: &str, signature: &str) -> StatusCode {
    reqwest::Client::new()
        .post(format!("{}/webhooks/stripe", program.url))
        .header("stripe-signature", signature)
        .body(body.to_owned())
        .send()
        .await
        .unwrap()
        .status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_ends_in_one_order_and_one_thanks() {
    let (data, graph, stripe) = (warm().await, Graph::start().await, Stripe::start().await);
    let config = stripe.config();
    let program = serve(data.path(), &graph, &variables(&config.stripe_url))
        .await
        .unwrap();
    let path = buy(&program, &graph).await;
    let page = format!("{}{path}", program.url);

    // Stripe is down for a moment, then opens one session however often the link is clicked.
    stripe.reply_next(&[
        Reply::Error(500, "api_error"),
        Reply::Error(500, "api_error"),
    ]);
    for _ in 0..2 {
        let sent = browser().get(&page).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::SEE_OTHER);
        assert_eq!(
            sent.headers()["location"],
            "https://checkout.stripe.test/c/pay/cs_test_1"
        );
    }
    assert_eq!((stripe.requests().len(), stripe.sessions().len()), (4, 1));
    let form = &stripe.requests()[0];
    let id = path.trim_start_matches("/pay/");
    assert_eq!(form["client_reference_id"], id);
    assert_eq!(form["line_items[0][quantity]"], "2");
    let total = number(
        data.path(),
        "SELECT total_minor FROM payment_links WHERE state = 'open'",
    )
    .await;
    let unit: i64 = form["line_items[0][price_data][unit_amount]"]
        .parse()
        .unwrap();
    assert_eq!(unit * 2, total);
    assert!((1..=20_000).contains(&unit), "the catalog's price: {unit}");

    let mut session = stripe.sessions().remove(0);
    session["payment_status"] = "paid".into();
    let completed = event("checkout.session.completed", &session).to_string();
    for (secret, time) in [("whsec_other", unix_now()), (SECRET, unix_now() - 3_600)] {
        let signature = sign(secret, time, completed.as_bytes());
        assert_eq!(tell(&program, &completed, &signature).await, 401);
    }
    assert_eq!(tell(&program, &completed, "").await, 401);
    assert_eq!(number(data.path(), PAID).await, 0);

    let before = graph.sent().len();
    let signature = sign(SECRET, unix_now(), completed.as_bytes());
    let told = futures::future::join_all((0..4).map(|_| tell(&program, &completed, &signature)));
    assert_eq!(told.await, [StatusCode::OK; 4]);
    until("the thanks are sent", async || graph.sent().len() > before).await;
    assert_eq!(tell(&program, &completed, &signature).await, 200);
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(graph.sent().len(), before + 1, "one thanks");
    assert_eq!(number(data.path(), PAID).await, 1);
    assert_eq!(number(data.path(), PLACED).await, 1);
    let order = number(
        data.path(),
        "SELECT CAST(number AS INTEGER) FROM orders WHERE conversation_id IS NOT NULL",
    )
    .await
    .to_string();
    let thanks = graph.sent().last().unwrap().to_string();
    assert!(thanks.contains(&order), "{thanks}");

    let shown = browser().get(&page).send().await.unwrap();
    assert_eq!(shown.status(), 200);
    assert!(shown.text().await.unwrap().contains(&order));
    assert_eq!(stripe.requests().len(), 4, "a paid link opens no session");
    let status = say(
        &program,
        &graph,
        "wamid.where",
        &format!("where is order {order}?"),
    )
    .await;
    assert!(status.to_string().contains(&order), "{status}");
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_stripe_the_customer_reads_a_courteous_page() {
    let (data, graph) = (warm().await, Graph::start().await);
    let away = format!("http://{}", nobody().await);
    let program = serve(data.path(), &graph, &variables(&away)).await.unwrap();
    let path = buy(&program, &graph).await;
    let shown = browser()
        .get(format!("{}{path}", program.url))
        .send()
        .await
        .unwrap();
    assert_eq!(shown.status(), StatusCode::BAD_GATEWAY);
    let text = shown.text().await.unwrap().to_lowercase();
    assert!(
        text.contains("<html") && text.contains("nothing was charged"),
        "{text}"
    );
    for word in ["error", "stripe", "http://127", "connection", "502"] {
        let body = text
            .split("<body")
            .nth(1)
            .unwrap()
            .replace(&program.url, "");
        assert!(!body.contains(word), "`{word}` in {body}");
    }
    // Nobody can pay by hand, and a payment that Stripe reports for an unknown link changes nothing.
    let by_hand = browser()
        .post(format!("{}{path}", program.url))
        .header("origin", &program.url)
        .send()
        .await
        .unwrap();
    assert_eq!(by_hand.status(), StatusCode::METHOD_NOT_ALLOWED);
    let stranger = serde_json::json!({ "id": "cs_9", "client_reference_id": "nobody", "payment_status": "paid" });
    let body = event("checkout.session.completed", &stranger).to_string();
    let signature = sign(SECRET, unix_now(), body.as_bytes());
    assert_eq!(tell(&program, &body, &signature).await, 200);
    assert_eq!(number(data.path(), PAID).await, 0);
    assert_eq!(program.stop().await, Some(0));
}
