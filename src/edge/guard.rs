//! What every page and every call of a page has around it.

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_http::set_header::SetResponseHeaderLayer;

use super::Fault;

/// The longest body that a page sends.
const BODY_LIMIT: usize = 64 * 1024;

/// Puts the guards around a router: a body limit, no calls from other sites' pages, and the headers that
/// keep a page to itself. `policy` is its content security policy.
pub fn guarded(router: Router, policy: HeaderValue) -> Router {
    let set = SetResponseHeaderLayer::if_not_present;
    router
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CsrfLayer::new().with_rejection_response(refuse))
        .layer(set(header::CONTENT_SECURITY_POLICY, policy))
        .layer(set(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(set(
            header::REFERRER_POLICY,
            HeaderValue::from_static("same-origin"),
        ))
        .layer(set(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(set(
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ))
}

/// Own scripts, styles and calls only; pictures also from the given origins.
#[must_use]
pub fn content_security_policy<'a>(
    picture_origins: impl IntoIterator<Item = &'a str>,
) -> HeaderValue {
    let mut policy = String::from(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'; media-src 'self'; img-src 'self' data:",
    );
    for origin in picture_origins {
        policy.push(' ');
        policy.push_str(origin);
    }
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn refuse(_: ProtectionError) -> Response<Body> {
    Fault::new(
        StatusCode::FORBIDDEN,
        "This call came from another site's page. Open the shop's own page and try there.",
    )
    .into_response()
}
