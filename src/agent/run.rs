//! The run: a pure state machine over model replies and tool results.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::cards::Collected;
use crate::domain::{Answer, HandOffReason, ToolTrace};
use crate::ports::{ModelMessage, ModelReply, ModelRequest, ToolCall};
use crate::tools::{HandOff, OrderAnswer, Registry, ToolError};

/// The limits of one run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls to a model.
    pub steps: u32,
    /// Tokens in and out, over all calls.
    pub tokens: u64,
}

/// What a driver does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Ask the model.
    CallModel,
    /// Call these tools, in order, and report each result.
    CallTools(Vec<ToolCall>),
    /// The run is over.
    Done(Box<Ending>),
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// With an answer.
    Answered {
        /// The answer.
        answer: Answer,
        /// What the model waits to hear next.
        awaiting: Option<String>,
    },
    /// With a hand-off. An empty summary is to be written by the turn.
    HandedOff {
        /// Why.
        reason: HandOffReason,
        /// What the colleague reads.
        summary: String,
        /// What the model said to the customer beside it.
        text: String,
    },
}

/// A run in progress.
#[derive(Debug, Clone)]
pub struct Run {
    /// What the model is asked next. Every tool call in it has its result.
    pub request: ModelRequest,
    limits: Limits,
    steps: u32,
    tokens: u64,
    waiting: VecDeque<ToolCall>,
    collected: Collected,
    ending: Option<Ending>,
    effects: bool,
    said: String,
    /// The calls so far, for the trace.
    pub trace: Vec<ToolTrace>,
}

