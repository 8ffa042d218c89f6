//! Records what a model answers.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::book::{CaseBook, CaseRun};
use super::folder::Cassette;
use super::request::{Asked, Replied};
use super::stand_ins::StandIns;
use super::tape::Recording;
use crate::domain::ConversationId;
use crate::ports::{ChatModel, ModelError, ModelReply, ModelRequest};

/// A chat model whose answers are recorded. Failures are not.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<dyn ChatModel>,
    cassette: Arc<Cassette>,
    asker: Asker,
}

/// Who asks: the conversation that a request names, or a case.
#[derive(Clone)]
pub(super) struct Asker {
    book: Arc<CaseBook>,
    run: Option<CaseRun>,
}

impl Recorder {
    /// Records a model's answers in a cassette. Several recorders may share one.
    #[must_use]
    pub fn new(inner: Arc<dyn ChatModel>, cassette: Arc<Cassette>, book: Arc<CaseBook>) -> Self {
        Self {
            inner,
            cassette,
            asker: Asker::new(book),
        }
    }

    /// The same for another model, such as a judge.
    #[must_use]
    pub fn instead(&self, model: Arc<dyn ChatModel>) -> Self {
        Self {
            inner: model,
            ..self.clone()
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
}

#[async_trait]
impl ChatModel for Recorder {
    fn id(&self) -> &str {
        self.inner.id()
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let run = self.asker.run(request).await?;
        let mut stand_ins = self.asker.stand_ins(&self.cassette, &request.conversation);
        let asked = Asked::of(request, &mut stand_ins);
        let call = Call {
            request,
            run,
            asked,
            stand_ins,
        };
        call.recorded(self.inner.as_ref(), &self.cassette).await
    }
}

/// A request that is about to be recorded.
pub(super) struct Call<'a> {
    pub(super) request: &'a ModelRequest,
    pub(super) run: CaseRun,
    pub(super) asked: Asked,
    pub(super) stand_ins: StandIns,
}

impl Call<'_> {
    /// Asks the model and records its answer before it is given.
    pub(super) async fn recorded(
        self,
        model: &dyn ChatModel,
        cassette: &Arc<Cassette>,
    ) -> Result<ModelReply, ModelError> {
        let Self {
            request,
            run,
            asked,
            mut stand_ins,
        } = self;
        let begun = Instant::now();
        let reply = model.complete(request).await?;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let recording = Recording {
            hash: asked.hash(),
            repeat: run.repeat,
            model: None,
            request: asked,
            reply: Replied::of(&reply, &mut stand_ins),
            milliseconds,
        };
        let (cassette, id) = (Arc::clone(cassette), model.id().to_owned());
        let writing = tokio::task::spawn_blocking(move || cassette.add(&run.case, &id, recording));
        if let Err(error) = writing.await {
            tracing::error!(%error, "a recording broke off");
        }
        Ok(reply)
    }
}

impl Asker {
    pub(super) fn new(book: Arc<CaseBook>) -> Self {
        Self { book, run: None }
    }

    pub(super) fn for_case(mut self, run: CaseRun) -> Self {
        self.run = Some(run);
        self
    }

    /// The case that a request belongs to.
    pub(super) async fn run(&self, request: &ModelRequest) -> Result<CaseRun, ModelError> {
        match &self.run {
            Some(run) => Ok(run.clone()),
            None => self.book.run(&request.conversation).await,
        }
    }

    /// Stand-ins for a request of a conversation.
    pub(super) fn stand_ins(&self, cassette: &Cassette, conversation: &ConversationId) -> StandIns {
        cassette.stand_ins(&self.book.freshness(conversation))
    }
}
