//! One turn, from what the customer sent to the outcome.

use serde_json::json;
use tokio::time::Instant;

use super::consent::Wishes;
use super::drive::{Driven, Permit, drive};
use super::plan::{Plan, Situation, gives_orders, plan};
use super::{Agent, TurnInput, TurnReport, finish, mood, plain, prompt, query, summary};
use crate::domain::{
    HandOffReason, History, InboundContent, Language, LanguageGuess, Outcome, Passage, Polarity,
    Progress, Sentiment, Speaker, ToolTrace, TurnTrace,
};
use crate::ports::{EmbedError, ModelRequest, Request, TurnFacts};
use crate::prompts::Words;
use crate::retrieval::{Found, Known, Query, SearchLegs};
use crate::tools::{CallContext, Caller};
use crate::understand::Vectors;

/// At most so many requests of one message are handled one by one.
const REQUESTS: usize = 3;
/// More of a message than this is not embedded: what is asked for stands at its beginning.
const EMBEDDED_CHARACTERS: usize = 2_000;

/// Tools whose results are the shop's own texts.
const READING_TOOLS: [&str; 3] = ["search_catalog", "get_product", "search_policies"];

impl Agent {
    /// Runs a turn. Never fails: what goes wrong inside becomes a hand-off.
    pub async fn turn(
        &self,
        input: TurnInput,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> TurnReport {
        let started = Instant::now();
        progress(Progress::Understanding);
        let said = input.history.clone().about(&input.reference);
        let text = words_of(&input.messages);
        let (requests, read) = self.understand(&text, &input).await;
        let language = self.language(&requests, &input);
        let words = self.prompts.words(language);
        let mut trace = TurnTrace {
            triage: requests.first().map(|request| request.triage.clone()),
            retrieval: "none".to_owned(),
            ..TurnTrace::default()
        };
        if gives_orders(&text) {
            trace.notes.push("injection_suspected".to_owned());
        }
        let plan = plan(&Situation {
            messages: &input.messages,
            requests: &requests,
            history: &said,
            misunderstood: input.misunderstood,
            misunderstandings: self.settings.misunderstandings,
            upset_below: self.settings.upset_below,
        });
        trace.plan = plan.name();
        let mut outcome = match plan {
            Plan::Silent { reason } => Outcome::Silent {
                reason: reason.to_owned(),
            },
            Plan::Unreadable { kind } => finish::unreadable(&kind, words, said.awaiting()),
            Plan::Kept { kind } => finish::kept(&kind, words, said.awaiting()),
            Plan::Cart => {
                let context = context(&input, language, &requests, &text);
                let priced = self.cart(&input, &context).await;
                trace.tools = priced.tools;
                let summary = self.summary(&text, &requests, &input, &trace.tools);
                priced.end.outcome(words, input.desk, summary)
            }
            Plan::HandOff { reason } => {
                let context = context(&input, language, &requests, &text);
                let tools = self
                    .ticket_for_upset(reason, &context, &requests, &text)
                    .await;
                let summary = self.summary(&text, &requests, &input, &tools);
                trace.tools = tools;
                finish::hand_off(reason, words, input.desk, summary)
            }
            Plan::Answer => {
                let mut outcome = self
                    .answer(
                        &input, &said, &text, &requests, read, language, &mut trace, started,
                        progress,
                    )
                    .await;
                finish::note_files(&mut outcome, words, &input.messages);
                outcome
            }
        };
        let disclosed = finish::disclose(&mut outcome, words, &self.settings, input.disclosed);
        trace.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        TurnReport {
            misunderstood: misunderstood(&outcome, input.misunderstood),
            intent: requests
                .first()
                .map(|request| request.triage.intent.decided().to_owned()),
            outcome,
            trace,
            language,
            disclosed,
        }
    }

    /// The requests in a message with what was understood of each, and the vectors of the whole.
    async fn understand(&self, text: &str, input: &TurnInput) -> (Vec<Request>, Read) {
        let understanding = self.understanding.load_full();
        if !text.chars().any(char::is_alphanumeric) {
            return (Vec::new(), Read::default());
        }
        let words = plain::without_cards(text);
        let text = words.as_str();
        let beginning: String = text.chars().take(EMBEDDED_CHARACTERS).collect();
        let read = self.read(&beginning).await;
        let mut whole = understanding.triage(text, read.vectors(), input.language);
        whole.sentiment = self
            .mood(text, input, whole.language.language, whole.sentiment)
            .await;
        // An address or an order number alone is an answer to a question, never a request.
        if plain::without_addresses(text).is_empty() {
            whole.intent.in_scope = false;
        }
        let parts = understanding.requests(&beginning);
        if parts.len() < 2 {
            let request = Request {
                text: text.to_owned(),
                triage: whole,
            };
            return (vec![request], read);
        }
        let mut requests: Vec<Request> = Vec::with_capacity(parts.len());
        for part in parts.into_iter().take(REQUESTS) {
            let part_read = self.read(&part).await;
            let language = Some(whole.language.language);
            let mut triage = understanding.triage(&part, part_read.vectors(), language);
            triage.language = whole.language;
            triage.sentiment = whole.sentiment;
            let repeated = requests
                .iter()
                .any(|known| known.triage.intent.name == triage.intent.name);
            if triage.intent.in_scope && !repeated {
                requests.push(Request { text: part, triage });
            }
        }
        // Who asks for a person asks for that before everything else.
        requests.sort_by_key(|request| !request.triage.intent.is("human"));
        if requests.len() < 2 {
            let asked = requests.pop().map(|request| request.triage.intent);
            if let Some(intent) = asked.filter(|intent| intent.is("human")) {
                whole.intent = intent;
            }
            requests = vec![Request {
                text: text.to_owned(),
                triage: whole,
            }];
        }
        (requests, read)
    }

    /// The mood of a message. Addresses and order numbers have none.
    async fn mood(
        &self,
        text: &str,
        input: &TurnInput,
        language: Language,
        sentiment: Sentiment,
    ) -> Sentiment {
        let said = plain::without_addresses(text);
        let sentiment = if !said.chars().any(char::is_alphabetic) {
            Sentiment {
                label: Polarity::Neutral,
                polarity: 0.0,
                intensity: 0.0,
            }
        } else if said.split_whitespace().eq(text.split_whitespace()) {
            sentiment
        } else {
            let read = self.read(&said).await;
            let understanding = self.understanding.load();
            understanding
                .sentiments
                .score(&said, language, read.vectors())
        };
        mood::after(&input.history, &said, sentiment)
    }

    async fn read(&self, text: &str) -> Read {
        let texts = [text.to_owned()];
        let as_message = self.reader.embed(&texts).await;
        let as_question = match &self.questions {
            Some(questions) => questions.embed_queries(&texts).await.map(Some),
            None => Ok(None),
        };
        let told = |error: EmbedError| tracing::error!(%error, "a message has no vector");
        Read {
            as_message: as_message
                .map_err(told)
                .ok()
                .and_then(|vectors| vectors.into_iter().next()),
            as_question: as_question
                .map_err(told)
                .ok()
                .flatten()
                .and_then(|vectors| vectors.into_iter().next()),
        }
    }

    fn language(&self, requests: &[Request], input: &TurnInput) -> Language {
        requests
            .first()
            .map(|request| request.triage.language)
            .map(|guess: LanguageGuess| guess.language)
            .or(input.language)
            .unwrap_or(self.settings.home)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the stages of one turn hand each other their results"
    )]
    async fn answer(
        &self,
        input: &TurnInput,
        said: &History,
        text: &str,
        requests: &[Request],
        read: Read,
        language: Language,
        trace: &mut TurnTrace,
        started: Instant,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Outcome {
        progress(Progress::LookingUp);
        let known = self.retriever.known(language, read.known());
        let asked = query::asked(text, said, language);
        // The message's own vector does not know what was said before it.
        let known = known.filter(|_| !asked.continues);
        let query = Query {
            text: &asked.text,
            vector: known.as_deref(),
            language,
            limit: self.settings.passages,
            filter: query::filter(requests),
            diversity: self.settings.diversity,
            legs: SearchLegs::Both,
        };
        trace.passages = self.passages(&query, trace).await;
        let facts = TurnFacts {
            text: text.to_owned(),
            requests: requests.to_vec(),
            passages: trace.passages.clone(),
            history: said.clone(),
            language,
            phone_verified: input.phone.is_some(),
            points: !input.reference.products().is_empty(),
        };
        let messages = match prompt::messages(&self.prompts, &self.settings, input, &facts) {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(%error, "a prompt cannot be rendered");
                Vec::new()
            }
        };
        let request = ModelRequest {
            messages,
            tools: prompt::tools(&self.tools),
            max_output_tokens: self.settings.output_tokens,
            conversation: input.conversation.clone(),
            facts,
        };
        let context = context(input, language, requests, text);
        let deadline = started + self.settings.deadline;
        let driven: Driven = drive(
            self,
            request,
            self.settings.limits,
            Permit {
                context: &context,
                wishes: Wishes::of(&input.messages, requests, said),
            },
            deadline,
            progress,
        )
        .await;
        trace.models = driven.models;
        trace.tools = driven.tools;
        if driven.unasked {
            trace.notes.push("unasked_call_refused".to_owned());
        }
        let note = "injection_in_knowledge_suspected".to_owned();
        let reads = |tool: &ToolTrace| READING_TOOLS.contains(&tool.name.as_str());
        let mut read = trace.tools.iter().filter(|tool| reads(tool));
        if !trace.notes.contains(&note) && read.any(|tool| gives_orders(&tool.result.to_string())) {
            trace.notes.push(note);
        }
        let summary = self.summary(text, requests, input, &trace.tools);
        finish::outcome(
            driven.ending,
            self.prompts.words(language),
            input.desk,
            summary,
        )
    }

