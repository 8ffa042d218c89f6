//! Whole conversations, recorded from an endpoint and replayed without it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use sportello::app::{App, Prepared, Said, Talk};
use sportello::config::Config;
use sportello::domain::{HandOffReason, InboundContent, Outcome};
use sportello::eval::{Budget, CaseRun, ModelSpec, Paces, Taping, Wired, Wiring};
use tempfile::{TempDir, tempdir};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::model::{Reply, ScriptedModel};
use crate::support::program::warm;

const CASE: &str = "Buying/en";
const TURNS: [&str; 2] = [
    "I take the Sabauda. Send the link; I am Anna, +39 333 1234567, anna.rossi@example.com",
    "and how long is the guarantee?",
];

/// The demo shop with its workers, asking one model of a run.
struct Shop {
    app: Arc<App>,
    wired: Wired,
    stop: CancellationToken,
    tasks: TaskTracker,
    _data: TempDir,
}

impl Shop {
    async fn open(
        spec: &ModelSpec,
        taping: &Taping,
        budget: &Arc<Budget>,
        key: Option<&str>,
    ) -> Self {
        let data = warm().await;
        let mut config = Config {
            demo: true,
            ..Config::default()
        };
        config.llm.api_key = key.map(Into::into);
        config.llm.tries = 1;
        let app = App::open(config, data.path(), "https://shop.example")
            .await
            .unwrap();
        let app = Arc::new(app);
        let prepared: Prepared = app.prepare().await.unwrap();
        app.reindex(Some(&prepared), |_, _| {}).await.unwrap();
        let wiring = Wiring {
            app: &app,
            prepared: &prepared,
            budget: Arc::clone(budget),
            paces: &Paces::new(Some(60_000), 4),
        };
        let wired = wiring.model(spec, taping).unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        app.start_workers(&wired.prepared, &stop, &tasks).unwrap();
        Self {
            app,
            wired,
            stop,
            tasks,
            _data: data,
        }
    }

    async fn says(&self, repeat: u32, text: &str) -> Said {
        let talk = Talk {
            session: CaseRun::new(CASE, repeat).session(),
            phone: None,
            content: vec![InboundContent::Text {
                text: text.to_owned(),
            }],
        };
        self.app.talk(talk).await.unwrap()
    }

    async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(cassette) = &self.wired.cassette {
            cassette.finish_all();
            assert_eq!(cassette.fault(), None);
        }
        self.app.store.close().await;
    }
}

async fn endpoint() -> ScriptedModel {
    let items = json!([{"product_id": "macchina-sabauda", "quantity": 1}]);
    ScriptedModel::start([
        Reply::call("payment_link", &json!({ "items": items })),
        Reply::text("Here is your link, Anna. We write to anna.rossi@example.com."),
        Reply::text("Two years on the Sabauda."),
    ])
    .await
}

fn spec(model: &ScriptedModel) -> ModelSpec {
    format!("openai:scripted@{}", model.base_url())
        .parse()
        .unwrap()
}

/// Records the conversation; gives what was said and the file.
async fn record(folder: &Path, budget: &Arc<Budget>) -> (Vec<Said>, String) {
    let model = endpoint().await;
    let taping = Taping::Record(folder.to_owned());
    let shop = Shop::open(&spec(&model), &taping, budget, Some("sk-scripted")).await;
    let mut said = Vec::new();
    for turn in TURNS {
        said.push(shop.says(1, turn).await);
    }
    shop.close().await;
    assert_eq!(model.remaining(), 0);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    (
        said,
        std::fs::read_to_string(files.remove(0).path()).unwrap(),
    )
}

fn without_times(file: &str) -> Value {
    let mut tape: Value = serde_json::from_str(file).unwrap();
    for call in tape["calls"].as_array_mut().unwrap() {
        assert!(call["milliseconds"].take().is_u64());
    }
    // The port of the endpoint is another one each time, but its host is not.
    assert_eq!(tape["model"], "scripted@127.0.0.1");
    tape
}

