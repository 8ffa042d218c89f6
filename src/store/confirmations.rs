//! Questions whether something is to be done: each is answered once.

use super::{Store, StoreError};

impl Store {
    /// Keeps a question until it expires.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_question(
        &self,
        key: String,
        expires_at: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("DELETE FROM confirmations WHERE expires_at <= $1")
                    .bind(now)
                    .execute(&mut *connection)
                    .await?;
                sqlx::query("INSERT INTO confirmations (key, expires_at) VALUES ($1, $2)")
                    .bind(key)
                    .bind(expires_at)
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Takes a question that was kept. False when there is none under that key, or no longer.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_question(&self, key: String, now: i64) -> Result<bool, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let taken = sqlx::query(
                    "DELETE FROM confirmations WHERE key = $1 AND expires_at > $2 RETURNING key",
                )
                .bind(key)
                .bind(now)
                .fetch_optional(connection)
                .await?;
                Ok(taken.is_some())
            })
        })
        .await
    }
}
