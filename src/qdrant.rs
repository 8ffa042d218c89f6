//! The index on Qdrant: Qdrant Edge in the process, or a Qdrant server.
//!
//! Both keep the same points: a vector `dense` (cosine), a sparse vector `bm25` (inverse document
//! frequency applied by the engine) and the passage as payload. What a point and a filter mean is
//! decided once, in `prepare` and `payload`; [`EdgeIndex`] and [`RemoteIndex`] only translate it.
//! Everything here is derived from the knowledge and can be built again.

mod bm25;
mod edge;
mod payload;
mod prepare;
mod remote;

pub use edge::EdgeIndex;
pub use remote::RemoteIndex;

/// Name of the vector of meaning.
const DENSE: &str = "dense";
/// Name of the sparse vector of words.
const BM25: &str = "bm25";
