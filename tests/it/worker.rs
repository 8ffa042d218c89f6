//! The worker with the real agent: failures, panics, the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sportello::agent::{Agent, Desk};
use sportello::app::App;
use sportello::domain::{
    About, Channel, ConversationId, HandOffReason, Holder, Inbound, InboundContent, Outcome,
};
use sportello::outbox::Presence;
use sportello::ports::{
    ChatModel, Messenger, ModelError, ModelReply, ModelRequest, Outgoing, Seen, SendError,
    SentMessage,
};
use sportello::store::{Delivered, Intake, Priced, TurnRecord};
use sportello::worker::{Budget, Worker};
use sportello::{clock, config};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::program::warm;

/// A model with a fault: it panics when it reads the word.
struct Faulty {
    word: &'static str,
    takes: Duration,
    asked: AtomicUsize,
    panics: AtomicUsize,
}

#[async_trait]
impl ChatModel for Faulty {
    fn id(&self) -> &str {
        "faulty"
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        if request.facts.text.contains(self.word) {
            self.panics.fetch_add(1, Ordering::SeqCst);
            panic!("on purpose");
        }
        Ok(ModelReply {
            text: "Yes, we do.".to_owned(),
            ..ModelReply::default()
        })
    }
}

struct Shop {
    app: Arc<App>,
    model: Arc<Faulty>,
    worker: Worker,
    _folder: TempDir,
}

async fn shop(word: &'static str, takes: Duration) -> Shop {
    let folder = warm().await;
    let config = config::load(None, std::iter::empty(), &[]).unwrap();
    let app = App::open(config, folder.path(), "http://127.0.0.1")
        .await
        .unwrap();
    let app = Arc::new(app);
    app.builder.build_words(app.points()).await.unwrap();
    let prepared = app.prepare().await.unwrap();
    let model = Arc::new(Faulty {
        word,
        takes,
        asked: AtomicUsize::new(0),
        panics: AtomicUsize::new(0),
    });
    let agent = Agent {
        model: Some(Arc::clone(&model) as Arc<dyn ChatModel>),
        offline: Arc::clone(&prepared.agent.offline),
        tools: Arc::clone(&app.tools),
        retriever: Arc::clone(&app.retriever),
        reader: Arc::clone(&app.reader),
        questions: app.questions.clone(),
        understanding: Arc::clone(&prepared.understanding),
        prompts: Arc::clone(&app.prompts),
        settings: prepared.agent.settings.clone(),
    };
    let worker = Worker {
        store: app.store.clone(),
        agent: Arc::new(agent),
        events: app.events.clone(),
        inbox: Arc::clone(&app.inbox),
        outbox: Arc::clone(&app.outbox),
        desk: Arc::new(|| Desk::Open),
        presence: None,
        budget: Budget::default(),
    };
    Shop {
        app,
        model,
        worker,
        _folder: folder,
    }
}

impl Shop {
    async fn say(&self, sender: &str, text: &str) -> ConversationId {
        let inbound = Inbound {
            channel: Channel::Whatsapp,
            recipient: "us".to_owned(),
            external_id: format!("{sender}: {text}"),
            sender: sender.to_owned(),
            phone: None,
            name: None,
            sent_at: clock::now() / 1000,
            content: InboundContent::Text {
                text: text.to_owned(),
            },
            about: About::default(),
        };
        let intake = Intake {
            messages: vec![(inbound, 0)],
            ..Intake::default()
        };
        let accepted = self.app.store.accept(intake, clock::now()).await.unwrap();
        self.app.inbox.notify_one();
        accepted[0].conversation.clone()
    }