/// Text, tools and products of what was said, without ids.
fn read(said: &Said) -> Value {
    let answer = said.outcome.answer().unwrap();
    let tools: Vec<&str> = said
        .trace
        .tools
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    let models: Vec<Value> = said.trace.models.iter().map(|model| json!(model)).collect();
    let total = answer.payment.as_ref().map(|payment| payment.total.minor);
    json!([
        said.outcome.name(),
        answer.text,
        tools,
        models,
        total,
        answer.products
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_replayed_without_its_endpoint() {
    let (folder, again) = (tempdir().unwrap(), tempdir().unwrap());
    let budget = Arc::new(Budget::new(Some(1_000_000), None, Vec::new()));
    let (recorded, file) = record(folder.path(), &budget).await;
    let spent = &budget.spent()[0];
    assert_eq!(
        (spent.calls, spent.input_tokens, spent.output_tokens),
        (3, 300, 60)
    );
    assert!(
        spent.model.starts_with("scripted@127.0.0.1:"),
        "{}",
        spent.model
    );
    let payment = |said: &Said| said.outcome.answer().unwrap().payment.clone().unwrap();
    let link = payment(&recorded[0]);
    for secret in [
        "333 1234567",
        "1234567",
        "anna.rossi",
        "sk-scripted",
        "https://shop.example",
        link.id.as_str(),
    ] {
        assert!(!file.contains(secret), "{secret} in {file}");
    }
    let (_, other) = record(again.path(), &budget).await;
    assert_eq!(without_times(&file), without_times(&other));

    let replay: ModelSpec = format!("replay:{}", folder.path().display())
        .parse()
        .unwrap();
    let shop = Shop::open(&replay, &Taping::Off, &budget, None).await;
    for repeat in [1, 2] {
        let mut links = Vec::new();
        for (turn, recorded) in TURNS.iter().zip(&recorded) {
            let said = shop.says(repeat, turn).await;
            assert_eq!(read(&said), read(recorded));
            links.extend(said.outcome.answer().unwrap().payment.clone());
        }
        assert!(links[0].id != link.id, "a link of its own");
    }
    let replayer = shop.wired.replayer.clone().unwrap();
    assert!(replayer.missing().is_empty(), "{:?}", replayer.missing());
    let calls: u64 = budget.spent().iter().map(|spent| spent.calls).sum();
    assert_eq!(calls, 6, "nothing was asked again");

    // What was never recorded is not answered by another model, and the difference is told.
    let said = shop
        .says(3, "I take the Aria. Send the link; I am Anna")
        .await;
    assert!(
        matches!(
            said.outcome,
            Outcome::HandedOff {
                reason: HandOffReason::Failure,
                ..
            }
        ),
        "{:?}",
        said.outcome
    );
    let missing = replayer.missing();
    let told = missing[0].lines().join("\n");
    assert_eq!((missing.len(), missing[0].case.as_str()), (1, CASE));
    assert!(
        told.contains("+ I take the Aria. Send the link; I am Anna"),
        "{told}"
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_is_not_hidden_by_the_offline_model() {
    let model = endpoint().await;
    let budget = Arc::new(Budget::new(Some(240), None, Vec::new()));
    let shop = Shop::open(&spec(&model), &Taping::Off, &budget, None).await;
    let first = shop.says(1, TURNS[0]).await;
    assert_eq!(first.outcome.name(), "answered");
    assert!(!budget.refused());
    let second = shop.says(1, TURNS[1]).await;
    assert!(
        matches!(
            second.outcome,
            Outcome::HandedOff {
                reason: HandOffReason::Failure,
                ..
            }
        ),
        "{:?}",
        second.outcome
    );
    assert!(budget.refused());
    assert_eq!(budget.exhausted().as_deref(), Some("240 tokens of 240"));
    assert_eq!(model.remaining(), 1);
    shop.close().await;
}
