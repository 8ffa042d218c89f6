//! What MCP's methods do: the registry's tools, the library's resources, the prompts.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use futures::FutureExt;
use rmcp::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
    CompleteResult, CompletionInfo, ContentBlock, CustomRequest, CustomResult, DiscoverResult,
    ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    Implementation, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    PromptMessage, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, Role, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use serde_json::{Value, json};

use super::State;
use super::admission::{Admission, Admitted, Call};
use super::confirm;
use super::http::Client;
use super::library;
use super::listen::{self, Places};
use super::listing;
use super::prompts::Prompt;
use crate::tools::ToolError;

/// How long a client may keep a list or a resource, in milliseconds.
const FRESH: u64 = 5 * 60 * 1000;
/// The longest a tool may take.
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Resources in one page of the list.
const PAGE: usize = 250;
/// JSON-RPC code of a refused call; the protocol leaves the number to the server.
const TOO_MANY_CALLS: ErrorCode = ErrorCode(-32000);
/// Requests we answer; with parameters that cannot be read they arrive as custom ones.
const METHODS: [&str; 11] = [
    "initialize",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "subscriptions/listen",
];

/// The door's side of the conversation; one for all clients.
#[derive(Clone)]
pub struct Handler(Arc<Shared>);

struct Shared {
    state: State,
    tools: Vec<Tool>,
    info: ServerConfig,
    admission: Admission,
    places: Places,
}

impl Handler {
    pub(super) fn new(state: State) -> Self {
        let admission = Admission::new(&state);
        Self(Arc::new(Shared {
            tools: listing::tools(&state.registry, admission.verification(), None),
            info: info(&state),
            admission,
            places: Places::default(),
            state,
        }))
    }

    async fn call(
        &self,
        request: CallToolRequestParams,
        client: &Client,
        asks: bool,
    ) -> Result<CallToolResponse, ErrorData> {
        let Shared {
            state, admission, ..
        } = self.0.as_ref();
        let call = match admission.admit(state, request, client, asks).await? {
            Admitted::Call(call) => *call,
            Admitted::Answer(answer) => return Ok(*answer),
        };
        let name = call.name.clone();
        let result = match self.run(call).await {
            Ok(value) => CallToolResult::structured(value),
            Err(error @ ToolError::Unknown(_)) => {
                return Err(ErrorData::invalid_params(error.for_caller(), None));
            }
            Err(error @ (ToolError::Invalid(_) | ToolError::NotAllowed(_))) => {
                failed(error.for_caller())
            }
            Err(ref error @ ToolError::Unavailable { ref detail }) => {
                tracing::warn!(tool = %name, %detail, "a tool is unavailable");
                failed(error.for_caller())
            }
        };
        Ok(result.into())
    }

