//! Media: what the customer sent waits to be fetched in two steps, what the server uploads is kept.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::graph::{Graph, fault, refused};

/// A file with its type.
#[derive(Debug, Clone)]
pub(super) struct Medium {
    pub(super) bytes: Bytes,
    pub(super) kind: String,
}

impl Medium {
    /// Base64, as Meta writes it.
    pub(super) fn digest(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&self.bytes))
    }
}

/// First step: the address. Asked for the number itself, what is known of it.
pub(super) async fn describe(
    State(graph): State<Graph>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&graph, &headers) {
        return refusal;
    }
    if id == graph.account().number {
        return Json(json!({
            "id": id,
            "display_phone_number": "15550783881",
            "verified_name": "Stand-in",
            "quality_rating": "GREEN",
        }))
        .into_response();
    }
    let Some(medium) = graph.medium(&id) else {
        return fault(100);
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    Json(json!({
        "messaging_product": "whatsapp",
        "id": id,
        "url": format!("http://{host}/media/{id}"),
        "mime_type": medium.kind,
        "sha256": hex::encode(Sha256::digest(&medium.bytes)),
        "file_size": medium.bytes.len(),
    }))
    .into_response()
}

/// Second step: the bytes, with the token.
pub(super) async fn fetch(
    State(graph): State<Graph>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&graph, &headers) {
        return refusal;
    }
    match graph.medium(&id) {
        Some(medium) => ([(header::CONTENT_TYPE, medium.kind)], medium.bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// An upload: a form with `messaging_product`, `type` and `file`.
pub(super) async fn upload(
    State(graph): State<Graph>,
    Path((_, number)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = refused(&graph, &headers) {
        return refusal;
    }
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let uploaded = kind.and_then(|kind| file_of(kind, &body));
    match uploaded {
        Some(medium) if number == graph.account().number => {
            let id = graph.keep(medium);
            Json::<Value>(json!({ "id": id })).into_response()
        }
        _ => {
            graph.note_fault("an upload without a file");
            fault(100)
        }
    }
}

/// The part with the name `file` of a `multipart/form-data` body.
fn file_of(kind: &str, body: &Bytes) -> Option<Medium> {
    let boundary = kind
        .split("boundary=")
        .nth(1)?
        .split(';')
        .next()?
        .trim_matches('"');
    let limit = format!("--{boundary}");
    let mut starts = occurrences(body, limit.as_bytes());
    let mut start = starts.next()?;
    for next in starts {
        let part = body.slice(start + limit.len()..next);
        start = next;
        let Some(end) = occurrences(&part, b"\r\n\r\n").next() else {
            continue;
        };
        let head = String::from_utf8_lossy(&part[..end]).into_owned();
        if !head.contains("name=\"file\"") {
            continue;
        }
        let kind = head
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-type")
                    .then(|| value.trim().to_owned())
            })
            .unwrap_or_else(|| "application/octet-stream".to_owned());
        // The line end before the next boundary belongs to the boundary.
        let bytes = part.slice(end + 4..part.len().saturating_sub(2).max(end + 4));
        return Some(Medium { bytes, kind });
    }
    None
}

fn occurrences<'a>(body: &'a [u8], text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    body.windows(text.len().max(1))
        .enumerate()
        .filter(move |(_, window)| *window == text)
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_form_is_found() {
        let body = Bytes::from_static(
            b"--b\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nimage/png\r\n--b\r\n\
              Content-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\
              Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\nrest\r\n--b--\r\n",
        );
        let medium = file_of("multipart/form-data; boundary=b", &body).unwrap();
        assert_eq!(medium.kind, "image/png");
        assert_eq!(&medium.bytes[..], b"\x89PNG\r\n\r\nrest");
        assert!(file_of("text/plain", &body).is_none());
    }
}
