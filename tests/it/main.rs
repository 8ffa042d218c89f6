//! The integration tests: one binary, real servers, real files.

mod payments;
mod support;
mod whatsapp;
