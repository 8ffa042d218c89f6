//! What happens in conversations, for those who watch. Nothing here is durable: whoever misses an
//! event reads the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;

use crate::domain::{ConversationId, Progress};

/// One thing that happened in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A turn has reached a stage.
    Progress {
        /// The stage.
        stage: Progress,
    },
    /// Something was said, by anyone: read the transcript.
    Message,
    /// A turn has ended, with or without an answer.
    Done,
    /// A person took over, or gave it back.
    Holder,
}

/// The watchers: one channel per conversation that is watched, and one for the desk.
#[derive(Clone)]
pub struct Events {
    watched: Arc<Mutex<HashMap<ConversationId, broadcast::Sender<Event>>>>,
    desk: broadcast::Sender<ConversationId>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            watched: Arc::default(),
            desk: broadcast::channel(256).0,
        }
    }
}

impl Events {
    /// Watches one conversation from now on.
    #[must_use]
    pub fn watch(&self, conversation: &ConversationId) -> broadcast::Receiver<Event> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched
            .entry(conversation.clone())
            .or_insert_with(|| broadcast::channel(64).0)
            .subscribe()
    }

    /// Watches which conversations change, for the desk.
    #[must_use]
    pub fn watch_desk(&self) -> broadcast::Receiver<ConversationId> {
        self.desk.subscribe()
    }

    /// Tells the watchers.
    pub fn tell(&self, conversation: &ConversationId, event: Event) {
        if !matches!(event, Event::Progress { .. }) {
            // Nobody at the desk is fine.
            let _ = self.desk.send(conversation.clone());
        }
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = watched
            .get(conversation)
            .is_some_and(|sender| sender.send(event).is_err());
        if gone {
            watched.remove(conversation);
        }
    }
}
