//! Running suites against an opened shop.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt as _;

use super::asked::LastAsked;
use super::case::{Case, Expect, Kind, RetrievalCase, ToolCallCase, Words};
use super::cassette::{CaseBook, CaseRun};
use super::judged;
use super::observed::{Observed, Talked};
use super::ranking::DEPTH;
use super::results::CaseResult;
use super::simulated::simulate;
use super::suite::Suite;
use super::talks::{conversation, texts};
use crate::app::{App, AppError, Prepared, Readers};
use crate::domain::{ConversationId, Language};
use crate::knowledge::Knowledge;
use crate::ports::{ChatModel, Filter, ModelMessage, ModelRequest, ToolDefinition, TurnFacts};
use crate::retrieval::{Query, SearchLegs};
use crate::tools::Caller;
use crate::understand::{Understanding, VectorsOf};

/// Texts embedded at once.
const BATCH: usize = 256;
/// Searches at once.
const SEARCHES: usize = 4;
/// Tokens of an answer to a case with functions of its own.
const OUTPUT_TOKENS: u32 = 500;

/// Runs suites against a shop whose workers have been started.
pub struct Runner<'a> {
    /// The shop.
    pub app: &'a App,
    /// Its agent.
    pub prepared: &'a Prepared,
    /// The model that plays the customer of a case; without one, simulations are skipped.
    pub customer: Option<&'a (dyn Fn(CaseRun) -> Arc<dyn ChatModel> + Send + Sync)>,
    /// The model that judges whether answers say what was read; without one, none does.
    pub judge: Option<&'a (dyn Fn(CaseRun) -> Arc<dyn ChatModel> + Send + Sync)>,
    /// The model for cases that ask it directly.
    pub direct: &'a (dyn Fn(CaseRun) -> Arc<dyn ChatModel> + Send + Sync),
    /// Told what differs from run to run, for recordings.
    pub book: Option<&'a CaseBook>,
    /// What the agent's model was asked last.
    pub asked: &'a LastAsked,
    /// How often every conversation runs.
    pub repeats: u32,
    /// Cases run at once.
    pub jobs: usize,
}

/// What to run of a suite.
pub struct Selection<'a> {
    /// Whether a case runs, in this repeat.
    pub wanted: &'a (dyn Fn(&Case, u32) -> bool + Send + Sync),
    /// Told of each case as soon as it is judged.
    pub judged: &'a (dyn Fn(&CaseResult) + Send + Sync),
}

