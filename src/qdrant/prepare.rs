//! What both engines are given: points and searches with everything computed and checked.

use qdrant_edge::SparseVector;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::bm25;
use super::payload::{self, Condition};
use crate::ports::{Generation, IndexError, IndexPoint, SearchRequest};

/// A point ready to be stored.
pub(super) struct PreparedPoint {
    /// Derived from the passage's id.
    pub id: Uuid,
    /// The vector of meaning.
    pub dense: Option<Vec<f32>>,
    /// The weights of its words; none when it has no words.
    pub bm25: Option<SparseVector>,
    /// The passage and what filters read.
    pub payload: Map<String, Value>,
}

/// A search ready to be run. A leg without a query stays empty.
pub(super) struct PreparedSearch {
    /// The query's vector.
    pub dense: Option<Vec<f32>>,
    /// The query's words.
    pub bm25: Option<SparseVector>,
    /// How many of the query's own words are in it.
    pub words: usize,
    /// Passages per leg.
    pub limit: usize,
    /// What passages must fulfil.
    pub conditions: Vec<Condition>,
}

/// Checks that a generation can be built under its name.
pub(super) fn check_generation(generation: &Generation) -> Result<(), IndexError> {
    let name = &generation.name;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(IndexError::Unusable(format!(
            "`{name}` cannot name a generation; use letters, digits, `-`, `_` and `.`"
        )));
    }
    if generation.vectors && generation.dimension == 0 {
        return Err(IndexError::Unusable(format!(
            "the generation `{name}` has vectors without a dimension"
        )));
    }
    Ok(())
}

/// Checks that everything a generation announced has arrived.
pub(super) fn check_complete(generation: &Generation, points: usize) -> Result<(), IndexError> {
    if points == generation.points {
        return Ok(());
    }
    Err(IndexError::Unusable(format!(
        "the generation `{}` holds {points} points and should hold {}",
        generation.name, generation.points
    )))
}

/// Makes points ready for a generation.
pub(super) fn points(
    points: &[IndexPoint],
    generation: &Generation,
) -> Result<Vec<PreparedPoint>, IndexError> {
    points
        .iter()
        .map(|point| prepare_point(point, generation))
        .collect()
}

fn prepare_point(point: &IndexPoint, generation: &Generation) -> Result<PreparedPoint, IndexError> {
    if let Some(vector) = &point.vector {
        if !generation.vectors {
            return Err(IndexError::Unusable(format!(
                "the passage `{}` has a vector, and the generation `{}` keeps none",
                point.passage.id, generation.name
            )));
        }
        check_dimension(vector, generation)?;
    }
    let weights = bm25::document(&point.words, point.passage.language)?;
    Ok(PreparedPoint {
        id: payload::point_id(&point.passage.id),
        dense: point.vector.clone(),
        bm25: Some(weights).filter(|weights| !weights.is_empty()),
        payload: payload::write(point)?,
    })
}

/// Makes a search ready for the live generation. One without vectors ignores the query's vector.
pub(super) fn search(
    request: &SearchRequest,
    generation: &Generation,
) -> Result<PreparedSearch, IndexError> {
    let dense = request.vector.clone().filter(|_| generation.vectors);
    if let Some(vector) = &dense {
        check_dimension(vector, generation)?;
    }
    let mut words = 0;
    let weights = match &request.words {
        Some((text, language)) => {
            words = bm25::query(text, *language)?.indices.len();
            let all = [std::slice::from_ref(text), &request.instead].concat();
            Some(bm25::query(&all.join("\n"), *language)?)
        }
        None => None,
    };
    Ok(PreparedSearch {
        dense,
        words,
        bm25: weights.filter(|weights| !weights.is_empty()),
        limit: request.limit,
        conditions: payload::conditions(&request.filter),
    })
}

/// Why a search is refused before the first build.
pub(super) fn not_built() -> IndexError {
    IndexError::Unavailable("it has not been built yet; run `sportello index`".to_owned())
}

/// Why points or a commit are refused without a generation that was begun.
pub(super) fn not_begun() -> IndexError {
    IndexError::Unusable("no generation was begun".to_owned())
}

/// Why a generation is refused.
pub(super) fn already_live(generation: &Generation) -> IndexError {
    IndexError::Unusable(format!(
        "the generation `{}` is live or still being read; give the new one another name",
        generation.name
    ))
}

fn check_dimension(vector: &[f32], generation: &Generation) -> Result<(), IndexError> {
    if vector.len() == generation.dimension {
        return Ok(());
    }
    Err(IndexError::Unusable(format!(
        "a vector has {} numbers and the generation `{}` was built by `{}` with {}; \
         run `sportello index` when the embedding model has changed",
        vector.len(),
        generation.name,
        generation.model,
        generation.dimension
    )))
}
