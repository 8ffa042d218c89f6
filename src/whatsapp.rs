//! WhatsApp Cloud API: the only module that knows Meta's JSON.
//!
//! In: [`signature::verify`] on the raw bytes, then [`webhook::parse`], sorted by [`intake::Sorter`]. Out:
//! [`render::body`] makes the message out of what [`message`] offers, [`GraphMessenger`] sends it and says what became
//! of it.

pub mod door;
pub mod graph;
pub mod intake;
pub mod media;
pub mod message;
mod notices;
pub mod rates;
pub mod render;
pub mod signature;
pub mod templates;
mod upload;
pub mod webhook;

pub use graph::GraphMessenger;
