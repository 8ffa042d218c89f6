//! A Qdrant server: one collection per generation, and an alias that names the live one.
//!
//! What a generation was built from is kept as metadata of its collection, so that every process
//! reads the same after every restart. Collections without our metadata are never touched.

mod calls;
mod wire;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use qdrant_client::qdrant::{
    CountPointsBuilder, CreateAliasBuilder, QueryBatchPointsBuilder, UpsertPointsBuilder,
};

use self::calls::Server;
use super::prepare;
use crate::config::Retrieval;
use crate::ports::{Generation, Index, IndexError, IndexPoint, Legs, SearchRequest};

/// How long the live generation is believed without asking again.
const LIVE_FOR: Duration = Duration::from_secs(3);

/// Points sent in one call, so that a call ends within its timeout.
const POINTS_PER_CALL: usize = 64;

/// The index on a Qdrant server, shared by any number of processes.
pub struct RemoteIndex {
    server: Server,
    alias: String,
    begun: Mutex<Option<Generation>>,
    live: Mutex<Option<(Instant, Option<Generation>)>>,
}

impl RemoteIndex {
    /// Prepares the connection; the server is first asked when it is needed.
    ///
    /// # Errors
    /// `Unusable` when `retrieval.url` is missing or is not an `http` or `https` address.
    pub fn connect(retrieval: &Retrieval) -> Result<Self, IndexError> {
        Ok(Self {
            server: Server::new(retrieval)?,
            alias: retrieval.collection.clone(),
            begun: Mutex::default(),
            live: Mutex::default(),
        })
    }

    async fn read_live(&self) -> Result<Option<Generation>, IndexError> {
        match self.server.metadata(&self.alias).await? {
            None => Ok(None),
            Some(metadata) => match wire::read_metadata(metadata) {
                Some((_, generation)) => Ok(Some(generation)),
                None => Err(IndexError::Unusable(format!(
                    "the collection `{}` on the server was not written by this program; \
                     choose another name with retrieval.collection",
                    self.alias
                ))),
            },
        }
    }

    fn begun(&self) -> Result<Generation, IndexError> {
        lock(&self.begun).clone().ok_or_else(prepare::not_begun)
    }

    fn collection(&self, generation: &Generation) -> String {
        format!("{}-{}", self.alias, generation.name)
    }

    /// Removes collections of our alias that are neither live nor wanted.
    async fn sweep(&self, live: Option<&str>) -> Result<(), IndexError> {
        let prefix = format!("{}-", self.alias);
        for collection in self.server.collections().await? {
            if !collection.starts_with(&prefix) || Some(collection.as_str()) == live {
                continue;
            }
            let metadata = self.server.metadata(&collection).await?.unwrap_or_default();
            // `shop-test` is another alias whose collections also start with `shop-`.
            let ours = wire::read_metadata(metadata).is_some_and(|(alias, _)| alias == self.alias);
            if ours {
                self.server.delete(&collection).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Index for RemoteIndex {
    async fn live(&self) -> Result<Option<Generation>, IndexError> {
        if let Some((asked, live)) = &*lock(&self.live)
            && asked.elapsed() < LIVE_FOR
        {
            return Ok(live.clone());
        }
        let live = self.read_live().await?;
        *lock(&self.live) = Some((Instant::now(), live.clone()));
        Ok(live)
    }

    async fn begin(&self, generation: &Generation) -> Result<(), IndexError> {
        prepare::check_generation(generation)?;
        *lock(&self.begun) = None;
        let collection = self.collection(generation);
        let live = self.server.alias_target(&self.alias).await?;
        if live.as_ref() == Some(&collection) {
            return Err(prepare::already_live(generation));
        }
        self.sweep(live.as_deref()).await?;
        self.server
            .create(wire::create(&collection, &self.alias, generation)?)
            .await?;
        for request in wire::field_indexes(&collection) {
            self.server
                .call("creating a payload index", || {
                    self.server.client.create_field_index(request.clone())
                })
                .await?;
        }
        *lock(&self.begun) = Some(generation.clone());
        Ok(())
    }

    async fn add(&self, points: &[IndexPoint]) -> Result<(), IndexError> {
        let generation = self.begun()?;
        let collection = self.collection(&generation);
        for points in points.chunks(POINTS_PER_CALL) {
            let points = prepare::points(points, &generation)?;
            let points: Vec<_> = points.into_iter().map(wire::point).collect();
            let request = UpsertPointsBuilder::new(&collection, points)
                .wait(true)
                .build();
            self.server
                .call("adding points", || {
                    self.server.client.upsert_points(request.clone())
                })
                .await?;
        }
        Ok(())
    }

    async fn commit(&self) -> Result<(), IndexError> {
        let generation = self.begun()?;
        let collection = self.collection(&generation);
        let count = CountPointsBuilder::new(&collection).exact(true).build();
        let counted = self
            .server
            .call("counting points", || {
                self.server.client.count(count.clone())
            })
            .await?;
        let points = counted.result.map_or(0, |result| result.count);
        prepare::check_complete(&generation, usize::try_from(points).unwrap_or(usize::MAX))?;

        let old = self.server.alias_target(&self.alias).await?;
        // The server replaces an alias that exists in one step.
        let alias = CreateAliasBuilder::new(&collection, &self.alias);
        self.server
            .call("swapping the alias", || {
                self.server.client.create_alias(alias.clone())
            })
            .await?;
        *lock(&self.begun) = None;
        *lock(&self.live) = None;
        if let Some(old) = old.filter(|old| *old != collection)
            && let Err(error) = self.server.delete(&old).await
        {
            tracing::warn!(collection = %old, %error, "an old index stays until the next build");
        }
        Ok(())
    }

    async fn search(&self, request: &SearchRequest) -> Result<Legs, IndexError> {
        let generation = self.live().await?.ok_or_else(prepare::not_built)?;
        let search = prepare::search(request, &generation)?;
        let (legs, queries): (Vec<_>, Vec<_>) =
            wire::queries(&self.alias, &search).into_iter().unzip();
        if queries.is_empty() {
            return Ok(Legs::default());
        }
        let batch = QueryBatchPointsBuilder::new(&self.alias, queries).build();
        let answer = self
            .server
            .call("searching", || {
                self.server.client.query_batch(batch.clone())
            })
            .await
            // Another process may have swapped the index: ask again next time.
            .inspect_err(|_| *lock(&self.live) = None)?;
        let mut found = wire::read_legs(&legs, answer.result)?;
        found.words = search.words;
        Ok(found)
    }
}

type Metadata = HashMap<String, qdrant_client::qdrant::Value>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
