//! Files of customers: which are to be fetched, which lie beside the database under the hash of their bytes,
//! and which are to be removed because their message was taken back.

use super::dialect::{Connection, Row};
use super::rows::{json, number, optional_text, parsed, text};
use super::{Store, StoreError};
use crate::domain::{InboundContent, MediaKind};

/// A file that is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaJob {
    /// The message it came with.
    pub message: String,
    /// Our number that received it.
    pub number: String,
    /// The channel's id of the file.
    pub external_id: String,
    /// What it is said to be.
    pub kind: MediaKind,
    /// SHA-256 of its bytes, base64, as the channel told it.
    pub sha256: Option<String>,
    /// Tries so far, this one included.
    pub attempts: i64,
}

/// A file that lies beside the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its name there: the hash of its bytes, lower-case hex.
    pub file: String,
    /// What it is, read from its bytes.
    pub mime_type: String,
    /// How many bytes.
    pub size: i64,
}

/// Notes that the file of a message is to be fetched; another file takes its place.
pub(super) async fn wait_for(
    connection: &mut Connection,
    message: &str,
    our_number: &str,
    content: &InboundContent,
    now: i64,
) -> Result<(), StoreError> {
    let InboundContent::Media(media) = content else {
        return Ok(());
    };
    let Some(external_id) = &media.id else {
        return Ok(());
    };
    sqlx::query(
        "INSERT INTO media (message_id, number, external_id, kind, sha256, filename, state, due_at, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $7, $7) \
         ON CONFLICT (message_id) DO UPDATE SET external_id = excluded.external_id, \
         kind = excluded.kind, sha256 = excluded.sha256, filename = excluded.filename, \
         state = 'waiting', attempts = 0, due_at = excluded.due_at, updated_at = excluded.updated_at \
         WHERE media.external_id <> excluded.external_id",
    )
    .bind(message)
    .bind(our_number)
    .bind(external_id)
    .bind(media.kind.name())
    .bind(&media.sha256)
    .bind(&media.filename)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// The message was taken back: so is its file.
pub(super) async fn take_away(
    connection: &mut Connection,
    message: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE media SET state = 'gone', filename = NULL, updated_at = $1 WHERE message_id = $2",
    )
    .bind(now)
    .bind(message)
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE inbox SET ready_at = NULL WHERE id = $1")
        .bind(message)
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// Takes a file to fetch; another try is due at `again` if this one is not reported. None when nothing
    /// waits.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_media(&self, again: i64, now: i64) -> Result<Option<MediaJob>, StoreError> {
        let waiting =
            sqlx::query("SELECT 1 FROM media WHERE state = 'waiting' AND due_at <= $1 LIMIT 1")
                .bind(now)
                .fetch_optional(&self.readers)
                .await?;
        if waiting.is_none() {
            return Ok(None);
        }
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(
                    "UPDATE media SET attempts = attempts + 1, due_at = $1, updated_at = $2 \
                     WHERE message_id = (SELECT message_id FROM media WHERE state = 'waiting' \
                     AND due_at <= $2 ORDER BY due_at LIMIT 1) \
                     RETURNING message_id, number, external_id, kind, sha256, attempts",
                )
                .bind(again)
                .bind(now)
                .fetch_optional(connection)
                .await?;
                row.as_ref().map(MediaJob::read).transpose()
            })
        })
        .await
    }

    /// Records where a file lies. False when its message was taken back or edited meanwhile.
    ///
    /// # Errors
    /// What the database says.
    pub async fn media_stored(
        &self,
        job: &MediaJob,
        stored: MediaFile,
        now: i64,
    ) -> Result<bool, StoreError> {
        let job = job.clone();
        self.write(move |connection| {
            Box::pin(async move {
                let written = sqlx::query(
                    "UPDATE media SET state = 'stored', file = $1, mime_type = $2, size = $3, \
                     fault = NULL, updated_at = $4 \
                     WHERE message_id = $5 AND external_id = $6 AND state = 'waiting'",
                )
                .bind(stored.file)
                .bind(stored.mime_type)
                .bind(stored.size)
                .bind(now)
                .bind(job.message)
                .bind(job.external_id)
                .execute(connection)
                .await?
                .rows_affected();
                Ok(written > 0)
            })
        })
        .await
    }

    /// Records why a file was not fetched; it is tried again at `again`, or never.
    ///
    /// # Errors
    /// What the database says.
    pub async fn media_failed(
        &self,
        job: &MediaJob,
        fault: String,
        again: Option<i64>,
        now: i64,
    ) -> Result<(), StoreError> {
        let job = job.clone();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE media SET state = CASE WHEN $1 IS NULL THEN 'failed' ELSE state END, \
                     due_at = COALESCE($1, due_at), fault = $2, updated_at = $3 \
                     WHERE message_id = $4 AND external_id = $5 AND state = 'waiting'",
                )
                .bind(again)
                .bind(fault)
                .bind(now)
                .bind(&job.message)
                .bind(&job.external_id)
                .execute(&mut *connection)
                .await?;
                if again.is_none() {
                    ready(connection, &job.message, now).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Writes down what is said in a voice note, without card numbers, or that nobody knows. Its turn does
    /// not wait any longer.
    ///
    /// # Errors
    /// What the database says.
    pub async fn media_heard(
        &self,
        message: &str,
        transcript: Option<String>,
        now: i64,
    ) -> Result<(), StoreError> {
        let message = message.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(words) = transcript {
                    hear(connection, &message, words).await?;
                }
                ready(connection, &message, now).await
            })
        })
        .await
    }

    /// The file of a message, when it lies beside the database.
    ///
    /// # Errors
    /// What the database says.
    pub async fn media_of(&self, message: &str) -> Result<Option<MediaFile>, StoreError> {
        let row = sqlx::query(
            "SELECT file, mime_type, size FROM media WHERE message_id = $1 AND state = 'stored'",
        )
        .bind(message)
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(MediaFile::read).transpose()
    }

    /// Messages that were taken back, each with the name of its file when no other message has it. Remove
    /// the file, then have it forgotten.
    ///
    /// # Errors
    /// What the database says.
    pub async fn media_to_remove(&self) -> Result<Vec<(String, Option<String>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT g.message_id, CASE WHEN EXISTS (SELECT 1 FROM media k WHERE k.file = g.file \
             AND k.file IS NOT NULL AND k.state = 'stored') THEN NULL ELSE g.file END AS file \
             FROM media g WHERE g.state = 'gone' AND g.message_id > '' LIMIT 100",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((text(row, "message_id")?, optional_text(row, "file")?)))
            .collect()
    }

    /// Forgets the file of a message that was taken back; the bytes are removed already.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget_media(&self, message: &str) -> Result<(), StoreError> {
        let message = message.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("DELETE FROM media WHERE message_id = $1 AND state = 'gone'")
                    .bind(message)
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }
}

