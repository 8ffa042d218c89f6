//! Which case a conversation belongs to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::{Channel, ConversationId};
use crate::ports::ModelError;
use crate::store::Store;

/// What the sessions of an evaluation begin with.
const PREFIX: &str = "eval-";

/// One run of a case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CaseRun {
    /// The case's id.
    pub case: String,
    /// Which repeat of it, counted from 1.
    pub repeat: u32,
}

impl CaseRun {
    /// A repeat of a case.
    #[must_use]
    pub fn new(case: impl Into<String>, repeat: u32) -> Self {
        let case = case.into();
        Self { case, repeat }
    }

    /// The name of its conversation's session.
    #[must_use]
    pub fn session(&self) -> String {
        format!("{PREFIX}{}-{}", self.case, self.repeat)
    }

    /// The run whose session has this name.
    #[must_use]
    pub fn of_session(session: &str) -> Option<Self> {
        let (case, repeat) = session.strip_prefix(PREFIX)?.rsplit_once('-')?;
        let repeat = repeat.parse().ok().filter(|repeat| *repeat > 0)?;
        (!case.is_empty()).then(|| Self::new(case, repeat))
    }
}

/// The cases of conversations, and what is fresh in each.
#[derive(Default)]
pub struct CaseBook {
    store: Option<Store>,
    entries: Mutex<HashMap<ConversationId, Entry>>,
}

#[derive(Default)]
struct Entry {
    run: Option<CaseRun>,
    fresh: Vec<String>,
}

impl CaseBook {
    /// A book that reads in the store which session a conversation is, once for each.
    #[must_use]
    pub fn of(store: Store) -> Self {
        Self {
            store: Some(store),
            entries: Mutex::default(),
        }
    }

    /// Says which case a conversation belongs to.
    pub fn enter(&self, conversation: &ConversationId, run: CaseRun) {
        self.with(conversation, |entry| entry.run = Some(run));
    }

    /// Says that a value in a conversation differs from run to run and cannot be told by its form: the number of an
    /// order that was paid in it. At least three characters.
    pub fn fresh(&self, conversation: &ConversationId, value: &str) {
        self.with(conversation, |entry| {
            if !entry.fresh.iter().any(|known| known == value) {
                entry.fresh.push(value.to_owned());
            }
        });
    }

    /// What is fresh in a conversation.
    pub(super) fn freshness(&self, conversation: &ConversationId) -> Vec<String> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(conversation);
        entry.map(|entry| entry.fresh.clone()).unwrap_or_default()
    }

    /// The case of a conversation.
    ///
    /// # Errors
    /// [`ModelError::Missing`] when it belongs to none.
    pub(super) async fn run(&self, conversation: &ConversationId) -> Result<CaseRun, ModelError> {
        if let Some(run) = self.with(conversation, |entry| entry.run.clone()) {
            return Ok(run);
        }
        let nobody = || ModelError::Missing(format!("{conversation} belongs to no case"));
        let store = self.store.as_ref().ok_or_else(nobody)?;
        let state = store
            .conversation(conversation)
            .await
            .map_err(|error| ModelError::Missing(error.to_string()))?
            .filter(|state| state.channel == Channel::Terminal)
            .ok_or_else(nobody)?;
        let run = CaseRun::of_session(&state.contact.address).ok_or_else(nobody)?;
        self.enter(conversation, run.clone());
        Ok(run)
    }

    fn with<T>(&self, conversation: &ConversationId, what: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        what(entries.entry(conversation.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_names_its_case_whatever_the_case_is_called() {
        for case in ["a", "buying-it", "eval-1", "très chic/2"] {
            let run = CaseRun::new(case, 12);
            assert_eq!(CaseRun::of_session(&run.session()), Some(run));
        }
        for session in [
            "eval-0193a1b2c3d4e5f6",
            "chat-a-1",
            "eval--1",
            "eval-a-0",
            "eval-a-x",
        ] {
            assert_eq!(CaseRun::of_session(session), None, "{session}");
        }
    }
}
