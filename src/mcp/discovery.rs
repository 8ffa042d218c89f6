//! The documents that lead machines to the shop: WebMCP manifest, server card, AI catalog, llms.txt.

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use rmcp::model::ProtocolVersion;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Host;

use super::Identity;
use crate::tools::{Caller, Registry, ToolSpec};

/// Schema that a server card names (SEP-2127).
const CARD_SCHEMA: &str =
    "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json";
/// Characters of a server card's description (SEP-2127).
const CARD_DESCRIPTION: usize = 100;
pub(super) const AN_HOUR: &str = "public, max-age=3600";
/// The page registers its tools from this document, so it must never be an old one.
const ALWAYS_ASK: &str = "public, no-cache";

/// Serves `/.well-known/webmcp.json`, `/mcp/server-card`, `/.well-known/ai-catalog.json` and `/llms.txt`
/// to any origin, with entity tags.
pub fn router(registry: &Registry, identity: &Identity) -> Router {
    let manifest = webmcp_manifest(registry, identity).to_string();
    let card = server_card(identity).to_string();
    let catalog = ai_catalog(identity).to_string();
    Router::new()
        .route(
            "/.well-known/webmcp.json",
            document(manifest, "application/json", ALWAYS_ASK),
        )
        .route(
            "/mcp/server-card",
            document(card, "application/mcp-server-card+json", AN_HOUR),
        )
        .route(
            "/.well-known/ai-catalog.json",
            document(catalog, "application/ai-catalog+json", AN_HOUR),
        )
        .route(
            "/llms.txt",
            document(
                llms_txt(registry, identity),
                "text/plain; charset=utf-8",
                AN_HOUR,
            ),
        )
}

/// The tools that the page registers with `document.modelContext`. They are called in the visitor's session, and the
/// visitor is asked before one that is not read-only, so there are more than an anonymous MCP client has.
#[must_use]
pub fn webmcp_manifest(registry: &Registry, identity: &Identity) -> Value {
    let tools: Vec<Value> = registry.specs(Caller::Page).map(manifest_tool).collect();
    json!({
        "name": identity.name,
        "description": identity.summary(),
        "version": env!("CARGO_PKG_VERSION"),
        "homepage": identity.address("/"),
        "tools": tools,
        "mcp": {
            "url": identity.address("/mcp"),
            "transport": "streamable-http",
            "serverCard": identity.address("/mcp/server-card"),
        },
    })
}

fn manifest_tool(spec: &ToolSpec) -> Value {
    json!({
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "inputSchema": spec.input_schema,
        "annotations": spec.annotations,
    })
}

/// What an MCP client reads before it connects (SEP-2127).
#[must_use]
pub fn server_card(identity: &Identity) -> Value {
    let versions: Vec<&str> = ProtocolVersion::KNOWN_VERSIONS
        .iter()
        .map(ProtocolVersion::as_str)
        .collect();
    json!({
        "$schema": CARD_SCHEMA,
        "name": format!("{}/sportello", reversed_host(identity)),
        "version": env!("CARGO_PKG_VERSION"),
        "title": identity.name,
        "description": shortened(&identity.summary(), CARD_DESCRIPTION),
        "websiteUrl": identity.address("/"),
        "remotes": [{
            "type": "streamable-http",
            "url": identity.address("/mcp"),
            "supportedProtocolVersions": versions,
        }],
    })
}

/// What a crawler for AI resources reads.
#[must_use]
pub fn ai_catalog(identity: &Identity) -> Value {
    json!({
        "specVersion": "1.0",
        "entries": [{
            "identifier": format!("urn:air:{}:mcp:sportello", host(identity)),
            "displayName": identity.name,
            "description": identity.summary(),
            "type": "application/mcp-server-card+json",
            "url": identity.address("/mcp/server-card"),
            "representativeQueries": [
                format!("What does {} sell, and what is in stock?", identity.name),
                "How much does a product cost, and which one fits my budget?",
                format!("How can I return something to {}?", identity.name),
            ],
        }],
    })
}

