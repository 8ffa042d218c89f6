#![doc = include_str!("ARCHITECTURE.md")]

pub mod clock;
pub mod config;
pub mod desk;
pub mod domain;
pub mod edge;
pub mod events;
pub mod ports;
pub mod store;
pub mod tools;
pub mod web;