impl Runner<'_> {
    /// Runs what is selected of a suite; the results are in no certain order.
    ///
    /// # Errors
    /// [`AppError::Configuration`] when a case names an intent or a tool that the shop does not have; else when the
    /// embedder, the index or the store fails.
    pub async fn run(
        &self,
        suite: &Suite,
        selection: &Selection<'_>,
    ) -> Result<Vec<CaseResult>, AppError> {
        known(self.app, suite)?;
        let documents = Documents::of(&self.app.knowledge.load());
        let mut results: Vec<CaseResult> = Vec::new();
        let wanted: Vec<(usize, &Case)> = suite.cases.iter().enumerate().collect();
        let mut take = |place: usize, repeat: u32, observed: Observed| {
            let case = &suite.cases[place];
            let asked = if let Observed::Talked(talked) = &observed
                && let Some(conversation) = &talked.conversation
            {
                self.asked.take(conversation)
            } else {
                Vec::new()
            };
            let mut result = CaseResult::new(&suite.name, case, repeat, observed);
            if !result.passed {
                result.prompt = asked;
                let absent = documents.absent(case);
                result.faults.extend(absent.map(|name| {
                    format!("the shop has no `{name}` any more, or never had; the case names it")
                }));
            }
            (selection.judged)(&result);
            results.push(result);
        };
        let once = |case: &Case| (selection.wanted)(case, 0);
        let messages: Vec<(usize, &Case)> = wanted
            .iter()
            .filter(|(_, case)| message(case).is_some() && once(case))
            .copied()
            .collect();
        for (place, observed) in self.messages(&messages).await? {
            take(place, 0, observed);
        }
        let understanding = self.prepared.understanding.load_full();
        let searches = wanted.iter().filter_map(|(place, case)| {
            let Case::Retrieval(of) = case else {
                return None;
            };
            once(case).then_some((*place, of))
        });
        let mut searches = futures::stream::iter(searches)
            .map(|(place, case)| {
                let understanding = &understanding;
                async move { (place, self.search(understanding, case).await) }
            })
            .buffered(SEARCHES);
        while let Some((place, observed)) = searches.next().await {
            take(place, 0, observed?);
        }
        let repeats = 0..self.repeats.max(1);
        let talks = wanted.iter().flat_map(|(place, case)| {
            let repeats = if talks(case) { repeats.clone() } else { 0..0 };
            repeats.map(|repeat| (*place, *case, repeat))
        });
        let talks = talks.filter(|(_, case, repeat)| (selection.wanted)(case, *repeat));
        let mut talks =
            futures::stream::iter(talks.collect::<Vec<_>>())
                .map(|(place, case, repeat)| async move {
                    (place, repeat, self.talk(case, repeat).await)
                })
                .buffer_unordered(self.jobs.max(1));
        while let Some((place, repeat, observed)) = talks.next().await {
            take(place, repeat, observed);
        }
        drop(talks);
        Ok(results)
    }

    /// The cases that are one message to understand.
    async fn messages(&self, cases: &[(usize, &Case)]) -> Result<Vec<(usize, Observed)>, AppError> {
        let understanding = self.prepared.understanding.load_full();
        let mut seen = Vec::with_capacity(cases.len());
        for batch in cases.chunks(BATCH) {
            let texts: Vec<String> = batch
                .iter()
                .filter_map(|(_, case)| message(case))
                .map(str::to_owned)
                .collect();
            let readers = Readers {
                reader: self.app.reader.as_ref(),
                questions: self.app.questions.as_deref(),
                always_both: false,
            };
            let (sentence, retrieval) = readers.vectors(&self.app.store, &texts).await?;
            let vectors = VectorsOf {
                sentence: &sentence,
                retrieval: retrieval.as_deref(),
            };
            for (number, ((place, _), text)) in batch.iter().zip(&texts).enumerate() {
                let Some(vectors) = vectors.of(number) else {
                    continue;
                };
                let triage = understanding.triage(text, vectors, None);
                let observed = Observed::Understood {
                    intent: triage.intent.decided().to_owned(),
                    intent_score: rounded(triage.intent.score),
                    language: triage.language.language,
                    language_score: rounded(triage.language.confidence),
                    sentiment: triage.sentiment.label,
                    polarity: rounded(triage.sentiment.polarity),
                };
                seen.push((*place, observed));
            }
        }
        Ok(seen)
    }

    async fn search(
        &self,
        understanding: &Understanding,
        case: &RetrievalCase,
    ) -> Result<Observed, AppError> {
        let detected = || understanding.languages.detect(&case.text, None).language;
        let language: Language = case.language.unwrap_or_else(detected);
        let query = Query {
            text: &case.text,
            vector: None,
            diversity: 0.0,
            legs: SearchLegs::Both,
            language,
            // A document has several passages.
            limit: (2 * DEPTH).max(case.k),
            filter: Filter {
                kinds: case.kinds.clone(),
                ..Filter::default()
            },
        };
        let found = self.app.retriever.search(&query).await?;
        let relevant = found.relevant;
        let (mut documents, mut scores) = (Vec::new(), Vec::new());
        for passage in found.passages {
            if !documents.contains(&passage.document) {
                documents.push(passage.document);
                scores.push(rounded(passage.score));
            }
        }
        documents.truncate(DEPTH.max(case.k));
        scores.truncate(documents.len());
        Ok(Observed::Ranked {
            language,
            relevant,
            documents,
            scores,
        })
    }

    async fn talk(&self, case: &Case, repeat: u32) -> Observed {
        let run = case_run(case, repeat);
        let mut observed = self.talked(case, run.clone()).await;
        if let (Some(judge), Observed::Talked(talked)) = (&self.judge, &mut observed) {
            judged::judge(self.prepared, judge(run).as_ref(), talked).await;
        }
        observed
    }

    async fn talked(&self, case: &Case, run: CaseRun) -> Observed {
        let session = run.session();
        match case {
            Case::Conversation(case) => {
                let talked = conversation(self.app, case, session, self.book);
                Observed::Talked(talked.await)
            }
            Case::ToolCall(case) if !case.functions.is_empty() => self.ask(case, run).await,
            Case::ToolCall(case) => {
                let said = case.before.iter().chain([&case.say]);
                Observed::Talked(texts(self.app, case.phone.as_deref(), said, session).await)
            }
            Case::Safety(case) => {
                let said = case.turns.iter();
                Observed::Talked(texts(self.app, case.phone.as_deref(), said, session).await)
            }
            Case::Simulation(case) => match &self.customer {
                Some(customer) => {
                    let player = customer(run);
                    let talked = simulate(self.app, self.prepared, player.as_ref(), case, session);
                    Observed::Talked(talked.await)
                }
                None => Observed::Skipped {
                    reason: "no model plays the customer; name one with --customer".to_owned(),
                },
            },
            Case::Intent(_) | Case::Sentiment(_) | Case::Language(_) | Case::Retrieval(_) => {
                Observed::Talked(Talked::default())
            }
        }
    }

    /// Asks the model directly which of the case's functions to call.
    async fn ask(&self, case: &ToolCallCase, run: CaseRun) -> Observed {
        let said = |words: &Words| ModelMessage::User(words.texts().join("\n"));
        let tools = case.functions.iter().map(|function| ToolDefinition {
            name: function.name.clone(),
            description: function.description.clone(),
            input_schema: function.parameters.clone(),
        });
        let agent = &self.prepared.agent;
        let request = ModelRequest {
            messages: case.before.iter().chain([&case.say]).map(said).collect(),
            tools: tools.collect(),
            max_output_tokens: OUTPUT_TOKENS,
            conversation: ConversationId::new(),
            facts: TurnFacts::of(
                case.say.texts().join("\n"),
                case.language.unwrap_or(agent.settings.home),
            ),
        };
        match (self.direct)(run).complete(&request).await {
            Ok(reply) => Observed::Called {
                calls: reply
                    .calls
                    .into_iter()
                    .map(|call| (call.name, call.arguments))
                    .collect(),
                text: reply.text,
            },
            Err(error) => Observed::Failed {
                reason: error.to_string(),
            },
        }
    }
}

