//! The wire's filters and points as the engine's.

use ::qdrant_client::Payload;
use ::qdrant_client::qdrant::condition::ConditionOneOf;
use ::qdrant_client::qdrant::r#match::MatchValue;
use ::qdrant_client::qdrant::{
    Condition, FieldType, Filter, PointStruct, point_id, vector, vectors,
};
use ::qdrant_edge as edge;
use ::qdrant_edge::external::ordered_float::OrderedFloat;

pub(super) fn filter(filter: Filter) -> edge::Filter {
    let all = |conditions: Vec<Condition>| {
        let conditions: Vec<_> = conditions.into_iter().map(condition).collect();
        Some(conditions).filter(|conditions| !conditions.is_empty())
    };
    edge::Filter {
        must: all(filter.must),
        should: all(filter.should),
        must_not: all(filter.must_not),
        ..edge::Filter::default()
    }
}

fn condition(condition: Condition) -> edge::Condition {
    let field = match condition.condition_one_of {
        Some(ConditionOneOf::Field(field)) => field,
        Some(ConditionOneOf::Filter(nested)) => return edge::Condition::Filter(filter(nested)),
        Some(ConditionOneOf::IsEmpty(empty)) => {
            let path = edge::JsonPath::try_from(empty.key.as_str()).unwrap();
            return edge::Condition::IsEmpty(edge::IsEmptyCondition::from(path));
        }
        other => panic!("unsupported condition {other:?}"),
    };
    let path = edge::JsonPath::try_from(field.key.as_str()).unwrap();
    if let Some(range) = field.range {
        let range = edge::Range {
            lt: range.lt.map(OrderedFloat),
            gt: range.gt.map(OrderedFloat),
            gte: range.gte.map(OrderedFloat),
            lte: range.lte.map(OrderedFloat),
        };
        return edge::Condition::Field(edge::FieldCondition::new_range(path, range));
    }
    let matched = match field.r#match.and_then(|matched| matched.match_value) {
        Some(MatchValue::Keywords(any)) => edge::Match::from(any.strings),
        Some(MatchValue::Boolean(value)) => edge::Match::from(value),
        other => panic!("unsupported match {other:?}"),
    };
    edge::Condition::Field(edge::FieldCondition::new_match(path, matched))
}

pub(super) fn point(point: PointStruct) -> edge::PointStructPersisted {
    let Some(point_id::PointIdOptions::Uuid(id)) = point.id.and_then(|id| id.point_id_options)
    else {
        panic!("only UUIDs are supported");
    };
    let Some(vectors::VectorsOptions::Vectors(named)) =
        point.vectors.and_then(|vectors| vectors.vectors_options)
    else {
        panic!("only named vectors are supported");
    };
    let vectors = named
        .vectors
        .into_iter()
        .map(|(name, vector)| match vector.vector {
            Some(vector::Vector::Dense(dense)) => (name, edge::VectorPersisted::Dense(dense.data)),
            Some(vector::Vector::Sparse(sparse)) => {
                let weights = edge::SparseVector {
                    indices: sparse.indices,
                    values: sparse.values,
                };
                (name, edge::VectorPersisted::Sparse(weights))
            }
            other => panic!("unsupported vector {other:?}"),
        })
        .collect();
    edge::PointStructPersisted {
        id: edge::PointId::Uuid(id.parse().unwrap()),
        vector: edge::VectorStructPersisted::Named(vectors),
        payload: Some(edge::Payload(Payload::from(point.payload).into())),
    }
}

pub(super) fn schema(index: FieldType) -> edge::PayloadSchemaType {
    if index == FieldType::Keyword {
        edge::PayloadSchemaType::Keyword
    } else if index == FieldType::Integer {
        edge::PayloadSchemaType::Integer
    } else {
        assert_eq!(index, FieldType::Bool);
        edge::PayloadSchemaType::Bool
    }
}
