//! The door's own handler with the diagnostic tools, prompts and resources around it.
#![expect(
    deprecated,
    reason = "the suite asks for what the newer era has deprecated"
)]

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, DiscoverResult, ErrorData, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, InputRequiredResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    LoggingMessageNotificationParam, PaginatedRequestParams, ProgressNotificationParam,
    ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    ServerConfig, ServerRequest, SetLevelRequestMethod, SetLevelRequestParams,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ErrorData as Fault, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sportello::mcp::conformance::Handler;
use tokio::sync::broadcast;

use super::fixtures;
use super::questions::{Given, Round, request, round};

type Context = RequestContext<RoleServer>;

/// Which list a tool has changed.
#[derive(Clone, Copy)]
enum Changed {
    Tools,
    Prompts,
}

/// Answers by the fixtures, and by the door for everything else.
#[derive(Clone)]
pub struct Diagnostic {
    door: Handler,
    changes: broadcast::Sender<Changed>,
}

impl Diagnostic {
    pub fn around(door: Handler) -> Self {
        Self {
            door,
            changes: broadcast::Sender::new(16),
        }
    }

    async fn act(&self, name: &str, context: &Context) -> Option<CallToolResult> {
        let done = |text: &str| CallToolResult::success(read(fixtures::text(text)));
        match name {
            "test_error_handling" => {
                let text = "This tool intentionally returns an error for testing";
                return Some(CallToolResult::error(read(fixtures::text(text))));
            }
            "test_tool_with_logging" => {
                for text in ["started", "processing data", "completed"] {
                    log(context, &format!("Tool {text}")).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            "test_logging_tool" if context.meta.log_level().is_some() => {
                log(context, "Asked for").await;
            }
            "test_logging_tool" => {}
            "test_tool_with_progress" => progress(context).await,
            "test_trigger_tool_change" => drop(self.changes.send(Changed::Tools)),
            "test_trigger_prompt_change" => drop(self.changes.send(Changed::Prompts)),
            _ => {
                let content = fixtures::content(name)?;
                return Some(CallToolResult::success(read(content)));
            }
        }
        Some(done("It was done."))
    }
}

impl ServerHandler for Diagnostic {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.door.get_info();
        info.capabilities = read(json!({
            "logging": {},
            "completions": {},
            "prompts": {"listChanged": true},
            "resources": {"listChanged": true, "subscribe": true},
            "tools": {"listChanged": true},
        }));
        info
    }

    async fn discover(&self, context: Context) -> Result<DiscoverResult, ErrorData> {
        let mut found = self.door.discover(context).await?;
        found.capabilities = self.get_info().capabilities;
        Ok(found)
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = self.door.list_tools(page, context).await?;
        list.tools.extend(fixtures::tools().into_iter().map(read));
        Ok(list)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools = fixtures::tools();
        tools
            .into_iter()
            .find(|tool| tool["name"] == name)
            .map(read)
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = call.name.as_ref();
        let can = json!(context.client_capabilities());
        if name == "test_missing_capability" && can.get("sampling").is_none() {
            let missing = read(json!({"sampling": {}}));
            return Err(ErrorData::missing_required_client_capability(missing));
        }
        let given = Given {
            answers: call.input_responses.as_ref(),
            state: call.request_state.as_deref(),
            can: &can,
        };
        if let Some(round) = round(name, &given) {
            return match asked(round)? {
                Ok(text) => Ok(CallToolResult::success(read(fixtures::text(&text))).into()),
                Err(question) => Ok(question.into()),
            };
        }
        if let Some((method, params)) = request(name, &json!(call.arguments)) {
            return Ok(put(&context, method, params).await.into());
        }
        match self.act(name, &context).await {
            Some(result) => Ok(result.into()),
            None => self.door.call_tool(call, context).await,
        }
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut list = self.door.list_resources(page, context).await?;
        list.resources.extend(read::<Vec<_>>(fixtures::resources()));
        Ok(list)
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut list = self.door.list_resource_templates(page, context).await?;
        list.resource_templates
            .extend(read::<Vec<_>>(fixtures::templates()));
        Ok(list)
    }

    async fn read_resource(
        &self,
        asked: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        match fixtures::contents(&asked.uri) {
            Some(contents) => Ok(ReadResourceResult::new(vec![read(contents)]).into()),
            None => self.door.read_resource(asked, context).await,
        }
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut list = self.door.list_prompts(page, context).await?;
        list.prompts
            .extend(fixtures::prompts().into_iter().map(read));
        Ok(list)
    }

    async fn get_prompt(
        &self,
        prompt: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let filled = |messages: Value| GetPromptResult::new(read(messages));
        let given = Given {
            answers: prompt.input_responses.as_ref(),
            state: prompt.request_state.as_deref(),
            can: &Value::Null,
        };
        if let Some(round) = round(&prompt.name, &given) {
            let said = |text| json!([{"role": "user", "content": {"type": "text", "text": text}}]);
            return Ok(match asked(round)? {
                Ok(text) => filled(said(text)).into(),
                Err(question) => question.into(),
            });
        }
        match fixtures::messages(&prompt.name, &json!(prompt.arguments)) {
            Some(messages) => Ok(filled(messages).into()),
            None => self.door.get_prompt(prompt, context).await,
        }
    }

    async fn complete(
        &self,
        asked: CompleteRequestParams,
        context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        self.door.complete(asked, context).await
    }

    async fn set_level(&self, _: SetLevelRequestParams, context: Context) -> Result<(), Fault> {
        if context.protocol_version() >= Some(ProtocolVersion::V_2026_07_28) {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        Ok(())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Result<(), Fault> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Result<(), Fault> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changes.subscribe();
        let told = async {
            while let Ok(changed) = changes.recv().await {
                // What the client did not ask for is refused by the library.
                let _ = match changed {
                    Changed::Tools => subscription.sink().notify_tool_list_changed().await,
                    Changed::Prompts => subscription.sink().notify_prompt_list_changed().await,
                };
            }
        };
        tokio::select! {
            () = told => {}
            () = subscription.cancelled() => {}
        }
        Ok(())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: Context,
    ) -> Result<CustomResult, ErrorData> {
        self.door.on_custom_request(request, context).await
    }
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// The text of an answer, or what the client is asked.
fn asked(round: Round) -> Result<Result<String, InputRequiredResult>, ErrorData> {
    match round {
        Round::Done(text) => Ok(Ok(text)),
        Round::Ask(questions, state) => {
            Ok(Err(InputRequiredResult::new(Some(read(questions)), state)))
        }
        Round::Forged => Err(ErrorData::invalid_params("The state is not ours.", None)),
    }
}

/// Puts a question to a client of the older era.
async fn put(context: &Context, method: &str, params: Value) -> CallToolResult {
    let question = ServerRequest::CustomRequest(CustomRequest::new(method, Some(params)));
    match context.peer.send_request(question).await {
        Ok(answer) => {
            let text = format!("The client answered: {}", json!(answer));
            CallToolResult::success(read(fixtures::text(&text)))
        }
        Err(error) => CallToolResult::error(read(fixtures::text(&error.to_string()))),
    }
}

async fn log(context: &Context, text: &str) {
    let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(text));
    context.peer.notify_logging_message(message).await.unwrap();
}

async fn progress(context: &Context) {
    for step in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let told = ProgressNotificationParam::new(token, step).with_total(100.0);
            context.peer.notify_progress(told).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
