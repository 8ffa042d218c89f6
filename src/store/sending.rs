//! Taking a row for sending, and recording what became of it. The rules of the channel are checked in the
//! transaction that marks the row `sending`; what ends it is accepted under the epoch that took it only.

use super::dialect::{Connection, Row};
use super::gate::{FACTS, Facts, Permits, Refusal, Verdict};
use super::outbox::{OutboxRow, promote};
use super::pace::{self, Pace};
use super::remedies::{self, Failure};
use super::rows::{number, optional_number, optional_text, text};
use super::{Store, StoreError, fitting};
use crate::domain::{ConversationId, ErrorClass, Lane};

/// So many rows are looked at in one transaction.
const LOOKS: usize = 64;
/// A number that the channel has stopped is looked at again after this time, milliseconds.
const STOPPED: i64 = 60_000;

/// Who sends, and how.
#[derive(Debug, Clone)]
pub struct Taker {
    /// Names the sender.
    pub owner: String,
    /// So long a row is this sender's, milliseconds: longer than the channel may take to answer.
    pub lease: i64,
    /// How fast it may go.
    pub pace: Pace,
}

/// What [`Store::take_outgoing`] found.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// The row to send, marked `sending`.
    pub row: Option<OutboxRow>,
    /// Conversations that came to a person, because a message may not be sent.
    pub handed_over: Vec<ConversationId>,
    /// Without a row: when something may be due, milliseconds since 1970.
    pub next_at: Option<i64>,
}

/// How sending ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The channel accepted it under this id.
    Sent(String),
    /// The channel refused it: its class says what happens now.
    Refused {
        /// The class.
        class: ErrorClass,
        /// The channel's number of it.
        code: i64,
        /// The reason, without words of the message.
        fault: String,
    },
    /// It certainly was not sent and is tried again at `due_at`.
    Again {
        /// Milliseconds since 1970.
        due_at: i64,
        /// Why.
        fault: String,
    },
    /// It certainly was not sent and never will be.
    Failed(String),
    /// It was perhaps sent; a status may still tell.
    Unknown(String),
}

impl Store {
    /// Takes the next row that may be sent and marks it `sending`: replies before bulk, a conversation's lane in
    /// order and one at a time. On the way, rows that must wait get a later time, and rows that may not be sent end.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_outgoing(&self, taker: &Taker, now: i64) -> Result<Taken, StoreError> {
        let due = sqlx::query(
            "SELECT MIN(due_at) AS due_at FROM outbox WHERE state = 'queued' AND head = 1",
        )
        .fetch_one(&self.readers)
        .await?;
        let due = optional_number(&due, "due_at")?;
        if due.is_none_or(|due| due > now) {
            return Ok(Taken {
                next_at: due,
                ..Taken::default()
            });
        }
        let taker = taker.clone();
        self.write(move |connection| Box::pin(take(connection, taker, now)))
            .await
    }

    /// Records how sending ended. Says whether a person got the conversation.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the row was taken by another sender since, or has ended already.
    pub async fn record_sending(
        &self,
        row: &OutboxRow,
        ending: Ending,
        now: i64,
    ) -> Result<bool, StoreError> {
        let (id, epoch) = (row.message.id.clone(), row.epoch);
        self.write(move |connection| {
            Box::pin(async move {
                let found = sqlx::query(sqlx::AssertSqlSafe(format!(
                    "{FACTS} WHERE o.id = $1 AND o.epoch = $2 \
                     AND (o.state = 'sending' OR (o.state = 'queued' AND o.repeated = 1))"
                )))
                .bind(id.as_str())
                .bind(epoch)
                .fetch_optional(&mut *connection)
                .await?
                .ok_or(StoreError::Stale)?;
                let facts = Facts::read(&found)?;
                record(connection, &facts, ending, now).await
            })
        })
        .await
    }

    /// Rows whose sender died while sending them are queued again and marked as perhaps repeated, except those
    /// of which a status told, or which a person withdrew. A sender is dead when its lease has run out. Returns how
    /// many there were.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recover_outbox(&self, now: i64) -> Result<u64, StoreError> {
        let dead = sqlx::query(
            "SELECT 1 FROM outbox WHERE state = 'sending' AND lease_until <= $1 LIMIT 1",
        )
        .bind(now)
        .fetch_optional(&self.readers)
        .await?;
        if dead.is_none() {
            return Ok(0);
        }
        self.write(move |connection| Box::pin(recover(connection, now)))
            .await
    }
}

async fn recover(connection: &mut Connection, now: i64) -> Result<u64, StoreError> {
    let ended = sqlx::query(
        "UPDATE outbox SET due_at = $1, updated_at = $1, \
         repeated = CASE WHEN delivery IS NULL AND withdrawn = 0 THEN 1 ELSE repeated END, \
         sent_at = CASE WHEN delivery IS NOT NULL THEN $1 ELSE sent_at END, \
         state = CASE WHEN delivery IS NOT NULL THEN 'sent' \
         WHEN withdrawn = 1 THEN 'unknown' ELSE 'queued' END \
         WHERE state = 'sending' AND lease_until <= $1 RETURNING conversation_id, lane",
    )
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    for row in &ended {
        let lane = text(row, "lane")?.parse().map_err(StoreError::Failed)?;
        promote(connection, &text(row, "conversation_id")?, lane).await?;
    }
    Ok(ended.len() as u64)
}

