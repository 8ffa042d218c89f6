//! Tokens: lists, scopes, challenges, metadata, allowances.

use reqwest::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};
use sportello::app::{TokenCommand, tokens};
use sportello::domain::Scope;

use super::super::{Door, answer, state};
use super::{FOREIGN, ORDER, PHONE, Shop, outcome, with};

const READERS: [&str; 3] = ["search_catalog", "get_product", "search_policies"];
const ALL: [&str; 8] = [
    "search_catalog",
    "get_product",
    "search_policies",
    "get_order_status",
    "open_ticket",
    "payment_link",
    "verify_customer",
    "confirm_customer",
];

/// Arguments that every tool takes, without a customer.
fn arguments(name: &str) -> Value {
    match name {
        "search_catalog" | "search_policies" => json!({ "query": "moka" }),
        "get_product" => json!({ "id": "moka-torretta-6" }),
        "get_order_status" => json!({ "order_number": ORDER }),
        "open_ticket" => json!({ "subject": "Broken", "summary": "The lid is broken." }),
        "payment_link" => json!({ "items": [{ "product_id": "moka-torretta-6", "quantity": 1 }] }),
        "hand_off_to_human" => json!({ "reason": "asked" }),
        _ => json!({}),
    }
}

/// What a call comes to: its status, and whether the tool or a rule answered.
async fn comes_to(shop: &Shop, token: Option<&str>, name: &str) -> &'static str {
    let (status, body) = shop.call(token, name, arguments(name)).await;
    match (status, &body["error"]["code"]) {
        (401, code) if *code == json!(-32001) => "401",
        (403, code) if *code == json!(-32001) => "403",
        (200, code) if *code == json!(-32602) => "unknown",
        (200, Value::Null) if body["result"]["isError"] == false => "done",
        (200, Value::Null) => {
            let text = body["result"]["content"][0]["text"].as_str().unwrap();
            if text.contains("verified customer only") {
                "verify first"
            } else {
                "an error to mend"
            }
        }
        _ => panic!("{status} {body}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_has_a_list_and_calls_what_is_on_it() {
    let shop = Shop::open().await;
    let offline = Shop::with(|config| config.whatsapp.access_token = None, |_| {}).await;
    assert_eq!(offline.listed(None).await, READERS);
    for (name, expected) in [
        ("get_product", "done"),
        ("get_order_status", "401"),
        ("open_ticket", "unknown"),
        ("payment_link", "unknown"),
        ("verify_customer", "unknown"),
        ("hand_off_to_human", "unknown"),
    ] {
        assert_eq!(comes_to(&offline, None, name).await, expected, "{name}");
    }
    assert_eq!(shop.listed(None).await, ALL);
    let matrix: [(Option<&[Scope]>, [&str; 5]); 6] = [
        (
            None,
            [
                "done",
                "verify first",
                "verify first",
                "verify first",
                "unknown",
            ],
        ),
        (
            Some(&[Scope::CatalogRead]),
            ["done", "403", "403", "403", "unknown"],
        ),
        (
            Some(&[Scope::OrdersRead]),
            ["403", "done", "403", "403", "unknown"],
        ),
        (
            Some(&[Scope::TicketsWrite]),
            ["403", "403", "verify first", "403", "unknown"],
        ),
        (
            Some(&[Scope::PaymentsWrite]),
            ["403", "403", "403", "verify first", "unknown"],
        ),
        (
            Some(&Scope::ALL),
            ["done", "done", "verify first", "verify first", "unknown"],
        ),
    ];
    for (scopes, expected) in matrix {
        let token = match scopes {
            Some(scopes) => Some(shop.token(scopes).await.0),
            None => None,
        };
        let token = token.as_deref();
        let names = [
            "get_product",
            "get_order_status",
            "open_ticket",
            "payment_link",
            "hand_off_to_human",
        ];
        let listed = shop.listed(token).await;
        assert!(
            listed.iter().any(|name| name == "verify_customer"),
            "{scopes:?}"
        );
        for (name, expected) in names.into_iter().zip(expected) {
            assert_eq!(
                comes_to(&shop, token, name).await,
                expected,
                "{scopes:?} {name}"
            );
            let shown = listed.iter().any(|known| known == name);
            let reachable = !matches!(expected, "403" | "unknown");
            assert_eq!(shown, reachable, "{scopes:?} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_who_needs_a_customer_and_what_asks_first() {
    let shop = Shop::open().await;
    let (token, _) = shop.token(&Scope::ALL).await;
    for (token, orders_need) in [(None, true), (Some(token.as_str()), false)] {
        for tool in shop.tools(token).await {
            let name = tool["name"].as_str().unwrap();
            let input = &tool["inputSchema"];
            let needs = input["required"]
                .as_array()
                .is_some_and(|names| names.contains(&json!("customer")));
            let takes = input["properties"].get("customer").is_some();
            let asks = input["properties"].get("confirmation").is_some();
            let expected = match name {
                "get_order_status" => (true, orders_need, false),
                "open_ticket" | "payment_link" => (true, true, true),
                _ => (false, false, false),
            };
            assert_eq!((takes, needs, asks), expected, "{name}");
            assert_eq!(
                tool["annotations"]["readOnlyHint"] == false,
                asks || name.ends_with("_customer")
            );
            assert!(
                tool["description"].as_str().unwrap().chars().count() <= 500,
                "{name}"
            );
            assert_eq!(input["additionalProperties"], false, "{name}");
        }
    }
    let modern = with(shop.door.modern("tools/list", json!({})), Some(&token));
    assert_eq!(answer(modern).await["result"]["cacheScope"], "private");
    let modern = shop.door.modern("tools/list", json!({}));
    assert_eq!(answer(modern).await["result"]["cacheScope"], "public");
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_say_what_is_missing() {
    let shop = Shop::with(|config| config.whatsapp.access_token = None, |_| {}).await;
    let (token, id) = shop.token(&[Scope::CatalogRead]).await;
    let metadata =
        "resource_metadata=\"https://shop.example/.well-known/oauth-protected-resource/mcp\"";
    let list = || shop.door.legacy("tools/list", json!({}));
    let orders = || {
        let call = json!({ "name": "get_order_status", "arguments": { "order_number": ORDER } });
        shop.door.modern("tools/call", call)
    };
    let unknown = "spt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let twice = list().bearer_auth(&token).bearer_auth(&token);
    let cases = [
        (orders(), 401, "Bearer scope=\"orders:read\""),
        (
            orders().bearer_auth(&token),
            403,
            "error=\"insufficient_scope\"",
        ),
        (orders().bearer_auth(&token), 403, "scope=\"orders:read\""),
        (list().bearer_auth(unknown), 401, "error=\"invalid_token\""),
        (list().bearer_auth(""), 401, "error=\"invalid_token\""),
        (
            list().basic_auth("x", Some("y")),
            401,
            "error=\"invalid_token\"",
        ),
        (
            list().header("authorization", &token),
            401,
            "error=\"invalid_token\"",
        ),
        (twice, 401, "error=\"invalid_token\""),
    ];
    for (request, status, part) in cases {
        let answered = request.send().await.unwrap();
        assert_eq!(answered.status().as_u16(), status, "{part}");
        let header = answered.headers()[WWW_AUTHENTICATE]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            header.starts_with("Bearer ") && header.contains(part),
            "{header}"
        );
        assert!(header.ends_with(metadata), "{header}");
        let body: Value = answered.json().await.unwrap();
        assert_eq!(body["error"]["code"], -32001, "{body}");
        assert!(!body.to_string().contains(&token), "{body}");
    }
    assert_eq!(
        outcome(list()).await.0,
        200,
        "without a token everybody reads"
    );
    assert_eq!(outcome(list().bearer_auth(&token)).await.0, 200);
    tokens(&shop.app.store, TokenCommand::Revoke { id })
        .await
        .unwrap();
    assert_eq!(outcome(list().bearer_auth(&token)).await.0, 401, "at once");

    // A page reads the challenge when its origin may call, and nothing otherwise.
    let known = list()
        .bearer_auth(&token)
        .header("origin", "https://shop.example");
    let known = known.send().await.unwrap();
    assert_eq!(known.status().as_u16(), 401);
    assert_eq!(
        known.headers()["access-control-allow-origin"],
        "https://shop.example"
    );
    let exposed = known.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap();
    assert!(exposed.contains("WWW-Authenticate"), "{exposed}");
    for request in [list(), list().bearer_auth(&token)] {
        let foreign = request.header("origin", "https://evil.example");
        let foreign = foreign.send().await.unwrap();
        assert_eq!(foreign.status().as_u16(), 403);
        assert!(
            foreign
                .headers()
                .get("access-control-allow-origin")
                .is_none()
        );
        assert!(foreign.headers().get(WWW_AUTHENTICATE).is_none());
    }
}

#[tokio::test]
async fn the_metadata_is_served_at_both_addresses() {
    let door = Door::open().await;
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
    ] {
        let answered = door.client.get(door.url(path)).send().await.unwrap();
        assert_eq!(answered.status().as_u16(), 200, "{path}");
        assert_eq!(answered.headers()["content-type"], "application/json");
        assert_eq!(answered.headers()["access-control-allow-origin"], "*");
        let tag = answered.headers()["etag"].clone();
        let document: Value = answered.json().await.unwrap();
        assert_eq!(document["resource"], "https://shop.example/mcp");
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
        let scopes = Scope::ALL.map(Scope::name);
        assert_eq!(document["scopes_supported"], json!(scopes));
        assert!(document.get("authorization_servers").is_none());
        let again = door.client.get(door.url(path)).header("if-none-match", tag);
        assert_eq!(again.send().await.unwrap().status().as_u16(), 304);
    }
    let mut with_server = state(10);
    let servers = &mut with_server.access.authorization_servers;
    servers.push("https://login.example".to_owned());
    let door = Door::of(with_server).await;
    let address = door.url("/.well-known/oauth-protected-resource");
    let document: Value = reqwest::get(address).await.unwrap().json().await.unwrap();
    assert_eq!(
        document["authorization_servers"],
        json!(["https://login.example"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_caller_has_an_allowance_of_its_own() {
    let adjust = |config: &mut sportello::config::Config| {
        config.limits.tools_per_minute = 4;
        config.limits.assistant_tools_per_minute = 8;
        config.limits.customer_tools_per_minute = 2;
        config.limits.codes_per_hour = 1;
        config.limits.assistant_codes_per_hour = 2;
    };
    let shop = Shop::with(adjust, |_| {}).await;
    let product = || arguments("get_product");
    for expected in [200, 200, 200, 200, 429] {
        assert_eq!(shop.call(None, "get_product", product()).await.0, expected);
    }
    let (one, _) = shop.token(&Scope::ALL).await;
    let (other, _) = shop.token(&Scope::ALL).await;
    for expected in [200, 200, 200, 200, 200, 200, 200, 200, 429] {
        let called = shop.call(Some(&one), "get_product", product()).await;
        assert_eq!(called.0, expected, "{}", called.1);
    }
    // Two calls verify, two are made for the customer, the next is one too many for them, not for the token.
    let customer = shop.verified(Some(&other)).await;
    let orders = || json!({ "customer": customer });
    for expected in [200, 200, 429] {
        let called = shop.call(Some(&other), "get_order_status", orders()).await;
        assert_eq!(called.0, expected, "{}", called.1);
    }
    assert_eq!(
        shop.call(Some(&other), "get_product", product()).await.0,
        200
    );
    let verify = || json!({ "phone": PHONE });
    for expected in [200, 429] {
        let called = shop.call(Some(&other), "verify_customer", verify()).await;
        assert_eq!(called.0, expected, "{}", called.1);
    }
    let fresh = Shop::with(adjust, |_| {}).await;
    for expected in [200, 429] {
        let called = fresh.call(None, "verify_customer", verify()).await;
        assert_eq!(called.0, expected, "{}", called.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_reads_an_order_by_its_number_and_e_mail_only() {
    let shop = Shop::open().await;
    let (token, _) = shop.token(&[Scope::OrdersRead]).await;
    let ask = async |number: &str, email: Option<&str>| {
        let mut arguments = json!({ "order_number": number });
        if let Some(email) = email {
            arguments["email"] = json!(email);
        }
        shop.done(Some(&token), "get_order_status", arguments).await
    };
    let (number, email) = FOREIGN;
    let shown = ask(number, Some(email)).await;
    assert_eq!(
        (&shown["verified"], &shown["orders"][0]["number"]),
        (&json!(true), &json!(number))
    );
    assert_eq!(ask(number, None).await, ask("99999", None).await);
    let wrong = ask(number, Some("someone@example.it")).await;
    assert_eq!(wrong["verified"], false);
    assert_eq!(wrong, ask("99999", Some("someone@example.it")).await);
    for number in [number, "99999"] {
        for _ in 0..4 {
            ask(number, Some("guess@example.it")).await;
        }
        assert_eq!(ask(number, Some(email)).await["locked"], true, "{number}");
    }
    let free = ask("10415", Some("lucia.romero@example.es")).await;
    assert_eq!(free["verified"], true, "another order is not locked");
}
