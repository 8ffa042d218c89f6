//! Cookies that scripts cannot read.

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::CookieJar;

/// When a browser sends the cookie along from another site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// When a link is followed.
    Lax,
    /// Never.
    Strict,
}

/// A cookie to set.
#[derive(Debug)]
pub struct NewCookie<'a> {
    /// The name.
    pub name: &'a str,
    /// The value: letters, digits and dots.
    pub value: &'a str,
    /// The path under which it is sent.
    pub path: &'a str,
    /// When it is sent from another site.
    pub same_site: SameSite,
    /// Seconds that it lives; 0 removes it.
    pub seconds: i64,
    /// Whether it travels over HTTPS only.
    pub secure: bool,
}

impl NewCookie<'_> {
    /// The value of `Set-Cookie`; none when a part cannot stand in a header.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let same_site = match self.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
        };
        let secure = if self.secure { "; Secure" } else { "" };
        HeaderValue::try_from(format!(
            "{}={}; Path={}; Max-Age={}; HttpOnly; SameSite={same_site}{secure}",
            self.name, self.value, self.path, self.seconds
        ))
        .ok()
    }
}

/// The value of a cookie that came with a request.
#[must_use]
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers)
        .get(name)
        .map(|cookie| cookie.value().to_owned())
}
