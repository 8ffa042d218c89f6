//! The integration tests: one binary, real servers, real files.

#[cfg(test)]
mod payments;
#[cfg(test)]
mod support;
#[cfg(test)]
mod whatsapp;
