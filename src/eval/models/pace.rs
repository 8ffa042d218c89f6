//! How fast a provider may be asked: calls per minute and calls at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use crate::ports::{ChatModel, ModelError, ModelReply, ModelRequest};

/// Seconds that a call may have to wait for its turn when every conversation asks at once: well below a turn's deadline.
const WAIT_SECONDS: u32 = 15;

/// The pace of one provider. Who came first is served first.
#[derive(Debug)]
pub struct Pace {
    /// Between the beginnings of two calls.
    interval: Duration,
    next: Mutex<Option<Instant>>,
    at_once: Semaphore,
}

impl Pace {
    /// At most so many calls that begin in any minute, evenly spread, and so many at once. Without a number of calls a
    /// minute only those at once are limited; 0 is taken as 1.
    #[must_use]
    pub fn new(requests_per_minute: Option<u32>, at_once: usize) -> Self {
        let interval = requests_per_minute.map_or(Duration::ZERO, |calls| {
            Duration::from_secs(60) / calls.max(1)
        });
        Self {
            interval,
            next: Mutex::default(),
            at_once: Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)),
        }
    }

    /// Waits for this call's turn. The lock is held while waiting, so that nobody overtakes, and who gives up waiting
    /// takes no turn away.
    async fn turn(&self) {
        if self.interval.is_zero() {
            return;
        }
        let mut next = self.next.lock().await;
        if let Some(next) = *next {
            tokio::time::sleep_until(next).await;
        }
        *next = Some(Instant::now() + self.interval);
    }
}

/// The paces of a run's providers, one for each host.
#[derive(Debug)]
pub struct Paces {
    requests_per_minute: Option<u32>,
    at_once: usize,
    hosts: StdMutex<HashMap<String, Arc<Pace>>>,
}

impl Paces {
    /// The same pace for every provider, each on its own.
    #[must_use]
    pub fn new(requests_per_minute: Option<u32>, at_once: usize) -> Self {
        Self {
            requests_per_minute,
            at_once,
            hosts: StdMutex::default(),
        }
    }

    /// How many conversations may go on at once, of so many that are wanted: with more of them, calls would wait for
    /// their turn until the deadline of their customer's turn is over.
    #[must_use]
    pub fn conversations(&self, wanted: usize) -> usize {
        let allowed = self.requests_per_minute.map_or(wanted, |calls| {
            usize::try_from(calls / 60 * WAIT_SECONDS + calls % 60 * WAIT_SECONDS / 60)
                .unwrap_or(wanted)
        });
        wanted.min(allowed).max(1)
    }

    /// The pace of a host; models of one host share it.
    #[must_use]
    pub fn of(&self, host: &str) -> Arc<Pace> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = hosts
            .entry(host.to_owned())
            .or_insert_with(|| Arc::new(Pace::new(self.requests_per_minute, self.at_once)));
        Arc::clone(pace)
    }
}

/// A chat model that is asked at a pace.
pub struct Paced {
    inner: Arc<dyn ChatModel>,
    pace: Arc<Pace>,
}

impl Paced {
    /// A model that is asked at a pace.
    #[must_use]
    pub fn new(inner: Arc<dyn ChatModel>, pace: Arc<Pace>) -> Self {
        Self { inner, pace }
    }
}

#[async_trait]
impl ChatModel for Paced {
    fn id(&self) -> &str {
        self.inner.id()
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let permit = self.pace.at_once.acquire().await;
        let _permit = permit.map_err(|error| ModelError::Unavailable(error.to_string()))?;
        self.pace.turn().await;
        self.inner.complete(request).await
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;
    use crate::domain::{ConversationId, Language};
    use crate::ports::{ModelMessage, TurnFacts};

    /// Answers everything alike, after a while.
    #[derive(Default)]
    pub struct Fixed {
        takes: Duration,
        begun: StdMutex<Vec<(String, Instant)>>,
        running: AtomicUsize,
        most: AtomicUsize,
    }

    #[async_trait]
    impl ChatModel for Fixed {
        fn id(&self) -> &str {
            "fixed"
        }

        async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(running, Ordering::SeqCst);
            let text = request.facts.text.clone();
            self.begun.lock().unwrap().push((text, Instant::now()));
            tokio::time::sleep(self.takes).await;
            self.running.fetch_sub(1, Ordering::SeqCst);
            Ok(ModelReply {
                text: "Yes.".to_owned(),
                input_tokens: 100,
                output_tokens: 20,
                ..ModelReply::default()
            })
        }
    }

    pub fn asking(text: &str) -> ModelRequest {
        ModelRequest {
            messages: vec![ModelMessage::User(text.to_owned())],
            tools: Vec::new(),
            max_output_tokens: 100,
            conversation: ConversationId::default(),
            facts: TurnFacts::of(text, Language::EN),
        }
    }

    pub fn request() -> ModelRequest {
        asking("Do you have a moka?")
    }

    #[tokio::test]
    async fn calls_begin_in_turn_and_are_spread() {
        let model = Arc::new(Fixed::default());
        let pace = Arc::new(Pace::new(Some(6_000), 100));
        let paced = Paced::new(Arc::clone(&model) as Arc<dyn ChatModel>, pace);
        let requests: Vec<ModelRequest> =
            (0..12).map(|number| asking(&number.to_string())).collect();
        join_all(requests.iter().map(|request| paced.complete(request))).await;
        let begun = model.begun.lock().unwrap();
        let order: Vec<usize> = begun
            .iter()
            .map(|(text, _)| text.parse().unwrap())
            .collect();
        assert_eq!(order, (0..12).collect::<Vec<_>>());
        let between = begun.windows(2).map(|pair| pair[1].1 - pair[0].1);
        // The first of two is noted a little after its turn began.
        let all: Duration = between.sum();
        assert!(all >= Duration::from_millis(11 * 10 - 5), "{all:?}");
    }

    #[tokio::test]
    async fn who_gives_up_takes_no_turn_away() {
        let pace = Arc::new(Pace::new(Some(1), 100));
        let paced = Paced::new(Arc::new(Fixed::default()), Arc::clone(&pace));
        let request = request();
        paced.complete(&request).await.unwrap();
        let next = *pace.next.lock().await;
        assert!(next.is_some());
        for _ in 0..3 {
            let waiting = paced.complete(&request);
            let waited = tokio::time::timeout(Duration::from_millis(5), waiting).await;
            assert!(waited.is_err());
        }
        assert_eq!(*pace.next.lock().await, next);
        assert_eq!(pace.at_once.available_permits(), 100);
    }

    #[tokio::test]
    async fn only_so_many_are_asked_at_once_for_each_provider() {
        let slow = || {
            Arc::new(Fixed {
                takes: Duration::from_millis(5),
                ..Fixed::default()
            })
        };
        let (one, other) = (slow(), slow());
        let paces = Paces::new(None, 3);
        let paced = |model: &Arc<Fixed>, host: &str| {
            Paced::new(Arc::clone(model) as Arc<dyn ChatModel>, paces.of(host))
        };
        let models = [paced(&one, "a"), paced(&one, "a"), paced(&other, "b")];
        let request = request();
        join_all((0..18).map(|number| models[number % 3].complete(&request))).await;
        assert_eq!(paces.conversations(50), 50);
        let few = |calls| Paces::new(Some(calls), 3).conversations(50);
        assert_eq!([few(1), few(60), few(90), few(6_000)], [1, 15, 22, 50]);
        for (model, calls) in [(&one, 12), (&other, 6)] {
            assert_eq!(model.begun.lock().unwrap().len(), calls);
            assert_eq!(model.most.load(Ordering::SeqCst), 3);
        }
    }
}