/// A number of ours as it stands.
struct Number {
    id: String,
    full_at: i64,
    bulk_from: i64,
    broken: Option<String>,
    probe_at: i64,
    /// The channel has stopped it: looked at again then.
    stopped: Option<i64>,
}

async fn numbers(connection: &mut Connection, now: i64) -> Result<Vec<Number>, StoreError> {
    // The one that sent longest ago first.
    let rows = sqlx::query(
        "SELECT s.id, s.free_at, s.bulk_from, s.broken, s.probe_at, CASE WHEN c.stopped_reason IS NULL \
         OR c.stopped_until <= $1 THEN 0 ELSE 1 END AS stopped \
         FROM senders s LEFT JOIN channel_numbers c ON c.number = s.id ORDER BY s.free_at, s.id",
    )
    .bind(now)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Number {
                id: text(row, "id")?,
                full_at: number(row, "free_at")?,
                bulk_from: number(row, "bulk_from")?,
                broken: optional_text(row, "broken")?,
                probe_at: number(row, "probe_at")?,
                stopped: (number(row, "stopped")? != 0).then_some(now + STOPPED),
            })
        })
        .collect()
}

impl Number {
    /// When it may send in a lane, milliseconds; none when it may now.
    fn waits(&self, lane: Lane, pace: &Pace, now: i64) -> Option<i64> {
        let broken = self.broken.as_ref().map(|_| self.probe_at);
        let paused = (lane == Lane::Bulk).then_some(self.bulk_from);
        let bucket = pace::number_waits(self.full_at, pace, now);
        [broken, paused, bucket, self.stopped]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .max()
    }
}

async fn take(connection: &mut Connection, taker: Taker, now: i64) -> Result<Taken, StoreError> {
    let mut taken = Taken::default();
    let numbers = numbers(connection, now).await?;
    for _ in 0..LOOKS {
        let Some((facts, number)) = next(connection, &numbers, &taker, &mut taken, now).await?
        else {
            return Ok(taken);
        };
        let permits = permits(connection, &facts, &taker.pace, now).await?;
        match facts.judge(&permits, now) {
            Verdict::Send { initiated } => {
                taken.row = Some(mark(connection, &facts, number, &taker, initiated, now).await?);
                return Ok(taken);
            }
            Verdict::Wait(until) => {
                sqlx::query("UPDATE outbox SET due_at = $1 WHERE id = $2")
                    .bind(until)
                    .bind(&facts.id)
                    .execute(&mut *connection)
                    .await?;
                taken.next_at = Some(taken.next_at.map_or(until, |at| at.min(until)));
            }
            Verdict::Refuse(refusal) => {
                refuse(connection, &facts, refusal, now).await?;
            }
            Verdict::Held => {
                if remedies::out_of_window(connection, &facts, now).await? {
                    taken.handed_over.push(facts.conversation.as_str().into());
                }
            }
        }
    }
    // More may be due; others write first.
    taken.next_at = Some(now);
    Ok(taken)
}

/// The first row whose time has come, of a number that may send.
async fn next<'a>(
    connection: &mut Connection,
    numbers: &'a [Number],
    taker: &Taker,
    taken: &mut Taken,
    now: i64,
) -> Result<Option<(Facts, &'a Number)>, StoreError> {
    for lane in [Lane::Reply, Lane::Bulk] {
        for number in numbers {
            if let Some(at) = number.waits(lane, &taker.pace, now) {
                taken.next_at = Some(taken.next_at.map_or(at, |before| before.min(at)));
                continue;
            }
            let row = sqlx::query(sqlx::AssertSqlSafe(format!(
                "{FACTS} WHERE o.state = 'queued' AND o.head = 1 AND o.sender = $1 AND o.lane = $2 \
                 AND o.due_at <= $3 ORDER BY o.due_at, o.id LIMIT 1"
            )))
            .bind(&number.id)
            .bind(lane.name())
            .bind(now)
            .fetch_optional(&mut *connection)
            .await?;
            if let Some(row) = row {
                return Ok(Some((Facts::read(&row)?, number)));
            }
        }
    }
    Ok(None)
}

/// What the rules need beside the row, looked up only where they ask for it.
async fn permits(
    connection: &mut Connection,
    facts: &Facts,
    pace: &Pace,
    now: i64,
) -> Result<Permits, StoreError> {
    // A template that cannot be read is not usable.
    let template = facts.template.as_deref();
    let template = template.and_then(|template| serde_json::from_str(template).ok());
    let fit = fitting::fit(
        connection,
        template.as_ref(),
        facts.category,
        &facts.contact,
    )
    .await?;
    let mut permits = Permits {
        marketing: fit.marketing,
        consent: fit.consent,
        usable: fit.usable,
        reach_from: None,
    };
    if facts.initiates(now) {
        let reach = pace::may_reach(connection, &facts.contact, pace, now).await?;
        permits.reach_from = reach.err();
    }
    Ok(permits)
}

