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
    Done(Ending),
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
            return Step::Done(ending.clone());
        }
        if self.steps >= self.limits.steps || self.tokens >= self.limits.tokens {
            return Step::Done(Ending::HandedOff {
                reason: HandOffReason::Limit,
                summary: String::new(),
                text: String::new(),
            });
        }
        Step::CallModel
    }

    /// Whether a tool that changes something has run: then no other model may start over.
    #[must_use]
    pub fn has_effects(&self) -> bool {
        self.effects
    }

    /// Takes the model's reply.
    pub fn model_replied(&mut self, reply: ModelReply) {
        self.steps += 1;
        self.tokens += reply.input_tokens + reply.output_tokens;
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
        let value = result.unwrap_or_else(|error| json!({ "error": error.for_caller() }));
        if !failed {
            self.collected.take(&call.name, &value);
            self.effects |= tools.changes_something(&call.name);
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