/// A plain page for language models.
#[must_use]
pub fn llms_txt(registry: &Registry, identity: &Identity) -> String {
    let mut text = format!("# {}\n", identity.name);
    if !identity.about.is_empty() {
        text.push_str(&format!("\n> {}\n", identity.about));
    }
    text.push_str("\nThe tools of the MCP endpoint, for everyone:\n\n");
    for spec in registry.specs(Caller::Anonymous) {
        let line = spec.description.lines().next().unwrap_or_default();
        text.push_str(&format!("- {} (`{}`): {line}\n", spec.title, spec.name));
    }
    text.push_str(&format!(
        "\n## For people\n\n- [Chat with the shop]({})\n",
        identity.address("/")
    ));
    text.push_str(&format!(
        "\n## For machines\n\n- [MCP endpoint]({}): Streamable HTTP\n- [MCP server card]({})\n\
         - [WebMCP manifest]({}): the tools of the shop's page\n- [AI catalog]({})\n",
        identity.address("/mcp"),
        identity.address("/mcp/server-card"),
        identity.address("/.well-known/webmcp.json"),
        identity.address("/.well-known/ai-catalog.json"),
    ));
    text
}

/// A document that does not change while the program runs. Its tag is weak, because it also goes out compressed.
pub(super) fn document(
    text: String,
    media_type: &'static str,
    cache: &'static str,
) -> MethodRouter {
    let tag = format!(
        "W/\"{}\"",
        hex::encode(&Sha256::digest(text.as_bytes())[..16])
    );
    let body = Bytes::from(text);
    get(async move |headers: HeaderMap| {
        let shared = [
            (ETAG, tag.as_str()),
            (CACHE_CONTROL, cache),
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (ACCESS_CONTROL_EXPOSE_HEADERS, "ETag"),
        ];
        if holds(&headers, &tag) {
            (StatusCode::NOT_MODIFIED, shared).into_response()
        } else {
            (shared, [(CONTENT_TYPE, media_type)], body.clone()).into_response()
        }
    })
    .options(preflight)
}

/// Clients send the protocol's own headers, for which a browser asks first.
async fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Whether the client's copy is this one (RFC 9110, section 13.1.2, weak comparison).
fn holds(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|entry| entry.trim())
        .any(|entry| entry == "*" || opaque(entry) == opaque(tag))
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The host as a name or IPv4 address; an IPv6 address has colons that no identifier bears.
fn host(identity: &Identity) -> String {
    match identity.public_url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(_)) | None => "localhost".to_owned(),
    }
}

fn reversed_host(identity: &Identity) -> String {
    match identity.public_url.host() {
        Some(Host::Domain(name)) => name.rsplit('.').collect::<Vec<_>>().join("."),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => host(identity),
    }
}

fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(url: &str) -> Identity {
        Identity {
            name: "Bottega Moka".to_owned(),
            about: "coffee machines, grinders, coffee and accessories".to_owned(),
            public_url: url.parse().unwrap(),
        }
    }

    #[test]
    fn names_follow_the_host() {
        let name = |url| {
            server_card(&identity(url))["name"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            name("https://chat.shop.example/"),
            "example.shop.chat/sportello"
        );
        assert_eq!(name("http://127.0.0.1:8080"), "127.0.0.1/sportello");
        assert_eq!(name("http://[::1]:8080"), "localhost/sportello");
        let catalog = ai_catalog(&identity("https://shop.example"));
        assert_eq!(
            catalog["entries"][0]["identifier"],
            "urn:air:shop.example:mcp:sportello"
        );
    }

    #[test]
    fn addresses_keep_the_path_of_the_public_url() {
        let card = server_card(&identity("https://shop.example/counter/"));
        assert_eq!(
            card["remotes"][0]["url"],
            "https://shop.example/counter/mcp"
        );
    }

    #[test]
    fn a_long_description_is_cut_between_characters() {
        let mut long = identity("https://shop.example");
        long.about = "è".repeat(300);
        let card = server_card(&long);
        assert_eq!(
            card["description"].as_str().unwrap().chars().count(),
            CARD_DESCRIPTION
        );
    }

    #[test]
    fn llms_txt_has_one_heading_of_the_first_level() {
        let text = llms_txt(&Registry::default(), &identity("https://shop.example"));
        assert_eq!(
            text.lines().filter(|line| line.starts_with("# ")).count(),
            1
        );
        assert!(text.contains("](https://shop.example/mcp)"));
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let holds_tag = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, value.parse().unwrap());
            holds(&headers, "W/\"a\"")
        };
        assert!(holds_tag("\"a\""));
        assert!(holds_tag("\"b\", W/\"a\""));
        assert!(holds_tag("*"));
        assert!(!holds_tag("\"b\""));
        assert!(!holds_tag("a"));
    }
}
