//! Tokens of the shop's own assistants: only their hashes are kept.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::note;
use super::dialect::Row;
use super::rows::{number, optional_number, text};
use super::{Store, StoreError};
use crate::domain::{Scope, TokenId};

/// The time of use is written at most once in so many milliseconds.
const COARSE: i64 = 60 * 60 * 1000;

/// A token to be kept.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// SHA-256 of the token, in hex.
    pub hash: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// Until when it can be used, milliseconds since 1970.
    pub expires_at: i64,
}

/// A token as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessToken {
    /// Its id.
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it was made, milliseconds since 1970.
    pub created_at: i64,
    /// Until when it can be used, milliseconds since 1970.
    pub expires_at: i64,
    /// Since when it cannot be used any more, milliseconds since 1970.
    pub revoked_at: Option<i64>,
    /// When it was used last, to the hour, milliseconds since 1970.
    pub used_at: Option<i64>,
}

/// Something that an assistant did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssistantCall {
    /// The tool.
    pub tool: String,
    /// The token that was shown.
    pub token: Option<String>,
    /// For whom.
    pub contact: Option<String>,
}

const TOKEN: &str =
    "SELECT id, name, scopes, created_at, expires_at, revoked_at, used_at FROM tokens";

impl Store {
    /// Keeps a token.
    ///
    /// # Errors
    /// What the database says.
    pub async fn create_token(&self, new: NewToken, now: i64) -> Result<AccessToken, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let token = AccessToken {
                    id: TokenId::new(),
                    name: new.name,
                    scopes: new.scopes,
                    created_at: now,
                    expires_at: new.expires_at,
                    revoked_at: None,
                    used_at: None,
                };
                sqlx::query(
                    "INSERT INTO tokens (id, hash, name, scopes, created_at, expires_at) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .bind(token.id.as_str())
                .bind(&new.hash)
                .bind(&token.name)
                .bind(token.scopes_text())
                .bind(now)
                .bind(token.expires_at)
                .execute(&mut *connection)
                .await?;
                let details = json!({ "scopes": token.scopes, "expires_at": token.expires_at });
                note(
                    connection,
                    "operator",
                    "token_created",
                    token.id.as_str(),
                    &details,
                    now,
                )
                .await?;
                Ok(token)
            })
        })
        .await
    }

    /// All tokens, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tokens(&self) -> Result<Vec<AccessToken>, StoreError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{TOKEN} ORDER BY id")))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(AccessToken::read).collect()
    }

    /// A token, whether or not it can be used.
    ///
    /// # Errors
    /// What the database says.
    pub async fn token(&self, id: &TokenId) -> Result<Option<AccessToken>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{TOKEN} WHERE id = $1")))
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(AccessToken::read).transpose()
    }

    /// Ends a token. None when there is none of that id; revoked before, it stays as it was.
    ///
    /// # Errors
    /// What the database says.
    pub async fn revoke_token(
        &self,
        id: &TokenId,
        now: i64,
    ) -> Result<Option<AccessToken>, StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            Box::pin(async move {
                let ended = sqlx::query(
                    "UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL RETURNING id",
                )
                .bind(now)
                .bind(id.as_str())
                .fetch_optional(&mut *connection)
                .await?;
                if ended.is_some() {
                    let nothing = json!({});
                    note(connection, "operator", "token_revoked", id.as_str(), &nothing, now).await?;
                }
                let row = sqlx::query(sqlx::AssertSqlSafe(format!("{TOKEN} WHERE id = $1")))
                    .bind(id.as_str())
                    .fetch_optional(connection)
                    .await?;
                row.as_ref().map(AccessToken::read).transpose()
            })
        })
        .await
    }

    /// The token with this hash, when it can be used now. Notes that it is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn use_token(&self, hash: &str, now: i64) -> Result<Option<AccessToken>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{TOKEN} WHERE hash = $1 AND revoked_at IS NULL AND expires_at > $2"
        )))
        .bind(hash)
        .bind(now)
        .fetch_optional(&self.readers)
        .await?;
        let Some(token) = row.as_ref().map(AccessToken::read).transpose()? else {
            return Ok(None);
        };
        if token.used_at.is_none_or(|used| used + COARSE <= now) {
            let id = token.id.clone();
            let noted = self.write(move |connection| {
                Box::pin(async move {
                    sqlx::query("UPDATE tokens SET used_at = $1 WHERE id = $2")
                        .bind(now)
                        .bind(id.as_str())
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            });
            // A disk that is full keeps nobody from reading.
            if let Err(error) = noted.await {
                tracing::warn!(%error, "when a token was used last could not be kept");
            }
        }
        Ok(Some(token))
    }

    /// Notes what an assistant is about to change; without its arguments.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_call(&self, call: AssistantCall, now: i64) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let subject = call.contact.as_deref().or(call.token.as_deref());
                let subject = subject.unwrap_or_default().to_owned();
                let details = serde_json::to_value(&call)?;
                note(
                    connection,
                    "assistant",
                    "tool_called",
                    &subject,
                    &details,
                    now,
                )
                .await
            })
        })
        .await
    }
}

impl AccessToken {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let scopes = text(row, "scopes")?;
        let scopes = scopes.split_whitespace().map(str::parse);
        Ok(Self {
            id: text(row, "id")?.into(),
            name: text(row, "name")?,
            scopes: scopes
                .collect::<Result<_, _>>()
                .map_err(StoreError::Failed)?,
            created_at: number(row, "created_at")?,
            expires_at: number(row, "expires_at")?,
            revoked_at: optional_number(row, "revoked_at")?,
            used_at: optional_number(row, "used_at")?,
        })
    }

    /// Its scopes with a space between, as OAuth writes them.
    #[must_use]
    pub fn scopes_text(&self) -> String {
        let names: Vec<&str> = self.scopes.iter().map(|scope| scope.name()).collect();
        names.join(" ")
    }
}
