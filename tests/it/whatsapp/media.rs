//! Files through the Graph API's two steps, and voice notes to words, against real servers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sportello::config;
use sportello::domain::MediaKind;
use sportello::openai::{Transcriber, TranscriptionError};
use sportello::store::MediaJob;
use sportello::whatsapp::media::{GraphMedia, MediaError};

use crate::support::graph::{NUMBER, TOKEN};
use crate::support::listener::{Reset, serve};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nbytes of a picture";

/// What the server has: by the id of a file its bytes, and what is wrong with it.
#[derive(Default)]
struct Files {
    url: Mutex<String>,
    answers: Mutex<VecDeque<u16>>,
    heard: Mutex<Vec<(String, Vec<u8>)>>,
}

async fn start() -> (Arc<Files>, config::Whatsapp) {
    let files = Arc::new(Files::default());
    let router = Router::new()
        .route("/v26.0/{id}", get(address))
        .route("/bytes/{id}", get(bytes))
        .route("/v1/audio/transcriptions", post(transcribe))
        .with_state(Arc::clone(&files));
    let (address, _task) = serve(router, Reset::default()).await;
    *files.url.lock().unwrap() = format!("http://{address}");
    let config = config::Whatsapp {
        access_token: Some(TOKEN.into()),
        graph_url: format!("http://{address}/v26.0"),
        ..config::Whatsapp::default()
    };
    (files, config)
}

fn allowed(headers: &HeaderMap) -> bool {
    headers
        .get("authorization")
        .is_some_and(|value| value == &format!("Bearer {TOKEN}"))
}

async fn address(
    State(files): State<Arc<Files>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !allowed(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let url = files.url.lock().unwrap().clone();
    let (url, size) = match id.as_str() {
        "gone" => return StatusCode::NOT_FOUND.into_response(),
        "busy" => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "elsewhere" => ("https://evil.example/x".to_owned(), 5),
        "huge" => (format!("{url}/bytes/huge"), 6 << 20),
        other => (format!("{url}/bytes/{other}"), 5),
    };
    axum::Json(json!({ "url": url, "file_size": size, "id": id })).into_response()
}

async fn bytes(Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !allowed(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match id.as_str() {
        "expired" => StatusCode::NOT_FOUND.into_response(),
        "page" => "<html><script>".into_response(),
        // Larger than it says.
        "liar" => vec![b'x'; (5 << 20) + 1].into_response(),
        _ => PNG.into_response(),
    }
}

async fn transcribe(State(files): State<Arc<Files>>, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    files.heard.lock().unwrap().push((kind, body.to_vec()));
    let status = files.answers.lock().unwrap().pop_front().unwrap_or(200);
    if status != 200 {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    axum::Json(json!({ "text": " A che ora aprite? " })).into_response()
}

fn job(id: &str, kind: MediaKind, sha256: Option<String>) -> MediaJob {
    MediaJob {
        message: "in_1".to_owned(),
        number: NUMBER.to_owned(),
        external_id: id.to_owned(),
        kind,
        sha256,
        attempts: 1,
    }
}

#[tokio::test]
async fn a_file_is_fetched_in_two_steps_and_checked() {
    let (_files, config) = start().await;
    let source = GraphMedia::new(&config).unwrap();
    let digest = Sha256::digest(PNG);
    let told = Some(STANDARD.encode(digest));
    let fetched = source
        .fetch(&job("1", MediaKind::Image, told))
        .await
        .unwrap();
    assert_eq!(
        (fetched.bytes.as_slice(), fetched.mime_type),
        (PNG, "image/png")
    );
    assert_eq!(fetched.hash, hex::encode(digest));

    let other = Some(STANDARD.encode(Sha256::digest(b"other bytes")));
    let cases = [
        ("2", MediaKind::Image, other, "retry"),
        ("gone", MediaKind::Image, None, "final"),
        ("busy", MediaKind::Image, None, "retry"),
        ("elsewhere", MediaKind::Image, None, "final"),
        ("huge", MediaKind::Image, None, "final"),
        ("liar", MediaKind::Image, None, "final"),
        ("expired", MediaKind::Image, None, "retry"),
        ("page", MediaKind::Image, None, "final"),
        ("3", MediaKind::Voice, None, "final"),
    ];
    for (id, kind, sha256, expected) in cases {
        let ended = match source.fetch(&job(id, kind, sha256)).await {
            Ok(_) => "fetched",
            Err(MediaError::Retry(_)) => "retry",
            Err(MediaError::Final(_)) => "final",
        };
        assert_eq!(ended, expected, "{id}");
    }
    let page = source.fetch(&job("page", MediaKind::Document, None)).await;
    assert_eq!(
        page.unwrap().mime_type,
        "text/plain",
        "a document may be anything"
    );
    let stranger = config::Whatsapp {
        access_token: Some("another".into()),
        ..config
    };
    let job = job("1", MediaKind::Image, None);
    let refused = GraphMedia::new(&stranger).unwrap().fetch(&job).await;
    assert!(
        matches!(refused, Err(MediaError::Retry(_))),
        "a token can be mended"
    );
}

#[tokio::test]
async fn a_voice_note_is_written_down_within_its_tries_and_size() {
    let (files, _) = start().await;
    let url = files.url.lock().unwrap().clone();
    let config = config::Transcription {
        base_url: Some(format!("{url}/v1")),
        api_key: Some("key".into()),
        tries: 2,
        ..config::Transcription::default()
    };
    let transcriber = Transcriber::new(&config).unwrap();
    files.answers.lock().unwrap().push_back(503);
    let words = transcriber
        .transcribe(b"OggS\x00\xff", "audio/ogg")
        .await
        .unwrap();
    assert_eq!(words, "A che ora aprite?");
    let heard = files.heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 2, "tried again");
    let (kind, form) = &heard[1];
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let form = String::from_utf8_lossy(form);
    assert_eq!(form.matches(&format!("--{boundary}\r\n")).count(), 3);
    assert!(form.ends_with(&format!("\r\n--{boundary}--\r\n")));
    assert!(form.contains("name=\"model\"\r\n\r\nwhisper-1\r\n"));
    assert!(form.contains("filename=\"voice.ogg\"\r\ncontent-type: audio/ogg\r\n\r\nOggS"));

    files.answers.lock().unwrap().extend([500, 500]);
    let away = transcriber.transcribe(b"OggS", "audio/ogg").await;
    assert!(
        matches!(away, Err(TranscriptionError::Unavailable(_))),
        "{away:?}"
    );
    files.answers.lock().unwrap().push_back(400);
    let refused = transcriber.transcribe(b"OggS", "audio/ogg").await;
    assert!(
        matches!(refused, Err(TranscriptionError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(
        files.heard.lock().unwrap().len(),
        5,
        "a refusal is not tried again"
    );
    let large = vec![0; (16 << 20) + 1];
    let refused = transcriber.transcribe(&large, "audio/ogg").await;
    assert!(
        matches!(refused, Err(TranscriptionError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(files.heard.lock().unwrap().len(), 5, "nothing was sent");
    assert!(Transcriber::new(&config::Transcription::default()).is_none());
}
