//! What a channel delivered: durable before it is acknowledged, worked in afterwards.
//!
//! Deliveries that wait for the disk at the same time are written by a few statements together.

use std::collections::HashSet;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use sqlx::QueryBuilder;
use tokio::sync::oneshot;

use super::dead_letters::{self, NewDeadLetter};
use super::dialect::{Connection, Database};
use super::inbox::{self, Intake};
use super::rows::{number, text};
use super::writer::Job;
use super::{Store, StoreError};
use crate::domain::InboxId;

/// Rows of one statement at most; the statement of each number is kept (`dialect::STATEMENTS`).
const ROWS: usize = 64;

/// One delivery of a channel.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// The raw body, card numbers masked.
    pub body: String,
    /// Why something of it cannot be worked on.
    pub fault: Option<String>,
    /// Its items.
    pub items: Vec<ArrivalItem>,
    /// The body itself, when it cannot be read.
    pub letter: Option<NewDeadLetter>,
}

/// One message, status or event of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivalItem {
    /// Our number, or empty.
    pub recipient: String,
    /// The same for the same item in every delivery; unique together with the number.
    pub key: String,
    /// A body that holds only this item.
    pub body: String,
}

/// An item that was acknowledged and waits to be worked in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingItem {
    /// Its id; in the order received.
    pub id: String,
    /// Our number, or empty.
    pub recipient: String,
    /// Unique together with the number.
    pub key: String,
    /// A body that holds only this item.
    pub body: String,
    /// When it came, milliseconds since 1970.
    pub received_at: i64,
}

/// An item with what it brings.
#[derive(Debug, Clone)]
pub struct ReadItem {
    /// Its id.
    pub id: String,
    /// When it came, milliseconds since 1970.
    pub received_at: i64,
    /// What it brings.
    pub intake: Intake,
}

struct Delivery {
    arrival: Arrival,
    received_at: i64,
    stored: oneshot::Sender<Result<(), StoreError>>,
}

/// Deliveries that wait for the writer.
#[derive(Clone, Default)]
pub struct Deliveries(Arc<Mutex<Vec<Delivery>>>);

impl Deliveries {
    /// Adds a delivery; whether it is the first that waits, and so needs a job of the writer.
    fn add(&self, delivery: Delivery) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(delivery);
        waiting.len() == 1
    }

    fn take(&self) -> Vec<Delivery> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes all deliveries that wait when its turn comes.
struct Reception {
    waiting: Deliveries,
    taken: Vec<Delivery>,
}

impl Job for Reception {
    fn run<'c>(
        &'c mut self,
        connection: &'c mut Connection,
    ) -> BoxFuture<'c, Result<(), StoreError>> {
        Box::pin(async move {
            self.taken = self.waiting.take();
            bodies(connection, &self.taken).await?;
            items(connection, &self.taken).await?;
            for delivery in &self.taken {
                if let Some(letter) = &delivery.arrival.letter {
                    dead_letters::insert(connection, letter, delivery.received_at).await?;
                }
            }
            Ok(())
        })
    }

    fn answer(mut self: Box<Self>, failure: Option<StoreError>) {
        if failure.is_some() {
            // The transaction may have ended before this job's turn.
            self.taken.append(&mut self.waiting.take());
        }
        for delivery in self.taken {
            let result = failure.clone().map_or(Ok(()), Err);
            // Whoever asked may be gone; the write is done all the same.
            let _ = delivery.stored.send(result);
        }
    }
}

