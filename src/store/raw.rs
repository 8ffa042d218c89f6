//! Raw bodies as they were delivered. What a customer takes back is taken out of them, too.

use serde_json::Value;

use super::StoreError;
use super::dialect::Connection;
use super::rows::text;

/// Takes what is in a message, and in notices about it, out of all bodies that came since then.
pub(super) async fn forget(
    connection: &mut Connection,
    external_id: &str,
    since: i64,
) -> Result<(), StoreError> {
    // PHP, and so Meta, writes a slash in JSON with a backslash before it.
    let escaped = external_id.replace('/', "\\/");
    let rows = sqlx::query(
        "SELECT id, body FROM webhooks WHERE received_at >= $1 AND (body LIKE $2 OR body LIKE $3)",
    )
    .bind(since)
    .bind(format!("%{external_id}%"))
    .bind(format!("%{escaped}%"))
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        let Ok(mut body) = serde_json::from_str::<Value>(&text(row, "body")?) else {
            continue;
        };
        if !reduce(&mut body, external_id) {
            continue;
        }
        sqlx::query("UPDATE webhooks SET body = $1 WHERE id = $2")
            .bind(body.to_string())
            .bind(text(row, "id")?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// An object that names the message keeps what says who and when, and loses what it holds: a channel puts
/// what was said into objects of their own. True when something was lost.
fn reduce(value: &mut Value, external_id: &str) -> bool {
    match value {
        Value::Object(fields) => {
            let names = fields
                .values()
                .any(|field| field.as_str() == Some(external_id));
            if !names {
                let mut lost = false;
                for field in fields.values_mut() {
                    lost |= reduce(field, external_id);
                }
                return lost;
            }
            let before = fields.len();
            fields.retain(|_, field| !field.is_object() && !field.is_array());
            fields.len() < before
        }
        Value::Array(items) => {
            let mut lost = false;
            for item in items {
                lost |= reduce(item, external_id);
            }
            lost
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_names_the_message_loses_its_words_and_nothing_else_does() {
        let other = json!({ "id": "wamid.2", "text": { "body": "stays" } });
        let mut body = json!({ "entry": [{ "changes": [{ "value": {
            "metadata": { "phone_number_id": "1" },
            "messages": [
                { "from": "39", "id": "wamid.1", "timestamp": "5", "type": "text", "text": { "body": "secret" } },
                other,
                { "id": "wamid.3", "type": "edit", "edit": { "original_message_id": "wamid.1",
                    "message": { "type": "image", "image": { "caption": "secret" } } } },
                { "id": "wamid.1", "type": "contacts", "contacts": [{ "name": { "formatted_name": "secret" } }] },
                { "id": "wamid.4", "type": "text", "context": { "id": "wamid.1" }, "text": { "body": "an answer" } },
            ],
        } }] }] });
        assert!(reduce(&mut body, "wamid.1"));
        let kept = body.to_string();
        assert!(!kept.contains("secret"), "{kept}");
        let messages = &body["entry"][0]["changes"][0]["value"]["messages"];
        assert_eq!(messages[1], other);
        assert_eq!(
            messages[0],
            json!({ "from": "39", "id": "wamid.1", "timestamp": "5", "type": "text" })
        );
        assert_eq!(messages[4]["text"]["body"], "an answer");
        assert!(!reduce(&mut body, "wamid.1"), "once is enough");
        assert!(!reduce(&mut body, "wamid.9"));
    }
}
