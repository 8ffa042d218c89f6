//! What a channel said of our numbers, our account and our templates: the present state, and alerts.

use serde::Serialize;

use super::dialect::{Connection, Row};
use super::rows::{optional_number, optional_parsed, optional_text, text};
use super::{Store, StoreError, alerts, consent};
use crate::domain::{
    ChannelChange, NumberChange, Quality, Sending, TemplateCategory, TemplateChange, TemplateStatus,
};

/// A template as the channel has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelTemplate {
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: String,
    /// Where it stands; none until the channel says so.
    pub status: Option<TemplateStatus>,
    /// What it is for, as the channel sees it now.
    pub category: Option<TemplateCategory>,
    /// How it is rated.
    pub quality: Option<Quality>,
    /// Why it stands there.
    pub reason: Option<String>,
}

/// A number of ours as the channel sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelNumber {
    /// The channel's id of it.
    pub number: String,
    /// As people dial it.
    pub display: Option<String>,
    /// How it is rated.
    pub quality: Option<Quality>,
    /// How many people it may write to first in 24 hours.
    pub tier: Option<String>,
    /// The last event about it.
    pub event: Option<String>,
    /// Why it may not send.
    pub stopped_reason: Option<String>,
    /// Until when, milliseconds since 1970.
    pub stopped_until: Option<i64>,
}

impl Store {
    /// Takes over what a channel said of a template, for example when its list was read.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_template(
        &self,
        change: TemplateChange,
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move { template(connection, &change, now).await })
        })
        .await
    }

    /// Takes over what a channel said of a number.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_number(&self, change: NumberChange, now: i64) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move { number_changed(connection, &change, now).await })
        })
        .await
    }

    /// Every template the channel told of, by name and language.
    ///
    /// # Errors
    /// What the database says.
    pub async fn channel_templates(&self) -> Result<Vec<ChannelTemplate>, StoreError> {
        let rows = sqlx::query("SELECT * FROM channel_templates ORDER BY name, language")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(ChannelTemplate::read).collect()
    }

    /// Every number the channel told of.
    ///
    /// # Errors
    /// What the database says.
    pub async fn channel_numbers(&self) -> Result<Vec<ChannelNumber>, StoreError> {
        let rows = sqlx::query("SELECT * FROM channel_numbers ORDER BY number")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(ChannelNumber::read).collect()
    }
}

/// Applies what an event of the account changes.
pub(super) async fn apply(
    connection: &mut Connection,
    change: &ChannelChange,
    now: i64,
) -> Result<(), StoreError> {
    if let Some((addresses, said)) = &change.consent {
        consent::record_by_address(connection, addresses, said, now).await?;
    }
    if let Some(change) = &change.template {
        template(connection, change, now).await?;
    }
    for change in &change.numbers {
        number_changed(connection, change, now).await?;
    }
    if let Some(told) = &change.alert {
        alerts::raise(connection, &told.kind, &told.subject, &told.text, now).await?;
    }
    Ok(())
}

async fn template(
    connection: &mut Connection,
    change: &TemplateChange,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO channel_templates (name, language, external_id, status, category, quality, reason, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (name, language) DO UPDATE SET \
         external_id = COALESCE(excluded.external_id, channel_templates.external_id), \
         status = COALESCE(excluded.status, channel_templates.status), \
         category = COALESCE(excluded.category, channel_templates.category), \
         quality = COALESCE(excluded.quality, channel_templates.quality), \
         reason = CASE WHEN excluded.status IS NULL THEN channel_templates.reason \
         ELSE excluded.reason END, updated_at = excluded.updated_at",
    )
    .bind(&change.name)
    .bind(&change.language)
    .bind(&change.external_id)
    .bind(change.status.as_ref().map(TemplateStatus::name))
    .bind(change.category.as_ref().map(TemplateCategory::name))
    .bind(change.quality.as_ref().map(Quality::name))
    .bind(&change.reason)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

async fn number_changed(
    connection: &mut Connection,
    change: &NumberChange,
    now: i64,
) -> Result<(), StoreError> {
    let dialled = sqlx::query(
        "SELECT number FROM channel_numbers WHERE display IS NOT NULL AND display = $1",
    )
    .bind(&change.number)
    .fetch_optional(&mut *connection)
    .await?;
    let key = match dialled {
        Some(row) => text(&row, "number")?,
        None => change.number.clone(),
    };
    let digits = |display: &String| display.chars().filter(char::is_ascii_digit).collect();
    let display: Option<String> = change.display.as_ref().map(digits);
    sqlx::query(
        "INSERT INTO channel_numbers (number, display, quality, tier, event, updated_at, tier_at) \
         VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $4 IS NULL THEN NULL ELSE $6 END) \
         ON CONFLICT (number) DO UPDATE SET \
         display = COALESCE(excluded.display, channel_numbers.display), \
         quality = COALESCE(excluded.quality, channel_numbers.quality), \
         tier = COALESCE(excluded.tier, channel_numbers.tier), \
         tier_at = COALESCE(excluded.tier_at, channel_numbers.tier_at), \
         event = COALESCE(excluded.event, channel_numbers.event), updated_at = excluded.updated_at",
    )
    .bind(&key)
    .bind(display)
    .bind(change.quality.as_ref().map(Quality::name))
    .bind(&change.tier)
    .bind(&change.event)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let (reason, until) = match &change.sending {
        None => return Ok(()),
        Some(Sending::Allowed) => (None, None),
        Some(Sending::Stopped { reason, until }) => (
            Some(reason),
            until.map(|seconds| seconds.saturating_mul(1000)),
        ),
    };
    sqlx::query(
        "UPDATE channel_numbers SET stopped_reason = $1, stopped_until = $2 WHERE number = $3",
    )
    .bind(reason)
    .bind(until)
    .bind(&key)
    .execute(connection)
    .await?;
    Ok(())
}

/// A template as the channel has it, inside a transaction.
pub(super) async fn known_template(
    connection: &mut Connection,
    name: &str,
    language: &str,
) -> Result<Option<ChannelTemplate>, StoreError> {
    let row = sqlx::query("SELECT * FROM channel_templates WHERE name = $1 AND language = $2")
        .bind(name)
        .bind(language)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(ChannelTemplate::read).transpose()
}

impl ChannelTemplate {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: text(row, "name")?,
            language: text(row, "language")?,
            status: optional_parsed(row, "status")?,
            category: optional_parsed(row, "category")?,
            quality: optional_parsed(row, "quality")?,
            reason: optional_text(row, "reason")?,
        })
    }

    /// Whether it may be sent.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.status.as_ref().is_some_and(TemplateStatus::usable)
    }
}

impl ChannelNumber {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            number: text(row, "number")?,
            display: optional_text(row, "display")?,
            quality: optional_parsed(row, "quality")?,
            tier: optional_text(row, "tier")?,
            event: optional_text(row, "event")?,
            stopped_reason: optional_text(row, "stopped_reason")?,
            stopped_until: optional_number(row, "stopped_until")?,
        })
    }
}
