//! Performs a run: asks models, calls tools, keeps the deadline. Decides nothing about the answer.

use std::sync::Arc;

use tokio::time::Instant;

use super::Agent;
use super::consent::Wishes;
use super::run::{Ending, Limits, Run, Step};
use crate::domain::{HandOffReason, ModelTrace, Progress, ToolTrace};
use crate::failpoint;
use crate::ports::{ChatModel, ModelError, ModelReply, ModelRequest};
use crate::tools::{CallContext, ToolError};

/// What a driven run left behind.
pub struct Driven {
    /// How it ended.
    pub ending: Ending,
    /// The model calls.
    pub models: Vec<ModelTrace>,
    /// The tool calls.
    pub tools: Vec<ToolTrace>,
    /// Whether the model wanted to change something that the customer had not asked for.
    pub unasked: bool,
}

/// What a run's tools may do.
#[derive(Clone, Copy)]
pub struct Permit<'a> {
    /// Who is asking.
    pub context: &'a CallContext,
    /// What the customer's own words ask for.
    pub wishes: Wishes,
}

/// Runs to the end. A model that fails before any tool with an effect has run is replaced by the
/// offline model; after one, the conversation goes to a person.
pub async fn drive(
    agent: &Agent,
    request: ModelRequest,
    limits: Limits,
    permit: Permit<'_>,
    deadline: Instant,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Driven {
    let mut run = Run::new(request, limits);
    let mut model = agent
        .model
        .clone()
        .unwrap_or_else(|| Arc::clone(&agent.offline));
    let mut models = Vec::new();
    let mut unasked = false;
    let ending = loop {
        match run.next() {
            Step::Done(ending) => break *ending,
            Step::CallModel => {
                progress(Progress::Answering);
                match ask(model.as_ref(), &run.request, deadline).await {
                    Ok(reply) => {
                        models.push(trace(model.id(), &reply, None));
                        run.model_replied(reply);
                    }
                    Err(error)
                        if error.may_be_replaced()
                            && !run.has_effects()
                            && !Arc::ptr_eq(&model, &agent.offline) =>
                    {
                        tracing::warn!(model = model.id(), %error, "the offline model takes over the turn");
                        models.push(trace(
                            model.id(),
                            &ModelReply::default(),
                            Some(error.to_string()),
                        ));
                        model = Arc::clone(&agent.offline);
                    }
                    Err(error) => {
                        tracing::error!(model = model.id(), %error, "a turn ends with a hand-off");
                        break failure(HandOffReason::Failure);
                    }
                }
            }
            Step::CallTools(calls) => {
                progress(Progress::LookingUp);
                for call in calls {
                    // One wish is one link: a second basket in the same turn is nobody's.
                    let again = call.name == "payment_link" && run.has_done("payment_link");
                    let allowed = if again {
                        Err(once())
                    } else {
                        permit.wishes.allow(&call.name)
                    };
                    let result = match allowed {
                        Ok(()) => {
                            call_tool(agent, &call.name, call.arguments, permit.context, deadline)
                                .await
                        }
                        Err(refusal) => {
                            unasked = true;
                            Err(refusal)
                        }
                    };
                    run.tool_returned(&agent.tools, result);
                }
            }
        }
    };
    Driven {
        ending,
        models,
        tools: run.trace,
        unasked,
    }
}

async fn ask(
    model: &dyn ChatModel,
    request: &ModelRequest,
    deadline: Instant,
) -> Result<ModelReply, ModelError> {
    match tokio::time::timeout_at(deadline, model.complete(request)).await {
        Ok(reply) => reply,
        Err(_) => Err(ModelError::Unavailable(
            "the turn's deadline has passed".to_owned(),
        )),
    }
}

async fn call_tool(
    agent: &Agent,
    name: &str,
    arguments: serde_json::Value,
    context: &CallContext,
    deadline: Instant,
) -> Result<serde_json::Value, ToolError> {
    // A tool gets a little time even when a slow model has used the turn's up: the offline model needs it.
    let deadline = deadline.max(Instant::now() + std::time::Duration::from_secs(5));
    failpoint::point("tool asked");
    let call = agent.tools.call(name, arguments, context);
    let result = match tokio::time::timeout_at(deadline, call).await {
        Ok(result) => result,
        Err(_) => Err(ToolError::Unavailable {
            detail: "the deadline has passed".to_owned(),
        }),
    };
    failpoint::point("tool done");
    match &result {
        Ok(_) => metrics::counter!("sportello_tool_calls_total", "tool" => name.to_owned(), "result" => "ok").increment(1),
        Err(error) => {
            metrics::counter!("sportello_tool_calls_total", "tool" => name.to_owned(), "result" => "error").increment(1);
            if let ToolError::Unavailable { detail } = error {
                tracing::error!(tool = name, detail, "a tool failed");
            }
        }
    }
    result
}

fn once() -> ToolError {
    ToolError::NotAllowed(
        "There is a link in this turn already. Tell the customer of it; another one needs another message.".to_owned(),
    )
}

fn trace(model: &str, reply: &ModelReply, fell_back: Option<String>) -> ModelTrace {
    ModelTrace {
        model: model.to_owned(),
        input_tokens: reply.input_tokens,
        output_tokens: reply.output_tokens,
        fell_back,
    }
}

fn failure(reason: HandOffReason) -> Ending {
    Ending::HandedOff {
        reason,
        summary: String::new(),
        text: String::new(),
    }
}
