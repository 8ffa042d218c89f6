//! Talking to the agent from inside the program: the terminal, and evaluations. The way is the same as
//! from any door: inbox, worker, store.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use uuid::Uuid;

use super::open::{App, AppError};
use crate::clock;
use crate::domain::{
    About, Channel, ConversationId, Holder, Inbound, InboundContent, Outcome, TurnTrace,
};
use crate::events::Event;
use crate::store::{Accepted, Intake, TurnRecord};

/// A terminal waits for a turn at least this long.
const PATIENCE: Duration = Duration::from_secs(120);
/// A turn may end in another process, which tells nobody here.
const LOOK: Duration = Duration::from_secs(1);
/// The page that terminal conversations come through.
const RECIPIENT: &str = "terminal";

/// Who talks.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Talk {
    /// Names the conversation; the same name goes on with it.
    pub session: String,
    /// E.164 phone that counts as verified, for trying things out.
    pub phone: Option<String>,
    /// What is said, in order, as one burst.
    pub content: Vec<InboundContent>,
}

/// What came back.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Said {
    /// The conversation.
    pub conversation: ConversationId,
    /// How the turn ended.
    pub outcome: Outcome,
    /// What it did.
    pub trace: TurnTrace,
    /// Who answers from now on.
    pub holder: Holder,
}

impl App {
    /// Says something and waits for the turn to end.
    ///
    /// # Errors
    /// When the store fails or no turn ends in time.
    pub async fn talk(&self, talk: Talk) -> Result<Said, AppError> {
        let now = clock::now();
        let messages = talk
            .content
            .into_iter()
            .map(|content| {
                let inbound = Inbound {
                    channel: Channel::Terminal,
                    recipient: RECIPIENT.to_owned(),
                    external_id: Uuid::now_v7().to_string(),
                    sender: talk.session.clone(),
                    phone: talk.phone.clone(),
                    name: None,
                    sent_at: now / 1000,
                    content: content.masked(),
                    about: About::default(),
                };
                (inbound, 0)
            })
            .collect();
        let intake = Intake {
            messages,
            ..Intake::default()
        };
        let accepted = self.store.accept(intake, now).await?;
        let accepted = accepted
            .into_iter()
            .next_back()
            .ok_or_else(|| AppError::Configuration("nothing was said".to_owned()))?;
        // A worker may finish another turn before.
        let turns = 2 * Duration::from_secs(self.config.agent.deadline_seconds);
        let turn = tokio::time::timeout(turns.max(PATIENCE), self.turn_of(&accepted))
            .await
            .map_err(|_| AppError::Machine("no turn ended in time".to_owned()))??;
        self.said(accepted.conversation, turn).await
    }

    /// Waits for the turn that takes a message. A worker may have been faster than whoever watches.
    async fn turn_of(&self, accepted: &Accepted) -> Result<TurnRecord, AppError> {
        let mut events = self.events.watch(&accepted.conversation);
        self.inbox.notify_one();
        loop {
            if let Some(id) = &accepted.id
                && let Some(turn) = self.store.turn_that_took(id).await?
            {
                return Ok(turn);
            }
            let _ = tokio::time::timeout(LOOK, turn_ends(&mut events)).await;
        }
    }

    async fn said(&self, conversation: ConversationId, turn: TurnRecord) -> Result<Said, AppError> {
        let gone = || AppError::Machine("the conversation is not in the store".to_owned());
        let state = self
            .store
            .conversation(&conversation)
            .await?
            .ok_or_else(gone)?;
        Ok(Said {
            conversation,
            outcome: turn.outcome,
            trace: turn.trace,
            holder: state.holder,
        })
    }
}

async fn turn_ends(events: &mut Receiver<Event>) {
    while let Ok(Event::Progress { .. } | Event::Message | Event::Holder) = events.recv().await {}
}