/// A run of a case, as conversations and recordings name it. `repeat` is counted from 0.
#[must_use]
pub fn case_run(case: &Case, repeat: u32) -> CaseRun {
    CaseRun::new(recording(case.kind(), case.name()), repeat + 1)
}

/// The name of a case's recording.
#[must_use]
pub fn recording(kind: Kind, case: &str) -> String {
    format!("{}-{case}", kind.name())
}

/// Scores are kept to four decimals: the rest differs between processors.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1e4).round() / 1e4
}

/// The message of a case that is only understood.
fn message(case: &Case) -> Option<&str> {
    match case {
        Case::Intent(case) => Some(&case.text),
        Case::Sentiment(case) => Some(&case.text),
        Case::Language(case) => Some(&case.text),
        Case::Retrieval(_)
        | Case::ToolCall(_)
        | Case::Conversation(_)
        | Case::Simulation(_)
        | Case::Safety(_) => None,
    }
}

fn talks(case: &Case) -> bool {
    matches!(
        case.kind(),
        Kind::ToolCall | Kind::Conversation | Kind::Simulation | Kind::Safety
    )
}

/// The documents that suites name and the shop does not have, in the suites' order.
#[must_use]
pub fn absent(app: &App, suites: &[&Suite]) -> Vec<String> {
    let documents = Documents::of(&app.knowledge.load());
    let mut absent: Vec<String> = Vec::new();
    for case in suites.iter().flat_map(|suite| &suite.cases) {
        for name in documents.absent(case) {
            if !absent.iter().any(|known| known == name) {
                absent.push(name.to_owned());
            }
        }
    }
    absent
}

/// The documents of a shop, products among them.
struct Documents(HashSet<String>);

impl Documents {
    fn of(knowledge: &Knowledge) -> Self {
        let products = knowledge.products.iter().map(|product| product.id.as_str());
        let documents = knowledge.documents.iter();
        let documents = documents.map(|document| document.id.as_str());
        Self(products.chain(documents).map(str::to_owned).collect())
    }

    /// Those that a case names and the shop does not have.
    fn absent<'c>(&self, case: &'c Case) -> impl Iterator<Item = &'c str> {
        let named: Vec<&'c str> = match case {
            Case::Retrieval(case) => case.relevant.grades().keys().copied().collect(),
            Case::Conversation(case) => {
                let turns = case.turns.iter();
                turns.flat_map(|turn| documents(&turn.expect)).collect()
            }
            Case::Simulation(case) => documents(&case.expect).collect(),
            Case::Intent(_)
            | Case::Sentiment(_)
            | Case::Language(_)
            | Case::ToolCall(_)
            | Case::Safety(_) => Vec::new(),
        };
        named.into_iter().filter(|name| !self.0.contains(*name))
    }
}

fn documents(expect: &Expect) -> impl Iterator<Item = &str> {
    let named = expect.source.iter().chain(&expect.passages);
    named.map(String::as_str)
}

/// A case that names an intent or a tool that is not there could never pass.
fn known(app: &App, suite: &Suite) -> Result<(), AppError> {
    let knowledge = app.knowledge.load();
    let intents: HashSet<&str> = knowledge
        .intents
        .iter()
        .map(|intent| intent.name.as_str())
        .collect();
    let tools: HashSet<&str> = app
        .tools
        .specs(Caller::Conversation)
        .map(|tool| tool.name)
        .collect();
    let check = |what: &str, set: &HashSet<&str>, name: &str| {
        if set.contains(name) {
            return Ok(());
        }
        Err(AppError::Configuration(format!(
            "the suite names the {what} `{name}`, which the shop does not have"
        )))
    };
    let intent = |name: &str| check("intent", &intents, name);
    let tool = |name: &str| check("tool", &tools, name);
    let expected = |expect: &Expect| {
        expect.intent.iter().try_for_each(|name| intent(name))?;
        let calls = expect.calls.iter().map(|call| &call.name);
        let mut tools = expect.tools.iter().chain(&expect.not_tools).chain(calls);
        tools.try_for_each(|name| tool(name))
    };
    for case in &suite.cases {
        match case {
            Case::Intent(case) => intent(&case.intent)?,
            Case::Sentiment(_) | Case::Language(_) | Case::Retrieval(_) | Case::Safety(_) => {}
            Case::ToolCall(case) if case.functions.is_empty() => {
                case.tools.iter().try_for_each(|call| tool(&call.name))?;
            }
            Case::ToolCall(_) => {}
            Case::Conversation(case) => {
                case.turns
                    .iter()
                    .try_for_each(|turn| expected(&turn.expect))?;
            }
            Case::Simulation(case) => expected(&case.expect)?,
        }
    }
    Ok(())
}
