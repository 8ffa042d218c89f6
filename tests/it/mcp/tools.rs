//! Three tools: one that works, one that fails in every way, one for others.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sportello::tools::{Annotations, CallContext, Caller, Registry, Tool, ToolError};

pub fn registry() -> Registry {
    Registry::default().with(LookUp).with(Secret).with(Shaky)
}

struct LookUp;

#[derive(Deserialize, JsonSchema)]
struct LookUpArgs {
    /// What to look for.
    query: String,
    /// At most so many.
    #[schemars(range(min = 1, max = 20))]
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct Found {
    found: Vec<String>,
    language: String,
    note: Option<String>,
}

#[async_trait]
impl Tool for LookUp {
    const NAME: &'static str = "look_up";
    const TITLE: &'static str = "Look up";
    const DESCRIPTION: &'static str = "Use it to look something up.";
    const ANNOTATIONS: Annotations = Annotations::READS;
    const CALLERS: &'static [Caller] = &[Caller::Anonymous, Caller::Page];
    type Args = LookUpArgs;
    type Output = Found;

    async fn call(&self, args: LookUpArgs, context: &CallContext) -> Result<Found, ToolError> {
        assert_eq!(context.caller, Caller::Anonymous);
        assert!(context.conversation.is_none() && context.phone.is_none());
        Ok(Found {
            found: vec![args.query; args.limit.unwrap_or(1) as usize],
            language: context.language.to_string(),
            note: None,
        })
    }
}

struct Secret;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[async_trait]
impl Tool for Secret {
    const NAME: &'static str = "secret";
    const TITLE: &'static str = "Secret";
    const DESCRIPTION: &'static str = "Only in a customer's conversation.";
    const ANNOTATIONS: Annotations = Annotations::ADDS;
    const CALLERS: &'static [Caller] = &[Caller::Conversation];
    type Args = Nothing;
    type Output = Found;

    async fn call(&self, _: Nothing, _: &CallContext) -> Result<Found, ToolError> {
        panic!("nobody may come here")
    }
}

struct Shaky;

#[derive(Deserialize, JsonSchema)]
struct ShakyArgs {
    way: Way,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Way {
    Invalid,
    NotAllowed,
    Unavailable,
    Panic,
}

#[async_trait]
impl Tool for Shaky {
    const NAME: &'static str = "shaky";
    const TITLE: &'static str = "Shaky";
    const DESCRIPTION: &'static str = "Use it to see a failure.";
    const ANNOTATIONS: Annotations = Annotations::READS;
    const CALLERS: &'static [Caller] = &[Caller::Anonymous, Caller::Page];
    type Args = ShakyArgs;
    type Output = Found;

    async fn call(&self, args: ShakyArgs, _: &CallContext) -> Result<Found, ToolError> {
        Err(match args.way {
            Way::Invalid => ToolError::Invalid("`way`: there is no other way".to_owned()),
            Way::NotAllowed => ToolError::NotAllowed("Verify your phone first.".to_owned()),
            Way::Unavailable => ToolError::Unavailable {
                detail: "password=hunter2".to_owned(),
            },
            Way::Panic => panic!("a fault of ours"),
        })
    }
}
