//! A tool that changes something asks first, in both eras, and does it once.

use futures::future::join_all;
use serde_json::{Value, json};
use sportello::domain::Scope;

use super::{Shop, outcome};

fn ticket(customer: &str) -> Value {
    json!({ "customer": customer, "subject": "Broken lid", "summary": "The lid came broken." })
}

fn and(mut arguments: Value, confirmation: &Value) -> Value {
    arguments["confirmation"] = confirmation.clone();
    arguments
}

async fn tickets(shop: &Shop) -> usize {
    let conversation = shop.app.store.desk(10).await.unwrap().remove(0).id;
    shop.app.store.tickets(&conversation).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_client_calls_twice() {
    let shop = Shop::open().await;
    let listed = shop.tools(None).await;
    let tool = listed.iter().find(|tool| tool["name"] == "open_ticket");
    let schema = jsonschema::validator_for(&tool.unwrap()["outputSchema"]).unwrap();
    let customer = shop.verified(None).await;

    let invalid = json!({ "customer": customer, "subject": "x", "summary": "The lid" });
    let text = shop.refused(None, "open_ticket", invalid).await;
    assert!(
        text.contains("`subject`"),
        "faults are told before anybody is asked: {text}"
    );

    let question = shop.done(None, "open_ticket", ticket(&customer)).await;
    schema.validate(&question).unwrap();
    assert_eq!(question["confirmation_required"], true);
    assert_eq!(question["expires_in_seconds"], 300);
    assert_eq!(tickets(&shop).await, 0, "nothing is done yet");
    let token = &question["confirmation"];

    // The token holds for exactly this call.
    let mut other = ticket(&customer);
    other["subject"] = json!("Something else");
    for (name, arguments) in [
        ("open_ticket", and(other, token)),
        ("open_ticket", and(ticket(&customer), &json!("spq_x"))),
        ("open_ticket", and(ticket(&customer), &json!("è"))),
        (
            "payment_link",
            json!({ "customer": customer, "confirmation": token,
                    "items": [{ "product_id": "moka-torretta-6", "quantity": 1 }] }),
        ),
    ] {
        let text = shop.refused(None, name, arguments).await;
        assert!(text.contains("Nothing was done"), "{text}");
    }
    assert_eq!(tickets(&shop).await, 0);

    // Many at once: one does it.
    let yes = and(ticket(&customer), token);
    let calls = (0..8).map(|_| shop.result(None, "open_ticket", yes.clone()));
    let results = join_all(calls).await;
    let (done, refused): (Vec<_>, Vec<_>) = results
        .iter()
        .partition(|result| result["isError"] == false);
    assert_eq!((done.len(), refused.len()), (1, 7));
    let opened = &done[0]["structuredContent"];
    schema.validate(opened).unwrap();
    assert_eq!(opened["created"], true);
    assert_eq!(tickets(&shop).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_client_asks_its_user() {
    let shop = Shop::open().await;
    let (token, _) = shop.token(&Scope::ALL).await;
    let token = Some(token.as_str());
    let customer = shop.verified(token).await;
    let call = json!({ "name": "open_ticket", "arguments": ticket(&customer) });
    let ask = async || {
        let (status, body) = outcome(shop.asking(token, &call)).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["result"]["resultType"], "input_required", "{body}");
        body["result"].clone()
    };
    let reply = async |token: Option<&str>, state: &Value, response: Value| {
        let mut call = call.clone();
        call["requestState"] = state.clone();
        call["inputResponses"] = json!({ "confirm": response });
        let (status, body) = outcome(shop.asking(token, &call)).await;
        assert_eq!(status, 200, "{body}");
        body["result"].clone()
    };
    let yes = || json!({ "action": "accept", "content": { "confirm": true } });

    let asked = ask().await;
    let request = &asked["inputRequests"]["confirm"];
    assert_eq!(request["method"], "elicitation/create");
    let message = request["params"]["message"].as_str().unwrap();
    assert!(message.contains("Open a ticket?") && message.contains("The lid came broken."));
    assert!(
        !message.contains(&customer),
        "the handle is shown to nobody"
    );
    let schema = &request["params"]["requestedSchema"];
    assert_eq!(schema["properties"]["confirm"]["type"], "boolean");
    assert_eq!(tickets(&shop).await, 0);

    for no in [
        json!({ "action": "decline" }),
        json!({ "action": "cancel" }),
        json!({ "action": "accept", "content": { "confirm": false } }),
        json!("yes"),
    ] {
        let asked = ask().await;
        let result = reply(token, &asked["requestState"], no).await;
        assert_eq!(result["isError"], true);
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("did not say yes"), "{text}");
        let after = reply(token, &asked["requestState"], yes()).await;
        assert_eq!(after["isError"], true, "a no is final");
    }
    let (other, _) = shop.token(&Scope::ALL).await;
    let stolen = reply(Some(&other), &asked["requestState"], yes()).await;
    assert_eq!(stolen["isError"], true);
    let forged = reply(token, &json!("spq_forged"), yes()).await;
    assert_eq!(forged["isError"], true);
    assert_eq!(tickets(&shop).await, 0);

    let done = reply(token, &asked["requestState"], yes()).await;
    assert_eq!(done["isError"], false, "{done}");
    assert_eq!(done["structuredContent"]["created"], true);
    let replayed = reply(token, &asked["requestState"], yes()).await;
    assert_eq!(replayed["isError"], true);
    assert_eq!(tickets(&shop).await, 1);

    // A client of the newer era that cannot ask gets the token.
    let arguments = json!({ "name": "payment_link", "arguments": {
        "customer": customer, "items": [{ "product_id": "moka-torretta-6", "quantity": 2 }] } });
    let plain = super::with(shop.door.modern("tools/call", arguments), token);
    let (_, body) = outcome(plain).await;
    assert_eq!(body["result"]["resultType"], "complete");
    assert_eq!(
        body["result"]["structuredContent"]["confirmation_required"],
        true
    );

    // The model cannot answer for the user what was asked of the user.
    let asked = ask().await;
    let mut arguments = ticket(&customer);
    arguments["confirmation"] = asked["requestState"].clone();
    let text = shop.refused(token, "open_ticket", arguments).await;
    assert!(text.contains("Nothing was done"), "{text}");
    let done = reply(token, &asked["requestState"], yes()).await;
    assert_eq!(done["isError"], false, "it still holds the other way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_link_is_priced_by_the_shop() {
    let shop = Shop::open().await;
    let customer = shop.verified(None).await;
    let basket = json!({ "customer": customer, "items": [{ "product_id": "moka-torretta-6", "quantity": 2 }] });
    let question = shop.done(None, "payment_link", basket.clone()).await;
    let yes = and(basket.clone(), &question["confirmation"]);
    let link = shop.done(None, "payment_link", yes).await;
    assert!(
        link["url"]
            .as_str()
            .unwrap()
            .starts_with("https://shop.example/pay/")
    );
    let mut priced = basket;
    priced["total"] = json!(1);
    let text = shop.refused(None, "payment_link", priced).await;
    assert!(text.contains("total"), "{text}");
}
