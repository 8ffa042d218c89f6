//! The integration tests, in one binary.

#[cfg(test)]
mod qdrant;
#[cfg(test)]
mod support;
