//! What several integration tests share.

pub mod qdrant_server;
