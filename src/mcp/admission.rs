//! What stands between a call and its tool: how often, with which token, for whom, and whether the user said yes.

use std::net::IpAddr;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorCode, ErrorData, InputResponses,
};
use serde_json::{Map, Value, json};

use super::State;
use super::access::{Access, Change, Customer, plausible};
use super::auth::Challenge;
use super::confirm;
use super::handler::{failed, refused};
use super::http::Client;
use super::listing::{CUSTOMER, Reach};
use super::throttle::{Throttle, network};
use super::verify;
use crate::tools::{CallContext, Caller, Registry, ToolError, ToolSpec};

/// JSON-RPC code of a call that needs another token; the protocol leaves the number to the server.
const NOT_AUTHORIZED: ErrorCode = ErrorCode(-32001);

/// A question that the client puts to its user. What was asked one way cannot be answered the other way.
const FORM: &str = "form";
/// A question that is answered by calling again.
const AGAIN: &str = "again";

/// A call that may be made.
pub(super) struct Call {
    /// The tool.
    pub(super) name: String,
    /// Its own arguments.
    pub(super) arguments: Value,
    /// Who is asking.
    pub(super) context: CallContext,
    /// Whether it is one of those that verify a customer.
    pub(super) verifying: bool,
}

/// What becomes of a call.
pub(super) enum Admitted {
    /// It is made.
    Call(Box<Call>),
    /// It is answered without.
    Answer(Box<CallToolResponse>),
}

/// What is answered instead of a call.
enum Refusal {
    /// A result, or an error with an HTTP status.
    Answer(Box<Result<CallToolResponse, ErrorData>>),
    /// What the tool itself would say.
    Tool(ToolError),
}

impl From<ToolError> for Refusal {
    fn from(error: ToolError) -> Self {
        Self::Tool(error)
    }
}

/// The rules of the door; one for all clients.
pub(super) struct Admission {
    verification: Option<Registry>,
    addresses: Throttle<IpAddr>,
    tokens: Throttle<String>,
    customers: Throttle<String>,
    codes: Throttle<IpAddr>,
    token_codes: Throttle<String>,
}

/// A call as it came in, its arguments being taken apart.
struct Incoming<'a> {
    state: &'a State,
    client: &'a Client,
    arguments: Map<String, Value>,
    responses: Option<InputResponses>,
    request_state: Option<String>,
    asks: bool,
}

impl Admission {
    pub(super) fn new(state: &State) -> Self {
        let access = &state.callers.access;
        let limits = &state.callers.limits;
        Self {
            verification: access.sends_codes().then(|| verify::registry(access)),
            addresses: Throttle::per_minute(state.calls_per_minute),
            tokens: Throttle::per_minute(limits.assistant_tools_per_minute),
            customers: Throttle::per_minute(limits.customer_tools_per_minute),
            codes: Throttle::per_hour(limits.codes_per_hour),
            token_codes: Throttle::per_hour(limits.assistant_codes_per_hour),
        }
    }

    /// The tools that verify a customer, where codes can be sent.
    pub(super) fn verification(&self) -> Option<&Registry> {
        self.verification.as_ref()
    }

    /// Decides about a call. `asks` says whether the client can ask its user.
    ///
    /// # Errors
    /// Protocol errors; on HTTP they have a status of their own.
    pub(super) async fn admit(
        &self,
        state: &State,
        request: CallToolRequestParams,
        client: &Client,
        asks: bool,
    ) -> Result<Admitted, ErrorData> {
        let incoming = Incoming {
            state,
            client,
            arguments: request.arguments.unwrap_or_default(),
            responses: request.input_responses,
            request_state: request.request_state,
            asks,
        };
        let refusal = match self.decide(&request.name, incoming).await {
            Ok(call) => return Ok(Admitted::Call(Box::new(call))),
            Err(refusal) => refusal,
        };
        let error = match refusal {
            Refusal::Answer(answer) => {
                return answer.map(|answer| Admitted::Answer(Box::new(answer)));
            }
            Refusal::Tool(error) => error,
        };
        match &error {
            ToolError::Unknown(_) => {
                return Err(ErrorData::invalid_params(error.for_caller(), None));
            }
            ToolError::Unavailable { detail } => {
                tracing::warn!(tool = %request.name, %detail, "a call cannot be judged");
            }
            ToolError::Invalid(_) | ToolError::NotAllowed(_) => {}
        }
        let told = failed(error.for_caller());
        Ok(Admitted::Answer(Box::new(told.into())))
    }

