//! Integration tests, through the public front door.

#[cfg(test)]
mod config;
#[cfg(test)]
mod knowledge;
