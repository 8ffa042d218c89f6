//! The visitor's session: a random cookie. Only its hash is ever stored.

use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};

use crate::edge::{NewCookie, SameSite, cookie};

const COOKIE: &str = "sportello_session";
const SECONDS: i64 = 180 * 24 * 3600;

/// A visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the cookie in hexadecimal: the contact's address.
    pub address: String,
}

/// The session that came with a request.
pub fn known(headers: &HeaderMap) -> Option<Session> {
    let value = cookie(headers, COOKIE)?;
    let ours = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    ours.then(|| of(&value))
}

/// The session that came with a request, or a new one with the cookie to set.
pub fn known_or_new(headers: &HeaderMap, secure: bool) -> (Session, Option<HeaderValue>) {
    if let Some(session) = known(headers) {
        return (session, None);
    }
    let value = hex::encode(rand::random::<[u8; 16]>());
    let cookie = NewCookie {
        name: COOKIE,
        value: &value,
        path: "/",
        same_site: SameSite::Lax,
        seconds: SECONDS,
        secure,
    };
    (of(&value), cookie.header())
}

fn of(value: &str) -> Session {
    Session {
        address: hex::encode(Sha256::digest(value.as_bytes())),
    }
}
