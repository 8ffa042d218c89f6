//! The integration tests: one binary, real servers, real files.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod cassette;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod config;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod counter;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod e5;
#[cfg(test)]
mod encoder;
#[cfg(test)]
mod evaluation;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod interchange;
#[cfg(test)]
mod knowledge;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod model_path;
#[cfg(test)]
mod openai;
#[cfg(test)]
mod payments;
#[cfg(test)]
mod qdrant;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod rerank;
#[cfg(test)]
mod search;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod store;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod support;
#[cfg(test)]
mod understand;
#[cfg(test)]
mod understand_odd;
#[cfg(test)]
mod variants;
#[cfg(test)]
mod web;
#[cfg(test)]
mod whatsapp;
#[cfg(test)]
mod whole;
#[cfg(test)]
mod worker;
