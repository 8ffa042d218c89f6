//! Replays what was recorded.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::book::{CaseBook, CaseRun};
use super::difference::{MissingRecording, nearest};
use super::folder::Cassette;
use super::recorder::{Asker, Call};
use super::request::Asked;
use crate::ports::{ChatModel, ModelError, ModelReply, ModelRequest};

/// Of so many missing recordings the nearest one is looked for: more of them have the same cause.
const COMPARED: usize = 20;
/// Characters of a hash that tell it from the others, for people.
const SHORT: usize = 12;

/// A chat model that answers what was recorded and asks no network.
#[derive(Clone)]
pub struct Replayer {
    id: String,
    cassette: Arc<Cassette>,
    asker: Asker,
    /// Who answers what is not recorded; the answer is recorded then.
    inner: Option<Arc<dyn ChatModel>>,
    missing: Arc<Mutex<Vec<Missing>>>,
}

/// A request without a recording.
struct Missing {
    run: CaseRun,
    hash: String,
    asked: Asked,
}

impl Replayer {
    /// Replays a cassette. A call without a recording fails with [`ModelError::Missing`].
    #[must_use]
    pub fn new(cassette: Arc<Cassette>, book: Arc<CaseBook>) -> Self {
        let models = cassette.models();
        Self {
            id: match models.as_slice() {
                [model] => model.clone(),
                _ => "replay".to_owned(),
            },
            cassette,
            asker: Asker::new(book),
            inner: None,
            missing: Arc::default(),
        }
    }

    /// Replays a cassette, and records from a model what is missing in it.
    #[must_use]
    pub fn filling(
        cassette: Arc<Cassette>,
        book: Arc<CaseBook>,
        model: Arc<dyn ChatModel>,
    ) -> Self {
        Self {
            id: model.id().to_owned(),
            inner: Some(model),
            ..Self::new(cassette, book)
        }
    }

    /// The same for requests of a case that belong to no conversation: of a judge, of a played customer.
    #[must_use]
    pub fn for_case(&self, run: CaseRun) -> Self {
        Self {
            asker: self.asker.clone().for_case(run),
            ..self.clone()
        }
    }

    /// The same for another model, such as a judge, which is asked only where this one is asked. What is missing is
    /// told by all of them.
    #[must_use]
    pub fn instead(&self, model: Arc<dyn ChatModel>) -> Self {
        Self {
            inner: self.inner.is_some().then_some(model),
            ..self.clone()
        }
    }

    /// The cassette that is replayed.
    #[must_use]
    pub fn cassette(&self) -> &Arc<Cassette> {
        &self.cassette
    }

    /// Whether a call had no recording.
    #[must_use]
    pub fn lacks(&self) -> bool {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        !missing.is_empty()
    }

    /// The calls that had no recording, by case, each once.
    #[must_use]
    pub fn missing(&self) -> Vec<MissingRecording> {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.sort_by(|one, other| {
            let key = |missing: &Missing| (missing.run.case.clone(), missing.hash.clone());
            (key(one), one.run.repeat).cmp(&(key(other), other.run.repeat))
        });
        missing.dedup_by(|one, other| (&one.run.case, &one.hash) == (&other.run.case, &other.hash));
        let found = missing.iter().enumerate().map(|(number, missing)| {
            let known = || self.cassette.known(&missing.run.case);
            let compared = (number < COMPARED).then(|| nearest(&missing.asked, &known()));
            MissingRecording {
                case: missing.run.case.clone(),
                hash: missing.hash.clone(),
                nearest: compared.flatten(),
            }
        });
        found.collect()
    }
}

#[async_trait]
impl ChatModel for Replayer {
    fn id(&self) -> &str {
        &self.id
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let run = self.asker.run(request).await?;
        let mut stand_ins = self.asker.stand_ins(&self.cassette, &request.conversation);
        let asked = Asked::of(request, &mut stand_ins);
        let hash = asked.hash();
        if let Some(reply) = self.cassette.play(&run, &hash, &stand_ins) {
            return Ok(reply);
        }
        if let Some(model) = &self.inner {
            let call = Call {
                request,
                run,
                asked,
                stand_ins,
            };
            return call.recorded(model.as_ref(), &self.cassette).await;
        }
        let short: String = hash.chars().take(SHORT).collect();
        let said = format!("case {}, request {short}", run.case);
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.push(Missing { run, hash, asked });
        Err(ModelError::Missing(said))
    }
}
