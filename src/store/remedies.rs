//! What is done about a refusal, by its class: one match for answers and for `failed` statuses.

use super::dialect::Connection;
use super::gate::Facts;
use super::outbox::promote;
use super::pace::{self, Pace};
use super::{StoreError, alerts, consent, fitting};
use crate::domain::{ErrorClass, Lane};

/// A refusal that passes is met so often.
const TRIES: i64 = 5;
/// The first wait; it grows fourfold.
const WAIT: i64 = 1_000;
const MINUTE: i64 = 60_000;
/// The bulk lane of an account that is held pauses so long.
const BULK_PAUSE: i64 = 60 * MINUTE;
/// The channel's cap on marketing is asked again after a day and a little.
const CAP_PAUSE: i64 = 24 * 60 * MINUTE + 5 * MINUTE;
/// The first pause of a number whose account is refused; it grows fourfold, up to an hour.
const PROBE: i64 = MINUTE;
const LONGEST_PROBE: i64 = 60 * MINUTE;
/// The longest pause of a number that sends too fast, and of a customer who got too much.
const LONGEST_SLOW: i64 = 5 * MINUTE;
const LONGEST_PAIR: i64 = 4_096_000;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub class: ErrorClass,
    pub code: i64,
    pub fault: String,
}

impl Failure {
    /// A failure that the channel said nothing of.
    pub(super) fn without_code(fault: String) -> Self {
        Self {
            class: ErrorClass::Unknown,
            code: 0,
            fault,
        }
    }
}

/// Does what the class asks for. True when a person got the conversation.
pub(super) async fn apply(
    connection: &mut Connection,
    facts: &Facts,
    failure: &Failure,
    now: i64,
) -> Result<bool, StoreError> {
    match failure.class {
        ErrorClass::Transient => {
            if facts.attempts < TRIES {
                let due_at = now + grown(WAIT, facts.attempts - 1);
                again(connection, facts, due_at, failure, now).await?;
                return Ok(false);
            }
            give_up(connection, facts, failure, now).await
        }
        ErrorClass::Throughput => {
            let due_at = slow_down(connection, facts, now).await?;
            again(connection, facts, due_at, failure, now).await?;
            Ok(false)
        }
        ErrorClass::Pair => {
            let due_at = hold_pair(connection, facts, now).await?;
            again(connection, facts, due_at, failure, now).await?;
            Ok(false)
        }
        ErrorClass::AccountHold => {
            pause_bulk(connection, facts, failure, now).await?;
            if facts.attempts >= 2 * TRIES {
                return give_up(connection, facts, failure, now).await;
            }
            let due_at = match facts.lane {
                Lane::Reply => now + grown(10 * WAIT, facts.attempts - 1).min(BULK_PAUSE),
                Lane::Bulk => now + BULK_PAUSE,
            };
            again(connection, facts, due_at, failure, now).await?;
            Ok(false)
        }
        ErrorClass::Window => {
            close_window(connection, facts).await?;
            out_of_window(connection, facts, now).await
        }
        ErrorClass::Undeliverable => {
            count_undeliverable(connection, facts).await?;
            fail(connection, facts, failure, now).await?;
            Ok(false)
        }
        ErrorClass::MarketingCap => {
            if facts.capped {
                fail(connection, facts, failure, now).await?;
            } else {
                sqlx::query("UPDATE outbox SET capped = 1 WHERE id = $1")
                    .bind(&facts.id)
                    .execute(&mut *connection)
                    .await?;
                again(connection, facts, now + CAP_PAUSE, failure, now).await?;
            }
            Ok(false)
        }
        ErrorClass::OptedOut => {
            let no = consent::by_channel(failure.code, Some(facts.id.clone()));
            consent::record(connection, &facts.contact, &no, now).await?;
            fail(connection, facts, failure, now).await?;
            Ok(false)
        }
        ErrorClass::Experiment | ErrorClass::Recipient | ErrorClass::Unknown => {
            fail(connection, facts, failure, now).await?;
            Ok(false)
        }
        ErrorClass::Media => match file(facts, now) {
            File::Upload => {
                refused_file(connection, facts, facts.template.is_some()).await?;
                again(connection, facts, now + WAIT, failure, now).await?;
                Ok(false)
            }
            File::LeaveOut => {
                refused_file(connection, facts, false).await?;
                alerts::raise(connection, "media", &facts.sender, &failure.fault, now).await?;
                again(connection, facts, now, failure, now).await?;
                Ok(false)
            }
            File::Needed => wrong_request(connection, facts, failure, now).await,
        },
        ErrorClass::Payload => wrong_request(connection, facts, failure, now).await,
        ErrorClass::Template => {
            if let Some(template) = &facts.template {
                fitting::stop(connection, template, &failure.fault, now).await?;
            }
            fail(connection, facts, failure, now).await?;
            Ok(false)
        }
        ErrorClass::Account => {
            let due_at = break_number(connection, facts, failure, now).await?;
            again(connection, facts, due_at, failure, now).await?;
            Ok(false)
        }
        ErrorClass::MarketingApi => {
            alerts::raise(
                connection,
                "marketing_api",
                &facts.sender,
                &failure.fault,
                now,
            )
            .await?;
            fail(connection, facts, failure, now).await?;
            Ok(false)
        }
    }
}

