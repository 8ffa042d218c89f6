//! Which template may be used, and which fits a message whose window is over.

use super::alerts;
use super::channel::{self, ChannelTemplate};
use super::dialect::Connection;
use super::gate::Facts;
use super::rows::json;
use super::{StoreError, consent};
use crate::domain::{
    Answer, ConsentState, MARKETING, MessageCategory, TemplateCategory, TemplateMessage,
};

/// Why a template may not be sent.
pub(super) enum Unfit {
    /// It is stopped, or not approved.
    NotUsable,
    /// It sells, and the customer has not said yes.
    NoConsent,
}

/// What may be sent to a contact.
pub(super) struct Fit {
    /// The template may be used: the channel has approved it, and it is not stopped.
    pub usable: bool,
    /// It sells: by its row, or by what the channel says of its template now.
    pub marketing: bool,
    /// The contact has said yes to what sells; looked up only where it sells.
    pub consent: bool,
    /// What it is to the channel's rules.
    pub category: MessageCategory,
}

/// What the channel and the contact allow of a template, or of words without one.
pub(super) async fn fit(
    connection: &mut Connection,
    template: Option<&TemplateMessage>,
    asked: MessageCategory,
    contact: &str,
) -> Result<Fit, StoreError> {
    let known = match template {
        Some(template) => known(connection, template).await?,
        None => None,
    };
    let told = known.as_ref().and_then(|known| known.category.as_ref());
    let category = match told {
        Some(TemplateCategory::Authentication) => MessageCategory::Authentication,
        Some(TemplateCategory::Marketing | TemplateCategory::Other(_)) => {
            MessageCategory::Marketing
        }
        Some(TemplateCategory::Utility) | None => asked,
    };
    let marketing =
        asked == MessageCategory::Marketing || told.is_some_and(TemplateCategory::needs_consent);
    let consent = marketing
        && consent::latest(connection, contact, MARKETING).await? == Some(ConsentState::Granted);
    Ok(Fit {
        usable: known.is_some(),
        marketing,
        consent,
        category,
    })
}

/// The template as the channel has it, when it may be used.
async fn known(
    connection: &mut Connection,
    template: &TemplateMessage,
) -> Result<Option<ChannelTemplate>, StoreError> {
    let stopped = sqlx::query("SELECT 1 FROM stopped_templates WHERE name = $1 AND language = $2")
        .bind(&template.name)
        .bind(&template.language)
        .fetch_optional(&mut *connection)
        .await?;
    if stopped.is_some() {
        return Ok(None);
    }
    let known = channel::known_template(connection, &template.name, &template.language).await?;
    Ok(known.filter(ChannelTemplate::usable))
}

/// The templates with a one-time code that may be used.
pub(super) async fn with_code(
    connection: &mut Connection,
) -> Result<Vec<ChannelTemplate>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM channel_templates t WHERE category = $1 AND NOT EXISTS (SELECT 1 FROM \
         stopped_templates s WHERE s.name = t.name AND s.language = t.language) ORDER BY name, language",
    )
    .bind(TemplateCategory::Authentication.name())
    .fetch_all(connection)
    .await?;
    let known: Result<Vec<_>, _> = rows.iter().map(ChannelTemplate::read).collect();
    Ok(known?.into_iter().filter(ChannelTemplate::usable).collect())
}

/// What a template is to the channel's rules, when it may be sent to a contact.
pub(super) async fn fits(
    connection: &mut Connection,
    template: &TemplateMessage,
    contact: &str,
) -> Result<Result<MessageCategory, Unfit>, StoreError> {
    let fit = fit(
        connection,
        Some(template),
        MessageCategory::Utility,
        contact,
    )
    .await?;
    Ok(match fit {
        Fit { usable: false, .. } => Err(Unfit::NotUsable),
        Fit {
            marketing: true,
            consent: false,
            ..
        } => Err(Unfit::NoConsent),
        Fit { category, .. } => Ok(category),
    })
}

/// The template to send instead of free words, as the row's JSON, and its category: the one that the message
/// brought along, where it fits. Nothing else says what an arbitrary answer says.
pub(super) async fn instead(
    connection: &mut Connection,
    facts: &Facts,
) -> Result<Option<(String, MessageCategory)>, StoreError> {
    let row = sqlx::query("SELECT answer FROM outbox WHERE id = $1")
        .bind(&facts.id)
        .fetch_one(&mut *connection)
        .await?;
    let Some(template) = json::<Answer>(&row, "answer")?.template else {
        return Ok(None);
    };
    match fits(connection, &template, &facts.contact).await? {
        Ok(category) => Ok(Some((serde_json::to_string(&template)?, category))),
        Err(_) => Ok(None),
    }
}

/// Stops a template, and tells a person.
pub(super) async fn stop(
    connection: &mut Connection,
    template: &str,
    reason: &str,
    now: i64,
) -> Result<(), StoreError> {
    let Ok(key) = serde_json::from_str::<TemplateMessage>(template) else {
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
