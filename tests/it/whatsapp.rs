//! WhatsApp: bodies that nobody here wrote, bodies of our own, and sending against a stand-in of Graph.

mod forms;
mod media;
mod receiving;
mod sending;
