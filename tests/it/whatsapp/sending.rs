use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use proptest::prelude::*;
use serde_json::{Value, json};
use sportello::config::{Whatsapp, WhatsappNumber};
use sportello::domain::{
    Answer, Choice, Currency, Filling, Language, Money, OutboxId, PaymentButton, PaymentId,
    ProductCard, ProductId, TemplateMessage, TemplateValue,
};
use sportello::ports::{Messenger, Outgoing, Seen, SendError};
use sportello::whatsapp::graph::{ErrorClass, GraphMessenger, GraphSetupError};
use sportello::whatsapp::render::{self, Style};

use crate::support::data::bodies;
use crate::support::graph::{Graph, NUMBER, Reply, TOKEN, faults};
use crate::support::listener::{Reset, nobody, serve};
use crate::support::stand_in::StandIn;

fn outgoing(answer: Answer) -> Outgoing {
    Outgoing {
        id: OutboxId::from("ob_1"),
        sender: NUMBER.to_owned(),
        recipient: "+393331234567".to_owned(),
        answer,
        language: Language::IT,
        upload: false,
    }
}

async fn send(config: &Whatsapp) -> Result<String, SendError> {
    let messenger = GraphMessenger::new(config).unwrap();
    messenger
        .send(&outgoing(Answer::text("ciao")))
        .await
        .map(|sent| sent.external_id)
}

#[tokio::test]
async fn an_accepted_message_has_the_id_of_whatsapp() {
    let graph = Graph::start().await;
    assert_eq!(send(&graph.config()).await.unwrap(), "wamid.1");
    assert_eq!(
        graph.sent(),
        [render::body(&outgoing(Answer::text("ciao")))]
    );
}

#[tokio::test]
async fn a_number_sends_with_its_own_token() {
    let graph = Graph::start().await;
    let number = WhatsappNumber {
        phone_number_id: NUMBER.to_owned(),
        access_token: Some(TOKEN.into()),
        portfolio_id: None,
    };
    let config = Whatsapp {
        access_token: Some("another".into()),
        graph_url: format!("{}/", graph.config().graph_url),
        numbers: vec![number],
        ..graph.config()
    };
    assert_eq!(send(&config).await.unwrap(), "wamid.1");
    let wrong = Whatsapp {
        access_token: Some("wrong".into()),
        ..graph.config()
    };
    assert!(matches!(
        send(&wrong).await,
        Err(SendError::Refused { code: 190, .. })
    ));
    let none = Whatsapp {
        access_token: None,
        ..graph.config()
    };
    assert!(matches!(send(&none).await, Err(SendError::Retry(_))));
}

#[tokio::test]
async fn every_answer_means_what_metas_table_says() {
    let graph = Graph::start().await;
    let config = graph.config();
    use ErrorClass as Class;
    let refused = [
        (500, 131_000, Class::Transient),
        (503, 2, Class::Transient),
        (400, 1, Class::Transient),
        (400, 131_016, Class::Transient),
        (400, 133_004, Class::Transient),
        (429, 4, Class::Throughput),
        (400, 80_007, Class::Throughput),
        (200, 130_429, Class::Throughput),
        (400, 131_056, Class::Pair),
        (400, 131_048, Class::AccountHold),
        (400, 131_057, Class::AccountHold),
        (400, 131_064, Class::AccountHold),
        (400, 131_047, Class::Window),
        (500, 131_026, Class::Undeliverable),
        (400, 131_049, Class::MarketingCap),
        (400, 131_050, Class::OptedOut),
        (400, 130_472, Class::Experiment),
        (400, 131_062, Class::Recipient),
        (400, 100, Class::Payload),
        (400, 131_053, Class::Media),
        (404, 132_001, Class::Template),
        (403, 368, Class::Account),
        (401, 190, Class::Account),
        (403, 200, Class::Account),
        (400, 131_042, Class::Account),
        (400, 134_100, Class::MarketingApi),
        (400, 999_999, Class::Unknown),
    ];
    for (status, number, expected) in refused {
        graph.reply_next(&[Reply::Error(status, number)]);
        match send(&config).await {
            Err(SendError::Refused { class, code, .. }) => {
                assert_eq!((class, code), (expected, number), "{status}");
            }
            other => panic!("{status} {number}: {other:?}"),
        }
    }
    graph.reply_next(&[Reply::Error(500, 999_999)]);
    assert!(matches!(send(&config).await, Err(SendError::Ambiguous(_))));
    assert_eq!(
        send(&config).await.unwrap(),
        format!("wamid.{}", refused.len() + 2)
    );
}

#[tokio::test]
async fn an_answer_without_a_code_is_judged_by_its_status() {
    let graph = Graph::start().await;
    let config = graph.config();
    for reply in [
        Reply::Bare(500),
        Reply::Bare(502),
        Reply::Bare(504),
        Reply::Bare(200),
        Reply::AcceptWithoutId,
    ] {
        graph.reply_next(&[reply]);
        let result = send(&config).await;
        assert!(
            matches!(result, Err(SendError::Ambiguous(_))),
            "{reply:?}: {result:?}"
        );
    }
    for status in [400, 404, 413] {
        graph.reply_next(&[Reply::Bare(status)]);
        assert!(
            matches!(send(&config).await, Err(SendError::Rejected(_))),
            "{status}"
        );
    }
    graph.reply_next(&[Reply::Bare(429)]);
    assert!(matches!(send(&config).await, Err(SendError::Retry(_))));
}

