//! The integration tests, one binary.

// Clippy forgives `unwrap` in helpers of tests only below `cfg(test)`.
#[cfg(test)]
mod openai;
#[cfg(test)]
mod support;
