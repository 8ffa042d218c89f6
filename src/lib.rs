#![doc = include_str!("ARCHITECTURE.md")]

pub mod config;
pub mod domain;
pub mod ports;
pub mod tools;
pub mod understand;