#[tokio::test]
async fn what_may_have_arrived_is_ambiguous_and_sent_once() {
    let graph = Graph::start().await;
    let config = graph.config();
    graph.reply_next(&[Reply::Hang]);
    let started = Instant::now();
    assert!(matches!(send(&config).await, Err(SendError::Ambiguous(_))));
    assert!(started.elapsed() < Duration::from_secs(3));
    graph.reply_next(&[Reply::Reset]);
    assert!(matches!(send(&config).await, Err(SendError::Ambiguous(_))));
    assert_eq!(graph.sent().len(), 2);
}

#[tokio::test]
async fn a_message_that_is_being_answered_is_marked_as_read_and_shows_typing() {
    let graph = Graph::start().await;
    let messenger = GraphMessenger::new(&graph.config()).unwrap();
    let message = Seen {
        recipient: NUMBER.to_owned(),
        external_id: "wamid.in".to_owned(),
    };
    messenger.seen(&message).await.unwrap();
    assert_eq!(graph.seen(), ["wamid.in"]);
    let wrong = Whatsapp {
        access_token: Some("wrong".into()),
        ..graph.config()
    };
    let messenger = GraphMessenger::new(&wrong).unwrap();
    assert!(messenger.seen(&message).await.is_err());
    assert!(graph.sent().is_empty(), "it is no message");
}

#[tokio::test]
async fn a_connection_that_was_never_made_sent_nothing() {
    let config = Whatsapp {
        graph_url: format!("http://{}/v26.0", nobody().await),
        access_token: Some(TOKEN.into()),
        ..Whatsapp::default()
    };
    assert!(matches!(send(&config).await, Err(SendError::Retry(_))));
}

#[tokio::test]
async fn errors_quote_no_phone_and_no_text() {
    let graph = Graph::start().await;
    graph.reply_next(&[
        Reply::Error(400, 100),
        Reply::Bare(500),
        Reply::Hang,
        Reply::Reset,
    ]);
    for _ in 0..4 {
        let error = send(&graph.config()).await.unwrap_err().to_string();
        assert!(
            !error.contains("393331234567") && !error.contains("ciao") && !error.contains(TOKEN),
            "{error}"
        );
    }
}

#[test]
fn an_address_that_is_none_is_refused_at_start() {
    for address in ["", "graph.facebook.com/v26.0", "mailto:x@example.com"] {
        let config = Whatsapp {
            graph_url: address.to_owned(),
            ..Whatsapp::default()
        };
        assert!(
            matches!(
                GraphMessenger::new(&config),
                Err(GraphSetupError::Address(_))
            ),
            "{address}"
        );
    }
}

#[test]
fn every_code_of_the_table_has_a_class() {
    let codes = [
        1, 2, 131_000, 131_016, 133_004, 4, 80_007, 130_429, 131_056, 131_048, 131_064, 131_057,
        131_047, 131_026, 131_049, 131_050, 130_472, 130_403, 131_062, 131_063, 130_497, 100,
        131_008, 131_009, 131_051, 131_052, 131_053, 132_000, 132_001, 132_005, 132_007, 132_012,
        132_015, 132_016, 132_018, 132_068, 132_069, 131_031, 368, 131_042, 133_010, 131_005, 10,
        3, 200, 299, 190, 134_100, 134_102,
    ];
    for code in codes {
        assert_ne!(ErrorClass::of(code), ErrorClass::Unknown, "{code}");
    }
    assert_eq!(ErrorClass::of(0), ErrorClass::Unknown);
}

/// The checks must be able to fail: Meta's own faulty examples do, and so do bodies beyond a limit.
#[test]
fn the_stand_in_refuses_what_meta_refuses() {
    let good = render::body(&outgoing(Answer::text("ciao")));
    assert_eq!(faults(&good), Vec::<String>::new());
    for (pointer, bad) in [
        ("/to", json!("393331234567")),
        ("/text/body", json!("")),
        ("/text/body", json!("a".repeat(4_097))),
        ("/type", json!("telepathy")),
        ("/messaging_product", json!("signal")),
        ("/biz_opaque_callback_data", json!("a".repeat(513))),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = bad;
        assert_ne!(faults(&body), Vec::<String>::new(), "{pointer}");
    }
    let row = |number: usize| json!({ "id": number.to_string(), "title": format!("Row {number}") });
    let section = |rows: std::ops::Range<usize>| json!({ "title": "Rows", "rows": rows.map(row).collect::<Vec<_>>() });
    let list = |sections: Value| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove("text");
        body["type"] = json!("interactive");
        body["interactive"] = json!({
            "type": "list", "body": { "text": "x" }, "action": { "button": "x", "sections": sections },
        });
        faults(&body)
    };
    assert_eq!(
        list(json!([section(0..5), section(5..10)])),
        Vec::<String>::new()
    );
    assert_ne!(
        list(json!([section(0..5), section(5..11)])),
        Vec::<String>::new()
    );
    assert_ne!(
        list(json!([section(0..5), section(4..9)])),
        Vec::<String>::new()
    );
    for (path, body) in bodies("whatsapp/meta-openapi/requests") {
        let known = ["send_multi_product_message", "send_reply_to_list_message"];
        if known.iter().any(|name| path.contains(name)) {
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_ne!(faults(&body), Vec::<String>::new(), "{path}");
        }
    }
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        "\\PC{1000,1100}",
        "[a-zè ]{0,30}",
        "(👩‍👩‍👧|🇮🇹|é|\n| ){0,30}",
        "a{4090,4100}"
    ]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,3}", "\\PC{0,20}", "a{190,260}"]
}

