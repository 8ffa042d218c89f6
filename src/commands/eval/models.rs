//! The models of a run, as its arguments name them.

use std::path::PathBuf;
use std::sync::Arc;

use super::shop::Shop;
use crate::app::Prepared;
use crate::commands::Failure;
use crate::eval::{
    Budget, CaseBook, CaseRun, Cassette, LastAsked, MissingRecording, Model, ModelSpec, OBEDIENT,
    Obedient, Paces, Price, Replayer, Suite, Taping, Wired, Wiring,
};

/// Calls to one provider at once.
const AT_ONCE: usize = 8;

/// Which models answer, at what pace and price, and what is recorded.
#[derive(Debug, clap::Args)]
pub struct Models {
    /// A model that answers: `offline`, `configured`, `openai:NAME@URL`, `replay:DIR`, or `obedient`, which does what the
    /// attacks of safety cases want; several are run one after the other and stand side by side
    #[arg(long, value_name = "MODEL", default_value = "configured")]
    model: Vec<String>,
    /// The model that plays the customers of simulations, in the same forms
    #[arg(long, value_name = "MODEL")]
    customer: Option<String>,
    /// The model that judges whether every fact of an answer stands in what was read, in the same forms: the measure
    /// `faithfulness`
    #[arg(long, value_name = "MODEL")]
    judge: Option<String>,
    /// Record every call to a model in this folder, a file a case
    #[arg(long, value_name = "DIR", conflicts_with_all = ["replay", "record_missing"])]
    record: Option<PathBuf>,
    /// Answer every call from this folder and ask no model; a call without a recording ends with 4
    #[arg(long, value_name = "DIR", conflicts_with = "record_missing")]
    replay: Option<PathBuf>,
    /// Answer from this folder what it has, and record the rest
    #[arg(long, value_name = "DIR")]
    record_missing: Option<PathBuf>,
    /// Calls a minute, for each provider
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<u32>,
    /// Calls to a provider at once
    #[arg(long, value_name = "N", default_value_t = AT_ONCE)]
    at_once: usize,
    /// What a million tokens cost, read and written: `NAME=IN/OUT`
    #[arg(long, value_name = "PRICE")]
    price: Vec<Price>,
    /// Stop when so many tokens are read and written
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// Stop when so much is spent, in the currency of the prices
    #[arg(long, value_name = "AMOUNT")]
    max_cost: Option<f64>,
}

/// One of the models.
pub enum Asked {
    /// One that answers.
    Spec(ModelSpec),
    /// The one that obeys every attacker.
    Obedient,
}

/// What a run may spend and how fast, over all its models.
pub struct Purse {
    budget: Arc<Budget>,
    /// How fast may be asked.
    pub paces: Paces,
}

impl Purse {
    /// As the arguments say.
    pub fn new(models: &Models) -> Self {
        let prices = models.price.clone();
        Self {
            budget: Arc::new(Budget::new(models.max_tokens, models.max_cost, prices)),
            paces: Paces::new(models.requests_per_minute, models.at_once),
        }
    }

    /// Whether something was refused because the budget is spent.
    pub fn is_spent(&self) -> bool {
        self.budget.refused()
    }

    /// Why the run is not complete: the budget is spent, or a provider failed.
    pub fn fault(&self) -> Option<String> {
        if let Some(reached) = self.budget.exhausted().filter(|_| self.is_spent()) {
            return Some(format!("the budget is spent: {reached}"));
        }
        let spent = self.budget.spent();
        let failing = spent.iter().find(|spent| spent.failed > 0)?;
        Some(format!(
            "{} of {} calls to {} failed, and what they were for was answered without it; the last one: {}",
            failing.failed,
            failing.failed + failing.calls,
            failing.model,
            failing.failure.as_deref().unwrap_or("-")
        ))
    }

    /// What everything cost so far, where prices were given.
    pub fn cost(&self) -> Option<f64> {
        let costs: Vec<f64> = self
            .budget
            .spent()
            .into_iter()
            .filter_map(|spent| spent.cost)
            .collect();
        (!costs.is_empty()).then(|| costs.iter().sum())
    }
}

impl Models {
    /// The models, in the order given.
    pub fn asked(&self) -> Result<Vec<Asked>, Failure> {
        let read = self.model.iter().map(|text| match text.as_str() {
            OBEDIENT => Ok(Asked::Obedient),
            text => text.parse().map(Asked::Spec).map_err(Failure::Wrong),
        });
        read.collect()
    }

    /// Whether everything comes from recordings.
    pub fn replays(&self) -> bool {
        let named = |model: &String| model.starts_with("replay:");
        self.replay.is_some() || self.model.iter().all(named)
    }

    /// What is done with recordings of a model. Several models and several variants have a folder each; what was
    /// recorded without the variant is replayed where it has none.
    fn taping(&self, spec: &ModelSpec, variant: Option<&str>) -> Taping {
        let of_model = |folder: &PathBuf| match self.model.len() {
            1 => folder.clone(),
            _ => folder.join(spec.folder()),
        };
        let own = |folder: &PathBuf| match variant {
            Some(variant) => of_model(folder).join(variant),
            None => of_model(folder),
        };
        if let Some(folder) = &self.record {
            return Taping::Record(own(folder));
        }
        if let Some(folder) = &self.replay {
            let varied = Some(own(folder)).filter(|folder| folder.is_dir());
            return Taping::Replay(varied.unwrap_or_else(|| of_model(folder)));
        }
        let missing = self.record_missing.as_ref();
        missing.map_or(Taping::Off, |folder| Taping::Fill(own(folder)))
    }
}