    async fn decide(&self, name: &str, mut incoming: Incoming<'_>) -> Result<Call, Refusal> {
        let client = incoming.client;
        self.count(client)?;
        let verifying = self
            .verification()
            .filter(|registry| registry.spec(name).is_some());
        if verifying.is_some() {
            if name == verify::START {
                self.count_code(client)?;
            }
            let context = incoming.context(None);
            return Ok(incoming.call(name, context, true));
        }
        let unknown = || ToolError::Unknown(name.to_owned());
        let spec = incoming.state.registry.spec(name).ok_or_else(unknown)?;
        let codes = self.verification.is_some();
        let customer = match Reach::of(spec, client.assistant.as_deref(), codes) {
            Reach::Never => return Err(unknown().into()),
            Reach::Token(scope) => {
                let challenge = match client.assistant {
                    Some(_) => Challenge::Scope(scope),
                    None => Challenge::NoToken(scope),
                };
                return Err(challenged(challenge, client));
            }
            Reach::Open => None,
            Reach::ForCustomer { needed } => self.customer(&mut incoming, needed).await?,
        };
        let context = incoming.context(customer);
        if !spec.annotations.read_only_hint {
            incoming.settle(spec, &context).await?;
        }
        Ok(incoming.call(name, context, false))
    }

    fn count(&self, client: &Client) -> Result<(), Refusal> {
        let taken = match &client.assistant {
            Some(assistant) => self.tokens.take(&assistant.token.0),
            None => self.addresses.take(&network(client.address)),
        };
        taken.map_err(|wait| Refusal::of(refused(wait, client)))
    }

    fn count_code(&self, client: &Client) -> Result<(), Refusal> {
        let taken = match &client.assistant {
            Some(assistant) => self.token_codes.take(&assistant.token.0),
            None => self.codes.take(&network(client.address)),
        };
        taken.map_err(|wait| Refusal::of(refused(wait, client)))
    }

    /// The customer whose handle is among the arguments.
    async fn customer(
        &self,
        incoming: &mut Incoming<'_>,
        needed: bool,
    ) -> Result<Option<Customer>, Refusal> {
        let handle = match incoming.taken(CUSTOMER)? {
            Some(handle) => handle,
            None if needed => {
                return Err(ToolError::NotAllowed(
                    "This is for a verified customer only. Verify your user with verify_customer and confirm_customer, \
                     then call again with `customer`."
                        .to_owned(),
                )
                .into());
            }
            None => return Ok(None),
        };
        let key = verify::handle_key(&handle, &bearer(incoming.client));
        let access = &incoming.state.callers.access;
        let found = if plausible(&handle) {
            access.customer(&key).await.map_err(ToolError::from)?
        } else {
            None
        };
        let customer = found.ok_or_else(|| {
            ToolError::NotAllowed(
                "`customer` is unknown here, or over. Verify your user again with verify_customer."
                    .to_owned(),
            )
        })?;
        self.customers
            .take(&customer.contact.0)
            .map_err(|wait| Refusal::of(refused(wait, incoming.client)))?;
        Ok(Some(customer))
    }
}

impl Refusal {
    fn of(result: Result<CallToolResult, ErrorData>) -> Self {
        Self::Answer(Box::new(result.map(CallToolResponse::from)))
    }
}