fn cards() -> impl Strategy<Value = Vec<ProductCard>> {
    let card = (
        id(),
        words(),
        0_i64..10_000_000,
        0_u32..1_000,
        prop::option::of(words()),
    )
        .prop_map(|(id, title, minor, stock, reason)| ProductCard {
            id: ProductId(id),
            title,
            price: Money::new(minor, Currency::EUR),
            stock,
            image_url: "https://shop.example/picture.jpg".to_owned(),
            reason,
        });
    prop::collection::vec(card, 0..14)
}

fn payments() -> impl Strategy<Value = Option<PaymentButton>> {
    let url = prop_oneof![
        "https://shop\\.example/pay/[a-z0-9]{1,40}",
        "https://shop\\.example/pay/a{1990,5000}"
    ];
    let payment = (words(), url).prop_map(|(label, url)| PaymentButton {
        id: PaymentId::from("p"),
        label,
        url,
        total: Money::new(100, Currency::EUR),
    });
    prop::option::weighted(0.2, payment)
}

fn answers() -> impl Strategy<Value = Answer> {
    let choice = (id(), words()).prop_map(|(id, title)| Choice { id, title });
    (
        words(),
        cards(),
        payments(),
        prop::collection::vec(choice, 0..14),
        any::<bool>(),
    )
        .prop_map(|(text, products, payment, choices, plain)| Answer {
            text,
            products: if plain { Vec::new() } else { products },
            payment,
            choices,
            page: Some("token".to_owned()),
            ..Answer::default()
        })
}

proptest! {
    #[test]
    fn every_answer_is_one_message_that_meta_takes(
        answer in answers(),
        language in "(en|it|es|pt|de|fr|nl)",
        recipient in "(\\+?[1-9][0-9]{6,14}|[A-Z]{2}\\.(ENT\\.)?[A-Za-z0-9]{1,128})",
        catalog_id in prop::option::of("[0-9]{15}"),
    ) {
        let message = Outgoing { recipient, language: language.parse().unwrap(), ..outgoing(answer) };
        let pages = Some("https://shop.example/m/".to_owned());
        for style in [Style::default(), Style { catalog_id, pages }] {
            let body = render::styled(&message, &style);
            prop_assert_eq!(faults(&body), Vec::<String>::new(), "{}", body);
        }
    }
}

#[tokio::test]
async fn a_file_that_whatsapp_could_not_fetch_is_uploaded() {
    let stand_in = StandIn::start().await;
    let png: &[u8] = b"\x89PNG\r\n\x1a\n-stand-in";
    let router = Router::new().route("/a.png", get(move || async move { png }));
    let (address, serving) = serve(router, Reset::default()).await;
    let config = Whatsapp {
        access_token: Some(TOKEN.into()),
        graph_url: stand_in.url.clone(),
        ..Whatsapp::default()
    };
    let messenger = GraphMessenger::new(&config).unwrap();
    let with_file = |file: &str| {
        let template = TemplateMessage {
            name: "news".to_owned(),
            language: "it".to_owned(),
            header: Some(TemplateValue {
                name: None,
                value: Filling::Image {
                    link: format!("http://{address}/{file}"),
                },
            }),
            body: Vec::new(),
            buttons: Vec::new(),
        };
        let answer = Answer {
            template: Some(Box::new(template)),
            ..Answer::text("Novita")
        };
        Outgoing {
            upload: true,
            ..outgoing(answer)
        }
    };
    messenger.send(&with_file("a.png")).await.unwrap();
    let sent = stand_in.taken()[0].request.clone();
    let image = &sent["template"]["components"][0]["parameters"][0]["image"];
    assert!(image.get("link").is_none(), "{sent}");
    let id = image["id"].as_str().unwrap();
    let kept = reqwest::Client::new()
        .get(format!("{}/{id}", stand_in.url))
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    let kept: Value = kept.json().await.unwrap();
    assert_eq!(
        (&kept["mime_type"], &kept["file_size"]),
        (&json!("image/png"), &json!(png.len()))
    );

    // A file that nobody can fetch is refused before anything is sent.
    let refused = messenger.send(&with_file("none.png")).await;
    assert!(
        matches!(
            refused,
            Err(SendError::Refused {
                class: ErrorClass::Media,
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(stand_in.taken().len(), 1);
    serving.abort();
}