/// What is done about a file of ours that was refused.
enum File {
    /// It is taken from its address by us, and uploaded.
    Upload,
    /// The words go without it.
    LeaveOut,
    /// Nothing may go without it, or it went without already.
    Needed,
}

/// A file travels in a template's header only. Free words say the same while they may be sent.
fn file(facts: &Facts, now: i64) -> File {
    match facts.media_tries {
        0 => File::Upload,
        1 if facts.template.is_some() && facts.window_is_open(now) => File::LeaveOut,
        _ => File::Needed,
    }
}

async fn refused_file(
    connection: &mut Connection,
    facts: &Facts,
    as_template: bool,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET media_tries = media_tries + 1, \
         template = CASE WHEN $1 = 1 THEN template ELSE NULL END, \
         category = CASE WHEN $1 = 1 THEN category ELSE 'service' END WHERE id = $2",
    )
    .bind(i64::from(as_template))
    .bind(&facts.id)
    .execute(connection)
    .await?;
    Ok(())
}

/// A fault of ours: a person looks at it, and at the customer.
async fn wrong_request(
    connection: &mut Connection,
    facts: &Facts,
    failure: &Failure,
    now: i64,
) -> Result<bool, StoreError> {
    alerts::raise(connection, "payload", &facts.sender, &failure.fault, now).await?;
    give_up(connection, facts, failure, now).await
}

/// What is undone by a message that was accepted.
pub(super) async fn relax(
    connection: &mut Connection,
    facts: &Facts,
    now: i64,
) -> Result<(), StoreError> {
    let mended = sqlx::query(
        "UPDATE senders SET strikes = 0, broken = NULL, probes = 0, probe_at = 0 \
         WHERE id = $1 AND (strikes > 0 OR broken IS NOT NULL) RETURNING id",
    )
    .bind(&facts.sender)
    .fetch_optional(&mut *connection)
    .await?;
    if mended.is_some() {
        alerts::clear(connection, "number", &facts.sender).await?;
        wake(connection, &facts.sender, now).await?;
    }
    if facts.pair_holds > 0 {
        sqlx::query("UPDATE conversations SET pair_holds = 0 WHERE id = $1")
            .bind(&facts.conversation)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Rows that waited for a number go at once.
pub(super) async fn wake(
    connection: &mut Connection,
    sender: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET due_at = $1 WHERE state = 'queued' AND head = 1 AND sender = $2 \
         AND class = 'account' AND lane IN ('reply', 'bulk') AND due_at > $1",
    )
    .bind(now)
    .bind(sender)
    .execute(connection)
    .await?;
    Ok(())
}

/// The window is over for this message: a template that fits, or a note for a person.
/// True when a person got the conversation.
pub(super) async fn out_of_window(
    connection: &mut Connection,
    facts: &Facts,
    now: i64,
) -> Result<bool, StoreError> {
    if facts.template.is_none()
        && let Some((template, category)) = fitting::instead(connection, facts).await?
    {
        sqlx::query(
            "UPDATE outbox SET state = 'queued', head = 1, template = $1, category = $2, due_at = $3, \
             delivery = NULL, updated_at = $3 WHERE id = $4",
        )
        .bind(template)
        .bind(category.name())
        .bind(now)
        .bind(&facts.id)
        .execute(connection)
        .await?;
        return Ok(false);
    }
    sqlx::query(
        "UPDATE outbox SET state = 'held', fault = 'not sent: the 24 hours are over', updated_at = $1 WHERE id = $2",
    )
    .bind(now)
    .bind(&facts.id)
    .execute(&mut *connection)
    .await?;
    promote(connection, &facts.conversation, facts.lane).await?;
    hand_over(connection, &facts.conversation, "window", now).await?;
    Ok(true)
}

/// Tries again later, unless a person has taken over meanwhile.
pub(super) async fn again(
    connection: &mut Connection,
    facts: &Facts,
    due_at: i64,
    failure: &Failure,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET state = CASE WHEN withdrawn = 1 THEN 'failed' ELSE 'queued' END, head = 1, \
         fault = CASE WHEN withdrawn = 1 THEN fault ELSE $1 END, code = $2, class = $3, due_at = $4, \
         delivery = NULL, updated_at = $5 WHERE id = $6",
    )
    .bind(&failure.fault)
    .bind(failure.code)
    .bind(failure.class.name())
    .bind(due_at)
    .bind(now)
    .bind(&facts.id)
    .execute(&mut *connection)
    .await?;
    promote(connection, &facts.conversation, facts.lane).await
}

