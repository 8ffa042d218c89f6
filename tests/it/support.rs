//! What the integration tests share: stand-ins for the services outside, as real HTTP servers.

pub mod data;
pub mod graph;
pub mod listener;
pub mod stripe;
