//! The loop that sends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sportello::events::Events;
use sportello::outbox::Sender;
use sportello::ports::{Messenger, Outgoing, Seen, SendError, SentMessage};
use sportello::store::Store;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{answers_at, deliveries, empty, taker};

type Result = std::result::Result<(), SendError>;

/// A channel that answers as it is told, then accepts.
#[derive(Default)]
struct Scripted {
    replies: Mutex<VecDeque<Result>>,
    calls: Mutex<Vec<(String, Instant)>>,
    takes: Duration,
}

#[async_trait]
impl Messenger for Scripted {
    async fn send(&self, message: &Outgoing) -> std::result::Result<SentMessage, SendError> {
        let words = message.answer.text.clone();
        self.calls.lock().unwrap().push((words, Instant::now()));
        tokio::time::sleep(self.takes).await;
        let reply = self.replies.lock().unwrap().pop_front();
        reply.unwrap_or(Ok(())).map(|()| SentMessage {
            external_id: format!("wamid.{}", message.id),
        })
    }

    async fn seen(&self, _: &Seen) -> Result {
        Ok(())
    }
}

impl Scripted {
    fn replying(replies: impl IntoIterator<Item = Result>) -> Arc<Self> {
        Arc::new(Self {
            replies: Mutex::new(replies.into_iter().collect()),
            ..Self::default()
        })
    }

    fn words(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|(words, _)| words.clone()).collect()
    }

    /// Sends until so many calls were made and answered.
    async fn run(self: &Arc<Self>, store: &Store, calls: usize) {
        let stop = CancellationToken::new();
        let sender = Sender {
            store: store.clone(),
            messenger: Arc::clone(self) as Arc<dyn Messenger>,
            outbox: Arc::new(Notify::new()),
            events: Events::default(),
            taker: taker("tester"),
            longest: 1_000,
        };
        let running = tokio::spawn(sender.run(stop.clone()));
        let started = Instant::now();
        while self.words().len() < calls {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "{:?}",
                self.words()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
        running.await.unwrap();
    }
}

/// The loop reads the clock, and so does the window of 24 hours.
fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn fault() -> String {
    "stand-in".to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_tried_again_with_growing_waits_before_the_next_one_goes() {
    let (_folder, store) = empty().await;
    answers_at(&store, now(), "a", &["one", "two"]).await;
    let channel = Scripted::replying([
        Err(SendError::Retry(fault())),
        Err(SendError::Retry(fault())),
    ]);
    channel.run(&store, 4).await;
    assert_eq!(channel.words(), ["one", "one", "one", "two"]);
    let calls = channel.calls.lock().unwrap();
    let waits: Vec<Duration> = calls.windows(2).map(|two| two[1].1 - two[0].1).collect();
    assert!(waits[0] >= Duration::from_secs(1), "{waits:?}");
    assert!(waits[1] >= Duration::from_secs(2), "{waits:?}");
    assert!(waits[2] < waits[1], "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_is_final_and_perhaps_sent_is_not_repeated() {
    let (_folder, store) = empty().await;
    let conversation = answers_at(&store, now(), "a", &["one", "two", "three"]).await;
    let channel = Scripted::replying([
        Err(SendError::Rejected(fault())),
        Err(SendError::Ambiguous(fault())),
    ]);
    channel.run(&store, 3).await;
    assert_eq!(channel.words(), ["one", "two", "three"]);
    let seen = deliveries(&store, &conversation).await;
    let states: Vec<&str> = seen
        .iter()
        .map(|delivery| delivery.state.as_str())
        .collect();
    assert_eq!(states, ["failed", "unknown", "sent"]);
    assert_eq!(seen[0].fault.as_deref(), Some("stand-in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_the_message_at_hand() {
    let (_folder, store) = empty().await;
    let conversation = answers_at(&store, now(), "a", &["one", "two"]).await;
    let channel = Arc::new(Scripted {
        takes: Duration::from_millis(300),
        ..Scripted::default()
    });
    channel.run(&store, 1).await;
    let seen = deliveries(&store, &conversation).await;
    let states: Vec<&str> = seen
        .iter()
        .map(|delivery| delivery.state.as_str())
        .collect();
    assert_eq!(states, ["sent", "queued"]);
}
