//! How fast may be sent: a bucket per number, one per pair, and the people a portfolio may write to first in a day.
//! All three are in the database, so that they hold across processes.

use sqlx::Row as _;

use super::StoreError;
use super::dialect::Connection;
use super::rows::text;

/// Buckets count microseconds; everything else counts milliseconds.
const MICROS: i64 = 1_000;
/// One message to one customer in six seconds (Meta's pair rate) …
const PAIR_INTERVAL: i64 = 6_000 * MICROS;
/// … of which so many may be borrowed at once.
const PAIR_BURST: i64 = 45;
/// A rolling day.
const DAY: i64 = 24 * 60 * 60 * 1_000;
/// Who waits for a place in the day looks again not before this, and not after that.
const SOONEST: i64 = 60 * 1_000;
const LATEST: i64 = 15 * 60 * 1_000;
/// All numbers of a database belong to one portfolio.
const PORTFOLIO: &str = "all";

/// How fast a sender may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Messages a second of one number; at least 1. What comes in counts on WhatsApp's side as well.
    pub per_second: i64,
    /// Different people in a rolling day to whom the portfolio writes first, at most; without it the channel's
    /// word alone counts.
    pub people_a_day: Option<i64>,
    /// As many until the channel has told its own limit; none is unlimited.
    pub people_untold: Option<i64>,
}

impl Default for Pace {
    /// What every number has, and what a new portfolio has.
    fn default() -> Self {
        Self {
            per_second: 80,
            people_a_day: None,
            people_untold: Some(250),
        }
    }
}

impl Pace {
    /// The people of a day, given what the channel tells: a number, `UNLIMITED`, or nothing yet. None is
    /// unlimited.
    fn people(&self, told: Option<&str>) -> Option<i64> {
        let untold = || self.people_a_day.or(self.people_untold);
        match told.map(|told| (told, told.parse::<i64>())) {
            Some((_, Ok(told))) => Some(self.people_a_day.map_or(told, |most| most.min(told))),
            Some(("UNLIMITED", Err(_))) => self.people_a_day,
            Some((_, Err(_))) | None => untold(),
        }
    }
}

/// A bucket that refills evenly, as the moment at which it is full again: one number, no clock of its own.
/// Times and intervals in microseconds. Right is its next value, wrong the moment at which one may go.
fn draw(full_at: i64, interval: i64, burst: i64, now: i64) -> Result<i64, i64> {
    let allowed_at = full_at - interval * (burst - 1);
    if allowed_at > now {
        Err(allowed_at)
    } else {
        Ok(full_at.max(now) + interval)
    }
}

/// When a number may send again, milliseconds; none when it may now.
pub(super) fn number_waits(full_at: i64, pace: &Pace, now: i64) -> Option<i64> {
    number(full_at, pace, now).err().map(milliseconds)
}

/// A number's bucket after one more message.
pub(super) fn number(full_at: i64, pace: &Pace, now: i64) -> Result<i64, i64> {
    let rate = pace.per_second.max(1);
    draw(full_at, 1_000 * MICROS / rate, rate, now * MICROS)
}

/// A pair's bucket after one more message, or when one may go, milliseconds.
pub(super) fn pair(full_at: i64, now: i64) -> Result<i64, i64> {
    draw(full_at, PAIR_INTERVAL, PAIR_BURST, now * MICROS).map_err(milliseconds)
}

/// A bucket that is empty until `until`, milliseconds, whatever was in it.
pub(super) fn emptied(full_at: i64, pace: &Pace, until: i64) -> i64 {
    let rate = pace.per_second.max(1);
    full_at.max(until * MICROS + (1_000 * MICROS / rate) * (rate - 1))
}

/// Rounded up, so that a bucket is never asked too early.
fn milliseconds(micros: i64) -> i64 {
    (micros + MICROS - 1).div_euclid(MICROS)
}

/// Whether one more person may be written to first; else when that may be so.
///
/// The people are counted once: a sum follows the day as it rolls, and each row leaves it once.
pub(super) async fn may_reach(
    connection: &mut Connection,
    contact: &str,
    pace: &Pace,
    now: i64,
) -> Result<Result<(), i64>, StoreError> {
    // The channel tells a portfolio's limit with each of its numbers; its last word counts.
    let told = sqlx::query(
        "SELECT tier FROM channel_numbers WHERE tier IS NOT NULL ORDER BY tier_at DESC, number LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let told = told.map(|row| text(&row, "tier")).transpose()?;
    let Some(limit) = pace.people(told.as_deref()) else {
        return Ok(Ok(()));
    };
    let since = now - DAY;
    let known = sqlx::query("SELECT 1 FROM reached WHERE contact_id = $1 AND at > $2")
        .bind(contact)
        .bind(since)
        .fetch_optional(&mut *connection)
        .await?;
    if known.is_some() || people(connection, since).await? < limit {
        return Ok(Ok(()));
    }
    let oldest: Option<i64> = sqlx::query("SELECT MIN(at) FROM reached WHERE at > $1")
        .bind(since)
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    // Not at once, since many may wait for the same place; not too late, since a place may become free before its day.
    let free_at = oldest.unwrap_or(now) + DAY;
    Ok(Err(free_at.clamp(now + SOONEST, now + LATEST)))
}

/// How many people were written to first since a moment that never goes back.
async fn people(connection: &mut Connection, since: i64) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "INSERT INTO reach (portfolio, people, since) VALUES ($1, 0, $2) \
         ON CONFLICT (portfolio) DO UPDATE SET \
         people = reach.people - (SELECT COUNT(*) FROM reached r WHERE r.at > reach.since AND r.at <= excluded.since), \
         since = CASE WHEN excluded.since > reach.since THEN excluded.since ELSE reach.since END \
         RETURNING people",
    )
    .bind(PORTFOLIO)
    .bind(since)
    .fetch_one(connection)
    .await?;
    Ok(row.try_get(0)?)
}

