//! Tickets: at most one open in a conversation; another call raises it.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conversations::fence;
use super::dialect::{Connection, Row};
use super::rows::{number, parsed, text};
use super::{Store, StoreError};
use crate::domain::{ContactId, ConversationId, TicketId};

/// How soon a colleague should look.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// In turn.
    Normal,
    /// Today.
    High,
    /// Now.
    Urgent,
}

impl Priority {
    /// The name in the store and on the desk.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

impl FromStr for Priority {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "normal" => Ok(Self::Normal),
            "high" => Ok(Self::High),
            "urgent" => Ok(Self::Urgent),
            _ => Err(format!("`{text}` is not a priority")),
        }
    }
}

/// What a ticket is opened with.
#[derive(Debug, Clone)]
pub struct NewTicket {
    /// Where it came up.
    pub conversation: ConversationId,
    /// Whose it is.
    pub contact: ContactId,
    /// A line.
    pub subject: String,
    /// What a colleague needs to act.
    pub summary: String,
    /// How soon.
    pub priority: Priority,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedTicket {
    /// The ticket.
    pub id: TicketId,
    /// Whether it is new; otherwise the conversation's open ticket was raised.
    pub created: bool,
    /// Its priority now.
    pub priority: Priority,
}

/// A ticket.
#[derive(Debug, Clone, Serialize)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// A line.
    pub subject: String,
    /// What a colleague needs to act.
    pub summary: String,
    /// How soon.
    pub priority: Priority,
    /// `open` or `closed`.
    pub state: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

impl Store {
    /// Opens a ticket, or raises the one that is open in the conversation.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when `epoch` is no longer the conversation's.
    pub async fn open_ticket(
        &self,
        ticket: NewTicket,
        epoch: Option<i64>,
        now: i64,
    ) -> Result<OpenedTicket, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                fence(connection, &ticket.conversation, epoch).await?;
                open(connection, ticket, now).await
            })
        })
        .await
    }

    /// The tickets of a conversation, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tickets(&self, conversation: &ConversationId) -> Result<Vec<Ticket>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, subject, summary, priority, state, created_at FROM tickets \
             WHERE conversation_id = $1 ORDER BY id DESC",
        )
        .bind(conversation.as_str())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(Ticket::read).collect()
    }
}

impl Ticket {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?.into(),
            subject: text(row, "subject")?,
            summary: text(row, "summary")?,
            priority: parsed(row, "priority")?,
            state: text(row, "state")?,
            created_at: number(row, "created_at")?,
        })
    }
}

async fn open(
    connection: &mut Connection,
    ticket: NewTicket,
    now: i64,
) -> Result<OpenedTicket, StoreError> {
    let existing = sqlx::query(
        "SELECT id, subject, summary, priority, state, created_at FROM tickets \
         WHERE conversation_id = $1 AND state = 'open'",
    )
    .bind(ticket.conversation.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    match existing {
        Some(row) => {
            let words = (ticket.subject.as_str(), ticket.summary.as_str());
            raise(connection, Ticket::read(&row)?, words, ticket.priority, now).await
        }
        None => insert(connection, &ticket, now).await,
    }
}

async fn raise(
    connection: &mut Connection,
    open: Ticket,
    (subject, more): (&str, &str),
    priority: Priority,
    now: i64,
) -> Result<OpenedTicket, StoreError> {
    let priority = open.priority.max(priority);
    let known = open.summary.contains(more);
    let summary = if known {
        open.summary
    } else {
        format!("{}\n---\n{subject}: {more}", open.summary)
    };
    if !known || open.priority != priority {
        sqlx::query(
            "UPDATE tickets SET summary = $1, priority = $2, updated_at = $3 WHERE id = $4",
        )
        .bind(summary)
        .bind(priority.name())
        .bind(now)
        .bind(open.id.as_str())
        .execute(connection)
        .await?;
    }
    Ok(OpenedTicket {
        id: open.id,
        created: false,
        priority,
    })
}

/// Before two conversations become one: of two open tickets the one that stays takes up the other.
pub(super) async fn fold(
    connection: &mut Connection,
    into: &str,
    from: &str,
    now: i64,
) -> Result<(), StoreError> {
    let both = sqlx::query(
        "SELECT id, subject, summary, priority, state, created_at FROM tickets \
         WHERE conversation_id IN ($1, $2) AND state = 'open' \
         ORDER BY CASE WHEN conversation_id = $1 THEN 0 ELSE 1 END",
    )
    .bind(into)
    .bind(from)
    .fetch_all(&mut *connection)
    .await?;
    let [stays, goes] = both.as_slice() else {
        return Ok(());
    };
    let (stays, goes) = (Ticket::read(stays)?, Ticket::read(goes)?);
    let words = (goes.subject.as_str(), goes.summary.as_str());
    raise(connection, stays, words, goes.priority, now).await?;
    sqlx::query("UPDATE tickets SET state = 'closed', updated_at = $1 WHERE id = $2")
        .bind(now)
        .bind(goes.id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert(
    connection: &mut Connection,
    ticket: &NewTicket,
    now: i64,
) -> Result<OpenedTicket, StoreError> {
    let id = TicketId::new();
    sqlx::query(
        "INSERT INTO tickets (id, conversation_id, contact_id, subject, summary, priority, state, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $7)",
    )
    .bind(id.as_str())
    .bind(ticket.conversation.as_str())
    .bind(ticket.contact.as_str())
    .bind(&ticket.subject)
    .bind(&ticket.summary)
    .bind(ticket.priority.name())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(OpenedTicket {
        id,
        created: true,
        priority: ticket.priority,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_come_back_by_name_and_are_in_order() {
        let all = [Priority::Normal, Priority::High, Priority::Urgent];
        for priority in all {
            assert_eq!(priority.name().parse(), Ok(priority));
        }
        assert!(all.is_sorted());
        assert!("soon".parse::<Priority>().is_err());
    }
}
