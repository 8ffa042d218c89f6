//! Faults around the whole program: the model, the index, the Graph API, the clock, the end under load,
//! and a message that kills.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::serving::deliver;
use crate::support::graph::text_webhook;
use crate::support::model::{Reply as Model, ScriptedModel};
use crate::support::program::{Program, column, number, until, warm};
use crate::support::qdrant_server::QdrantServer;
use crate::support::stand_in::StandIn;
use crate::support::stripe::unix_now;
use sportello::simulate::Reply;

const QUESTION: &str = "Do you ship to Malta?";
const WAITING: &str = "SELECT (SELECT COUNT(*) FROM arrivals) \
    + (SELECT COUNT(*) FROM inbox WHERE turn_id IS NULL) \
    + (SELECT COUNT(*) FROM outbox WHERE state IN ('queued', 'sending'))";
const WITHOUT_ONE_OUTCOME: &str = "SELECT COUNT(*) FROM inbox i WHERE \
    (SELECT COUNT(*) FROM turns t WHERE t.id = i.turn_id) <> 1";

async fn serve(data: &Path, stand_in: &StandIn, more: &[(&str, &str)]) -> Option<Program> {
    let own = stand_in.variables();
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    let all: Vec<(&str, &str)> = own.chain(more.iter().copied()).collect();
    Program::serve(data, &all).await
}

async fn ask(program: &Program, phone: usize, id: &str, text: &str) -> Option<u16> {
    let phone = format!("39335{phone:07}");
    let body = text_webhook(&phone, &format!("wamid.{id}"), text, unix_now());
    deliver(&program.url, &body).await
}