async fn hear(connection: &mut Connection, message: &str, words: String) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT content FROM inbox WHERE id = $1")
        .bind(message)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(()) };
    let InboundContent::Media(mut media) = json::<InboundContent>(&row, "content")? else {
        // Taken back or edited meanwhile.
        return Ok(());
    };
    media.transcript = Some(words.clone());
    let content = serde_json::to_string(&InboundContent::Media(media))?;
    sqlx::query("UPDATE inbox SET content = $1 WHERE id = $2")
        .bind(&content)
        .bind(message)
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE messages SET body = $1, text = $2 WHERE id = $3")
        .bind(&content)
        .bind(words)
        .bind(message)
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets the turn of a message begin, unless another message of the conversation holds it up.
async fn ready(connection: &mut Connection, message: &str, now: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE inbox SET ready_at = NULL WHERE id = $1")
        .bind(message)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE conversations SET due_at = $1 WHERE due_at > $1 AND id = \
         (SELECT conversation_id FROM inbox WHERE id = $2 AND turn_id IS NULL) AND NOT EXISTS \
         (SELECT 1 FROM inbox i WHERE i.conversation_id = conversations.id AND i.turn_id IS NULL \
         AND i.ready_at IS NOT NULL)",
    )
    .bind(now)
    .bind(message)
    .execute(connection)
    .await?;
    Ok(())
}

impl MediaJob {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            message: text(row, "message_id")?,
            number: text(row, "number")?,
            external_id: text(row, "external_id")?,
            kind: parsed(row, "kind")?,
            sha256: optional_text(row, "sha256")?,
            attempts: number(row, "attempts")?,
        })
    }
}

impl MediaFile {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            file: text(row, "file")?,
            mime_type: text(row, "mime_type")?,
            size: number(row, "size")?,
        })
    }
}
