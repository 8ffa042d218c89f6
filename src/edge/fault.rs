//! What a caller reads when a request is refused: a status and `{"error": what to do}`.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::store::StoreError;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: StatusCode,
    /// What was wrong and what to do, for the caller.
    pub text: Cow<'static, str>,
    /// After how many seconds to try again.
    pub retry_after: Option<u64>,
}

impl Fault {
    /// A refusal with its status.
    #[must_use]
    pub fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            text: text.into(),
            retry_after: None,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store did not answer a page");
        match error {
            StoreError::Full(_) => Self {
                retry_after: Some(30),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Nothing was stored. Try again in a moment with the same id.",
                )
            },
            StoreError::Stale
            | StoreError::Newer(_)
            | StoreError::Unusable(_)
            | StoreError::Failed(_) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something of ours failed. Try again in a moment.",
            ),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = Json(serde_json::json!({ "error": self.text }));
        let mut response = (self.status, body).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_to_pass_and_nothing_of_ours_leaks() {
        let full =
            Fault::from(StoreError::Full("disk I/O error on /srv".to_owned())).into_response();
        assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(full.headers().contains_key(header::RETRY_AFTER));
        let failed = Fault::from(StoreError::Failed("no such column: x".to_owned()));
        assert_eq!(failed.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!failed.text.contains("column"));
    }
}
