//! A customer proves who they are.

use serde_json::{Value, json};
use sportello::domain::Scope;
use sportello::store::AssistantCall;

use super::{FOREIGN, ORDER, PHONE, Shop, code};

#[tokio::test(flavor = "multi_thread")]
async fn a_code_from_whatsapp_opens_the_customers_own_orders() {
    let shop = Shop::open().await;
    let asked = json!({ "phone": PHONE });
    let asked = shop.done(None, "verify_customer", asked).await;
    assert_eq!(asked["expires_in_seconds"], 600);
    let words = shop.sent().await.unwrap();
    assert!(
        words.contains("Bottega Moka") && words.contains("mai condiviso"),
        "{words}"
    );
    assert!(
        words.contains("assistente IA che non conosciamo"),
        "{words}"
    );
    let code = code(&words);
    assert!(
        !asked.to_string().contains(&code),
        "the assistant is not told the code"
    );
    let confirm = json!({ "request": asked["request"], "code": code });
    let confirmed = shop.done(None, "confirm_customer", confirm.clone()).await;
    assert_eq!(confirmed["expires_in_seconds"], 900);
    let customer = &confirmed["customer"];
    assert!(customer.as_str().unwrap().starts_with("spc_"));

    let latest = json!({ "customer": customer });
    let latest = shop.done(None, "get_order_status", latest).await;
    assert_eq!(latest["orders"][0]["number"], ORDER);
    let ask = async |number: &str, email: Option<&str>| {
        let mut arguments = json!({ "customer": customer, "order_number": number });
        if let Some(email) = email {
            arguments["email"] = json!(email);
        }
        shop.done(None, "get_order_status", arguments).await
    };
    assert_eq!(ask(ORDER, None).await["verified"], true);
    // Somebody else's order reads as one that does not exist, also with its e-mail.
    let (number, email) = FOREIGN;
    for email in [None, Some(email)] {
        let foreign = ask(number, email).await;
        assert_eq!(foreign["verified"], false);
        assert_eq!(foreign, ask("99999", email).await);
    }
    let again = shop.refused(None, "confirm_customer", confirm).await;
    assert!(again.contains("does not fit"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_answered_like_a_customer() {
    let shop = Shop::open().await;
    let shape = |answer: &Value| {
        let mut shape = answer.clone();
        shape["request"] = json!(answer["request"].as_str().unwrap().len());
        shape
    };
    let ask = async |phone: &str| {
        let arguments = json!({ "phone": phone });
        shop.done(None, "verify_customer", arguments).await
    };
    let known = ask(PHONE).await;
    assert!(shop.sent().await.is_some());
    let unknown = ask("+393330000000").await;
    assert!(shop.sent().await.is_none());
    // Who has orders but never wrote is known, and cannot be written to without a template.
    let silent = ask("+393385550147").await;
    assert!(shop.sent().await.is_none());
    assert_eq!(shape(&known), shape(&unknown));
    assert_eq!(shape(&known), shape(&silent));
    for request in [&known, &unknown, &silent] {
        let guess = json!({ "request": request["request"], "code": "000000" });
        let text = shop.refused(None, "confirm_customer", guess).await;
        assert!(text.starts_with("This code does not fit"), "{text}");
    }
    for phone in [PHONE, "+393330000000"] {
        ask(phone).await;
        ask(phone).await;
        let arguments = json!({ "phone": phone });
        let text = shop.refused(None, "verify_customer", arguments).await;
        assert!(text.contains("try again in an hour"), "{text}");
    }
    let user = json!({ "user_id": "IT.13491208655302741918" });
    let user = shop.done(None, "verify_customer", user).await;
    let advice = user["advice"].as_str().unwrap();
    assert!(advice.contains("must write to the shop first"), "{advice}");
    for wrong in [
        json!({}),
        json!({ "phone": PHONE, "user_id": "IT.1" }),
        json!({ "phone": "333 1234567" }),
        json!({ "phone": "+0393331234567" }),
        json!({ "phone": 39 }),
        json!({ "phone": PHONE, "name": "Giulia" }),
    ] {
        shop.refused(None, "verify_customer", wrong).await;
    }
    assert!(
        shop.sent().await.is_some(),
        "the codes that were asked for above"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_cannot_be_guessed() {
    let shop = Shop::open().await;
    let (request, right) = shop.ask_code(None).await;
    let next = |by: u32| format!("{:06}", (right.parse::<u32>().unwrap() + by) % 1_000_000);
    for by in 1..=5 {
        let guess = json!({ "request": request, "code": next(by) });
        shop.refused(None, "confirm_customer", guess).await;
    }
    let late = json!({ "request": request, "code": right });
    shop.refused(None, "confirm_customer", late).await;
    for wrong in [
        json!({ "request": "spv_unknown", "code": right }),
        json!({ "request": "è".repeat(40), "code": right }),
        json!({ "request": request, "code": "12345" }),
        json!({ "request": request, "code": "12345a" }),
        json!({ "request": request }),
    ] {
        shop.refused(None, "confirm_customer", wrong).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_handles_belong_to_the_client_that_asked() {
    let shop = Shop::open().await;
    let (one, _) = shop.token(&Scope::ALL).await;
    let (other, id) = shop.token(&Scope::ALL).await;
    let (one, other) = (Some(one.as_str()), Some(other.as_str()));
    let (request, code) = shop.ask_code(one).await;
    let confirm = json!({ "request": request, "code": code });
    for stranger in [None, other] {
        shop.refused(stranger, "confirm_customer", confirm.clone())
            .await;
    }
    let confirmed = shop.done(one, "confirm_customer", confirm).await;
    let orders = json!({ "customer": confirmed["customer"] });
    for stranger in [None, other] {
        let text = shop
            .refused(stranger, "get_order_status", orders.clone())
            .await;
        assert!(text.contains("unknown here, or over"), "{text}");
    }
    let own = shop.done(one, "get_order_status", orders).await;
    assert_eq!(own["verified"], true);
    for handle in ["", "spc_x", "è", &"x".repeat(90)] {
        let unknown = json!({ "customer": handle });
        shop.refused(one, "get_order_status", unknown).await;
    }
    let number = json!({ "customer": 7 });
    let text = shop.refused(one, "get_order_status", number).await;
    assert!(text.contains("`customer` must be a string"), "{text}");
    // The token's scopes hold for its customers, too.
    let (reader, _) = shop.token(&[Scope::OrdersRead]).await;
    let handle = shop.verified(Some(&reader)).await;
    let ticket = json!({ "customer": handle, "subject": "Broken", "summary": "Broken lid" });
    let (status, _) = shop.call(Some(&reader), "open_ticket", ticket).await;
    assert_eq!(status, 403);
    // What a customer may do is written down under both names once it is done.
    let handle = shop.verified(other).await;
    let ticket = json!({ "customer": handle, "subject": "Broken", "summary": "Broken lid" });
    let question = shop.done(other, "open_ticket", ticket.clone()).await;
    let mut yes = ticket;
    yes["confirmation"] = question["confirmation"].clone();
    let opened = shop.done(other, "open_ticket", yes).await;
    assert_eq!(opened["created"], true);
    let conversation = shop.app.store.desk(10).await.unwrap().remove(0).id;
    let state = shop.app.store.conversation(&conversation).await.unwrap();
    let contact = state.unwrap().contact.id;
    let noted = shop.app.store.audit_of(contact.as_str()).await.unwrap();
    let called: Vec<AssistantCall> = noted
        .into_iter()
        .filter(|entry| entry.action == "tool_called")
        .map(|entry| {
            assert!(!entry.details.to_string().contains("Broken"));
            serde_json::from_value(entry.details).unwrap()
        })
        .collect();
    let expected = AssistantCall {
        tool: "open_ticket".to_owned(),
        token: Some(id),
        contact: Some(contact.0),
    };
    assert_eq!(called, [expected]);
}