    /// Calls the tool. The library leaves a request unanswered whose handler panics, so a panic becomes
    /// an error here.
    async fn run(&self, call: Call) -> Result<Value, ToolError> {
        let unavailable = |detail: &str| ToolError::Unavailable {
            detail: detail.to_owned(),
        };
        let registry = match self.0.admission.verification() {
            Some(verification) if call.verifying => verification,
            Some(_) | None => self.0.state.registry.as_ref(),
        };
        let called = registry.call(&call.name, call.arguments, &call.context);
        let called = AssertUnwindSafe(called).catch_unwind();
        match tokio::time::timeout(CALL_DEADLINE, called).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(unavailable("the tool panicked")),
            Err(_) => Err(unavailable("the tool took too long")),
        }
    }

    fn prompt(&self, name: &str) -> Result<&Prompt, ErrorData> {
        let mut prompts = self.0.state.prompts.iter();
        prompts
            .find(|prompt| prompt.name == name)
            .ok_or_else(|| ErrorData::invalid_params("There is no prompt of that name.", None))
    }

    /// What could stand there; nothing for what we do not have, as the conformance suite wants it.
    fn suggestions(&self, request: &CompleteRequestParams) -> Vec<String> {
        let variable = &request.argument.name;
        if let Some(name) = request.r#ref.as_prompt_name() {
            let prompt = self.prompt(name).ok();
            let arguments = prompt.iter().flat_map(|prompt| &prompt.arguments);
            return arguments
                .filter(|argument| argument.name == *variable)
                .flat_map(|argument| argument.choices.iter().cloned())
                .collect();
        }
        let template = request.r#ref.as_resource_uri().unwrap_or_default();
        let chosen = |name: &str| {
            let context = request.context.as_ref()?;
            context.get_argument(name).map(String::as_str)
        };
        (self.0.state.library)().suggestions(template, variable, chosen)
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        self.0.info.clone()
    }

    /// As the library does it. Over HTTP nothing stays open on which a client of this era could be told
    /// of changes, so none are promised there.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut opened = self.negotiate_initialize(&request)?;
        let stays_open = context.extensions.get::<Parts>().is_none();
        if let Some(resources) = &mut opened.capabilities.resources {
            resources.subscribe = None;
            resources.list_changed = stays_open.then_some(true);
        }
        Ok(opened)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(FRESH)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        no_cursor(request)?;
        let client = Client::of(&context, &self.0.state.languages);
        let (tools, scope) = match client.assistant.as_deref() {
            None => (self.0.tools.clone(), CacheScope::Public),
            Some(assistant) => {
                let verification = self.0.admission.verification();
                let registry = &self.0.state.registry;
                let tools = listing::tools(registry, verification, Some(assistant));
                (tools, CacheScope::Private)
            }
        };
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(FRESH)
            .with_cache_scope(scope))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let client = Client::of(&context, &self.0.state.languages);
        let asks = confirm::client_asks(&context);
        self.call(request, &client, asks).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let (resources, next) = page((self.0.state.library)().resources(), request)?;
        let mut result = ListResourcesResult::with_all_items(resources)
            .with_ttl_ms(FRESH)
            .with_cache_scope(CacheScope::Public);
        result.next_cursor = next;
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        no_cursor(request)?;
        Ok(
            ListResourceTemplatesResult::with_all_items(library::templates())
                .with_ttl_ms(FRESH)
                .with_cache_scope(CacheScope::Public),
        )
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = (self.0.state.library)()
            .read(&request.uri, &self.0.state.identity)
            .ok_or_else(|| {
                let data = json!({ "uri": request.uri });
                ErrorData::resource_not_found("There is no resource at that address.", Some(data))
            })?;
        Ok(ReadResourceResult::new(vec![contents])
            .with_ttl_ms(FRESH)
            .with_cache_scope(CacheScope::Public)
            .into())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        no_cursor(request)?;
        let prompts = self.0.state.prompts.iter().map(Prompt::listed).collect();
        Ok(ListPromptsResult::with_all_items(prompts)
            .with_ttl_ms(FRESH)
            .with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let prompt = self.prompt(&request.name)?;
        let filled = prompt
            .check(request.arguments.unwrap_or_default())
            .map_err(|fault| ErrorData::invalid_params(fault, None))?;
        let text = (prompt.render)(&filled).map_err(|detail| {
            tracing::error!(prompt = %prompt.name, %detail, "a prompt cannot be rendered");
            ErrorData::internal_error("The prompt cannot be filled in at the moment.", None)
        })?;
        let message = PromptMessage::new_text(Role::User, text);
        Ok(GetPromptResult::new(vec![message])
            .with_description(prompt.description.as_str())
            .into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let typed = request.argument.value.to_lowercase();
        let mut values = self.suggestions(&request);
        values.retain(|value| value.to_lowercase().starts_with(&typed));
        let total = u32::try_from(values.len()).unwrap_or(u32::MAX);
        values.truncate(CompletionInfo::MAX_VALUES);
        let more = total as usize > values.len();
        CompletionInfo::with_pagination(values, Some(total), more)
            .map(CompleteResult::new)
            .map_err(|fault| ErrorData::internal_error(fault, None))
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(listen::accepted(&self.0.state, requested))
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let client = Client::of(subscription.request_context(), &self.0.state.languages);
        let Some(_place) = self.0.places.take(client.address) else {
            let text = "Too many clients listen at the moment. Ask for the list again instead.";
            return Err(ErrorData::new(TOO_MANY_CALLS, text, None));
        };
        listen::tell_subscriber(&self.0.state, &subscription).await;
        Ok(())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method.as_str();
        let newer = context.protocol_version() >= Some(ProtocolVersion::V_2026_07_28);
        let removed = newer && method == "initialize";
        Err(if METHODS.contains(&method) && !removed {
            ErrorData::invalid_params("The parameters are not those of this method.", None)
        } else {
            ErrorData::new(
                ErrorCode::METHOD_NOT_FOUND,
                "There is no such method.",
                None,
            )
        })
    }
}

