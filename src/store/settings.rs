//! Single values that outlive a start, such as the key that signs cookies.

use sqlx::Row as _;

use super::{Store, StoreError};

impl Store {
    /// The value of a setting; when there is none yet, `made` becomes it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn setting(&self, key: &'static str, made: String) -> Result<String, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
                )
                .bind(key)
                .bind(made)
                .execute(&mut *connection)
                .await?;
                Ok(sqlx::query("SELECT value FROM settings WHERE key = $1")
                    .bind(key)
                    .fetch_one(connection)
                    .await?
                    .try_get(0)?)
            })
        })
        .await
    }
}
