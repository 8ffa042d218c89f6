//! Integration tests, through the public front door.

#[cfg(test)]
mod mcp;