async fn mark(
    connection: &mut Connection,
    facts: &Facts,
    number: &Number,
    taker: &Taker,
    initiated: bool,
    now: i64,
) -> Result<OutboxRow, StoreError> {
    let lease_until = now + taker.lease;
    if let Ok(full_at) = pace::pair(facts.pair_full_at, now) {
        sqlx::query("UPDATE conversations SET pair_free_at = $1 WHERE id = $2")
            .bind(full_at)
            .bind(&facts.conversation)
            .execute(&mut *connection)
            .await?;
    }
    if let Ok(full_at) = pace::number(number.full_at, &taker.pace, now) {
        // A number that is cleared of nothing yet sends one message at a time.
        sqlx::query(
            "UPDATE senders SET free_at = $1, \
             probe_at = CASE WHEN broken IS NULL THEN probe_at ELSE $2 END WHERE id = $3",
        )
        .bind(full_at)
        .bind(lease_until)
        .bind(&number.id)
        .execute(&mut *connection)
        .await?;
    }
    if initiated {
        pace::reach(connection, &facts.contact, &facts.id, now).await?;
    }
    let row = sqlx::query(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1, epoch = epoch + 1, \
         lease_owner = $1, lease_until = $2, updated_at = $3 WHERE id = $4 \
         RETURNING id, conversation_id, sender, recipient, language, answer, template, attempts, epoch, lease_until, \
         media_tries, secret",
    )
    .bind(&taker.owner)
    .bind(lease_until)
    .bind(now)
    .bind(&facts.id)
    .fetch_one(connection)
    .await?;
    OutboxRow::read(&row)
}

async fn refuse(
    connection: &mut Connection,
    facts: &Facts,
    refusal: Refusal,
    now: i64,
) -> Result<(), StoreError> {
    let withdrawn = i64::from(refusal == Refusal::TakenOver);
    sqlx::query(
        "UPDATE outbox SET state = 'failed', fault = $1, withdrawn = $2, updated_at = $3 WHERE id = $4",
    )
    .bind(refusal.fault())
    .bind(withdrawn)
    .bind(now)
    .bind(&facts.id)
    .execute(&mut *connection)
    .await?;
    promote(connection, &facts.conversation, facts.lane).await
}

async fn record(
    connection: &mut Connection,
    facts: &Facts,
    ending: Ending,
    now: i64,
) -> Result<bool, StoreError> {
    let state = match ending {
        Ending::Sent(external_id) => return sent(connection, facts, &external_id, now).await,
        Ending::Refused { class, code, fault } => {
            pace::unreach(connection, &facts.id, &facts.contact, now).await?;
            let failure = Failure { class, code, fault };
            return remedies::apply(connection, facts, &failure, now).await;
        }
        Ending::Again { due_at, fault } => {
            pace::unreach(connection, &facts.id, &facts.contact, now).await?;
            remedies::again(
                connection,
                facts,
                due_at,
                &Failure::without_code(fault),
                now,
            )
            .await?;
            return Ok(false);
        }
        Ending::Failed(fault) => {
            pace::unreach(connection, &facts.id, &facts.contact, now).await?;
            remedies::fail(connection, facts, &Failure::without_code(fault), now).await?;
            return Ok(false);
        }
        Ending::Unknown(fault) => fault,
    };
    sqlx::query(
        "UPDATE outbox SET state = CASE WHEN delivery IS NULL THEN 'unknown' ELSE 'sent' END, \
         fault = $1, sent_at = COALESCE(sent_at, $2), updated_at = $2 WHERE id = $3",
    )
    .bind(state)
    .bind(now)
    .bind(&facts.id)
    .execute(&mut *connection)
    .await?;
    promote(connection, &facts.conversation, facts.lane).await?;
    Ok(false)
}

async fn sent(
    connection: &mut Connection,
    facts: &Facts,
    external_id: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "UPDATE outbox SET state = 'sent', external_id = $1, sent_at = COALESCE(sent_at, $2), updated_at = $2, \
         fault = CASE WHEN delivery = 'failed' THEN fault END WHERE id = $3 RETURNING delivery, class, code, fault",
    )
    .bind(external_id)
    .bind(now)
    .bind(&facts.id)
    .fetch_one(&mut *connection)
    .await?;
    remedies::relax(connection, facts, now).await?;
    promote(connection, &facts.conversation, facts.lane).await?;
    // The status that it failed was faster than the answer to our call.
    match told_failure(&row)? {
        Some(failure) => remedies::apply(connection, facts, &failure, now).await,
        None => Ok(false),
    }
}

fn told_failure(row: &Row) -> Result<Option<Failure>, StoreError> {
    if optional_text(row, "delivery")?.as_deref() != Some("failed") {
        return Ok(None);
    }
    let Some(class) = optional_text(row, "class")? else {
        return Ok(None);
    };
    Ok(Some(Failure {
        class: class.parse().map_err(StoreError::Failed)?,
        code: optional_number(row, "code")?.unwrap_or_default(),
        fault: optional_text(row, "fault")?.unwrap_or_default(),
    }))
}
