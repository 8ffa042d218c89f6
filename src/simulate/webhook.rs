//! Webhooks as Meta makes and signs them.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Account, errors};

/// Within this time a server has to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The `X-Hub-Signature-256` header of a body: `sha256=` and 64 hexadecimal digits.
#[must_use]
pub fn sign(secret: &str, body: &[u8]) -> String {
    // A key of any length is one.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    format!(
        "sha256={}",
        hex::encode(mac.chain_update(body).finalize().into_bytes())
    )
}

/// Posts a body, signed; the server's status.
///
/// # Errors
/// When the server does not answer within ten seconds.
pub async fn post(
    client: &reqwest::Client,
    door: &str,
    secret: &str,
    body: &Value,
) -> Result<u16, reqwest::Error> {
    let bytes = body.to_string();
    let answer = client
        .post(door)
        .header("content-type", "application/json")
        .header("x-hub-signature-256", sign(secret, bytes.as_bytes()))
        .body(bytes)
        .timeout(TIMEOUT)
        .send()
        .await?;
    Ok(answer.status().as_u16())
}

/// A webhook of the field `messages` for a number.
#[must_use]
pub fn messages(account: &Account, mut value: Value) -> Value {
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({
        "display_phone_number": "15550783881",
        "phone_number_id": account.number,
    });
    envelope(account, "messages", value)
}

/// A webhook of any field.
#[must_use]
pub fn envelope(account: &Account, field: &str, value: Value) -> Value {
    json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": account.business, "changes": [{ "field": field, "value": value }] }],
    })
}

/// The status of a message that was sent. `sent` carries the price, `failed` the error with this code.
#[must_use]
pub fn status(
    account: &Account,
    sent: &Value,
    wamid: &str,
    status: &str,
    code: Option<i64>,
    at: i64,
) -> Value {
    let mut item = json!({ "id": wamid, "status": status, "timestamp": at.to_string() });
    if let Some(to) = sent["to"].as_str() {
        item["recipient_id"] = json!(to.trim_start_matches('+'));
    } else {
        item["recipient_user_id"] = sent["recipient"].clone();
    }
    if !sent["biz_opaque_callback_data"].is_null() {
        item["biz_opaque_callback_data"] = sent["biz_opaque_callback_data"].clone();
    }
    if status == "sent" {
        item["pricing"] = json!({
            "billable": true,
            "pricing_model": "PMP",
            "type": "regular",
            "category": if sent["type"] == "template" { "utility" } else { "service" },
        });
    }
    if let Some(code) = code {
        item["errors"] = json!([errors::in_status(code)]);
    }
    messages(account, json!({ "statuses": [item] }))
}
