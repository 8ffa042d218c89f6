//! How a customer proves who they are: a code on their WhatsApp, exchanged for a handle.
//!
//! These two tools exist at this door only. Both the code and the handle belong to the client that asked.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::access::{Access, AccessError, AskedCode, ShownCode, hash, plausible, secret};
use crate::domain::CodeRecipient;
use crate::tools::{Annotations, CallContext, Caller, Registry, Tool, ToolError};

/// The tool that sends a code.
pub(super) const START: &str = "verify_customer";
/// Seconds that a code can be used.
const CODE: i64 = 10 * 60;
/// Seconds that a handle can be used.
const HANDLE: i64 = 15 * 60;
/// The answer comes after this time, whether anybody was found or not.
const EVEN: Duration = Duration::from_millis(400);
const CALLERS: &[Caller] = &[Caller::Anonymous, Caller::Assistant];

/// The two tools.
pub(super) fn registry(access: &Arc<dyn Access>) -> Registry {
    Registry::default()
        .with(VerifyCustomer(Arc::clone(access)))
        .with(ConfirmCustomer(Arc::clone(access)))
}

/// Under which a handle of a bearer is kept.
pub(super) fn handle_key(handle: &str, bearer: &str) -> String {
    hash(&["customer", handle, bearer])
}

fn request_key(request: &str, bearer: &str) -> String {
    hash(&["request", request, bearer])
}

/// The request is part of it and is not kept, so that the few possible codes cannot be tried on the hash.
fn code_hash(request: &str, code: &str) -> String {
    hash(&["code", request, code])
}

/// Whom to verify.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VerifyArgs {
    /// Your user's WhatsApp number with country code, for example +393331234567.
    #[serde(default)]
    #[schemars(regex(pattern = r"^\+[1-9][0-9]{6,14}$"))]
    phone: Option<String>,
    /// Instead of a phone: the WhatsApp user id under which the shop knows them, for example IT.1A2B3C.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Z]{2}\.[0-9A-Za-z]{1,128}$"))]
    user_id: Option<String>,
}

/// What to do with the code.
#[derive(Debug, Serialize, JsonSchema)]
struct VerifyAnswer {
    /// Give it to confirm_customer with the code.
    request: String,
    /// For how long the code can be used.
    expires_in_seconds: i64,
    /// What to tell the user.
    advice: String,
}

struct VerifyCustomer(Arc<dyn Access>);

#[async_trait]
impl Tool for VerifyCustomer {
    const NAME: &'static str = START;
    const TITLE: &'static str = "Send your user a one-time code";
    const DESCRIPTION: &'static str = include_str!("../../tools/verify_customer.md");
    const ANNOTATIONS: Annotations = Annotations {
        read_only_hint: false,
        destructive_hint: false,
        idempotent_hint: false,
        open_world_hint: true,
    };
    const CALLERS: &'static [Caller] = CALLERS;
    type Args = VerifyArgs;
    type Output = VerifyAnswer;

    async fn call(
        &self,
        args: VerifyArgs,
        context: &CallContext,
    ) -> Result<VerifyAnswer, ToolError> {
        let answer_at = Instant::now() + EVEN;
        let bearer = context.bearer.as_deref().unwrap_or_default();
        let (recipient, subject, advice) = match (args.phone, args.user_id) {
            (Some(phone), None) => {
                let subject = hash(&["phone", &phone]);
                (CodeRecipient::Phone(phone), subject, PHONE_ADVICE)
            }
            (None, Some(id)) => {
                let subject = hash(&["user", &id]);
                (CodeRecipient::UserId(id), subject, USER_ADVICE)
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(ToolError::Invalid(
                    "Give `phone`, or `user_id` where there is no phone; not both.".to_owned(),
                ));
            }
        };
        let request = secret("spv_");
        let code = format!("{:06}", rand::random_range(0..1_000_000));
        let asked = AskedCode {
            key: request_key(&request, bearer),
            subject,
            code_hash: code_hash(&request, &code),
            code,
            recipient,
            token: context.token.clone(),
            seconds: CODE,
        };
        let sent = self.0.send_code(asked).await;
        sleep_until(answer_at).await;
        if !sent? {
            return Err(ToolError::NotAllowed(
                "This number had its codes for now. Tell your user to try again in an hour, or to write to the \
                 shop on WhatsApp."
                    .to_owned(),
            ));
        }
        Ok(VerifyAnswer {
            request,
            expires_in_seconds: CODE,
            advice: advice.to_owned(),
        })
    }
}

const PHONE_ADVICE: &str = "If the shop knows this number, a code with 6 digits is on its way to its WhatsApp. Ask your user for it. \
     If none comes within a minute, they can write to the shop on WhatsApp first; then start again.";
const USER_ADVICE: &str = "Without a phone number a code can only be sent within 24 hours after your user wrote to the shop on WhatsApp. \
     If none comes within a minute, they must write to the shop first; then start again.";

/// The code.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ConfirmArgs {
    /// What verify_customer answered as `request`.
    #[schemars(length(min = 1, max = 100))]
    request: String,
    /// The 6 digits that your user has read to you.
    #[schemars(regex(pattern = r"^[0-9]{6}$"))]
    code: String,
}

/// The handle.
#[derive(Debug, Serialize, JsonSchema)]
struct ConfirmAnswer {
    /// Give it as `customer` to the tools that need one. It works for you only.
    customer: String,
    /// For how long.
    expires_in_seconds: i64,
    /// What to do next.
    advice: String,
}

struct ConfirmCustomer(Arc<dyn Access>);

#[async_trait]
impl Tool for ConfirmCustomer {
    const NAME: &'static str = "confirm_customer";
    const TITLE: &'static str = "Exchange the one-time code";
    const DESCRIPTION: &'static str = include_str!("../../tools/confirm_customer.md");
    const ANNOTATIONS: Annotations = Annotations {
        read_only_hint: false,
        destructive_hint: false,
        idempotent_hint: false,
        open_world_hint: false,
    };
    const CALLERS: &'static [Caller] = CALLERS;
    type Args = ConfirmArgs;
    type Output = ConfirmAnswer;

    async fn call(
        &self,
        args: ConfirmArgs,
        context: &CallContext,
    ) -> Result<ConfirmAnswer, ToolError> {
        let bearer = context.bearer.as_deref().unwrap_or_default();
        let handle = secret("spc_");
        let shown = ShownCode {
            key: request_key(&args.request, bearer),
            code_hash: code_hash(&args.request, &args.code),
            handle_key: handle_key(&handle, bearer),
            seconds: HANDLE,
        };
        if !plausible(&args.request) || !self.0.exchange(shown).await? {
            return Err(ToolError::NotAllowed(
                "This code does not fit, or is over. Ask your user to look at it again; a code can be tried 5 times \
                 within 10 minutes. Then start again with verify_customer."
                    .to_owned(),
            ));
        }
        Ok(ConfirmAnswer {
            customer: handle,
            expires_in_seconds: HANDLE,
            advice: "Your user is verified. Give `customer` to get_order_status, open_ticket and payment_link, and \
                     show it to nobody."
                .to_owned(),
        })
    }
}

impl From<AccessError> for ToolError {
    fn from(error: AccessError) -> Self {
        Self::Unavailable { detail: error.0 }
    }
}