    async fn turn(&self, conversation: &ConversationId) -> TurnRecord {
        let started = Instant::now();
        loop {
            let turns = self.app.store.turns(conversation, 10).await.unwrap();
            if let [turn] = turns.as_slice() {
                return turn.clone();
            }
            assert!(turns.is_empty(), "one turn: {turns:?}");
            assert!(started.elapsed() < Duration::from_secs(40), "no turn ends");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_panics_is_tried_three_times_then_a_persons_and_others_are_answered() {
    let shop = shop("Malta", Duration::ZERO).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(shop.worker.clone().run("only".to_owned(), stop.clone()));
    let poison = shop.say("a", "Do you ship to Malta?").await;
    while shop.model.panics.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let other = shop.say("b", "Do you ship to Portugal?").await;
    let answered = shop.turn(&other).await;
    assert!(
        matches!(answered.outcome, Outcome::Answered { .. }),
        "{answered:?}"
    );
    assert_eq!(answered.trace.models[0].model, "faulty");

    let ended = shop.turn(&poison).await;
    let Outcome::HandedOff {
        reason, summary, ..
    } = &ended.outcome
    else {
        panic!("{ended:?}");
    };
    assert_eq!(*reason, HandOffReason::Failure);
    assert!(summary.contains("Malta"), "{summary}");
    assert_eq!(shop.model.panics.load(Ordering::SeqCst), 3);
    let state = shop.app.store.conversation(&poison).await.unwrap().unwrap();
    assert_eq!(state.holder, Holder::Human);
    let said = shop.app.store.transcript(&poison, "", 10).await.unwrap();
    assert_eq!(said.len(), 2, "the customer is told once");

    // While a person holds it no model is asked.
    let asked = shop.model.asked.load(Ordering::SeqCst);
    shop.say("a", "And to Gozo?").await;
    let started = Instant::now();
    while shop.app.store.turns(&poison, 10).await.unwrap().len() < 2 {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "no silent turn"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let silent = shop.app.store.turns(&poison, 1).await.unwrap().remove(0);
    assert!(
        matches!(silent.outcome, Outcome::Silent { .. }),
        "{silent:?}"
    );
    assert_eq!(shop.model.asked.load(Ordering::SeqCst), asked);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_the_turn_at_hand_and_begins_no_other() {
    let shop = shop("nothing at all", Duration::from_secs(1)).await;
    let stop = CancellationToken::new();
    let first = shop.say("a", "Do you ship to Malta?").await;
    let second = shop.say("b", "Do you ship to Portugal?").await;
    let running = tokio::spawn(shop.worker.clone().run("only".to_owned(), stop.clone()));
    while shop.model.asked.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    running.await.unwrap();
    let turn = shop.app.store.turns(&first, 10).await.unwrap().remove(0);
    assert!(matches!(turn.outcome, Outcome::Answered { .. }), "{turn:?}");
    assert!(shop.app.store.turns(&second, 10).await.unwrap().is_empty());
    let waiting = shop
        .app
        .store
        .claim("next", 1, clock::now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((waiting.state.id, waiting.attempts), (second, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_spent_ends_in_one_polite_message_and_a_person() {
    let mut shop = shop("nothing at all", Duration::ZERO).await;
    shop.worker.budget = Budget {
        currency: "EUR".to_owned(),
        conversation: None,
        day: Some(25_000),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(shop.worker.clone().run("only".to_owned(), stop.clone()));
    spend(&shop, "wamid.1", 24_999).await;
    let before = shop.say("a", "Do you ship to Malta?").await;
    let turn = shop.turn(&before).await;
    assert!(matches!(turn.outcome, Outcome::Answered { .. }), "{turn:?}");
    spend(&shop, "wamid.2", 1).await;
    let after = shop.say("b", "Do you ship to Portugal?").await;
    let turn = shop.turn(&after).await;
    let Outcome::HandedOff { answer, reason, .. } = &turn.outcome else {
        panic!("{turn:?}");
    };
    assert_eq!(*reason, HandOffReason::Limit);
    assert!(!answer.text.is_empty());
    assert_eq!(
        shop.model.asked.load(Ordering::SeqCst),
        1,
        "no model is asked"
    );
    let state = shop.app.store.conversation(&after).await.unwrap().unwrap();
    assert_eq!(state.holder, Holder::Human);
    stop.cancel();
    running.await.unwrap();
}

async fn spend(shop: &Shop, wamid: &str, micros: i64) {
    let delivery = Delivered {
        recipient: "us".to_owned(),
        key: format!("{wamid}:sent"),
        external_id: wamid.to_owned(),
        status: "sent".to_owned(),
        priced: Some(Priced {
            billable: None,
            model: None,
            kind: "regular".to_owned(),
            category: "service".to_owned(),
            micros,
            currency: "EUR".to_owned(),
        }),
        body: "{}".to_owned(),
        ..Delivered::default()
    };
    let intake = Intake {
        deliveries: vec![delivery],
        ..Intake::default()
    };
    shop.app.store.accept(intake, clock::now()).await.unwrap();
}

/// A channel that is only told what is being answered.
#[derive(Default)]
struct Watching(Mutex<Vec<Seen>>);

#[async_trait]
impl Messenger for Watching {
    async fn send(&self, _: &Outgoing) -> Result<SentMessage, SendError> {
        Err(SendError::Rejected("nothing is sent here".to_owned()))
    }

    async fn seen(&self, message: &Seen) -> Result<(), SendError> {
        self.0.lock().unwrap().push(message.clone());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_sees_that_an_answer_is_written_unless_a_person_writes_it() {
    let mut shop = shop("nothing at all", Duration::ZERO).await;
    let watching = Arc::new(Watching::default());
    let (presence, typing) = Presence::new(Arc::clone(&watching) as Arc<dyn Messenger>);
    shop.worker.presence = Some(presence);
    let stop = CancellationToken::new();
    let running = tokio::spawn(shop.worker.clone().run("only".to_owned(), stop.clone()));
    let telling = tokio::spawn(typing.run(stop.clone()));
    let held = shop.say("held", "Do you ship to Gozo?").await;
    shop.app
        .store
        .set_holder(&held, Holder::Human, clock::now())
        .await
        .unwrap();
    let told = watching.0.lock().unwrap().len();
    shop.say("held", "Hello?").await;
    let conversation = shop.say("a", "Do you ship to Malta?").await;
    shop.turn(&conversation).await;
    let started = Instant::now();
    loop {
        let seen = watching.0.lock().unwrap().clone();
        let ours = seen
            .iter()
            .filter(|seen| seen.external_id.starts_with("a:"));
        if ours.count() == 1 {
            let held = seen[told..]
                .iter()
                .any(|seen| seen.external_id == "held: Hello?");
            assert!(!held, "a person holds it");
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{seen:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    running.await.unwrap();
    telling.await.unwrap();
}
