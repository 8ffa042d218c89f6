//! Tells customers that their message was read and that an answer is being written. Beside the turn, never in it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::ports::{Messenger, Seen};

/// So many may wait to be told; more are left out.
const WAITING: usize = 64;
/// WhatsApp shows the indicator for 25 seconds at most.
const AGAIN: Duration = Duration::from_secs(20);

/// The end that a turn holds.
#[derive(Clone)]
pub struct Presence(mpsc::Sender<Seen>);

/// The end that tells the channel.
pub struct Typing {
    messenger: Arc<dyn Messenger>,
    told: mpsc::Receiver<Seen>,
}

impl Presence {
    /// Both ends.
    #[must_use]
    pub fn new(messenger: Arc<dyn Messenger>) -> (Self, Typing) {
        let (tell, told) = mpsc::channel(WAITING);
        (Self(tell), Typing { messenger, told })
    }

    /// Tells it now, and again while the answer takes long. Never ends: run it beside the turn and drop it.
    pub async fn show(&self, message: Seen) {
        loop {
            // When too many wait, this one is not worth waiting for.
            let _ = self.0.try_send(message.clone());
            tokio::time::sleep(AGAIN).await;
        }
    }
}

impl Typing {
    /// Tells until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let message = tokio::select! {
                message = self.told.recv() => message,
                () = stop.cancelled() => return,
            };
            let Some(message) = message else { return };
            if let Err(error) = self.messenger.seen(&message).await {
                tracing::debug!(%error, "a message could not be marked as read");
            }
        }
    }
}
