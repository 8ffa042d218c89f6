//! Our points, searches and generations as the client's types, and back.

use std::collections::HashMap;

use qdrant_client::Payload;
use qdrant_client::qdrant::{
    BatchResult, Condition as WireCondition, CreateCollection, CreateCollectionBuilder,
    CreateFieldIndexCollection, CreateFieldIndexCollectionBuilder, Distance, FieldType, Filter,
    Modifier, PointStruct, Query, QueryPoints, QueryPointsBuilder, Range,
    SparseVectorParamsBuilder, SparseVectorsConfigBuilder, Vector, VectorInput,
    VectorParamsBuilder, VectorsConfigBuilder,
};
use serde::{Deserialize, Serialize};

use super::super::payload::{self, Condition, FieldIndex};
use super::super::prepare::{PreparedPoint, PreparedSearch};
use super::super::{BM25, DENSE};
use super::Metadata;
use crate::ports::{Generation, IndexError, Legs};

/// The key of our metadata in a collection.
const METADATA: &str = "sportello";

/// Which of the legs a query belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    Dense,
    Bm25,
}

#[derive(Serialize, Deserialize)]
struct StoredGeneration {
    alias: String,
    generation: Generation,
}

/// The request that creates a generation's collection.
pub(super) fn create(
    collection: &str,
    alias: &str,
    generation: &Generation,
) -> Result<CreateCollection, IndexError> {
    let mut words = SparseVectorsConfigBuilder::default();
    words.add_named_vector_params(
        BM25,
        SparseVectorParamsBuilder::default().modifier(Modifier::Idf),
    );
    let mut request = CreateCollectionBuilder::new(collection)
        .sparse_vectors_config(words)
        .metadata(write_metadata(alias, generation)?);
    if generation.vectors {
        let size = u64::try_from(generation.dimension).unwrap_or(u64::MAX);
        let mut meaning = VectorsConfigBuilder::default();
        meaning.add_named_vector_params(DENSE, VectorParamsBuilder::new(size, Distance::Cosine));
        request = request.vectors_config(meaning);
    }
    Ok(request.build())
}

/// The requests that create its payload indexes.
pub(super) fn field_indexes(collection: &str) -> Vec<CreateFieldIndexCollection> {
    payload::INDEXED
        .into_iter()
        .map(|(field, index)| {
            let kind = match index {
                FieldIndex::Keyword => FieldType::Keyword,
                FieldIndex::Integer => FieldType::Integer,
                FieldIndex::Boolean => FieldType::Bool,
            };
            CreateFieldIndexCollectionBuilder::new(collection, field, kind)
                .wait(true)
                .build()
        })
        .collect()
}

/// A generation as metadata of its collection.
fn write_metadata(
    alias: &str,
    generation: &Generation,
) -> Result<HashMap<String, serde_json::Value>, IndexError> {
    let stored = StoredGeneration {
        alias: alias.to_owned(),
        generation: generation.clone(),
    };
    let value = serde_json::to_value(stored).map_err(|error| {
        IndexError::Unusable(format!("a generation cannot be written: {error}"))
    })?;
    Ok(HashMap::from([(METADATA.to_owned(), value)]))
}

/// The alias and the generation in a collection's metadata; none when they are not ours.
pub(super) fn read_metadata(mut metadata: Metadata) -> Option<(String, Generation)> {
    let value = serde_json::Value::from(metadata.remove(METADATA)?);
    let stored: StoredGeneration = serde_json::from_value(value).ok()?;
    Some((stored.alias, stored.generation))
}

/// A point.
pub(super) fn point(point: PreparedPoint) -> PointStruct {
    let dense = point
        .dense
        .map(|vector| (DENSE.to_owned(), Vector::new_dense(vector)));
    let bm25 = point.bm25.map(|weights| {
        (
            BM25.to_owned(),
            Vector::new_sparse(weights.indices, weights.values),
        )
    });
    let vectors: HashMap<String, Vector> = dense.into_iter().chain(bm25).collect();
    PointStruct::new(point.id.to_string(), vectors, Payload::from(point.payload))
}

/// The queries of a search, with the leg that each fills.
pub(super) fn queries(alias: &str, search: &PreparedSearch) -> Vec<(Leg, QueryPoints)> {
    if search.limit == 0 {
        return Vec::new();
    }
    let dense = search.dense.clone().map(VectorInput::new_dense);
    let bm25 = search
        .bm25
        .clone()
        .map(|weights| VectorInput::new_sparse(weights.indices, weights.values));
    let legs = [(Leg::Dense, DENSE, dense), (Leg::Bm25, BM25, bm25)];
    let limit = u64::try_from(search.limit).unwrap_or(u64::MAX);
    legs.into_iter()
        .filter_map(|(leg, using, input)| {
            let mut query = QueryPointsBuilder::new(alias)
                .query(Query::new_nearest(input?))
                .using(using)
                .limit(limit)
                .with_payload(true);
            if !search.conditions.is_empty() {
                query = query.filter(Filter::must(search.conditions.iter().map(condition)));
            }
            Some((leg, query.build()))
        })
        .collect()
}

/// What each leg found.
pub(super) fn read_legs(legs: &[Leg], results: Vec<BatchResult>) -> Result<Legs, IndexError> {
    if legs.len() != results.len() {
        return Err(IndexError::Unusable(format!(
            "the server answered {} of {} queries",
            results.len(),
            legs.len()
        )));
    }
    let mut found = Legs::default();
    for (leg, result) in legs.iter().zip(results) {
        let hits = result
            .result
            .into_iter()
            .map(|hit| (serde_json::Map::from(Payload::from(hit.payload)), hit.score));
        let passages = payload::read_leg(hits)?;
        match leg {
            Leg::Dense => found.dense = passages,
            Leg::Bm25 => found.bm25 = passages,
        }
    }
    Ok(found)
}

fn condition(condition: &Condition) -> WireCondition {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the server compares numbers as f64"
    )]
    let bound = |bound: i64| bound as f64;
    match condition {
        Condition::AnyOf(field, values) => WireCondition::matches(*field, values.clone()),
        Condition::Between(field, min, max) => {
            let range = Range {
                lt: None,
                gt: None,
                gte: min.map(bound),
                lte: max.map(bound),
            };
            let within = WireCondition::range(*field, range);
            Filter::should([within, WireCondition::is_empty(*field)]).into()
        }
        Condition::NoneOf(field, values) => {
            Filter::must_not([WireCondition::matches(*field, values.clone())]).into()
        }
        Condition::IsTrue(field) => WireCondition::matches(*field, true),
    }
}

#[cfg(test)]
mod tests {
    use qdrant_client::qdrant::Value;

    use super::*;

    #[test]
    fn a_generation_survives_as_metadata() {
        let generation = Generation {
            name: "g1".to_owned(),
            model: "use-m3".to_owned(),
            dimension: 512,
            content: "abc".to_owned(),
            vectors: true,
            points: 40,
            documents: 8,
            languages: [(crate::domain::Language::IT, 8)].into(),
        };
        let written = write_metadata("shop", &generation).unwrap();
        let metadata = written
            .into_iter()
            .map(|(key, value)| (key, Value::from(value)))
            .collect();
        assert_eq!(
            read_metadata(metadata),
            Some(("shop".to_owned(), generation))
        );
        assert_eq!(read_metadata(HashMap::new()), None);
    }

    #[test]
    fn a_missing_answer_is_a_fault() {
        let error = read_legs(&[Leg::Dense, Leg::Bm25], vec![BatchResult::default()]).unwrap_err();
        assert!(matches!(error, IndexError::Unusable(_)), "{error}");
    }
}
