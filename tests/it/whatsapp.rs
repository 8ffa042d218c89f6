//! WhatsApp: bodies that nobody here wrote, bodies of our own, and sending against a stand-in of Graph.

mod account;
mod forms;
mod media;
mod notify;
mod receiving;
mod sending;
