//! Joining two contacts that a person says are one.

use super::open::{App, AppError};
use crate::clock;
use crate::events::{Event, Events};
use crate::store::{MergeRefusal, Merged};

impl App {
    /// Joins `other` into `keep`, each named by its id, its phone or its user id, and tells the desk.
    ///
    /// # Errors
    /// [`AppError::Configuration`] with why they are not joined.
    pub async fn merge_contacts(&self, keep: &str, other: &str) -> Result<Merged, AppError> {
        let now = clock::now();
        let merged = self
            .store
            .merge_contacts(keep, other, "operator", now)
            .await?;
        let merged =
            merged.map_err(|refusal: MergeRefusal| AppError::Configuration(refusal.to_string()))?;
        tell(&self.events, &merged);
        self.outbox.notify_one();
        Ok(merged)
    }
}

fn tell(events: &Events, merged: &Merged) {
    for conversation in merged.joined.iter().chain(&merged.conversations) {
        events.tell(conversation, Event::Message);
        events.tell(conversation, Event::Holder);
    }
}
