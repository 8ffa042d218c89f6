//! Talking to the agent from inside the program: the terminal, and evaluations. The way is the same as
//! from any door: inbox, worker, store.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::open::{App, AppError};
use crate::clock;
use crate::domain::{
    About, Channel, ConversationId, Holder, Inbound, InboundContent, Outcome, TurnTrace,
};
use crate::events::Event;
use crate::store::Intake;

/// The longest a terminal waits for a turn.
const PATIENCE: Duration = Duration::from_secs(120);
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
        let conversation = accepted
            .first()
            .map(|accepted| accepted.conversation.clone())
            .ok_or_else(|| AppError::Configuration("nothing was said".to_owned()))?;
        let mut events = self.events.watch(&conversation);
        self.inbox.notify_one();
        let ended = async {
            loop {
                match events.recv().await {
                    Ok(Event::Done) | Err(RecvError::Closed | RecvError::Lagged(_)) => break,
                    Ok(Event::Progress { .. } | Event::Message | Event::Holder) => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended)
            .await
            .map_err(|_| AppError::Machine("no turn ended in time".to_owned()))?;
        self.said(conversation).await
    }

    async fn said(&self, conversation: ConversationId) -> Result<Said, AppError> {
        let gone = || AppError::Machine("the turn is not in the store".to_owned());
        let turn = self
            .store
            .turns(&conversation, 1)
            .await?
            .into_iter()
            .next()
            .ok_or_else(gone)?;
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
