//! Bearer tokens over HTTP: reading them, the challenges of RFC 6750, and the metadata of RFC 9728.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::access::{Access, AccessError, Assistant, plausible, token_hash};
use super::http::failure;
use super::{Identity, State, discovery};
use crate::domain::Scope;

/// Where the metadata is (RFC 9728, section 3.1): for the server, and for its one resource.
const PATHS: [&str; 2] = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
];

/// What a client is told that needs another token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Challenge {
    /// It showed none, and needs one that allows this.
    NoToken(Scope),
    /// What it showed cannot be used.
    Invalid,
    /// Its token does not allow this.
    Scope(Scope),
}

impl Challenge {
    /// The status of the answer.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NoToken(_) | Self::Invalid => StatusCode::UNAUTHORIZED,
            Self::Scope(_) => StatusCode::FORBIDDEN,
        }
    }

    /// What a client reads that does not know the header.
    pub(super) fn message(self) -> String {
        match self {
            Self::NoToken(scope) => {
                format!("This needs a token of the shop's that allows `{scope}`.")
            }
            Self::Invalid => "The token is unknown, revoked or over. Ask the shop for a new one, or send none for \
                              what everybody may read."
                .to_owned(),
            Self::Scope(scope) => format!("This token does not allow `{scope}`."),
        }
    }

    /// Adds the header `WWW-Authenticate`.
    pub(super) fn put(self, response: &mut Response, metadata: &str) {
        let mut value = "Bearer ".to_owned();
        match self {
            Self::NoToken(scope) => value.push_str(&format!("scope=\"{scope}\", ")),
            Self::Invalid => value.push_str(
                "error=\"invalid_token\", error_description=\"The token is unknown, revoked or over\", ",
            ),
            Self::Scope(scope) => value.push_str(&format!(
                "error=\"insufficient_scope\", error_description=\"The token does not allow this\", \
                 scope=\"{scope}\", "
            )),
        }
        value.push_str(&format!("resource_metadata=\"{metadata}\""));
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
    }
}

/// Who came in.
pub(super) enum Shown {
    /// Without a token.
    Nothing,
    /// With one that can be used.
    Token(Arc<Assistant>),
    /// With something else.
    Invalid,
}

/// Takes the credentials off a request, so that nothing behind reads or passes them on, and looks them up.
pub(super) async fn read(
    headers: &mut HeaderMap,
    access: &dyn Access,
) -> Result<Shown, AccessError> {
    let shown: Vec<HeaderValue> = headers.get_all(AUTHORIZATION).iter().cloned().collect();
    headers.remove(AUTHORIZATION);
    let token = match shown.as_slice() {
        [] => return Ok(Shown::Nothing),
        [one] => one.to_str().ok().and_then(bearer),
        _ => None,
    };
    let Some(token) = token else {
        return Ok(Shown::Invalid);
    };
    let assistant = access.assistant(&token_hash(token)).await?;
    Ok(assistant.map_or(Shown::Invalid, |found| Shown::Token(Arc::new(found))))
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && plausible(token)).then_some(token)
}

/// The answer to a token that cannot be used.
pub(super) fn refuse(metadata: &str) -> Response {
    let challenge = Challenge::Invalid;
    let mut response = failure(
        challenge.status(),
        -32001,
        &challenge.message(),
        Value::Null,
    );
    challenge.put(&mut response, metadata);
    response
}

/// Where a client reads which tokens fit.
pub(super) fn metadata_address(identity: &Identity) -> String {
    identity.address(PATHS[1])
}

/// Serves the metadata of the protected resource, at both of its addresses.
pub(super) fn router(state: &State) -> Router {
    let text = metadata(&state.identity, &state.access.authorization_servers).to_string();
    PATHS.into_iter().fold(Router::new(), |router, path| {
        let document = discovery::document(text.clone(), "application/json", discovery::AN_HOUR);
        router.route(path, document)
    })
}

/// What RFC 9728 says of `/mcp`.
fn metadata(identity: &Identity, servers: &[String]) -> Value {
    let mut document = json!({
        "resource": identity.address("/mcp"),
        "resource_name": identity.name,
        "scopes_supported": Scope::ALL,
        "bearer_methods_supported": ["header"],
    });
    if !servers.is_empty() {
        document["authorization_servers"] = json!(servers);
    }
    document
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    #[test]
    fn only_a_bearer_token_is_read() {
        assert_eq!(bearer("Bearer spt_x"), Some("spt_x"));
        assert_eq!(bearer("bearer  spt_x "), Some("spt_x"));
        for other in ["", "Bearer", "Bearer ", "Basic eDp5", "spt_x", "Bearer è"] {
            assert_eq!(bearer(other), None, "{other}");
        }
        assert_eq!(bearer(&format!("Bearer {}", "a".repeat(200))), None);
    }

    #[test]
    fn challenges_are_those_of_the_standards() {
        let header = |challenge: Challenge| {
            let mut response = challenge.status().into_response();
            challenge.put(&mut response, "https://shop.example/m");
            let header = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
            (response.status().as_u16(), header.to_owned())
        };
        let metadata = "resource_metadata=\"https://shop.example/m\"";
        assert_eq!(
            header(Challenge::NoToken(Scope::OrdersRead)),
            (401, format!("Bearer scope=\"orders:read\", {metadata}"))
        );
        let (status, text) = header(Challenge::Invalid);
        assert!(status == 401 && text.starts_with("Bearer error=\"invalid_token\", "));
        assert!(text.ends_with(metadata), "{text}");
        let (status, text) = header(Challenge::Scope(Scope::TicketsWrite));
        assert!(status == 403 && text.starts_with("Bearer error=\"insufficient_scope\", "));
        assert!(text.contains("scope=\"tickets:write\", "), "{text}");
    }

    #[test]
    fn servers_that_hand_tokens_out_are_named_only_when_there_are_some() {
        let identity = Identity {
            name: "Shop".to_owned(),
            about: String::new(),
            public_url: "https://shop.example/counter/".parse().unwrap(),
        };
        let without = metadata(&identity, &[]);
        assert_eq!(without["resource"], "https://shop.example/counter/mcp");
        assert!(without.get("authorization_servers").is_none());
        let with = metadata(&identity, &["https://login.example".to_owned()]);
        assert_eq!(
            with["authorization_servers"],
            json!(["https://login.example"])
        );
    }
}
