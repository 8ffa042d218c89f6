//! Any order of accepting, claiming, closing, waiting and crashing ends every message in one outcome.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;
use sportello::store::{Claim, Store, StoreError};
use tempfile::TempDir;

use super::{LEASE, NOW, accept, answered, count, message, text};

#[derive(Debug, Clone)]
enum Step {
    /// The messages arrive as one delivery: sender and id.
    Accept(Vec<(u8, u8)>),
    /// A worker that holds nothing claims.
    Claim(usize),
    /// A worker closes what it holds.
    Close(usize),
    /// A worker gives back what it holds.
    Release(usize),
    /// Every lease runs out, unknown to the workers.
    Expire,
    /// The process dies with all its claims, and starts again.
    Crash,
}

const WORKERS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let worker = 0..WORKERS;
    prop_oneof![
        4 => prop::collection::vec((0..3u8, 0..6u8), 1..4).prop_map(Step::Accept),
        4 => worker.clone().prop_map(Step::Claim),
        3 => worker.clone().prop_map(Step::Close),
        1 => worker.prop_map(Step::Release),
        2 => Just(Step::Expire),
        1 => Just(Step::Crash),
    ]
}

struct Machine {
    folder: TempDir,
    store: Option<Store>,
    now: i64,
    held: [Option<Claim>; WORKERS],
    /// Of each conversation that is held: who may close it.
    holders: HashMap<String, usize>,
    accepted: BTreeSet<String>,
    consumed: Vec<String>,
    turns: i64,
}

impl Machine {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Some(Store::open(folder.path()).await.unwrap()),
            folder,
            now: NOW,
            held: Default::default(),
            holders: HashMap::new(),
            accepted: BTreeSet::new(),
            consumed: Vec::new(),
            turns: 0,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    async fn perform(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Accept(messages) => self.accept(&messages).await,
            Step::Claim(worker) => self.claim(worker).await,
            Step::Close(worker) => self.close(worker).await,
            Step::Release(worker) => {
                if let Some(claim) = self.held[worker].take() {
                    let id = &claim.state.id;
                    let released = self.store().release(id, claim.epoch, self.now).await;
                    released.unwrap();
                    if self.holders.get(id.as_str()) == Some(&worker) {
                        self.holders.remove(id.as_str());
                    }
                }
            }
            Step::Expire => self.now += LEASE + 1,
            Step::Crash => {
                self.store = None;
                self.held = Default::default();
                self.holders.clear();
                let store = Store::open(self.folder.path()).await.unwrap();
                store.recover_leases().await.unwrap();
                self.store = Some(store);
            }
        }
    }

    async fn accept(&mut self, messages: &[(u8, u8)]) {
        let inbound = messages
            .iter()
            .map(|(sender, id)| {
                let id = format!("wamid.{sender}.{id}");
                message(&format!("+39{sender}"), &id, text(&id))
            })
            .collect();
        let accepted = accept(self.store(), inbound, self.now).await;
        for ((sender, id), accepted) in messages.iter().zip(accepted) {
            let new = self.accepted.insert(format!("wamid.{sender}.{id}"));
            assert_eq!(
                accepted.id.is_some(),
                new,
                "acknowledged as new exactly once"
            );
        }
    }

    async fn claim(&mut self, worker: usize) {
        if self.held[worker].is_some() {
            return;
        }
        let claim = self.store().claim("w", LEASE, self.now).await.unwrap();
        if let Some(claim) = claim {
            for other in self.held.iter().flatten() {
                let same = other.state.id == claim.state.id;
                assert!(
                    !same || other.epoch < claim.epoch,
                    "a new epoch with every claim"
                );
            }
            self.holders.insert(claim.state.id.0.clone(), worker);
            self.held[worker] = Some(claim);
        }
    }

    async fn close(&mut self, worker: usize) {
        let Some(claim) = self.held[worker].take() else {
            return;
        };
        let id = claim.state.id.0.clone();
        let closed = self
            .store()
            .close_turn(answered(&claim, "ok"), self.now)
            .await;
        if self.holders.get(&id) == Some(&worker) {
            self.holders.remove(&id);
            closed.unwrap();
            self.turns += 1;
            let words = claim
                .pending
                .iter()
                .filter_map(|message| message.content.words());
            self.consumed.extend(words.map(str::to_owned));
        } else {
            assert!(matches!(closed, Err(StoreError::Stale)), "{closed:?}");
        }
    }

    /// Works off everything that is left, then counts.
    async fn finish(mut self) {
        self.held = Default::default();
        loop {
            self.now += LEASE + 1;
            self.claim(0).await;
            if self.held[0].is_none() {
                break;
            }
            self.close(0).await;
        }
        self.consumed.sort();
        let accepted: Vec<String> = self.accepted.iter().cloned().collect();
        assert_eq!(
            self.consumed, accepted,
            "every message in exactly one outcome"
        );
        let folder = self.folder.path();
        let messages = i64::try_from(accepted.len()).unwrap();
        let ended = "SELECT COUNT(*) FROM inbox i JOIN turns t ON t.id = i.turn_id";
        assert_eq!(count(folder, ended).await, messages);
        assert_eq!(count(folder, "SELECT COUNT(*) FROM inbox").await, messages);
        assert_eq!(
            count(folder, "SELECT COUNT(*) FROM turns").await,
            self.turns
        );
        assert_eq!(
            count(folder, "SELECT COUNT(*) FROM outbox").await,
            self.turns
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_message_has_one_outcome(steps in prop::collection::vec(step(), 1..30)) {
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
