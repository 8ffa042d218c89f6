//! Which template may be used, and which fits a message whose window is over.

use serde::Deserialize;

use super::StoreError;
use super::alerts;
use super::dialect::Connection;
use super::gate::Facts;

/// What of a row's template is looked at here.
#[derive(Deserialize)]
struct Key {
    name: String,
    language: String,
}

/// Whether a row's template may be used: it is not stopped.
pub(super) async fn usable(
    connection: &mut Connection,
    template: &str,
) -> Result<bool, StoreError> {
    let Ok(key) = serde_json::from_str::<Key>(template) else {
        return Ok(false);
    };
    let stopped = sqlx::query("SELECT 1 FROM stopped_templates WHERE name = $1 AND language = $2")
        .bind(&key.name)
        .bind(&key.language)
        .fetch_optional(connection)
        .await?;
    Ok(stopped.is_none())
}

/// The template to send instead of free words, as the row's JSON: none of the templates that are known here says
/// what an arbitrary answer says, so the message waits for a person.
pub(super) async fn instead(
    _connection: &mut Connection,
    _facts: &Facts,
) -> Result<Option<String>, StoreError> {
    Ok(None)
}

/// Stops a template, and tells a person.
pub(super) async fn stop(
    connection: &mut Connection,
    template: &str,
    reason: &str,
    now: i64,
) -> Result<(), StoreError> {
    let Ok(key) = serde_json::from_str::<Key>(template) else {
        return Ok(());
    };
    sqlx::query(
        "INSERT INTO stopped_templates (name, language, reason, at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name, language) DO UPDATE SET reason = excluded.reason, at = excluded.at",
    )
    .bind(&key.name)
    .bind(&key.language)
    .bind(reason)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    alerts::raise(connection, "template", &key.name, reason, now).await
}
