//! Any order of saying, taking, sending, dying, taking over and waiting, in two processes on one file: against a
//! model that knows the rules and nothing of the tables.

use std::collections::HashMap;

use proptest::prelude::*;
use sportello::domain::{ConversationId, Holder, Inbound, Lane, Language, MessageCategory};
use sportello::store::{Announcement, Ending, OutboxRow, Store, StoreError};
use sqlx::Row as _;
use tempfile::TempDir;

use super::{
    LEASE, NOW, accept, answers_at, approve, by_template, message, second_connection, taker, text,
};

const HOUR: i64 = 60 * 60 * 1_000;
const CUSTOMERS: usize = 3;
const PROCESSES: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    /// The customer writes and is answered.
    Reply(usize),
    /// The customer is notified with a template.
    Notify(usize),
    /// A person writes, and holds the conversation from then on.
    Person(usize),
    /// The agent gets the conversation back.
    HandBack(usize),
    /// A process takes the next row.
    Take(usize),
    /// What it took is sent, and that is recorded.
    Send(usize),
    /// What it took was perhaps sent.
    Doubt(usize),
    /// It dies, before (false) or after (true) the channel took the message.
    Die(usize, bool),
    /// The time goes on, milliseconds; leases that have run out are recovered.
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let (customer, process) = (0..CUSTOMERS, 0..PROCESSES);
    prop_oneof![
        4 => customer.clone().prop_map(Step::Reply),
        2 => customer.clone().prop_map(Step::Notify),
        1 => customer.clone().prop_map(Step::Person),
        1 => customer.prop_map(Step::HandBack),
        6 => process.clone().prop_map(Step::Take),
        5 => process.clone().prop_map(Step::Send),
        1 => process.clone().prop_map(Step::Doubt),
        2 => (process, any::<bool>()).prop_map(|(process, sent)| Step::Die(process, sent)),
        2 => Just(Step::Wait(LEASE + 1)),
        1 => Just(Step::Wait(25 * HOUR)),
    ]
}

#[derive(Debug, Clone, Default)]
struct Customer {
    last_inbound: Option<i64>,
    by_person: bool,
    /// The words that were said, in order, by lane.
    said: [Vec<String>; 2],
}

struct Machine {
    folder: TempDir,
    stores: Vec<Store>,
    now: i64,
    words: usize,
    customers: Vec<Customer>,
    ids: Vec<Option<ConversationId>>,
    held: Vec<Option<OutboxRow>>,
    /// Of each text: how often the channel took it.
    took: HashMap<String, usize>,
}