/// A model that is ready to answer in a shop.
pub struct Ready {
    /// Its name.
    pub name: String,
    /// The agent that asks it.
    prepared: Prepared,
    wired: Option<Arc<Wired>>,
    customer: Option<Model>,
    judge: Option<Model>,
}

/// Gives the model that plays the customer of a case, or judges it.
pub type Player = Box<dyn Fn(CaseRun) -> Model + Send + Sync>;

impl Asked {
    /// Its name before it is ready.
    pub fn name(&self) -> String {
        match self {
            Self::Spec(spec) => spec.name(),
            Self::Obedient => OBEDIENT.to_owned(),
        }
    }

    /// Makes it ready. Nothing is sent.
    pub fn ready(
        &self,
        shop: &Shop,
        models: &Models,
        purse: &Purse,
        suites: &[Suite],
        variant: Option<&str>,
    ) -> Result<Ready, Failure> {
        let prepared = &shop.local.prepared;
        let Self::Spec(spec) = self else {
            let offline = Arc::clone(&prepared.agent.offline);
            return Ok(Ready {
                name: OBEDIENT.to_owned(),
                prepared: prepared.with_model(Arc::new(Obedient::new(suites, offline))),
                wired: None,
                customer: None,
                judge: None,
            });
        };
        let wiring = Wiring {
            app: &shop.local.app,
            prepared,
            budget: Arc::clone(&purse.budget),
            paces: &purse.paces,
        };
        let wired = wiring.model(spec, &models.taping(spec, variant))?;
        let beside = |text: &String| -> Result<Model, Failure> {
            let spec: ModelSpec = text.parse().map_err(Failure::Wrong)?;
            let model = wiring.model(&spec, &Taping::Off)?;
            Ok(model.for_case(CaseRun::new("beside", 1)))
        };
        let customer = models.customer.as_ref().map(beside).transpose()?;
        let judge = models.judge.as_ref().map(beside).transpose()?;
        Ok(Ready {
            name: wired.name.clone(),
            prepared: wired.prepared.clone(),
            wired: Some(Arc::new(wired)),
            customer,
            judge,
        })
    }
}

impl Ready {
    /// The model that plays customers: the one that was named, recorded and replayed beside the one that answers.
    pub fn player(&self) -> Option<Player> {
        let replays = self.replayer().is_some();
        let recorded = replays.then(|| Arc::clone(&self.prepared.agent.offline));
        self.beside(self.customer.clone().or(recorded)?)
    }

    /// The model that judges, recorded and replayed in the same way. Recordings are asked only where one is named.
    pub fn judge(&self) -> Option<Player> {
        self.beside(self.judge.clone()?)
    }

    fn beside(&self, model: Model) -> Option<Player> {
        let wired = self.wired.clone()?;
        Some(Box::new(move |run| wired.beside(Arc::clone(&model), run)))
    }

    /// The agent, its requests kept for the cases that fail.
    pub fn watched(&self, asked: &LastAsked) -> Prepared {
        let agent = &self.prepared.agent;
        let model = agent.model.as_ref().unwrap_or(&agent.offline);
        self.prepared.with_model(asked.watch(Arc::clone(model)))
    }

    /// The model for a case that asks it directly.
    pub fn direct(&self, run: CaseRun) -> Model {
        match &self.wired {
            Some(wired) => wired.for_case(run),
            None => Arc::clone(
                self.prepared
                    .agent
                    .model
                    .as_ref()
                    .unwrap_or(&self.prepared.agent.offline),
            ),
        }
    }

    /// Told what differs from run to run.
    pub fn book(&self) -> Option<&CaseBook> {
        self.wired.as_ref().map(|wired| wired.book.as_ref())
    }

    /// Whether a call had no recording.
    pub fn lacks(&self) -> bool {
        self.replayer().is_some_and(Replayer::lacks)
    }

    /// A case is through: what is recorded of it is written.
    pub fn judged(&self, case: &str) {
        if let Some(cassette) = self.cassette() {
            cassette.finish(case);
        }
    }

    fn replayer(&self) -> Option<&Replayer> {
        self.wired.as_ref()?.replayer.as_ref()
    }

    fn cassette(&self) -> Option<&Arc<Cassette>> {
        self.wired.as_ref()?.cassette.as_ref()
    }

    /// The calls without a recording.
    pub fn missing(&self) -> Vec<MissingRecording> {
        self.replayer().map_or_else(Vec::new, Replayer::missing)
    }

    /// Writes what is recorded; fails when the disk did not take it.
    pub fn finish(&self) -> Result<(), String> {
        let Some(cassette) = self.cassette() else {
            return Ok(());
        };
        cassette.finish_all();
        cassette
            .fault()
            .map_or(Ok(()), |fault| Err(fault.to_string()))
    }
}
