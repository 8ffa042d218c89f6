//! The page's tools, called by the page itself or by an assistant in the visitor's browser.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::chat::RECIPIENT;
use super::session::{self, Session};
use super::{Web, language};
use crate::domain::{Channel, ConversationId, Speaker};
use crate::edge::{Body, Client, Fault};
use crate::events::Event;
use crate::store::StoreError;
use crate::tools::{CallContext, Caller, ToolError};

/// So many of the visitor's messages are looked through for evidence.
const EVIDENCE: i64 = 200;

/// Calls a tool in the visitor's session. What the caller can mend is a result with `isError`.
pub async fn call(
    Shared(web): Shared<Arc<Web>>,
    client: Client,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Body<Value>, Fault>,
) -> Result<Response, Fault> {
    web.clients.check(&client)?;
    let Body(arguments) = body?;
    let (session, cookie) = session::known_or_new(&headers, web.secure());
    web.calls.check(&session.address)?;
    let registry = &web.state.registry;
    let Some(spec) = registry.specs(Caller::Page).find(|spec| spec.name == name) else {
        let unknown = ToolError::Unknown(name);
        return Ok((StatusCode::NOT_FOUND, Json(failed(&unknown))).into_response());
    };
    let effect = !spec.annotations.read_only_hint;
    let context = context(&web, &session, &headers, effect).await?;
    let result = match registry.call(&name, arguments, &context).await {
        Ok(output) => json!({
            "content": [{ "type": "text", "text": output.to_string() }],
            "structuredContent": output,
            "isError": false,
        }),
        Err(error) => {
            if let ToolError::Unavailable { detail } = &error {
                tracing::error!(tool = name, detail, "a tool failed on the page");
            }
            failed(&error)
        }
    };
    if let (true, Some(conversation)) = (effect, &context.conversation) {
        // A tool with an effect may have said something or called a person.
        web.state.events.tell(conversation, Event::Message);
        web.state.events.tell(conversation, Event::Holder);
    }
    let mut response = Json(result).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Whether a call would be taken, before the visitor is asked about it.
pub async fn check(
    Shared(web): Shared<Arc<Web>>,
    client: Client,
    Path(name): Path<String>,
    body: Result<Body<Value>, Fault>,
) -> Result<Response, Fault> {
    web.clients.check(&client)?;
    let Body(arguments) = body?;
    Ok(
        match web.state.registry.check(&name, &arguments, Caller::Page) {
            Ok(()) => Json(json!({ "content": [], "isError": false })).into_response(),
            Err(error @ ToolError::Unknown(_)) => {
                (StatusCode::NOT_FOUND, Json(failed(&error))).into_response()
            }
            Err(error) => Json(failed(&error)).into_response(),
        },
    )
}

fn failed(error: &ToolError) -> Value {
    json!({ "content": [{ "type": "text", "text": error.for_caller() }], "isError": true })
}

/// Who is asking. A tool with an effect needs a conversation to have it in, so one is opened.
async fn context(
    web: &Web,
    session: &Session,
    headers: &HeaderMap,
    effect: bool,
) -> Result<CallContext, StoreError> {
    let store = &web.state.store;
    let wanted = language::preferred(headers, &web.state.shop.languages);
    let mut context = CallContext::of(Caller::Page, wanted);
    let mut conversation = store
        .conversation_of(Channel::Web, &session.address, RECIPIENT)
        .await?;
    if conversation.is_none() && effect {
        let now = (web.state.clock)();
        conversation = Some(
            store
                .open_conversation(Channel::Web, &session.address, RECIPIENT, now)
                .await?,
        );
    }
    let Some(conversation) = conversation else {
        return Ok(context);
    };
    if let Some(state) = store.conversation(&conversation).await? {
        context.language = state.language.unwrap_or(wanted);
        context.contact = Some(state.contact.id);
        context.phone = state.contact.phone;
    }
    context.written = written(web, &conversation).await?;
    context.conversation = Some(conversation);
    Ok(context)
}

async fn written(web: &Web, conversation: &ConversationId) -> Result<Vec<String>, StoreError> {
    let messages = web
        .state
        .store
        .transcript(conversation, "", EVIDENCE)
        .await?;
    Ok(messages
        .into_iter()
        .filter(|message| message.speaker == Speaker::Customer)
        .map(|message| message.text)
        .collect())
}
