//! What several integration tests use.

pub mod model;
