//! What advertisements led to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::conversations::referral;
use super::rows::{number, optional_number, optional_text, text};
use super::{Store, StoreError};

/// What one advertisement, or post, led to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AdFigures {
    /// The channel's id of it; none where it said none.
    pub source_id: Option<String>,
    /// `ad` or `post`.
    pub source_type: Option<String>,
    /// Its headline, as the last customer saw it.
    pub headline: Option<String>,
    /// Conversations that it led to.
    pub conversations: u64,
    /// Those of them that a person had to take over.
    pub handed_off: u64,
    /// Payments in them.
    pub payments: u64,
    /// What was paid, in the smallest unit of each currency.
    pub paid: BTreeMap<String, i64>,
}

impl Store {
    /// What advertisements led to, most conversations first. A conversation counts for the advertisement that
    /// led to it last, and all its payments with it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ads(&self) -> Result<Vec<AdFigures>, StoreError> {
        let rows = sqlx::query(
            "SELECT v.id, v.referral, CASE WHEN v.hand_off_reason IS NOT NULL OR EXISTS (SELECT 1 FROM turns t \
             WHERE t.conversation_id = v.id AND t.outcome LIKE '{_outcome_:_handed_off_%') THEN 1 ELSE 0 END \
             AS handed_off, p.currency, COUNT(p.id) AS payments, SUM(p.total_minor) AS paid \
             FROM conversations v LEFT JOIN payment_links p ON p.conversation_id = v.id AND p.state = 'paid' \
             WHERE v.referral IS NOT NULL GROUP BY v.id, v.referral, v.hand_off_reason, p.currency ORDER BY v.id",
        )
        .fetch_all(&self.readers)
        .await?;
        let mut ads: BTreeMap<Option<String>, AdFigures> = BTreeMap::new();
        let mut before = None;
        for row in &rows {
            let Some(said) = referral(row)? else { continue };
            // A conversation has a row for each currency that was paid in.
            let conversation = Some(text(row, "id")?);
            let new = before != conversation;
            before = conversation;
            let figures = ads.entry(said.source_id.clone()).or_default();
            figures.source_id = said.source_id;
            figures.source_type = said.source_type.or(figures.source_type.take());
            figures.headline = said.headline.or(figures.headline.take());
            figures.conversations += u64::from(new);
            figures.handed_off += u64::from(new && number(row, "handed_off")? != 0);
            if let Some(currency) = optional_text(row, "currency")? {
                figures.payments += u64::try_from(number(row, "payments")?).unwrap_or(0);
                let paid = optional_number(row, "paid")?.unwrap_or(0);
                *figures.paid.entry(currency).or_default() += paid;
            }
        }
        let mut ads: Vec<AdFigures> = ads.into_values().collect();
        ads.sort_by_key(|figures| std::cmp::Reverse(figures.conversations));
        Ok(ads)
    }
}
