//! Who is at the desk: a signed cookie that expires.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::Desk;
use crate::edge::{Fault, NewCookie, SameSite, cookie};

const COOKIE: &str = "sportello_desk";
const SECONDS: i64 = 12 * 3600;

/// Lets only those through who are logged in: 401 for the others.
pub async fn required(
    Shared(desk): Shared<Arc<Desk>>,
    request: Request,
    next: Next,
) -> Result<Response, Fault> {
    if logged_in(&desk, request.headers()) {
        Ok(next.run(request).await)
    } else {
        Err(Fault::new(
            StatusCode::UNAUTHORIZED,
            "You are not logged in. Open /desk and log in.",
        ))
    }
}

/// Whether the request carries a valid cookie.
pub fn logged_in(desk: &Desk, headers: &HeaderMap) -> bool {
    let now = (desk.state.clock)();
    cookie(headers, COOKIE)
        .is_some_and(|token| is_valid(&token, &desk.state.key, &desk.state.password, now))
}

/// The cookie of somebody who knew the password.
pub fn begin(desk: &Desk) -> Option<HeaderValue> {
    let expires = (desk.state.clock)() + SECONDS * 1000;
    set(
        desk,
        &token(expires, &desk.state.key, &desk.state.password)?,
        SECONDS,
    )
}

/// The cookie that ends a session.
pub fn end(desk: &Desk) -> Option<HeaderValue> {
    set(desk, "", 0)
}

fn set(desk: &Desk, value: &str, seconds: i64) -> Option<HeaderValue> {
    let cookie = NewCookie {
        name: COOKIE,
        value,
        path: "/desk",
        same_site: SameSite::Strict,
        seconds,
        secure: desk
            .state
            .public_url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https"),
    };
    cookie.header()
}

fn token(expires: i64, key: &[u8; 32], password: &SecretString) -> Option<String> {
    let signature = sign(expires, key, password)?.finalize().into_bytes();
    Some(format!("{expires}.{}", hex::encode(signature)))
}

fn is_valid(token: &str, key: &[u8; 32], password: &SecretString, now: i64) -> bool {
    let Some((expires, signature)) = token.split_once('.') else {
        return false;
    };
    let (Ok(expires), Ok(signature)) = (expires.parse::<i64>(), hex::decode(signature)) else {
        return false;
    };
    let signed =
        sign(expires, key, password).is_some_and(|mac| mac.verify_slice(&signature).is_ok());
    signed && expires > now
}

/// The password is signed along: a new one ends all sessions.
fn sign(expires: i64, key: &[u8; 32], password: &SecretString) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(b"desk session\0");
    mac.update(&expires.to_be_bytes());
    mac.update(password.expose_secret().as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_token_holds_until_it_expires() {
        let password = SecretString::from("moka");
        let token = token(1_000, &KEY, &password).unwrap();
        assert!(is_valid(&token, &KEY, &password, 999));
        assert!(!is_valid(&token, &KEY, &password, 1_000));
        assert!(!is_valid(&token, &[8; 32], &password, 0), "another key");
        assert!(
            !is_valid(&token, &KEY, &SecretString::from("mokb"), 0),
            "another password"
        );
        let later = token.replacen("1000", "9000", 1);
        assert!(!is_valid(&later, &KEY, &password, 0), "another expiry");
    }

    proptest! {
        #[test]
        fn nothing_made_up_is_a_token(token in "\\PC{0,80}|[0-9]{1,20}\\.[0-9a-f]{64}") {
            prop_assert!(!is_valid(&token, &KEY, &SecretString::from("moka"), 0));
        }
    }
}
