//! Dying at every named point in turn: nothing is lost, no effect happens twice, and what is said twice
//! says so.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::serving::deliver;
use crate::support::graph::text_webhook;
use crate::support::listener::nobody;
use crate::support::program::{Program, column, command, number, until, warm};
use crate::support::stand_in::StandIn;
use crate::support::stripe::unix_now;

/// More points than there are.
const POINTS: u64 = 60;

/// One data folder, one stand-in, one address: programs come and go.
struct House {
    data: TempDir,
    stand_in: StandIn,
    address: String,
}

/// A program that is to die at a point, and is started again when it has.
struct Life<'a> {
    house: &'a House,
    program: Option<Program>,
    deaths: u32,
}

impl House {
    async fn program(&self, more: &[(&str, &str)]) -> Option<Program> {
        let mut server = command(self.data.path(), &["serve", "--listen", &self.address]);
        server.envs(self.stand_in.variables());
        server.env("SPORTELLO_AGENT__DEBOUNCE_SECONDS", "0.02");
        server.envs(more.iter().copied());
        Program::start(server).await
    }

    async fn life(&self, point: u64) -> Life<'_> {
        let point = point.to_string();
        let program = self.program(&[("SPORTELLO_FAILPOINT", &point)]).await;
        Life {
            house: self,
            program,
            deaths: 0,
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The different messages that went to a phone.
    fn messages(&self, phone: &str) -> Vec<Value> {
        let mut messages = BTreeMap::new();
        for sent in self.stand_in.taken() {
            if sent.request["to"] == format!("+{phone}") {
                let id = sent.request["biz_opaque_callback_data"].to_string();
                messages.insert(id, sent.request);
            }
        }
        messages.into_values().collect()
    }
}

impl Life<'_> {
    async fn revive(&mut self) {
        let dead = self.program.as_mut().is_none_or(Program::has_ended);
        if dead {
            self.deaths += 1;
            self.program = self.house.program(&[]).await;
            assert!(self.program.is_some(), "it starts again");
        }
    }

    /// Posts until it is acknowledged, as Meta does.
    async fn post(&mut self, phone: &str, id: &str, text: &str) {
        let body = text_webhook(phone, id, text, unix_now());
        while deliver(&self.house.url(), &body).await != Some(200) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.revive().await;
        }
    }

    /// Waits until so many messages went to a phone; the last.
    async fn answer(&mut self, phone: &str, count: usize) -> String {
        let started = Instant::now();
        loop {
            let messages = self.house.messages(phone);
            if let Some(last) = messages.get(count - 1) {
                return last.to_string();
            }
            assert!(
                started.elapsed() < Duration::from_secs(90),
                "{count} answers: {messages:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.revive().await;
        }
    }

    async fn pay(&mut self, offer: &str) {
        let start = offer.find("/pay/").unwrap_or_else(|| panic!("{offer}"));
        let path: String = offer[start..]
            .chars()
            .take_while(|letter| {
                letter.is_ascii_alphanumeric() || matches!(letter, '/' | '-' | '_')
            })
            .collect();
        let page = format!("{}{path}", self.house.url());
        loop {
            let paid = reqwest::Client::new().post(&page).send().await;
            if paid.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.revive().await;
        }
    }

    /// One customer buys and pays, another complains: three messages, a ticket, a link, an order.
    async fn scene(&mut self, point: u64) {
        let (buyer, complainer) = (format!("39333{point:07}"), format!("39334{point:07}"));
        let id = |name: &str| format!("wamid.{name}{point}");
        self.post(
            &buyer,
            &id("look"),
            "hi, I'm looking for an espresso machine under 200 euros",
        )
        .await;
        self.post(
            &complainer,
            &id("anger"),
            "My grinder arrived broken, this is outrageous, I want a refund now!",
        )
        .await;
        self.answer(&buyer, 1).await;
        self.post(&buyer, &id("buy"), "ok I take two of the first one")
            .await;
        let offer = self.answer(&buyer, 2).await;
        self.pay(&offer).await;
        self.answer(&buyer, 3).await;
        self.answer(&complainer, 1).await;
        self.rest().await;
    }

    /// Until nothing waits and nothing is under way.
    async fn rest(&mut self) {
        let data = self.house.data.path();
        until("nothing waits", async || {
            self.revive().await;
            number(data, WAITING).await == 0
        })
        .await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        self.revive().await;
    }
}