fn info(state: &State) -> ServerConfig {
    let capabilities = ServerCapabilities::builder()
        .enable_tools()
        .enable_resources()
        .enable_resources_list_changed()
        .enable_resources_subscribe()
        .enable_prompts()
        .enable_completions()
        .build();
    let mut implementation = Implementation::new("sportello", env!("CARGO_PKG_VERSION"))
        .with_title(state.identity.name.as_str())
        .with_description(state.identity.summary());
    implementation.website_url = Some(state.identity.address("/"));
    ServerConfig::new(capabilities)
        .with_server_info(implementation)
        .with_instructions(format!(
            "This is the counter of a shop. {}. Look products, prices, stock and policies up with the \
             tools and never guess them. Orders, tickets and payments need {}: {}",
            state.identity.summary(),
            if state.callers.access.sends_codes() {
                "a customer who is verified with verify_customer, or their own chat with the shop"
            } else {
                "the customer's own chat with the shop"
            },
            state.identity.address("/")
        ))
}

pub(super) fn failed(text: String) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// Over HTTP a status with `Retry-After`; on a stream, where there is none, a result to read.
pub(super) fn refused(wait: Duration, client: &Client) -> Result<CallToolResult, ErrorData> {
    let seconds = wait.as_secs().saturating_add(1);
    let text = format!("Too many tool calls. Wait {seconds} seconds, then call again.");
    if client.ask_to_wait(seconds) {
        Err(ErrorData::new(
            TOO_MANY_CALLS,
            text,
            Some(json!({ "retryAfterSeconds": seconds })),
        ))
    } else {
        Ok(failed(text))
    }
}

/// A list that has one page knows no cursor.
fn no_cursor(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|request| request.cursor) {
        None => Ok(()),
        Some(_) => Err(invalid_cursor()),
    }
}

fn page<T>(
    mut items: Vec<T>,
    request: Option<PaginatedRequestParams>,
) -> Result<(Vec<T>, Option<String>), ErrorData> {
    let start = match request.and_then(|request| request.cursor) {
        None => 0,
        Some(cursor) => cursor
            .parse()
            .ok()
            .filter(|start| *start > 0 && *start < items.len())
            .ok_or_else(invalid_cursor)?,
    };
    let mut items = items.split_off(start);
    let next = (items.len() > PAGE).then(|| (start + PAGE).to_string());
    items.truncate(PAGE);
    Ok((items, next))
}

fn invalid_cursor() -> ErrorData {
    ErrorData::invalid_params("The cursor is not one of this list.", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(cursor: &str) -> Option<PaginatedRequestParams> {
        Some(PaginatedRequestParams::default().with_cursor(Some(cursor.to_owned())))
    }

    #[test]
    fn pages_join_to_the_whole_list() {
        let items: Vec<usize> = (0..PAGE * 2 + 7).collect();
        let (mut seen, mut next) = page(items.clone(), None).unwrap();
        while let Some(cursor) = next {
            let (more, following) = page(items.clone(), from(&cursor)).unwrap();
            assert!(!more.is_empty() && more.len() <= PAGE);
            seen.extend(more);
            next = following;
        }
        assert_eq!(seen, items);
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        for cursor in ["", "-1", "0", "x", "3", "99999999999999999999"] {
            let error = page(vec![1, 2, 3], from(cursor)).unwrap_err();
            assert_eq!(error.code, ErrorCode::INVALID_PARAMS, "{cursor}");
        }
    }
}
