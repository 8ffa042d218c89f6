//! `hand_off_to_human`: a person takes over. The turn that calls it records the hand-off when it closes.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, CallContext, Caller, IN_CONVERSATION, Tool, ToolError, nobody};
use crate::domain::HandOffReason;

/// Why, and what the colleague needs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Args {
    /// Why a person is needed.
    reason: HandOffReason,
    /// What a colleague needs to act without reading back.
    #[schemars(length(min = 3, max = 2000))]
    summary: String,
}

/// What was agreed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HandOff {
    /// Why.
    pub reason: HandOffReason,
    /// What the colleague reads.
    pub summary: String,
}

/// The tool.
pub struct HandOffToHuman;

#[async_trait]
impl Tool for HandOffToHuman {
    const NAME: &'static str = "hand_off_to_human";
    const TITLE: &'static str = "Hand off to a person";
    const DESCRIPTION: &'static str = include_str!("../../tools/hand_off_to_human.md");
    const ANNOTATIONS: Annotations = Annotations::ADDS;
    const CALLERS: &'static [Caller] = IN_CONVERSATION;
    type Args = Args;
    type Output = HandOff;

    async fn call(&self, args: Args, context: &CallContext) -> Result<HandOff, ToolError> {
        if context.conversation.is_none() {
            return Err(nobody());
        }
        Ok(HandOff {
            reason: args.reason,
            summary: args.summary,
        })
    }
}