async fn settled(data: &Path) {
    until("nothing waits", async || number(data, WAITING).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_model_does_the_customer_is_answered_once() {
    let call =
        |name: &str, arguments: &str| Model::Calls(vec![(name.to_owned(), arguments.to_owned())]);
    let loops = json!({ "query": "moka" }).to_string();
    let faults: [(&str, Vec<Model>); 6] = [
        ("down", vec![Model::status(503)]),
        ("hanging", vec![Model::Hang]),
        ("cut stream", vec![Model::Cut]),
        ("stalled stream", vec![Model::Stall]),
        (
            "malformed arguments",
            vec![
                call("search_policies", "{\"query\": "),
                Model::text("Yes, we do."),
            ],
        ),
        ("endless loop", vec![call("search_catalog", &loops); 12]),
    ];
    let (data, stand_in) = (warm().await, StandIn::start().await);
    for (place, (name, replies)) in faults.into_iter().enumerate() {
        let model = ScriptedModel::start(replies).await;
        let variables = [
            ("SPORTELLO_LLM__BASE_URL", model.base_url()),
            ("SPORTELLO_LLM__TIMEOUT_SECONDS", "1"),
            ("SPORTELLO_LLM__TRIES", "1"),
        ];
        let program = serve(data.path(), &stand_in, &variables).await.unwrap();
        let id = format!("model{place}");
        assert_eq!(ask(&program, place, &id, QUESTION).await, Some(200));
        until(name, async || stand_in.taken().len() > place).await;
        settled(data.path()).await;
        assert_eq!(stand_in.taken().len(), place + 1, "{name}: one answer");
        assert!(!model.requests().is_empty(), "{name}: the model was asked");
        assert_eq!(program.stop().await, Some(0));
    }
    assert_eq!(number(data.path(), WITHOUT_ONE_OUTCOME).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_index_is_gone_customers_are_answered_and_later_with_it_again() {
    let (data, stand_in) = (warm().await, StandIn::start().await);
    let mut index = QdrantServer::start();
    let url = index.url();
    let variables = [
        ("SPORTELLO_RETRIEVAL__URL", url.as_str()),
        ("SPORTELLO_RETRIEVAL__TIMEOUT_SECONDS", "1"),
    ];
    let program = serve(data.path(), &stand_in, &variables).await.unwrap();
    ask(&program, 1, "before", QUESTION).await;
    until("an answer with the index", async || {
        stand_in.taken().len() == 1
    })
    .await;
    index.stop();
    ask(&program, 2, "gone", QUESTION).await;
    until("an answer without it", async || stand_in.taken().len() == 2).await;
    index.restart();
    ask(&program, 3, "back", QUESTION).await;
    until("an answer with it again", async || {
        stand_in.taken().len() == 3
    })
    .await;
    settled(data.path()).await;
    let answers: Vec<String> = stand_in
        .taken()
        .iter()
        .map(|sent| sent.request["text"]["body"].to_string())
        .collect();
    assert_eq!(answers[0], answers[2], "the index is used again");
    assert_eq!(number(data.path(), WITHOUT_ONE_OUTCOME).await, 0);
    assert_eq!(program.stop().await, Some(0));
}

/// What becomes of a row whose first answer is an error of Meta's.
struct Class {
    code: i64,
    /// Its state after the first answer; a row that is tried again may be sent already.
    states: &'static [&'static str],
}

const AGAIN: &[&str] = &["queued", "sending", "sent"];
const NEVER: &[&str] = &["failed"];

/// One code of each class of Meta's table that may meet a reply.
const CLASSES: [Class; 12] = [
    Class {
        code: 131_016,
        states: AGAIN,
    },
    Class {
        code: 130_429,
        states: AGAIN,
    },
    Class {
        code: 131_056,
        states: AGAIN,
    },
    Class {
        code: 131_057,
        states: AGAIN,
    },
    Class {
        code: 131_026,
        states: NEVER,
    },
    Class {
        code: 131_050,
        states: NEVER,
    },
    Class {
        code: 130_472,
        states: NEVER,
    },
    Class {
        code: 130_403,
        states: NEVER,
    },
    Class {
        code: 131_009,
        states: NEVER,
    },
    Class {
        code: 132_001,
        states: NEVER,
    },
    Class {
        code: 131_031,
        // The number pauses; nothing goes out until its account is mended.
        states: &["queued", "failed"],
    },
    Class {
        code: 134_100,
        states: NEVER,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn each_error_of_the_graph_api_has_its_end() {
    for class in &CLASSES {
        let (data, stand_in) = (warm().await, StandIn::start().await);
        let code = class.code;
        let program = serve(data.path(), &stand_in, &[]).await.unwrap();
        stand_in.graph.reply_next(&[Reply::Code(code)]);
        assert_eq!(ask(&program, 1, "one", QUESTION).await, Some(200));
        until("it is answered and refused", async || {
            number(
                data.path(),
                "SELECT COUNT(*) FROM outbox WHERE fault IS NOT NULL",
            )
            .await
                == 1
                || !stand_in.taken().is_empty()
        })
        .await;
        let state = column(data.path(), "SELECT state FROM outbox").await;
        assert!(
            class.states.contains(&state[0].as_str()),
            "{code}: {state:?}"
        );
        if class.states == NEVER {
            // Not even a while later.
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(stand_in.taken().is_empty(), "{code} is not tried again");
            let fault = column(data.path(), "SELECT fault FROM outbox").await;
            assert!(fault[0].contains(&code.to_string()), "{fault:?}");
        }
        program.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_holds_nothing_up() {
    let (data, stand_in) = (warm().await, StandIn::start().await);
    let day = (24 * 60 * 60 * 1000).to_string();
    let ahead = [
        ("SPORTELLO_CLOCK_OFFSET", day.as_str()),
        ("SPORTELLO_AGENT__DEBOUNCE_SECONDS", "30"),
    ];
    let program = serve(data.path(), &stand_in, &ahead).await.unwrap();
    assert_eq!(ask(&program, 1, "ahead", QUESTION).await, Some(200));
    program.kill().await;
    assert_eq!(number(data.path(), WAITING).await, 1);

    let program = serve(data.path(), &stand_in, &[]).await.unwrap();
    until("what came tomorrow is answered", async || {
        stand_in.taken().len() == 1
    })
    .await;
    // And forward: an hour passes in a moment.
    assert_eq!(program.stop().await, Some(0));
    let hour = [("SPORTELLO_CLOCK_OFFSET", "3600000")];
    let program = serve(data.path(), &stand_in, &hour).await.unwrap();
    assert_eq!(
        ask(&program, 1, "later", "Wo ist Bestellung 10432?").await,
        Some(200)
    );
    until("the next one too", async || stand_in.taken().len() == 2).await;
    settled(data.path()).await;
    assert_eq!(number(data.path(), WITHOUT_ONE_OUTCOME).await, 0);
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_nothing() {
    let (data, stand_in) = (warm().await, StandIn::start().await);
    let program = serve(data.path(), &stand_in, &[]).await.unwrap();
    let url = program.url.clone();
    let loading = tokio::spawn(async move {
        let mut accepted = Vec::new();
        for number in 0..400_usize {
            let phone = format!("39336{:07}", number % 20);
            let id = format!("wamid.load{number}");
            let body = text_webhook(&phone, &id, QUESTION, unix_now());
            match deliver(&url, &body).await {
                Some(200) => accepted.push(id),
                _ => break,
            }
        }
        accepted
    });
    until("some are answered", async || stand_in.taken().len() >= 3).await;
    let started = Instant::now();
    assert_eq!(program.stop().await, Some(0));
    assert!(started.elapsed() < Duration::from_secs(20));
    let accepted = loading.await.unwrap();
    assert!(accepted.len() < 400, "it was stopped in the middle");
    let kept = "SELECT external_id FROM inbox UNION SELECT key FROM arrivals";
    let kept = column(data.path(), kept).await;
    for id in &accepted {
        assert!(kept.contains(id), "{id} was acknowledged and is not there");
    }

    let program = serve(data.path(), &stand_in, &[]).await.unwrap();
    settled(data.path()).await;
    assert_eq!(number(data.path(), WITHOUT_ONE_OUTCOME).await, 0);
    let rows = number(data.path(), "SELECT COUNT(*) FROM outbox").await;
    assert_eq!(
        i64::try_from(stand_in.taken().len()).unwrap(),
        rows,
        "each once"
    );
    assert_eq!(
        number(
            data.path(),
            "SELECT COUNT(*) FROM outbox WHERE repeated = 1"
        )
        .await,
        0
    );
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_three_times_is_a_persons() {
    let (data, stand_in) = (warm().await, StandIn::start().await);
    // Two points of the door and two of what works in come first; after a restart the claim is the first.
    for (life, point) in ["5", "1", "1"].into_iter().enumerate() {
        let mut program = serve(data.path(), &stand_in, &[("SPORTELLO_FAILPOINT", point)]).await;
        if let Some(program) = program.as_mut() {
            if life == 0 {
                assert_eq!(ask(program, 1, "poison", QUESTION).await, Some(200));
            }
            until("it dies", async || program.has_ended()).await;
        }
    }
    assert!(stand_in.taken().is_empty());
    let program = serve(data.path(), &stand_in, &[]).await.unwrap();
    until("the customer is told", async || stand_in.taken().len() == 1).await;
    settled(data.path()).await;
    let reason = "SELECT hand_off_reason FROM conversations WHERE holder = 'human'";
    assert_eq!(column(data.path(), reason).await, ["failure"]);
    assert_eq!(number(data.path(), WITHOUT_ONE_OUTCOME).await, 0);
    assert_eq!(program.stop().await, Some(0));
}