async fn bodies(connection: &mut Connection, taken: &[Delivery]) -> Result<(), StoreError> {
    for rows in taken.chunks(ROWS) {
        let mut query =
            QueryBuilder::<Database>::new("INSERT INTO webhooks (id, received_at, body, fault) ");
        query.push_values(rows, |mut row, delivery| {
            row.push_bind(InboxId::new().0)
                .push_bind(delivery.received_at)
                .push_bind(delivery.arrival.body.as_str())
                .push_bind(delivery.arrival.fault.as_deref());
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn items(connection: &mut Connection, taken: &[Delivery]) -> Result<(), StoreError> {
    let all: Vec<(&ArrivalItem, i64)> = taken
        .iter()
        .flat_map(|delivery| {
            let items = delivery.arrival.items.iter();
            items.map(|item| (item, delivery.received_at))
        })
        .collect();
    for rows in all.chunks(ROWS) {
        let mut query = QueryBuilder::<Database>::new(
            "INSERT INTO arrivals (id, recipient, key, body, received_at) ",
        );
        query.push_values(rows, |mut row, (item, received_at)| {
            row.push_bind(InboxId::new().0)
                .push_bind(item.recipient.as_str())
                .push_bind(item.key.as_str())
                .push_bind(item.body.as_str())
                .push_bind(*received_at);
        });
        query.push(" ON CONFLICT (recipient, key) DO NOTHING");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

impl Store {
    /// Stores a delivery. When this returns, it survives a crash; [`Store::work_in`] does the rest.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk takes no more; nothing is stored then.
    pub async fn receive(&self, arrival: Arrival, now: i64) -> Result<(), StoreError> {
        let (stored, done) = oneshot::channel();
        // Taken before the delivery waits: nothing may end this between the two.
        let place = self.writer.place().await?;
        let first = self.deliveries.add(Delivery {
            arrival,
            received_at: now,
            stored,
        });
        if first {
            place.send(Box::new(Reception {
                waiting: self.deliveries.clone(),
                taken: Vec::new(),
            }));
        }
        done.await
            .map_err(|_| StoreError::Full("the store is closed".to_owned()))?
    }

    /// The oldest items that wait to be worked in.
    ///
    /// # Errors
    /// What the database says.
    pub async fn arrivals(&self, limit: i64) -> Result<Vec<WaitingItem>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, recipient, key, body, received_at FROM arrivals WHERE id > '' ORDER BY id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let read = |row| {
            Ok(WaitingItem {
                id: text(row, "id")?,
                recipient: text(row, "recipient")?,
                key: text(row, "key")?,
                body: text(row, "body")?,
                received_at: number(row, "received_at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// How many items wait to be worked in.
    ///
    /// # Errors
    /// What the database says.
    pub async fn arrivals_waiting(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS waiting FROM arrivals")
            .fetch_one(&self.readers)
            .await?;
        number(&row, "waiting")
    }

    /// Works items in, in the order given, all or none. One that another process has worked in is left out.
    ///
    /// # Errors
    /// What the database says.
    pub async fn work_in(&self, items: Vec<ReadItem>) -> Result<(), StoreError> {
        let work = self.write_repeatable(move |connection| {
            Box::pin(async move {
                let ids = items.iter().map(|item| item.id.as_str());
                let ours = remove(connection, ids).await?;
                let mut handed_over = Vec::new();
                for item in items.iter().filter(|item| ours.contains(&item.id)) {
                    let taken = inbox::take_in(connection, &item.intake, item.received_at).await?;
                    handed_over.extend(taken.handed_over);
                }
                Ok(handed_over)
            })
        });
        self.tell_handed_over(work.await?);
        Ok(())
    }

    /// Puts an item aside that cannot be worked in.
    ///
    /// # Errors
    /// What the database says.
    pub async fn put_aside(&self, item: WaitingItem, reason: String) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let ours = remove(connection, [item.id.as_str()].into_iter()).await?;
                let letter = NewDeadLetter {
                    recipient: item.recipient,
                    key: item.key,
                    reason,
                    body: item.body,
                };
                if !ours.is_empty() {
                    dead_letters::insert(connection, &letter, item.received_at).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// Takes items off the list; those that were still on it.
async fn remove(
    connection: &mut Connection,
    ids: impl ExactSizeIterator<Item = &str>,
) -> Result<HashSet<String>, StoreError> {
    if ids.len() == 0 {
        return Ok(HashSet::new());
    }
    let mut query = QueryBuilder::<Database>::new("DELETE FROM arrivals WHERE id IN (");
    let mut listed = query.separated(", ");
    for id in ids {
        listed.push_bind(id.to_owned());
    }
    query.push(") RETURNING id");
    let rows = query
        .build()
        .persistent(false)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| text(row, "id")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn deliveries_that_meet_are_stored_together_and_one_item_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let deliveries = (0..100).map(|number: i64| {
            let item = |key: i64| ArrivalItem {
                recipient: "us".to_owned(),
                key: format!("wamid.{key}"),
                body: format!("{{\"n\":{key}}}"),
            };
            let arrival = Arrival {
                body: "{}".to_owned(),
                items: vec![item(number), item(number / 2)],
                ..Arrival::default()
            };
            store.receive(arrival, number)
        });
        for stored in futures::future::join_all(deliveries).await {
            stored.unwrap();
        }
        assert_eq!(store.arrivals_waiting().await.unwrap(), 100);
        let oldest = store.arrivals(3).await.unwrap();
        let keys: Vec<&str> = oldest.iter().map(|item| item.key.as_str()).collect();
        assert_eq!(keys, ["wamid.0", "wamid.1", "wamid.2"]);
    }

    #[tokio::test]
    async fn what_two_processes_read_is_worked_in_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = tokio::join!(Store::open(folder.path()), async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            Store::open(folder.path()).await
        });
        let (one, two) = (one.unwrap(), two.unwrap());
        let item = |key: &str| ArrivalItem {
            recipient: "us".to_owned(),
            key: key.to_owned(),
            body: "{}".to_owned(),
        };
        let arrival = Arrival {
            items: vec![item("a"), item("b")],
            ..Arrival::default()
        };
        one.receive(arrival, 1).await.unwrap();
        let seen = two.arrivals(9).await.unwrap();
        let read = |item: &WaitingItem| ReadItem {
            id: item.id.clone(),
            received_at: item.received_at,
            intake: Intake {
                events: vec![inbox::Event {
                    recipient: item.recipient.clone(),
                    // A second time under another key would show as a second event.
                    key: InboxId::new().0,
                    kind: "test".to_owned(),
                    body: item.body.clone(),
                }],
                ..Intake::default()
            },
        };
        one.work_in(seen[..1].iter().map(read).collect())
            .await
            .unwrap();
        two.work_in(seen.iter().map(read).collect()).await.unwrap();
        one.work_in(seen.iter().map(read).collect()).await.unwrap();
        let events: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM events")
            .fetch_one(&one.readers)
            .await
            .unwrap();
        assert_eq!(events, 2);
        assert_eq!(one.arrivals_waiting().await.unwrap(), 0);
    }
}
