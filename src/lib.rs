#![doc = include_str!("ARCHITECTURE.md")]

pub mod config;
pub mod domain;
pub mod knowledge;
pub mod ports;
pub mod tools;
