//! The database: the only SQL in the program.
//!
//! Reads go through a pool. Every write is a job for one writer that drains what is waiting into one
//! transaction (group commit) and answers after the commit, so an acknowledged write is durable.

mod ads;
mod alerts;
mod arrivals;
mod audit;
mod channel;
mod claims;
mod confirmations;
mod consent;
mod contacts;
mod conversations;
mod costs;
mod dead_letters;
mod deliveries;
mod desk;
mod dialect;
mod embeddings;
mod fitting;
mod gate;
mod identity;
mod inbox;
mod media;
mod notices;
mod notify;
mod orders;
mod outbox;
mod pace;
mod pages;
mod payments;
mod raw;
mod remedies;
mod rows;
mod sending;
mod settings;
mod tickets;
mod tokens;
mod turns;
mod verifications;
mod writer;

pub use ads::AdFigures;
pub use alerts::Alert;
pub use arrivals::{Arrival, ArrivalItem, ReadItem, WaitingItem};
pub use audit::AuditEntry;
pub use channel::{ChannelNumber, ChannelTemplate};
pub use claims::{Claim, PendingMessage};
pub use contacts::{ContactFile, KnownContact};
pub use conversations::{Contact, ConversationState};
pub use costs::{Priced, Spending, Spent};
pub use dead_letters::{DeadLetter, NewDeadLetter};
pub use deliveries::{Delivered, Tended};
pub use desk::{DeskConversation, DeskDelivery, DeskMedia, DeskMessage, DeskOverview, DeskQuote};
pub use identity::{MergeRefusal, Merged};
pub use inbox::{Accepted, Event, Intake, Notice, Patience};
pub use media::{MediaFile, MediaJob};
pub use notify::{Notification, Notified};
pub use outbox::{Announcement, OutboxRow};
pub use pace::Pace;
pub use payments::{NewPaymentLink, PaidLink, PaymentLine, PaymentLink, PaymentState};
pub use sending::{Ending, Taken, Taker};
pub use tickets::{NewTicket, OpenedTicket, Priority, Ticket};
pub use tokens::{AccessToken, AssistantCall, NewToken};
pub use turns::{Closing, TurnRecord};
pub use verifications::{NewVerification, Started, VerifiedCustomer, Wording};

use std::path::Path;

use tokio::sync::broadcast;

use crate::domain::ConversationId;
use writer::Writer;

/// Why the store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk is full or broken, or the database is busy or closed: nothing was stored.
    #[error("the database cannot write: {0}")]
    Full(String),
    /// Another worker holds the conversation now: nothing was stored.
    #[error("another worker has taken the conversation over")]
    Stale,
    /// The file was written by a newer version of the program.
    #[error(
        "the database was written by a newer version of the program (schema {0}); start that version or a \
         newer one, or name another folder with --data"
    )]
    Newer(i64),
    /// The file is no database of ours, or a damaged one; the text says what to do.
    #[error("{0}")]
    Unusable(String),
    /// Anything else.
    #[error("the database failed: {0}")]
    Failed(String),
}

/// The store: cheap to clone.
#[derive(Clone)]
pub struct Store {
    readers: dialect::Pool,
    writer: Writer,
    deliveries: arrivals::Deliveries,
    handed_over: broadcast::Sender<ConversationId>,
    /// Whether the folder outlives the process.
    lasts: bool,
}

impl Store {
    /// Opens the database in a folder, creates it when missing and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Newer`] for a file of a newer version, [`StoreError::Unusable`] for one that is not
    /// ours, else what the database says. The file stays as it was then.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let (readers, connection) = dialect::open(folder).await?;
        Ok(Self {
            readers,
            writer: Writer::start(connection),
            lasts: true,
            deliveries: arrivals::Deliveries::default(),
            handed_over: broadcast::channel(256).0,
        })
    }

    /// The same in a folder that goes with the process: no write waits for the disk.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub async fn fleeting(folder: &Path) -> Result<Self, StoreError> {
        let store = Self::open(folder).await?;
        Ok(Self {
            lasts: false,
            ..store
        })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    /// Brings what was committed from the log to its place, beside the writer. A server does it often, so that no
    /// commit has to.
    ///
    /// # Errors
    /// What the database says.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        dialect::checkpoint(&self.readers).await
    }

    /// Copies a folder's database to a new file, while others write to it. The copy is whole and on the
    /// disk when this returns, and gone when it fails.
    ///
    /// # Errors
    /// When there is no database, or when the file exists already or cannot be written.
    pub async fn backup(folder: &Path, file: &Path) -> Result<(), StoreError> {
        dialect::backup(folder, file).await
    }

    /// Whether a folder has a database.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        dialect::file(folder).is_file()
    }

    /// Waits for the writes that were handed in and stops the writer.
    pub async fn close(&self) {
        self.writer.stop().await;
        self.readers.close().await;
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        dialect::classify(&error)
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(format!("a stored value cannot be read: {error}"))
    }
}
