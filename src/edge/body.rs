//! A JSON body, with an error that says what to mend.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::Fault;

/// A parsed JSON body. Refusals: 400 when it is not JSON, 422 when a field is wrong, 413 when it is too long.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                let status = rejection.status();
                if status == StatusCode::PAYLOAD_TOO_LARGE {
                    Fault::new(status, "The body is too long. Send at most 64 KiB.")
                } else {
                    Fault::new(status, "The body could not be read. Send it again.")
                }
            })?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| match error.classify() {
                Category::Data => Fault::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    format!("A field is missing or wrong: {error}. Mend it and send again."),
                ),
                Category::Syntax | Category::Eof | Category::Io => Fault::new(
                    StatusCode::BAD_REQUEST,
                    format!("The body is not JSON: {error}. Send a JSON object."),
                ),
            })
    }
}
