//! What the integration tests share: stand-ins for the services outside, as real servers.

pub mod data;
pub mod graph;
pub mod listener;
pub mod model;
pub mod node;
pub mod program;
pub mod python;
pub mod qdrant_server;
pub mod stand_in;
pub mod stripe;