const WAITING: &str = "SELECT (SELECT COUNT(*) FROM arrivals) + (SELECT COUNT(*) FROM inbox WHERE turn_id IS NULL) \
    + (SELECT COUNT(*) FROM outbox WHERE state IN ('queued', 'sending'))";
/// Each is zero when every accepted message has exactly one outcome and nothing was recorded twice.
const NONE: [&str; 5] = [
    WAITING,
    "SELECT COUNT(*) FROM inbox i WHERE NOT EXISTS (SELECT 1 FROM turns t WHERE t.id = i.turn_id)",
    "SELECT COUNT(*) FROM turns t WHERE NOT EXISTS (SELECT 1 FROM inbox i WHERE i.turn_id = t.id)",
    "SELECT COUNT(turn_id) - COUNT(DISTINCT turn_id) FROM outbox",
    "SELECT COUNT(*) FROM outbox WHERE state <> 'sent'",
];

async fn check(data: &Path, stand_in: &StandIn, scenes: i64) {
    for query in NONE {
        assert_eq!(number(data, query).await, 0, "{query}");
    }
    for (query, each) in [
        ("SELECT COUNT(*) FROM inbox", 3),
        ("SELECT COUNT(*) FROM tickets", 1),
        ("SELECT COUNT(*) FROM payment_links", 1),
        ("SELECT COUNT(*) FROM payment_links WHERE state = 'paid'", 1),
        (
            "SELECT COUNT(*) FROM orders WHERE conversation_id IS NOT NULL",
            1,
        ),
        ("SELECT COUNT(*) FROM outbox WHERE turn_id IS NULL", 1),
        (
            "SELECT COUNT(*) FROM conversations WHERE waiting_since IS NOT NULL",
            1,
        ),
    ] {
        assert_eq!(number(data, query).await, each * scenes, "{query}");
    }
    let repeated = column(data, "SELECT id FROM outbox WHERE repeated = 1").await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for sent in stand_in.taken() {
        let id = sent.request["biz_opaque_callback_data"].as_str().unwrap();
        *times.entry(id.to_owned()).or_default() += 1;
    }
    let rows = number(data, "SELECT COUNT(*) FROM outbox").await;
    assert_eq!(i64::try_from(times.len()).unwrap(), rows);
    for (id, times) in &times {
        assert!(
            *times == 1 || (*times == 2 && repeated.contains(id)),
            "{id} was sent {times} times; said to be repeated: {repeated:?}"
        );
    }
    // Taken and not yet recorded: before the call, and after it.
    assert!(
        times.values().filter(|times| **times == 2).count() >= 1,
        "the window was met"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_point_loses_nothing_and_repeats_no_effect() {
    let house = House {
        data: warm().await,
        stand_in: StandIn::start().await,
        address: nobody().await.to_string(),
    };
    let mut scenes = 0;
    let mut survived = false;
    for point in 1..POINTS {
        let mut life = house.life(point).await;
        life.scene(point).await;
        scenes += 1;
        survived = life.deaths == 0;
        assert!(life.deaths <= 1, "it dies once");
        if let Some(program) = life.program.take() {
            program.kill().await;
        }
        if survived {
            break;
        }
    }
    assert!(survived, "there are fewer than {POINTS} points");
    assert!(scenes > 20, "{scenes} points");
    check(house.data.path(), &house.stand_in, scenes).await;
}