    async fn passages(&self, query: &Query<'_>, trace: &mut TurnTrace) -> Vec<Passage> {
        match self.retriever.search(query).await {
            Ok(Found {
                passages,
                mode,
                relevant,
                ..
            }) => {
                mode.name().clone_into(&mut trace.retrieval);
                if passages.iter().any(|passage| gives_orders(&passage.text)) {
                    trace
                        .notes
                        .push("injection_in_knowledge_suspected".to_owned());
                }
                if relevant { passages } else { Vec::new() }
            }
            Err(error) => {
                tracing::error!(%error, "a turn goes on without passages");
                Vec::new()
            }
        }
    }

    /// Anger leaves a ticket behind, so that it is dealt with even if the chat goes quiet.
    async fn ticket_for_upset(
        &self,
        reason: HandOffReason,
        context: &CallContext,
        requests: &[Request],
        text: &str,
    ) -> Vec<ToolTrace> {
        if reason != HandOffReason::Upset {
            return Vec::new();
        }
        let words = self.prompts.words(self.settings.home);
        let orders: Vec<&str> = requests
            .iter()
            .flat_map(|request| &request.triage.entities.orders)
            .map(|order| order.as_str())
            .collect();
        let arguments = json!({
            "subject": words.plain("subject_complaint"),
            "summary": words.say("ticket_summary", minijinja::context! {
                text => summary::quote(text), orders => orders.join(", "), products => "",
            }),
        });
        let name = "open_ticket";
        let result = self.tools.call(name, arguments.clone(), context).await;
        let failed = result.is_err();
        vec![ToolTrace {
            name: name.to_owned(),
            arguments,
            result: result.unwrap_or_else(|error| json!({ "error": error.for_caller() })),
            failed,
        }]
    }

