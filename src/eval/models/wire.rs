//! Puts a model of a run together: endpoint, pace, budget, cassette.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::budget::{Budget, Metered};
use super::pace::{Paced, Paces};
use super::spec::{ModelSpec, host};
use crate::app::{App, AppError, Prepared};
use crate::config::Config;
use crate::eval::cassette::{
    CaseBook, CaseRun, Cassette, CassetteFault, Recorder, Replayer, Scrubber,
};
use crate::ports::ChatModel;

/// What is done with recordings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Taping {
    /// Nothing.
    #[default]
    Off,
    /// Every case is recorded anew in this folder.
    Record(PathBuf),
    /// Everything is replayed from this folder; no model is asked.
    Replay(PathBuf),
    /// What is in this folder is replayed, the rest is recorded.
    Fill(PathBuf),
}

/// What the models of a run share.
pub struct Wiring<'a> {
    /// The shop.
    pub app: &'a App,
    /// The agent as it is configured.
    pub prepared: &'a Prepared,
    /// What may be spent.
    pub budget: Arc<Budget>,
    /// How fast may be asked.
    pub paces: &'a Paces,
}

/// A model of a run, ready.
pub struct Wired {
    /// Its name in reports.
    pub name: String,
    /// The agent that asks it.
    pub prepared: Prepared,
    /// Its cassette.
    pub cassette: Option<Arc<Cassette>>,
    /// Which case a conversation is.
    pub book: Arc<CaseBook>,
    /// Who replays, for what is missing.
    pub replayer: Option<Replayer>,
    recorder: Option<Recorder>,
    model: Arc<dyn ChatModel>,
}

impl Wiring<'_> {
    /// A model, ready to be asked by the agent. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address or the key cannot be used, a price is missing that the budget needs, or recordings cannot be
    /// read or written.
    pub fn model(&self, spec: &ModelSpec, taping: &Taping) -> Result<Wired, AppError> {
        let book = Arc::new(CaseBook::of(self.app.store.clone()));
        let taping = match spec {
            ModelSpec::Replay(folder) => &Taping::Replay(folder.clone()),
            ModelSpec::Offline | ModelSpec::Configured | ModelSpec::OpenAi { .. } => taping,
        };
        let mut wired = Wired {
            name: spec.name(),
            prepared: self.prepared.clone(),
            cassette: None,
            book: Arc::clone(&book),
            replayer: None,
            recorder: None,
            model: Arc::clone(&self.prepared.agent.offline),
        };
        if let Taping::Replay(folder) = taping {
            let cassette = Cassette::read(folder, self.scrubber(None)).map_err(unusable)?;
            let replayer = Replayer::new(Arc::new(cassette), book);
            // Whoever was recorded answers, whatever the configuration names.
            if *spec == ModelSpec::Configured {
                replayer.id().clone_into(&mut wired.name);
            }
            return Ok(wired.replayed_by(replayer));
        }
        let llm = spec
            .llm(&self.app.config.llm)
            .map_err(AppError::Configuration)?;
        let key = llm.as_ref().and_then(|llm| llm.api_key.clone());
        if let Some(llm) = &llm {
            wired.model = self.endpoint(llm, &wired.name)?;
        }
        match taping {
            Taping::Off | Taping::Replay(_) => {
                let model = Arc::clone(&wired.model);
                wired.prepared = wired.prepared.with_model(model);
                Ok(wired)
            }
            Taping::Record(folder) => {
                let cassette = Cassette::anew(folder, self.scrubber(key)).map_err(unusable)?;
                let cassette = Arc::new(cassette);
                let recorder = Recorder::new(Arc::clone(&wired.model), Arc::clone(&cassette), book);
                wired.prepared = wired.prepared.with_model(Arc::new(recorder.clone()));
                wired.recorder = Some(recorder);
                wired.cassette = Some(cassette);
                Ok(wired)
            }
            Taping::Fill(folder) => {
                let cassette = Cassette::extend(folder, self.scrubber(key)).map_err(unusable)?;
                let model = Arc::clone(&wired.model);
                let replayer = Replayer::filling(Arc::new(cassette), book, model);
                Ok(wired.replayed_by(replayer))
            }
        }
    }

    fn endpoint(
        &self,
        llm: &crate::config::Llm,
        name: &str,
    ) -> Result<Arc<dyn ChatModel>, AppError> {
        if self.budget.max_cost.is_some() && !self.budget.has_price(name) {
            return Err(AppError::Configuration(format!(
                "--max-cost needs the price of {name}; add --price {name}=IN/OUT, per million tokens"
            )));
        }
        let model = self.app.endpoint_model(llm)?;
        let address = llm.base_url.as_deref().and_then(|url| Url::parse(url).ok());
        let provider = address.as_ref().map(host).unwrap_or_default();
        let paced = Arc::new(Paced::new(model, self.paces.of(&provider)));
        let budget = Arc::clone(&self.budget);
        Ok(Arc::new(Metered::new(paced, name.to_owned(), budget)))
    }

    fn scrubber(&self, key: Option<SecretString>) -> Scrubber {
        let mut secrets = secrets(&self.app.config);
        secrets.extend(key);
        Scrubber::new(&self.app.public_url, &secrets)
    }
}

impl Wired {
    fn replayed_by(mut self, replayer: Replayer) -> Self {
        self.prepared = self.prepared.with_model(Arc::new(replayer.clone()));
        self.cassette = Some(Arc::clone(replayer.cassette()));
        self.replayer = Some(replayer);
        self
    }

    /// The same model for requests of a case that belong to no conversation: of a judge, of a played customer.
    #[must_use]
    pub fn for_case(&self, run: CaseRun) -> Arc<dyn ChatModel> {
        match (&self.replayer, &self.recorder) {
            (Some(replayer), _) => Arc::new(replayer.for_case(run)),
            (None, Some(recorder)) => Arc::new(recorder.for_case(run)),
            (None, None) => Arc::clone(&self.model),
        }
    }

    /// Another model, such as a judge, recorded and replayed beside this one, for requests of a case that belong to no
    /// conversation.
    #[must_use]
    pub fn beside(&self, model: Arc<dyn ChatModel>, run: CaseRun) -> Arc<dyn ChatModel> {
        match (&self.replayer, &self.recorder) {
            (Some(replayer), _) => Arc::new(replayer.instead(model).for_case(run)),
            (None, Some(recorder)) => Arc::new(recorder.instead(model).for_case(run)),
            (None, None) => model,
        }
    }
}

fn unusable(fault: CassetteFault) -> AppError {
    AppError::Configuration(fault.to_string())
}

/// Every secret of the configuration that a request could carry.
fn secrets(config: &Config) -> Vec<SecretString> {
    let whatsapp = &config.whatsapp;
    let mut secrets = whatsapp.app_secret.clone();
    let single = [
        &config.llm.api_key,
        &config.embedding.api_key,
        &config.retrieval.api_key,
        &config.retrieval.reranker.api_key,
        &config.transcription.api_key,
        &config.server.api_token,
        &config.desk.password,
        &config.payments.stripe_secret_key,
        &config.payments.stripe_webhook_secret,
        &whatsapp.access_token,
        &whatsapp.verify_token,
    ];
    secrets.extend(single.into_iter().flatten().cloned());
    secrets
}
