//! Message templates: listed page by page, created, and approved by a webhook.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::graph::{Graph, fault, refused};
use super::webhook;

/// Meta's own page size.
const PAGE: usize = 25;

pub(super) async fn list(
    State(graph): State<Graph>,
    Path((version, account)): Path<(String, String)>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refused(&graph, &headers) {
        return refusal;
    }
    if account != graph.account().business {
        return fault(100);
    }
    let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
    let (from, limit) = (
        number("after").unwrap_or(0),
        number("limit").unwrap_or(PAGE).max(1),
    );
    let templates = graph.templates();
    let data: Vec<&Value> = templates.iter().skip(from).take(limit).collect();
    let end = from + data.len();
    let mut page = json!({
        "data": data,
        "paging": { "cursors": { "before": from.to_string(), "after": end.to_string() } },
    });
    if end < templates.len() {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        page["paging"]["next"] = json!(format!(
            "http://{}/{version}/{account}/message_templates?limit={limit}&after={end}",
            host.unwrap_or_default()
        ));
    }
    Json(page).into_response()
}

pub(super) async fn create(
    State(graph): State<Graph>,
    Path((_, account)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if let Some(refusal) = refused(&graph, &headers) {
        return refusal;
    }
    let mut template = serde_json::from_str::<Value>(&body).unwrap_or_default();
    let whole = template["name"].as_str().is_some_and(is_name)
        && template["language"].is_string()
        && matches!(
            template["category"].as_str(),
            Some("UTILITY" | "MARKETING" | "AUTHENTICATION")
        )
        && template["components"]
            .as_array()
            .is_some_and(|parts| !parts.is_empty());
    if !whole || account != graph.account().business {
        graph.note_fault("a template that Meta does not take");
        return fault(100);
    }
    let id = graph.next_id();
    template["id"] = json!(id.to_string());
    template["status"] = json!("PENDING");
    let answer = json!({
        "id": template["id"],
        "status": template["status"],
        "category": template["category"],
    });
    let approved = webhook::envelope(
        graph.account(),
        "message_template_status_update",
        json!({
            "event": "APPROVED",
            "message_template_id": id,
            "message_template_name": template["name"],
            "message_template_language": template["language"],
            "reason": "NONE",
        }),
    );
    graph.add_template(template);
    graph.post_soon(approved);
    Json(answer).into_response()
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}