impl Incoming<'_> {
    fn call(self, name: &str, context: CallContext, verifying: bool) -> Call {
        Call {
            name: name.to_owned(),
            arguments: Value::Object(self.arguments),
            context,
            verifying,
        }
    }

    fn context(&self, customer: Option<Customer>) -> CallContext {
        let assistant = self.client.assistant.as_deref();
        let caller = match (assistant, &customer) {
            (_, Some(_)) => Caller::Customer,
            (Some(_), None) => Caller::Assistant,
            (None, None) => Caller::Anonymous,
        };
        let mut context = CallContext {
            token: assistant.map(|assistant| assistant.token.clone()),
            bearer: Some(bearer(self.client)),
            ..CallContext::of(caller, self.client.language)
        };
        if let Some(customer) = customer {
            context.contact = Some(customer.contact);
            context.conversation = Some(customer.conversation);
            context.phone = customer.phone;
        }
        context
    }

    /// Takes one of our own arguments out, so that the tool never sees it.
    fn taken(&mut self, name: &str) -> Result<Option<String>, ToolError> {
        match self.arguments.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(ToolError::Invalid(format!(
                    "`{name}` must be a string. Mend it and call again."
                )))
            }
        }
    }

    /// Asks whether it is to be done, or takes the answer. What is to be done is written down before.
    async fn settle(&mut self, spec: &ToolSpec, context: &CallContext) -> Result<(), Refusal> {
        let access = &self.state.callers.access;
        let confirmation = self.taken(confirm::ARGUMENT)?;
        let arguments = Value::Object(self.arguments.clone());
        self.state
            .registry
            .check(spec.name, &arguments, context.caller)?;
        let contact = context
            .contact
            .as_ref()
            .map_or("", |contact| contact.as_str());
        let bearer = context.bearer.as_deref().unwrap_or_default();
        let key = |token: &str, way: &str| {
            confirm::key(token, &[way, bearer, contact], spec.name, &arguments)
        };
        let (token, way) = match (&self.request_state, &confirmation) {
            (Some(state), _) => (state, FORM),
            (None, Some(confirmation)) => (confirmation, AGAIN),
            (None, None) => {
                let token = confirm::token();
                let key = key(&token, if self.asks { FORM } else { AGAIN });
                let kept = access.keep_question(key, confirm::SECONDS).await;
                kept.map_err(ToolError::from)?;
                return Err(self.question(&token, spec, &arguments));
            }
        };
        let taken = plausible(token) && take(access.as_ref(), key(token, way)).await?;
        if !taken {
            return Err(ToolError::NotAllowed(format!(
                "This confirmation was used, is over, or belongs to another call. Nothing was done. Call again without \
                 `{}`.",
                confirm::ARGUMENT
            ))
            .into());
        }
        if self.request_state.is_some() && !confirm::is_yes(self.responses.as_ref()) {
            let text = "The user did not say yes. Nothing was done.";
            return Err(ToolError::NotAllowed(text.to_owned()).into());
        }
        let change = Change {
            tool: spec.name.to_owned(),
            token: context.token.clone(),
            contact: context.contact.clone(),
        };
        Ok(access.note(change).await.map_err(ToolError::from)?)
    }

    fn question(&self, token: &str, spec: &ToolSpec, arguments: &Value) -> Refusal {
        if !self.asks {
            let question = confirm::question(token);
            return Refusal::of(Ok(CallToolResult::structured(question)));
        }
        match confirm::input_required(token, spec, arguments) {
            Ok(result) => Refusal::Answer(Box::new(Ok(result.into()))),
            Err(detail) => Refusal::Tool(ToolError::Unavailable {
                detail: detail.to_owned(),
            }),
        }
    }
}

async fn take(access: &dyn Access, key: String) -> Result<bool, ToolError> {
    Ok(access.take_question(key).await?)
}

/// Who carries what we hand out: a token, or without one an address.
fn bearer(client: &Client) -> String {
    match &client.assistant {
        Some(assistant) => format!("token:{}", assistant.token),
        None => format!("address:{}", network(client.address)),
    }
}

/// On HTTP a status with a challenge; on a stream, where there is none, a result to read.
fn challenged(challenge: Challenge, client: &Client) -> Refusal {
    if !client.challenge(challenge) {
        return Refusal::of(Ok(failed(challenge.message())));
    }
    let data = json!({ "status": challenge.status().as_u16() });
    let error = ErrorData::new(NOT_AUTHORIZED, challenge.message(), Some(data));
    Refusal::of(Err(error))
}
