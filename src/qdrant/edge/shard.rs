//! One generation: an edge shard in its folder.

use std::fs;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::{
    Condition as EdgeCondition, CountRequest, CreateIndex, Distance, EdgeConfig, EdgeConfigBuilder,
    EdgeOptimizersConfig, EdgeShard, EdgeSparseVectorParams, EdgeVectorParams, FieldCondition,
    FieldIndexOperations, Filter, IsEmptyCondition, JsonPath, Match, Modifier, NamedQuery,
    OperationError, Payload, PayloadFieldSchema, PayloadSchemaType, PointId, PointInsertOperations,
    PointOperations, PointStructPersisted, QueryEnum, QueryRequest, Range, ScoringQuery,
    UpdateOperation, ValueVariants, VectorInternal, VectorPersisted, VectorStructPersisted,
    WalOptions, WithPayloadInterface, WithVector,
};

use super::super::payload::{self, Condition, FieldIndex};
use super::super::prepare::{self, PreparedPoint, PreparedSearch};
use super::super::{BM25, DENSE};
use super::folders::{Folder, Folders};
use super::{damaged, unavailable};
use crate::domain::Passage;
use crate::ports::{Generation, IndexError, Legs};

/// Above this size of all vectors, in KiB, a graph is built; below it an exact search is fast.
const GRAPH_FROM_KIB: usize = 40_000;

/// An open generation. Dropping it closes the engine, then lets go of the folder.
pub(super) struct Shard {
    generation: Generation,
    engine: EdgeShard,
    /// Declared after the engine, which writes to it until it is closed.
    folder: Folder,
}

impl Shard {
    /// A new, empty generation.
    pub(super) fn create(
        folders: &Arc<Folders>,
        generation: Generation,
    ) -> Result<Self, IndexError> {
        let folder = enter(folders, &generation)?;
        let path = folder.path();
        fs::create_dir(path).map_err(|error| unavailable(path, &error))?;
        let engine = EdgeShard::new(path, config(&generation)).map_err(failed)?;
        for (field, index) in payload::INDEXED {
            let operation = FieldIndexOperations::CreateIndex(CreateIndex {
                field_name: json_path(field)?,
                field_schema: Some(PayloadFieldSchema::FieldType(schema(index))),
            });
            engine
                .update(UpdateOperation::FieldIndexOperation(operation))
                .map_err(failed)?;
        }
        engine.flush();
        Ok(Self {
            generation,
            engine,
            folder,
        })
    }

    /// A generation that was written before.
    pub(super) fn load(folders: &Arc<Folders>, generation: Generation) -> Result<Self, IndexError> {
        let folder = enter(folders, &generation)?;
        Self::open(folder, generation)
    }

    fn open(folder: Folder, generation: Generation) -> Result<Self, IndexError> {
        // Some damage makes the engine panic instead of returning an error.
        let engine = catch_unwind(AssertUnwindSafe(|| EdgeShard::load(folder.path(), None)))
            .map_err(|_| damaged(folder.root(), "the engine could not open them"))?
            .map_err(|error| damaged(folder.root(), error))?;
        let shard = Self {
            generation,
            engine,
            folder,
        };
        shard
            .check_complete()
            .map_err(|error| damaged(shard.folder.root(), error))?;
        Ok(shard)
    }

    pub(super) fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Adds points and makes them durable: the engine does not replay its log on load.
    pub(super) fn add(&self, points: Vec<PreparedPoint>) -> Result<(), IndexError> {
        let points = points.into_iter().map(edge_point).collect();
        let insert = PointInsertOperations::PointsList(points);
        let operation = PointOperations::UpsertPoints(insert);
        self.engine
            .update(UpdateOperation::PointOperation(operation))
            .map_err(failed)?;
        self.engine.flush();
        Ok(())
    }

    pub(super) fn check_complete(&self) -> Result<(), IndexError> {
        let count = CountRequest {
            filter: None,
            exact: true,
        };
        let points = self.engine.count(count).map_err(failed)?;
        prepare::check_complete(&self.generation, points)
    }

    /// Optimises, drops the log that nothing will replay, and reads the files back: what goes live
    /// is what a restart would find.
    pub(super) fn settle(self) -> Result<Self, IndexError> {
        self.engine.optimize().map_err(failed)?;
        let Self {
            generation,
            engine,
            folder,
        } = self;
        drop(engine);
        let log = folder.path().join("wal");
        fs::remove_dir_all(&log).map_err(|error| unavailable(&log, &error))?;
        Self::open(folder, generation)
    }

    pub(super) fn search(&self, search: &PreparedSearch) -> Result<Legs, IndexError> {
        if search.limit == 0 {
            return Ok(Legs::default());
        }
        let dense = search.dense.clone().map(VectorInternal::Dense);
        let bm25 = search.bm25.clone().map(VectorInternal::Sparse);
        Ok(Legs {
            dense: self.leg(DENSE, dense, search)?,
            bm25: self.leg(BM25, bm25, search)?,
            words: search.words,
        })
    }

    /// The folder goes once nobody reads it any more.
    pub(super) fn discard(&self) {
        self.folder.discard();
    }