    fn summary(
        &self,
        text: &str,
        requests: &[Request],
        input: &TurnInput,
        tools: &[ToolTrace],
    ) -> String {
        let words: Words<'_> = self.prompts.words(self.settings.home);
        summary::summary(words, text, requests, &input.history, tools)
    }
}

/// The vectors of a text, as far as they could be made.
#[derive(Debug, Default)]
struct Read {
    as_message: Option<Vec<f32>>,
    as_question: Option<Vec<f32>>,
}

impl Read {
    fn known(&self) -> Known<'_> {
        Known {
            sentence: self.as_message.as_deref(),
            retrieval: self.as_question.as_deref(),
        }
    }

    /// Without a vector the classifiers work on words alone.
    fn vectors(&self) -> Vectors<'_> {
        Vectors {
            sentence: self.as_message.as_deref().unwrap_or_default(),
            retrieval: self.as_question.as_deref(),
        }
    }
}

/// The words of a burst as one text.
fn words_of(messages: &[InboundContent]) -> String {
    let words: Vec<&str> = messages
        .iter()
        .filter_map(InboundContent::words)
        .map(str::trim)
        .filter(|words| !words.is_empty())
        .collect();
    words.join("\n")
}

fn context(input: &TurnInput, language: Language, requests: &[Request], text: &str) -> CallContext {
    let mut written: Vec<String> = input
        .history
        .entries
        .iter()
        .filter(|entry| entry.speaker == Speaker::Customer)
        .map(|entry| entry.text.clone())
        .collect();
    written.push(text.to_owned());
    CallContext {
        caller: Caller::Conversation,
        conversation: Some(input.conversation.clone()),
        contact: Some(input.contact.clone()),
        turn: Some(input.turn.clone()),
        token: None,
        bearer: None,
        language,
        phone: input.phone.clone(),
        written,
        epoch: Some(input.epoch),
        polarity: requests
            .first()
            .map_or(0.0, |request| request.triage.sentiment.polarity),
    }
}

/// The offline model says by `clarify` that it did not understand.
fn misunderstood(outcome: &Outcome, before: u32) -> u32 {
    match outcome {
        Outcome::Answered { awaiting, .. } if awaiting.as_deref() == Some("clarify") => before + 1,
        Outcome::Silent { .. } => before,
        Outcome::Answered { .. } | Outcome::HandedOff { .. } => 0,
    }
}
