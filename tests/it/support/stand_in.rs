//! The program's own stand-in for the Graph API on a free port, which also reads the derived schema.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use jsonschema::Validator;
use serde_json::Value;
use sportello::simulate::{Account, Broken, Graph, Sent};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::data::shared;
use super::graph::{NUMBER, SECRET, TOKEN};
use super::listener::{Reset, serve};

pub const BUSINESS: &str = "102290129340398";

/// A running stand-in. Dropping it fails the test when a request broke the contract, unless its faults
/// were asked for.
pub struct StandIn {
    pub graph: Graph,
    pub url: String,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl StandIn {
    /// Starts it; nothing is told to a server yet.
    pub async fn start() -> Self {
        let graph = Graph::new(Account {
            number: NUMBER.to_owned(),
            business: BUSINESS.to_owned(),
            token: TOKEN.to_owned(),
            secret: SECRET.to_owned(),
            run: String::new(),
        });
        graph.check_also(schema_faults);
        let reset = Reset::default();
        let breaks = reset.clone();
        let router =
            graph
                .router()
                .layer(middleware::from_fn(move |request: Request, next: Next| {
                    let reset = breaks.clone();
                    async move { break_off(request, next, &reset).await }
                }));
        let (address, serving) = serve(router, reset).await;
        Self {
            graph,
            url: format!("http://{address}/v26.0"),
            stop: CancellationToken::new(),
            serving,
        }
    }

    /// Posts its webhooks to the server at this address from now on.
    pub fn tell(&self, server: &str) {
        let (graph, stop) = (self.graph.clone(), self.stop.clone());
        let door = format!("{server}/webhooks/whatsapp");
        tokio::spawn(async move { graph.deliver(&door, stop).await });
    }

    /// The variables of a server that sends here.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = crate::serving::variables(&self.url);
        variables.push(("SPORTELLO_WHATSAPP__WABA_ID", BUSINESS.to_owned()));
        variables
    }

    /// The messages that it took.
    pub fn taken(&self) -> Vec<Sent> {
        let mut sent = self.graph.sent();
        sent.retain(|sent| sent.taken);
        sent
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.cancel();
        self.serving.abort();
        let faults = self.graph.faults();
        assert!(
            faults.is_empty() || std::thread::panicking(),
            "requests broke the contract: {faults:?}"
        );
    }
}

async fn break_off(request: Request, next: Next, reset: &Reset) -> Response {
    let response = next.run(request).await;
    if response.extensions().get::<Broken>().is_some() {
        reset.next_answer();
    }
    response
}

static SCHEMA: LazyLock<Option<Validator>> = LazyLock::new(|| {
    let path = shared("whatsapp/meta-openapi/schema/messages.request.derived.schema.json")?;
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    Some(jsonschema::validator_for(&schema).unwrap())
});

fn schema_faults(request: &Value) -> Vec<String> {
    let Some(schema) = SCHEMA.as_ref() else {
        return Vec::new();
    };
    schema
        .iter_errors(request)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}