impl Run {
    /// A run that begins with this request.
    #[must_use]
    pub fn new(request: ModelRequest, limits: Limits) -> Self {
        Self {
            request,
            limits,
            steps: 0,
            tokens: 0,
            waiting: VecDeque::new(),
            collected: Collected::default(),
            ending: None,
            effects: false,
            said: String::new(),
            trace: Vec::new(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Step {
        if !self.waiting.is_empty() {
            return Step::CallTools(self.waiting.iter().cloned().collect());
        }
        if let Some(ending) = &self.ending {
            return Step::Done(Box::new(ending.clone()));
        }
        if self.steps >= self.limits.steps || self.tokens >= self.limits.tokens {
            return Step::Done(Box::new(Ending::HandedOff {
                reason: HandOffReason::Limit,
                summary: String::new(),
                text: String::new(),
            }));
        }
        Step::CallModel
    }

    /// Whether a tool that changes something has run: then no other model may start over.
    #[must_use]
    pub fn has_effects(&self) -> bool {
        self.effects
    }

    /// Whether a tool has done its work in this run.
    #[must_use]
    pub fn has_done(&self, tool: &str) -> bool {
        self.trace
            .iter()
            .any(|call| call.name == tool && !call.failed)
    }

    /// Takes the model's reply.
    pub fn model_replied(&mut self, reply: ModelReply) {
        self.steps += 1;
        self.tokens = self
            .tokens
            .saturating_add(reply.input_tokens)
            .saturating_add(reply.output_tokens);
        if reply.calls.is_empty() {
            self.finish(reply);
            return;
        }
        self.said.clone_from(&reply.text);
        self.request.messages.push(ModelMessage::Assistant {
            text: reply.text,
            calls: reply.calls.clone(),
        });
        self.waiting = reply.calls.into();
    }

    /// Takes the result of the oldest waiting call.
    pub fn tool_returned(&mut self, tools: &Registry, result: Result<Value, ToolError>) {
        let Some(call) = self.waiting.pop_front() else {
            return;
        };
        let failed = result.is_err();
        // A tool that broke off may have done its work before.
        if matches!(result, Ok(_) | Err(ToolError::Unavailable { .. })) {
            self.effects |= tools.changes_something(&call.name);
        }
        let value = result.unwrap_or_else(|error| json!({ "error": error.for_caller() }));
        if !failed {
            self.collected.take(&call.name, &value);
            self.end_on(&call.name, &value);
        }
        self.request.messages.push(ModelMessage::Tool {
            call_id: call.id.clone(),
            name: call.name.clone(),
            content: value.to_string(),
        });
        self.trace.push(ToolTrace {
            name: call.name,
            arguments: call.arguments,
            result: value,
            failed,
        });
    }

    fn finish(&mut self, reply: ModelReply) {
        let answer = match reply.answer {
            Some(answer) => answer,
            None => self.collected.answer(reply.text),
        };
        self.ending = Some(Ending::Answered {
            answer,
            awaiting: reply.awaiting,
        });
    }

    /// A hand-off ends the run once the other calls of the same reply have their results.
    fn end_on(&mut self, name: &str, value: &Value) {
        if name == "hand_off_to_human"
            && let Ok(hand_off) = serde_json::from_value::<HandOff>(value.clone())
        {
            self.ending = Some(Ending::HandedOff {
                reason: hand_off.reason,
                summary: hand_off.summary,
                text: self.said.clone(),
            });
        }
        if name == "get_order_status"
            && serde_json::from_value::<OrderAnswer>(value.clone())
                .is_ok_and(|answer| answer.locked)
        {
            self.ending = Some(Ending::HandedOff {
                reason: HandOffReason::Proofs,
                summary: String::new(),
                text: String::new(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{ConversationId, Language};
    use crate::ports::TurnFacts;
    use crate::tools::{Annotations, CallContext, Caller, Tool};

    /// A tool that changes something.
    struct Note;

    #[async_trait]
    impl Tool for Note {
        const NAME: &'static str = "note";
        const TITLE: &'static str = "Note";
        const DESCRIPTION: &'static str = "Notes something.";
        const ANNOTATIONS: Annotations = Annotations::ADDS;
        const CALLERS: &'static [Caller] = &[Caller::Conversation];
        type Args = Value;
        type Output = Value;

        async fn call(&self, args: Value, _: &CallContext) -> Result<Value, ToolError> {
            Ok(args)
        }
    }

    fn tools() -> Registry {
        Registry::default().with(Note)
    }

    fn begun(steps: u32, tokens: u64) -> Run {
        let facts = TurnFacts::of("", Language::EN);
        let request = ModelRequest {
            messages: vec![ModelMessage::User("hello".to_owned())],
            tools: Vec::new(),
            max_output_tokens: 100,
            conversation: ConversationId::default(),
            facts,
        };
        Run::new(request, Limits { steps, tokens })
    }

    fn calling(names: &[&str]) -> ModelReply {
        let call = |name: &&str| ToolCall {
            id: "same".to_owned(),
            name: (*name).to_owned(),
            arguments: json!({}),
        };
        ModelReply {
            text: "One moment.".to_owned(),
            calls: names.iter().map(call).collect(),
            ..ModelReply::default()
        }
    }

    fn unavailable() -> ToolError {
        ToolError::Unavailable {
            detail: "secret".to_owned(),
        }
    }

    /// Calls without a result, or results without a call.
    fn unpaired(messages: &[ModelMessage]) -> usize {
        let mut open: VecDeque<&ToolCall> = VecDeque::new();
        let mut faults = 0;
        for message in messages {
            match message {
                ModelMessage::Tool { call_id, name, .. } => {
                    let call = open.pop_front();
                    let fits = call.is_some_and(|call| call.id == *call_id && call.name == *name);
                    faults += usize::from(!fits);
                }
                ModelMessage::Assistant { calls, .. } => {
                    faults += open.len();
                    open = calls.iter().collect();
                }
                ModelMessage::System(_) | ModelMessage::User(_) => {
                    faults += open.len();
                    open.clear();
                }
            }
        }
        faults + open.len()
    }

    fn call() -> impl Strategy<Value = ToolCall> {
        let name = prop::sample::select(vec![
            "note",
            "hand_off_to_human",
            "get_order_status",
            "search_catalog",
            "no such tool",
        ]);
        ("[ab]", name).prop_map(|(id, name)| ToolCall {
            id,
            name: name.to_owned(),
            arguments: json!({}),
        })
    }

    fn reply() -> impl Strategy<Value = ModelReply> {
        let tokens = prop_oneof![4 => 0..400_u64, 1 => Just(u64::MAX)];
        let calls = prop_oneof![1 => Just(Vec::new()), 4 => prop::collection::vec(call(), 1..4)];
        ("[a-z ]{0,6}", calls, tokens.clone(), tokens).prop_map(
            |(text, calls, input_tokens, output_tokens)| ModelReply {
                text,
                calls,
                input_tokens,
                output_tokens,
                ..ModelReply::default()
            },
        )
    }

    fn result() -> impl Strategy<Value = Result<Value, ToolError>> {
        prop::sample::select(vec![
            Ok(json!({ "reason": "requested", "summary": "wants a person" })),
            Ok(json!({ "verified": false, "locked": true, "orders": [], "advice": "" })),
            Ok(json!({ "products": "not a list" })),
            Err(ToolError::Invalid("`limit` is too large".to_owned())),
            Err(unavailable()),
        ])
    }

    proptest! {
        #[test]
        fn any_model_is_held_to_the_rules(
            replies in prop::collection::vec(reply(), 0..9),
            results in prop::collection::vec(result(), 1..5),
            steps in 0..5_u32,
            tokens in 0..1500_u64,
        ) {
            let (tools, mut run) = (tools(), begun(steps, tokens));
            let mut replies = replies.into_iter();
            let mut results = results.into_iter().cycle();
            let (mut asked, mut called, mut spent) = (0, 0, 0_u64);
            let mut finished = false;
            let ending = loop {
                match run.next() {
                    Step::Done(ending) => break *ending,
                    Step::CallModel => {
                        prop_assert_eq!(unpaired(&run.request.messages), 0);
                        prop_assert!(spent < tokens, "asked with {} of {} spent", spent, tokens);
                        asked += 1;
                        prop_assert!(asked <= steps);
                        let reply = replies.next().unwrap_or_default();
                        finished = reply.calls.is_empty();
                        spent = spent.saturating_add(reply.input_tokens).saturating_add(reply.output_tokens);
                        run.model_replied(reply);
                    }
                    Step::CallTools(calls) => {
                        prop_assert!(!calls.is_empty());
                        for call in calls {
                            called += 1;
                            let result = results.next().unwrap();
                            let failed = result.is_err();
                            run.tool_returned(&tools, result);
                            let noted = run.trace.last().unwrap();
                            prop_assert_eq!((&noted.name, noted.failed), (&call.name, failed));
                        }
                    }
                }
            };
            prop_assert_eq!(unpaired(&run.request.messages), 0);
            prop_assert_eq!(run.trace.len(), called);
            let read = format!("{:?}", run.request.messages);
            prop_assert!(!read.contains("secret"), "the log's text reached the model");
            match ending {
                Ending::Answered { .. } => prop_assert!(finished),
                Ending::HandedOff { reason: HandOffReason::Limit, .. } => {
                    prop_assert!(!finished && (asked == steps || spent >= tokens));
                }
                Ending::HandedOff { reason, .. } => {
                    prop_assert!(matches!(reason, HandOffReason::Requested | HandOffReason::Proofs));
                    prop_assert!(!finished);
                }
            }
        }
    }

    #[test]
    fn a_hand_off_waits_for_the_other_results_of_its_reply() {
        let (tools, mut run) = (tools(), begun(3, 1000));
        run.model_replied(calling(&["hand_off_to_human", "note"]));
        run.tool_returned(&tools, Ok(json!({ "reason": "upset", "summary": "angry" })));
        assert!(matches!(run.next(), Step::CallTools(calls) if calls.len() == 1));
        run.tool_returned(&tools, Ok(json!({})));
        let ending = Ending::HandedOff {
            reason: HandOffReason::Upset,
            summary: "angry".to_owned(),
            text: "One moment.".to_owned(),
        };
        assert_eq!(run.next(), Step::Done(Box::new(ending)));
    }

    #[test]
    fn what_may_have_had_an_effect_counts_as_one() {
        let effect = |name: &str, result| {
            let (tools, mut run) = (tools(), begun(3, 1000));
            run.model_replied(calling(&[name]));
            run.tool_returned(&tools, result);
            run.has_effects()
        };
        assert!(effect("note", Ok(json!({}))));
        assert!(effect("note", Err(unavailable())), "it may have been done");
        assert!(!effect("note", Err(ToolError::Invalid(String::new()))));
        assert!(!effect("note", Err(ToolError::NotAllowed(String::new()))));
        assert!(!effect("search_catalog", Ok(json!({}))));
        assert!(!effect("search_catalog", Err(unavailable())));
    }

    #[test]
    fn a_result_that_nobody_waits_for_is_dropped() {
        let mut run = begun(3, 1000);
        run.tool_returned(&tools(), Ok(json!({})));
        assert_eq!((run.request.messages.len(), run.trace.len()), (1, 0));
        assert_eq!(run.next(), Step::CallModel);
    }
}
