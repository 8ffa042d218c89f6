//! A door that knows nobody; the fuzz target uses it, too.

use std::sync::Arc;

use async_trait::async_trait;
use sportello::config::Limits;
use sportello::mcp::{
    Access, AccessError, AskedCode, Assistant, Callers, Change, Customer, ShownCode,
};

/// A door that knows nobody.
pub fn nobody() -> Callers {
    Callers {
        access: Arc::new(Nobody),
        limits: Limits::default(),
    }
}

struct Nobody;

#[async_trait]
impl Access for Nobody {
    async fn assistant(&self, _: &str) -> Result<Option<Assistant>, AccessError> {
        Ok(None)
    }
    fn sends_codes(&self) -> bool {
        false
    }
    async fn send_code(&self, _: AskedCode) -> Result<bool, AccessError> {
        Ok(false)
    }
    async fn exchange(&self, _: ShownCode) -> Result<bool, AccessError> {
        Ok(false)
    }
    async fn customer(&self, _: &str) -> Result<Option<Customer>, AccessError> {
        Ok(None)
    }
    async fn keep_question(&self, _: String, _: i64) -> Result<(), AccessError> {
        Ok(())
    }
    async fn take_question(&self, _: String) -> Result<bool, AccessError> {
        Ok(false)
    }
    async fn note(&self, _: Change) -> Result<(), AccessError> {
        Ok(())
    }
}
