//! Two servers on one database, with an index that both ask: nothing is answered twice or out of order.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tempfile::TempDir;

use crate::serving::deliver;
use crate::support::graph::text_webhook;
use crate::support::program::{Program, number, run, until, warm};
use crate::support::qdrant_server::QdrantServer;
use crate::support::stand_in::StandIn;
use crate::support::stripe::unix_now;

const CONVERSATIONS: usize = 40;
const MESSAGES: usize = 5;
const TEXTS: [&str; MESSAGES] = [
    "Do you ship to Malta?",
    "Wo ist Bestellung 10432?",
    "grazie",
    "Avete una moka da 3 tazze?",
    "ok",
];

struct Pair {
    data: TempDir,
    stand_in: StandIn,
    index: QdrantServer,
}

impl Pair {
    async fn new() -> Self {
        Self {
            data: warm().await,
            stand_in: StandIn::start().await,
            index: QdrantServer::start(),
        }
    }

    async fn serve(&self) -> Program {
        let mut variables = self.stand_in.variables();
        variables.push(("SPORTELLO_RETRIEVAL__URL", self.index.url()));
        // Leases outlive what they are for by a little: short ones end soon after a death.
        variables.push(("SPORTELLO_AGENT__DEADLINE_SECONDS", "3".to_owned()));
        variables.push(("SPORTELLO_WHATSAPP__TIMEOUT_SECONDS", "1".to_owned()));
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let program = Program::serve(self.data.path(), &variables).await.unwrap();
        let ready = format!("{}/readyz", program.url);
        until("it answers", async || {
            let answer = reqwest::get(&ready).await.unwrap();
            answer.text().await.unwrap() == "ready"
        })
        .await;
        program
    }
}

fn body(conversation: usize, message: usize) -> serde_json::Value {
    let phone = format!("39333{conversation:07}");
    let id = format!("wamid.two.{conversation}.{message}");
    text_webhook(&phone, &id, TEXTS[message], unix_now())
}

/// Message `message` of every conversation: to one server, to the other, or to both.
async fn round(servers: [&str; 2], message: usize) {
    join_all((0..CONVERSATIONS).map(|conversation| async move {
        let body = body(conversation, message);
        let (first, other) = (
            servers[(conversation + message) % 2],
            servers[(conversation + message + 1) % 2],
        );
        while deliver(first, &body).await != Some(200) {
            // It is gone: Meta tries again, and a balancer in front knows the other one.
            if deliver(other, &body).await == Some(200) {
                return;
            }
        }
        if conversation.is_multiple_of(4) {
            deliver(other, &body).await;
        }
    }))
    .await;
}

const WAITING: &str = "SELECT (SELECT COUNT(*) FROM arrivals) + (SELECT COUNT(*) FROM inbox WHERE turn_id IS NULL) \
    + (SELECT COUNT(*) FROM outbox WHERE state IN ('queued', 'sending'))";

async fn settle(data: &Path) {
    let started = Instant::now();
    while number(data, WAITING).await > 0 {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "something waits"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Every accepted message has one outcome, in order, and each answer went out in order; how many went
/// out more than once.
async fn check(pair: &Pair) -> usize {
    let data = pair.data.path();
    let all = i64::try_from(CONVERSATIONS * MESSAGES).unwrap();
    for (query, expected) in [
        ("SELECT COUNT(*) FROM inbox", all),
        (
            "SELECT COUNT(*) FROM inbox i JOIN turns t ON t.id = i.turn_id",
            all,
        ),
        (
            "SELECT COUNT(DISTINCT turn_id) - (SELECT COUNT(*) FROM turns) FROM inbox",
            0,
        ),
        (
            "SELECT COUNT(turn_id) - COUNT(DISTINCT turn_id) FROM outbox",
            0,
        ),
        // A later message never has an earlier turn, and no two turns share a fence.
        (
            "SELECT COUNT(*) FROM inbox a JOIN inbox b ON a.conversation_id = b.conversation_id \
             JOIN turns s ON s.id = a.turn_id JOIN turns t ON t.id = b.turn_id \
             WHERE a.id < b.id AND s.epoch > t.epoch",
            0,
        ),
        (
            "SELECT COUNT(*) FROM turns a JOIN turns b ON a.conversation_id = b.conversation_id \
             AND a.epoch = b.epoch AND a.id < b.id",
            0,
        ),
    ] {
        assert_eq!(number(data, query).await, expected, "{query}");
    }
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    let mut again = 0;
    for sent in pair.stand_in.taken() {
        let field = |name: &str| sent.request[name].as_str().unwrap().to_owned();
        let (to, id) = (field("to"), field("biz_opaque_callback_data"));
        match last.get(&to) {
            Some(before) if *before == id => again += 1,
            Some(before) => assert!(*before < id, "{to}: {id} after {before}"),
            None => {}
        }
        last.insert(to, id);
    }
    assert_eq!(last.len(), CONVERSATIONS, "everybody was answered");
    again
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_answer_everything_once_and_in_order() {
    let pair = Pair::new().await;
    let (first, second) = (pair.serve().await, pair.serve().await);
    for message in 0..MESSAGES {
        round([&first.url, &second.url], message).await;
    }
    settle(pair.data.path()).await;
    assert_eq!(check(&pair).await, 0, "nothing is said twice");
    assert_eq!(first.stop().await, Some(0));
    assert_eq!(second.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_servers_dies_and_the_other_answers_the_rest() {
    let pair = Pair::new().await;
    let (first, second) = (pair.serve().await, pair.serve().await);
    let urls = [first.url.clone(), second.url.clone()];
    let urls = [urls[0].as_str(), urls[1].as_str()];
    for message in 0..2 {
        round(urls, message).await;
    }
    until("both are at work", async || pair.stand_in.taken().len() > 5).await;
    // In the middle of a round: what it did not acknowledge is posted to the other.
    tokio::join!(round(urls, 2), second.kill());
    for message in 3..MESSAGES {
        round(urls, message).await;
    }
    settle(pair.data.path()).await;
    let again = i64::try_from(check(&pair).await).unwrap();
    let repeated = "SELECT COUNT(*) FROM outbox WHERE repeated = 1";
    assert!(
        again <= number(pair.data.path(), repeated).await,
        "{again} were said twice unmarked"
    );
    assert_eq!(first.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_leaves_the_first_ones_socket_alone() {
    let pair = Pair::new().await;
    let socket = pair.data.path().join("control.sock");
    let first = pair.serve().await;
    until("the first server listens to commands", async || {
        socket.exists()
    })
    .await;
    let made = std::fs::metadata(&socket).unwrap().ino();
    let second = pair.serve().await;
    assert_eq!(std::fs::metadata(&socket).unwrap().ino(), made);
    assert_eq!(second.stop().await, Some(0));
    assert_eq!(std::fs::metadata(&socket).unwrap().ino(), made);
    let found = run(
        pair.data.path(),
        &["search", "spedizione", "--json"],
        &[],
        "",
    )
    .await;
    assert_eq!(found.code, Some(0), "the first server answers: {found}");
    assert_eq!(first.stop().await, Some(0));
    assert!(!socket.exists());
}