/// Ends a row that certainly was not sent.
pub(super) async fn fail(
    connection: &mut Connection,
    facts: &Facts,
    failure: &Failure,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET state = 'failed', fault = $1, code = $2, class = $3, updated_at = $4 WHERE id = $5",
    )
    .bind(&failure.fault)
    .bind(failure.code)
    .bind(failure.class.name())
    .bind(now)
    .bind(&facts.id)
    .execute(&mut *connection)
    .await?;
    promote(connection, &facts.conversation, facts.lane).await
}

/// Ends a row; a customer who waits for it gets a person.
async fn give_up(
    connection: &mut Connection,
    facts: &Facts,
    failure: &Failure,
    now: i64,
) -> Result<bool, StoreError> {
    fail(connection, facts, failure, now).await?;
    if facts.lane == Lane::Bulk {
        return Ok(false);
    }
    hand_over(connection, &facts.conversation, "not_sent", now).await?;
    Ok(true)
}

/// Gives the conversation to a person, who sees why.
pub(super) async fn hand_over(
    connection: &mut Connection,
    conversation: &str,
    reason: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE conversations SET holder = 'human', waiting_since = COALESCE(waiting_since, $1), \
         hand_off_reason = COALESCE(hand_off_reason, $2), updated_at = $1 WHERE id = $3",
    )
    .bind(now)
    .bind(reason)
    .bind(conversation)
    .execute(connection)
    .await?;
    Ok(())
}

async fn slow_down(
    connection: &mut Connection,
    facts: &Facts,
    now: i64,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "UPDATE senders SET strikes = strikes + 1 WHERE id = $1 RETURNING strikes, free_at",
    )
    .bind(&facts.sender)
    .fetch_one(&mut *connection)
    .await?;
    let strikes = super::rows::number(&row, "strikes")?;
    let until = now + grown(WAIT, strikes - 1).min(LONGEST_SLOW);
    let full_at = super::rows::number(&row, "free_at")?;
    sqlx::query("UPDATE senders SET free_at = $1 WHERE id = $2")
        .bind(pace::emptied(full_at, &Pace::default(), until))
        .bind(&facts.sender)
        .execute(connection)
        .await?;
    Ok(until)
}

async fn hold_pair(
    connection: &mut Connection,
    facts: &Facts,
    now: i64,
) -> Result<i64, StoreError> {
    let exponent = u32::try_from(facts.pair_holds + 1).unwrap_or(1);
    let wait = 4_i64.saturating_pow(exponent).saturating_mul(1_000);
    let until = now + wait.min(LONGEST_PAIR);
    sqlx::query(
        "UPDATE conversations SET pair_holds = pair_holds + 1, pair_held_until = $1 WHERE id = $2",
    )
    .bind(until)
    .bind(&facts.conversation)
    .execute(connection)
    .await?;
    Ok(until)
}

async fn pause_bulk(
    connection: &mut Connection,
    facts: &Facts,
    failure: &Failure,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE senders SET bulk_from = $1 WHERE id = $2")
        .bind(now + BULK_PAUSE)
        .bind(&facts.sender)
        .execute(&mut *connection)
        .await?;
    alerts::raise(connection, "bulk", &facts.sender, &failure.fault, now).await
}

async fn close_window(connection: &mut Connection, facts: &Facts) -> Result<(), StoreError> {
    sqlx::query("UPDATE conversations SET last_inbound_at = NULL, free_until = NULL WHERE id = $1")
        .bind(&facts.conversation)
        .execute(connection)
        .await?;
    Ok(())
}

async fn count_undeliverable(connection: &mut Connection, facts: &Facts) -> Result<(), StoreError> {
    sqlx::query("UPDATE contacts SET undeliverable = undeliverable + 1 WHERE id = $1")
        .bind(&facts.contact)
        .execute(connection)
        .await?;
    Ok(())
}

async fn break_number(
    connection: &mut Connection,
    facts: &Facts,
    failure: &Failure,
    now: i64,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "UPDATE senders SET probes = probes + 1, broken = $1 WHERE id = $2 RETURNING probes",
    )
    .bind(&failure.fault)
    .bind(&facts.sender)
    .fetch_one(&mut *connection)
    .await?;
    let probes = super::rows::number(&row, "probes")?;
    let due_at = now + grown(PROBE, probes - 1).min(LONGEST_PROBE);
    sqlx::query("UPDATE senders SET probe_at = $1 WHERE id = $2")
        .bind(due_at)
        .bind(&facts.sender)
        .execute(&mut *connection)
        .await?;
    alerts::raise(connection, "number", &facts.sender, &failure.fault, now).await?;
    Ok(due_at)
}

/// A wait that grows fourfold, with up to a quarter of jitter.
fn grown(first: i64, times: i64) -> i64 {
    let factor = 4_i64.saturating_pow(u32::try_from(times.clamp(0, 10)).unwrap_or(0));
    let wait = first.saturating_mul(factor);
    wait + rand::random_range(0..=wait / 4)
}
