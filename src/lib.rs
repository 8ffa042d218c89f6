#![doc = include_str!("ARCHITECTURE.md")]

pub mod clock;
pub mod config;
pub mod domain;
pub mod events;
pub mod mcp;
pub mod ports;
pub mod store;
pub mod tools;
