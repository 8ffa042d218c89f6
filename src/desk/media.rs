//! The files of customers, for those who are logged in.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::Desk;
use crate::edge::Fault;

/// Read and sent at once.
const CHUNK: usize = 64 * 1024;

/// What a browser may show by itself; everything else is only offered for download.
const SHOWN: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "image/gif"];

/// The file of a message, under the type that its bytes have.
pub async fn open(
    Shared(desk): Shared<Arc<Desk>>,
    Path(message): Path<String>,
) -> Result<Response, Fault> {
    let found = desk.state.store.media_of(&message).await?;
    let found = found.filter(|found| found.file.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let Some(found) = found else {
        return Err(missing());
    };
    let file = read(desk.state.media.join(&found.file)).await?;
    let played = found.mime_type.starts_with("audio/") || found.mime_type.starts_with("video/");
    let shown = played || SHOWN.contains(&found.mime_type.as_str());
    let disposition = if shown { "inline" } else { "attachment" };
    let mut response = file.into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(&found.mime_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(found.size));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static(disposition),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    Ok(response)
}

async fn read(path: PathBuf) -> Result<Body, Fault> {
    let file = File::open(path).await.map_err(|error| {
        tracing::error!(%error, "a file of a message is not where it was laid down");
        missing()
    })?;
    let stream = futures::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        let more = (read > 0).then(|| (Bytes::from(chunk), file));
        Ok::<_, std::io::Error>(more)
    });
    Ok(Body::from_stream(stream))
}

fn missing() -> Fault {
    Fault::new(
        StatusCode::NOT_FOUND,
        "There is no such file. It may still be on its way, or its message was taken back.",
    )
}