impl Machine {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut stores = Vec::new();
        for _ in 0..PROCESSES {
            stores.push(Store::open(folder.path()).await.unwrap());
        }
        Self {
            folder,
            stores,
            now: NOW,
            words: 0,
            customers: vec![Customer::default(); CUSTOMERS],
            ids: vec![None; CUSTOMERS],
            held: vec![None; PROCESSES],
            took: HashMap::new(),
        }
    }

    fn word(&mut self) -> String {
        self.words += 1;
        format!("word {:03}", self.words)
    }

    async fn perform(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Reply(customer) => self.reply(customer).await,
            Step::Notify(customer) => self.notify(customer).await,
            Step::Person(customer) => self.person(customer).await,
            Step::HandBack(customer) => self.hand_back(customer).await,
            Step::Take(process) => self.take(process).await,
            Step::Send(process) => {
                if let Some(row) = self.held[process].take() {
                    self.deliver(&row);
                    let wamid = format!("wamid.{}.{}", row.message.answer.text, row.epoch);
                    self.record(process, &row, Ending::Sent(wamid)).await;
                }
            }
            Step::Doubt(process) => {
                if let Some(row) = self.held[process].take() {
                    self.record(process, &row, Ending::Unknown("doubt".to_owned()))
                        .await;
                }
            }
            Step::Die(process, sent) => {
                if let Some(row) = self.held[process].take().filter(|_| sent) {
                    self.deliver(&row);
                }
            }
            Step::Wait(time) => {
                self.now += time;
                self.stores[0].recover_outbox(self.now).await.unwrap();
            }
        }
    }

    async fn reply(&mut self, customer: usize) {
        let word = self.word();
        let sender = format!("c{customer}");
        if self.customers[customer].by_person {
            let inbound = Inbound {
                sent_at: self.now / 1_000,
                ..message(&sender, &format!("wamid.{word}"), text("?"))
            };
            accept(&self.stores[0], vec![inbound], self.now).await;
            let claim = super::claim(&self.stores[0], self.now).await.unwrap();
            let closing = super::answered(&claim, &word);
            self.stores[0].close_turn(closing, self.now).await.unwrap();
        } else {
            let id = answers_at(&self.stores[0], self.now, &sender, &[&word]).await;
            self.ids[customer] = Some(id);
            self.customers[customer].said[0].push(word);
        }
        // Seconds, as the channel tells them.
        self.customers[customer].last_inbound = Some(self.now / 1_000 * 1_000);
    }

    async fn notify(&mut self, customer: usize) {
        let Some(conversation) = self.ids[customer].clone() else {
            return;
        };
        let word = self.word();
        let said = Announcement {
            conversation,
            answer: by_template(&word, "order_update"),
            language: Language::IT,
            lane: Lane::Bulk,
            category: MessageCategory::Utility,
            as_template: true,
        };
        approve(&self.stores[0], "order_update").await;
        self.stores[0]
            .announce(said, self.now)
            .await
            .unwrap()
            .unwrap();
        self.customers[customer].said[1].push(word);
    }

    async fn person(&mut self, customer: usize) {
        let Some(id) = self.ids[customer].clone() else {
            return;
        };
        let word = self.word();
        self.stores[0]
            .reply(&id, word.clone(), self.now)
            .await
            .unwrap();
        self.customers[customer].by_person = true;
        self.customers[customer].said[0].push(word);
    }

    async fn hand_back(&mut self, customer: usize) {
        let Some(id) = self.ids[customer].clone() else {
            return;
        };
        self.stores[0]
            .set_holder(&id, Holder::Agent, self.now)
            .await
            .unwrap();
        self.customers[customer].by_person = false;
    }

    async fn take(&mut self, process: usize) {
        if self.held[process].is_some() {
            return;
        }
        let taker = taker(&process.to_string());
        let taken = self.stores[process]
            .take_outgoing(&taker, self.now)
            .await
            .unwrap();
        for handed_over in taken.handed_over {
            let customer = self.customer(&handed_over);
            let over = self.customers[customer].last_inbound.unwrap() + 24 * HOUR <= self.now;
            assert!(over, "held although the window is open");
            self.customers[customer].by_person = true;
        }
        let Some(row) = taken.row else { return };
        self.allowed(&row).await;
        for other in self.held.iter().flatten() {
            let same = other.message.id == row.message.id;
            assert!(!same || other.lease_until <= self.now, "two hold one row");
        }
        self.held[process] = Some(row);
    }

    fn customer(&self, id: &ConversationId) -> usize {
        self.ids
            .iter()
            .position(|known| known.as_ref() == Some(id))
            .unwrap()
    }

    /// The rules, as the issue states them.
    async fn allowed(&self, row: &OutboxRow) {
        let customer = &self.customers[self.customer(&row.conversation)];
        let word = &row.message.answer.text;
        let states = self.states().await;
        let lane = usize::from(!customer.said[0].contains(word));
        let earlier = customer.said[lane].iter().take_while(|said| *said != word);
        for before in earlier {
            let (state, _) = &states[before];
            assert!(
                !matches!(state.as_str(), "queued" | "sending"),
                "{before} before {word}"
            );
        }
        if lane == 0 {
            let open = customer.last_inbound.unwrap() + 24 * HOUR > self.now;
            assert!(open, "free words outside the window");
        }
    }

    /// What the table says of each text: its state, and whether it is marked as perhaps repeated.
    async fn states(&self) -> HashMap<String, (String, bool)> {
        let mut connection = second_connection(self.folder.path()).await;
        let rows = sqlx::query(
            "SELECT m.text, o.state, o.repeated FROM outbox o JOIN messages m ON m.id = o.message_id",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        rows.iter()
            .map(|row| (row.get(0), (row.get(1), row.get::<i64, _>(2) != 0)))
            .collect()
    }

    fn deliver(&mut self, row: &OutboxRow) {
        *self
            .took
            .entry(row.message.answer.text.clone())
            .or_default() += 1;
    }

    async fn record(&self, process: usize, row: &OutboxRow, ending: Ending) {
        let recorded = self.stores[process]
            .record_sending(row, ending, self.now)
            .await;
        match recorded {
            Ok(_) => {}
            Err(StoreError::Stale) => {
                assert!(row.lease_until <= self.now, "stale within its lease")
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Lets everything come to an end, then counts.
    async fn finish(mut self) {
        self.held = vec![None; PROCESSES];
        for customer in 0..CUSTOMERS {
            self.hand_back(customer).await;
        }
        let mut idle = 0;
        while idle < 2 {
            self.perform(Step::Wait(11 * 60_000)).await;
            self.perform(Step::Take(0)).await;
            idle = if self.held[0].is_some() { 0 } else { idle + 1 };
            self.perform(Step::Send(0)).await;
        }
        for (word, (state, repeated)) in self.states().await {
            let took = self.took.get(&word).copied().unwrap_or(0);
            let waits = matches!(state.as_str(), "queued" | "sending");
            // A notification waits while a person got the conversation at the very end.
            assert!(
                !waits || self.customers.iter().any(|customer| customer.by_person),
                "{word} was forgotten"
            );
            assert!(
                took <= 1 || repeated,
                "{word} came {took} times and nobody says so"
            );
            match state.as_str() {
                "sent" => assert!(took >= 1, "{word} was never sent"),
                "held" => assert!(took == 0 || repeated, "{word} is held, and came"),
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_row_goes_once_in_order_and_only_when_it_may(steps in prop::collection::vec(step(), 1..50)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut machine = Machine::new().await;
            for step in steps {
                machine.perform(step).await;
            }
            machine.finish().await;
        });
    }
}
