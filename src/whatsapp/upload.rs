//! Files of ours that Meta could not fetch: taken from their address by us, and uploaded.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::graph::ErrorClass;
use super::media::type_of;
use crate::multipart::Form;
use crate::ports::SendError;

/// Meta's code for a file that could not be uploaded.
const NOT_UPLOADED: i64 = 131_053;

/// The kinds of files in a request, with the most bytes that WhatsApp takes.
const KINDS: [(&str, usize); 3] = [
    ("image", 5 << 20),
    ("video", 16 << 20),
    ("document", 100 << 20),
];

/// A client for files of ours. Redirects are followed: an address of a shop may have moved.
///
/// # Errors
/// When it cannot be built.
pub(super) fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .build()
}

/// Uploads every file that a request names by its address, and names it by Meta's id instead. `media` is where
/// files are posted, `token` what for.
///
/// # Errors
/// [`SendError`]: nothing was sent.
pub(super) async fn upload(
    client: &Client,
    media: &Url,
    token: &str,
    request: &mut Value,
) -> Result<(), SendError> {
    for (kind, limit) in KINDS {
        for file in files(request, kind) {
            let Some(link) = file.get("link").and_then(Value::as_str) else {
                continue;
            };
            let bytes = fetch(client, link, limit).await?;
            let id = post(client, media, token, &bytes).await?;
            if let Some(file) = file.as_object_mut() {
                file.remove("link");
                file.insert("id".to_owned(), id.into());
            }
        }
    }
    Ok(())
}

/// Every object of this kind, wherever it stands.
fn files<'v>(value: &'v mut Value, kind: &str) -> Vec<&'v mut Value> {
    match value {
        Value::Object(fields) => {
            let mut found = Vec::new();
            for (name, field) in fields.iter_mut() {
                if name == kind && field.is_object() {
                    found.push(field);
                } else {
                    found.extend(files(field, kind));
                }
            }
            found
        }
        Value::Array(items) => items
            .iter_mut()
            .flat_map(|item| files(item, kind))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The words go without the file.
pub(super) fn refused(reason: String) -> SendError {
    SendError::Refused {
        class: ErrorClass::Media,
        code: NOT_UPLOADED,
        reason,
    }
}

async fn fetch(client: &Client, link: &str, limit: usize) -> Result<Vec<u8>, SendError> {
    let broken = |error: reqwest::Error| {
        refused(format!(
            "a file of ours cannot be fetched: {}",
            error.without_url()
        ))
    };
    let mut answer = client.get(link).send().await.map_err(broken)?;
    if !answer.status().is_success() {
        return Err(refused(format!(
            "the address of a file of ours answered {}",
            answer.status()
        )));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > limit {
            return Err(refused(format!(
                "a file of ours is larger than {limit} bytes"
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A message without its file was not sent, however its upload ended.
async fn post(
    client: &Client,
    media: &Url,
    token: &str,
    bytes: &[u8],
) -> Result<String, SendError> {
    let kind = type_of(bytes);
    let ending = kind.rsplit('/').next().unwrap_or("bin");
    let form = Form::new(
        &[("messaging_product", "whatsapp"), ("type", kind)],
        &format!("file.{ending}"),
        kind,
        bytes,
    );
    let sent = client
        .post(media.clone())
        .bearer_auth(token)
        .header("content-type", form.content_type)
        .body(form.body)
        .send()
        .await;
    let answer = sent.map_err(|error| {
        SendError::Retry(format!(
            "a file cannot be uploaded: {}",
            error.without_url()
        ))
    })?;
    id(answer).await
}

async fn id(answer: Response) -> Result<String, SendError> {
    let status = answer.status();
    let body = answer.json::<Value>().await.unwrap_or_default();
    if let Some(id) = body.get("id").and_then(Value::as_str)
        && status.is_success()
    {
        return Ok(id.to_owned());
    }
    let code = body.pointer("/error/code").and_then(Value::as_i64);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(SendError::Retry(format!("an upload was answered {status}")));
    }
    Err(match code.map(|code| (ErrorClass::of(code), code)) {
        // What stops the whole number stops its uploads.
        Some((class @ (ErrorClass::Account | ErrorClass::Throughput), code)) => {
            SendError::Refused {
                class,
                code,
                reason: format!("an upload was answered {status}, code {code} ({class})"),
            }
        }
        Some(_) | None => refused(format!("an upload was answered {status}")),
    })
}
