//! What a model was asked last in each conversation, for the cases that fail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::Model;
use crate::domain::ConversationId;
use crate::ports::{ChatModel, ModelError, ModelMessage, ModelReply, ModelRequest};

/// The messages of the last request of each conversation.
#[derive(Clone, Default)]
pub struct LastAsked(Arc<Mutex<HashMap<ConversationId, Vec<ModelMessage>>>>);

struct Watched {
    model: Model,
    last: LastAsked,
}

impl LastAsked {
    /// The same model, watched.
    #[must_use]
    pub fn watch(&self, model: Model) -> Model {
        Arc::new(Watched {
            model,
            last: self.clone(),
        })
    }

    /// Takes the last request of a conversation out: who speaks and what, message by message.
    #[must_use]
    pub fn take(&self, conversation: &ConversationId) -> Vec<[String; 2]> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = last.remove(conversation).unwrap_or_default();
        messages.into_iter().map(readable).collect()
    }
}

fn readable(message: ModelMessage) -> [String; 2] {
    let (speaker, text) = match message {
        ModelMessage::System(text) => ("system", text),
        ModelMessage::User(text) => ("user", text),
        ModelMessage::Assistant { mut text, calls } => {
            for call in calls {
                if !text.is_empty() {
                    text.push('\n');
                }
                text += &format!("{}({})", call.name, call.arguments);
            }
            ("assistant", text)
        }
        ModelMessage::Tool { content, .. } => ("tool", content),
    };
    [speaker.to_owned(), text]
}

#[async_trait]
impl ChatModel for Watched {
    fn id(&self) -> &str {
        self.model.id()
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        {
            let mut last = self.last.0.lock().unwrap_or_else(PoisonError::into_inner);
            last.insert(request.conversation.clone(), request.messages.clone());
        }
        self.model.complete(request).await
    }
}