    fn leg(
        &self,
        using: &str,
        query: Option<VectorInternal>,
        search: &PreparedSearch,
    ) -> Result<Vec<(Passage, f32)>, IndexError> {
        let Some(query) = query else {
            return Ok(Vec::new());
        };
        let nearest = QueryEnum::Nearest(NamedQuery {
            query,
            using: Some(using.to_owned()),
        });
        let request = QueryRequest {
            prefetches: Vec::new(),
            query: Some(ScoringQuery::Vector(nearest)),
            filter: filter(&search.conditions)?,
            score_threshold: None,
            limit: search.limit,
            offset: 0,
            params: None,
            with_vector: WithVector::Bool(false),
            with_payload: WithPayloadInterface::Bool(true),
        };
        let hits = self.engine.query(request).map_err(failed)?;
        payload::read_leg(
            hits.into_iter()
                .map(|hit| (hit.payload.unwrap_or_default().0, hit.score)),
        )
    }
}

fn enter(folders: &Arc<Folders>, generation: &Generation) -> Result<Folder, IndexError> {
    folders
        .enter(&generation.name)
        .ok_or_else(|| prepare::already_live(generation))
}

fn config(generation: &Generation) -> EdgeConfig {
    let words = EdgeSparseVectorParams {
        modifier: Some(Modifier::Idf),
        ..Default::default()
    };
    let optimizers = EdgeOptimizersConfig {
        default_segment_number: Some(1),
        indexing_threshold: Some(GRAPH_FROM_KIB),
        ..Default::default()
    };
    // The log is never replayed and goes at the commit: keep it small.
    let log = WalOptions {
        segment_capacity: 4 * 1024 * 1024,
        segment_queue_len: 0,
        retain_closed: NonZeroUsize::MIN,
    };
    let builder = EdgeConfigBuilder::new()
        .sparse_vector(BM25, words)
        .optimizers(optimizers)
        .wal_options(log);
    if generation.vectors {
        // Mapped either way; this one leaves the empty rest of a chunk of 32 MiB alone.
        let meaning = EdgeVectorParams::builder(generation.dimension, Distance::Cosine)
            .on_disk(true)
            .build();
        builder.vector(DENSE, meaning).build()
    } else {
        builder.build()
    }
}

fn schema(index: FieldIndex) -> PayloadSchemaType {
    match index {
        FieldIndex::Keyword => PayloadSchemaType::Keyword,
        FieldIndex::Integer => PayloadSchemaType::Integer,
        FieldIndex::Boolean => PayloadSchemaType::Bool,
    }
}

fn edge_point(point: PreparedPoint) -> PointStructPersisted {
    let dense = point
        .dense
        .map(|vector| (DENSE.to_owned(), VectorPersisted::Dense(vector)));
    let bm25 = point
        .bm25
        .map(|weights| (BM25.to_owned(), VectorPersisted::Sparse(weights)));
    PointStructPersisted {
        id: PointId::Uuid(point.id),
        vector: VectorStructPersisted::Named(dense.into_iter().chain(bm25).collect()),
        payload: Some(Payload(point.payload)),
    }
}

fn filter(conditions: &[Condition]) -> Result<Option<Filter>, IndexError> {
    if conditions.is_empty() {
        return Ok(None);
    }
    let must = conditions
        .iter()
        .map(edge_condition)
        .collect::<Result<_, _>>()?;
    Ok(Some(Filter {
        must: Some(must),
        ..Filter::default()
    }))
}

fn edge_condition(condition: &Condition) -> Result<EdgeCondition, IndexError> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the engine compares numbers as f64"
    )]
    let bound = |bound: &i64| OrderedFloat(*bound as f64);
    let field = match condition {
        Condition::AnyOf(field, values) => {
            FieldCondition::new_match(json_path(field)?, Match::from(values.clone()))
        }
        Condition::NoneOf(field, values) => {
            let any = FieldCondition::new_match(json_path(field)?, Match::from(values.clone()));
            return Ok(EdgeCondition::Filter(Filter {
                must_not: Some(vec![EdgeCondition::Field(any)]),
                ..Filter::default()
            }));
        }
        Condition::Between(field, min, max) => {
            let range = Range {
                lt: None,
                gt: None,
                gte: min.as_ref().map(bound),
                lte: max.as_ref().map(bound),
            };
            let within = FieldCondition::new_range(json_path(field)?, range);
            let absent = IsEmptyCondition::from(json_path(field)?);
            return Ok(EdgeCondition::Filter(Filter {
                should: Some(vec![
                    EdgeCondition::Field(within),
                    EdgeCondition::IsEmpty(absent),
                ]),
                ..Filter::default()
            }));
        }
        Condition::IsTrue(field) => FieldCondition::new_match(
            json_path(field)?,
            Match::new_value(ValueVariants::Bool(true)),
        ),
    };
    Ok(EdgeCondition::Field(field))
}

fn json_path(field: &str) -> Result<JsonPath, IndexError> {
    JsonPath::try_from(field)
        .map_err(|()| IndexError::Unusable(format!("`{field}` cannot name a payload field")))
}

fn failed(error: OperationError) -> IndexError {
    IndexError::Unusable(error.to_string())
}