/// Notes that a person is written to first.
pub(super) async fn reach(
    connection: &mut Connection,
    contact: &str,
    outbox: &str,
    now: i64,
) -> Result<(), StoreError> {
    let since = now - DAY;
    people(connection, since).await?;
    let known = sqlx::query("UPDATE reached SET at = $1 WHERE contact_id = $2 AND at > $3")
        .bind(now)
        .bind(contact)
        .bind(since)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    if known > 0 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO reached (contact_id, outbox_id, at) VALUES ($1, $2, $3) \
         ON CONFLICT (contact_id) DO UPDATE SET outbox_id = excluded.outbox_id, at = excluded.at",
    )
    .bind(contact)
    .bind(outbox)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    add_people(connection, 1).await
}

/// Takes back that a person was written to: the message certainly was not sent.
pub(super) async fn unreach(
    connection: &mut Connection,
    outbox: &str,
    contact: &str,
    now: i64,
) -> Result<(), StoreError> {
    people(connection, now - DAY).await?;
    let gone =
        sqlx::query("DELETE FROM reached WHERE contact_id = $1 AND outbox_id = $2 AND at > $3")
            .bind(contact)
            .bind(outbox)
            .bind(now - DAY)
            .execute(&mut *connection)
            .await?
            .rows_affected();
    if gone > 0 {
        add_people(connection, -1).await?;
    }
    Ok(())
}

/// Two people turn out to be one, who counts once.
pub(super) async fn same_person(
    connection: &mut Connection,
    keep: &str,
    other: &str,
    now: i64,
) -> Result<(), StoreError> {
    let since = now - DAY;
    people(connection, since).await?;
    for statement in [
        "DELETE FROM reached WHERE contact_id IN ($1, $2) AND at <= $3",
        "UPDATE reached SET contact_id = $1 WHERE contact_id = $2 AND at > $3 \
         AND NOT EXISTS (SELECT 1 FROM reached k WHERE k.contact_id = $1)",
    ] {
        sqlx::query(statement)
            .bind(keep)
            .bind(other)
            .bind(since)
            .execute(&mut *connection)
            .await?;
    }
    let twice = sqlx::query("DELETE FROM reached WHERE contact_id = $1")
        .bind(other)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    if twice > 0 {
        add_people(connection, -1).await?;
    }
    Ok(())
}

async fn add_people(connection: &mut Connection, more: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE reach SET people = people + $1 WHERE portfolio = $2")
        .bind(more)
        .bind(PORTFOLIO)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    #[test]
    fn a_pair_has_forty_five_at_once_and_then_one_in_six_seconds() {
        let mut full_at = 0;
        for place in 0..45 {
            full_at = pair(full_at, NOW).unwrap_or_else(|at| panic!("{place} waits until {at}"));
        }
        assert_eq!(pair(full_at, NOW), Err(NOW + 6_000));
        let full_at = pair(full_at, NOW + 6_000).unwrap();
        assert_eq!(pair(full_at, NOW + 6_000), Err(NOW + 12_000));
        // After a pause everything is there again.
        let mut later = full_at;
        for _ in 0..45 {
            later = pair(later, NOW + 46 * 6_000).unwrap();
        }
    }

    #[test]
    fn an_emptied_bucket_gives_nothing_until_its_time() {
        let pace = Pace::default();
        let full_at = emptied(0, &pace, NOW + 5_000);
        assert_eq!(number_waits(full_at, &pace, NOW), Some(NOW + 5_000));
        assert_eq!(number_waits(full_at, &pace, NOW + 5_000), None);
    }

    #[test]
    fn the_channels_limit_counts_and_ours_caps_it() {
        let pace = |people_a_day, people_untold| Pace {
            people_a_day,
            people_untold,
            ..Pace::default()
        };
        let unset = Pace::default();
        assert_eq!(unset.people(None), Some(250));
        assert_eq!(unset.people(Some("2000")), Some(2_000));
        assert_eq!(unset.people(Some("UNLIMITED")), None);
        assert_eq!(
            unset.people(Some("NEW")),
            Some(250),
            "what we cannot read tells nothing"
        );
        let capped = pace(Some(1_000), None);
        assert_eq!(capped.people(None), Some(1_000));
        assert_eq!(capped.people(Some("250")), Some(250));
        assert_eq!(capped.people(Some("10000")), Some(1_000));
        assert_eq!(capped.people(Some("UNLIMITED")), Some(1_000));
        let unlimited = pace(None, None);
        assert_eq!(unlimited.people(None), None);
        assert_eq!(unlimited.people(Some("250")), Some(250));
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_twice_the_rate(
            rate in 1..200_i64, steps in prop::collection::vec(0..40_i64, 1..400),
        ) {
            let pace = Pace { per_second: rate, ..Pace::default() };
            let (mut full_at, mut now) = (0, NOW);
            let mut sent: Vec<i64> = Vec::new();
            for step in steps {
                now += step;
                match number(full_at, &pace, now) {
                    Ok(next) => {
                        full_at = next;
                        sent.push(now);
                    }
                    Err(at) => prop_assert!(milliseconds(at) > now),
                }
                // A burst of one second's worth, and what came in during the second.
                let second = sent.iter().filter(|at| **at > now - 1_000).count();
                prop_assert!(i64::try_from(second).unwrap() <= 2 * rate);
            }
        }
    }
}
