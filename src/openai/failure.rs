//! What went wrong at an endpoint, said without a word of the request, the answer or the key.

use std::error::Error;
use std::time::Duration;

use async_openai::error::OpenAIError;
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use crate::ports::{EmbedError, ModelError};

/// A failed exchange.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Failure {
    pub(super) kind: Kind,
    text: String,
    /// Whether the same request may succeed a moment later.
    pub(super) transient: bool,
    /// How long the endpoint asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// The parameter that the endpoint refused, when it names one.
    pub(super) parameter: Option<String>,
}

/// What the caller must do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ask another model.
    Unavailable,
    /// Mend the configuration.
    Refused,
    /// Ask again or ask another model.
    Unreadable,
}

impl Failure {
    /// Not reachable, and trying again now is no use.
    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, text)
    }

    /// A fault of ours or of the configuration.
    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::new(Kind::Refused, text)
    }

    /// An answer that is none.
    pub(super) fn unreadable(text: impl Into<String>) -> Self {
        Self::new(Kind::Unreadable, text)
    }

    /// An answer with a status that is not a success.
    pub(super) fn of_status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let transient = matches!(status.as_u16(), 408 | 409 | 429 | 500..=599);
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let code = identifier(&body, "/error/code").or_else(|| identifier(&body, "/error/type"));
        let parameter = identifier(&body, "/error/param");
        let mut text = format!("status {}", status.as_u16());
        if let Some(code) = code {
            text.push_str(&format!(", code {code}"));
        }
        if let Some(parameter) = &parameter {
            text.push_str(&format!(", parameter {parameter}"));
        }
        Self {
            kind: if transient {
                Kind::Unavailable
            } else {
                Kind::Refused
            },
            text,
            transient,
            retry_after: retry_after(headers),
            parameter,
        }
    }

    /// No answer, or half of one.
    pub(super) fn of_transport(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            let mut cause: &dyn Error = error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            Self::passing(format!("cannot connect: {cause}"))
        } else if error.is_timeout() {
            Self::unavailable("no answer in time")
        } else if error.is_builder() {
            Self::refused("the request cannot be built")
        } else {
            Self::passing("the connection broke")
        }
    }

    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            transient: false,
            retry_after: None,
            parameter: None,
        }
    }

    fn passing(text: impl Into<String>) -> Self {
        Self {
            transient: true,
            ..Self::unavailable(text)
        }
    }
}

/// A short machine-made name; anything else could be somebody's words.
fn identifier(body: &Value, pointer: &str) -> Option<String> {
    let text = body.pointer(pointer)?.as_str()?;
    let plain =
        |character: char| matches!(character, 'a'..='z' | '0'..='9' | '_' | '.' | '[' | ']');
    ((1..=40).contains(&text.len()) && text.chars().all(plain)).then(|| text.to_owned())
}

/// Seconds or an HTTP date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    Some(Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

impl From<Failure> for OpenAIError {
    fn from(failure: Failure) -> Self {
        Self::Boxed(Box::new(failure))
    }
}

impl From<OpenAIError> for Failure {
    fn from(error: OpenAIError) -> Self {
        if let OpenAIError::Boxed(inner) = error
            && let Ok(failure) = inner.downcast::<Self>()
        {
            return *failure;
        }
        Self::unreadable("the exchange failed inside the client")
    }
}

impl From<Failure> for ModelError {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            Kind::Unavailable => Self::Unavailable(failure.text),
            Kind::Refused => Self::Refused(failure.text),
            Kind::Unreadable => Self::Unreadable(failure.text),
        }
    }
}

impl From<Failure> for EmbedError {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            Kind::Unavailable => Self::Unavailable(failure.text),
            Kind::Refused | Kind::Unreadable => Self::Unusable(failure.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, retry_after: &str, body: &str) -> Failure {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        Failure::of_status(
            StatusCode::from_u16(code).unwrap(),
            &headers,
            body.as_bytes(),
        )
    }

    #[test]
    fn statuses_say_what_to_do() {
        for code in [408, 409, 429, 500, 502, 503, 529, 599] {
            let failure = status(code, "1", "<html>busy</html>");
            assert_eq!(
                (failure.kind, failure.transient),
                (Kind::Unavailable, true),
                "{code}"
            );
        }
        for code in [301, 307, 400, 401, 403, 404, 413, 422] {
            let failure = status(code, "1", "");
            assert_eq!(
                (failure.kind, failure.transient),
                (Kind::Refused, false),
                "{code}"
            );
        }
    }

    #[test]
    fn the_text_names_code_and_parameter_but_nobodys_words() {
        let failure = status(
            400,
            "",
            r#"{"error":{"message":"you wrote: my address is","param":"max_tokens","code":"unsupported_parameter"}}"#,
        );
        assert_eq!(
            failure.to_string(),
            "status 400, code unsupported_parameter, parameter max_tokens"
        );
        let failure = status(
            400,
            "",
            r#"{"error":{"code":"Mario Rossi, via Roma","param":7}}"#,
        );
        assert_eq!(failure.to_string(), "status 400");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(
            status(429, "7", "").retry_after,
            Some(Duration::from_secs(7))
        );
        assert_eq!(status(429, "-7", "").retry_after, None);
        assert_eq!(status(429, "soon", "").retry_after, None);
        let past = status(429, "Wed, 21 Oct 2015 07:28:00 GMT", "");
        assert_eq!(past.retry_after, Some(Duration::ZERO));
        let future = status(429, "Wed, 21 Oct 2099 07:28:00 GMT", "");
        assert!(future.retry_after.unwrap() > Duration::from_secs(1_000_000));
    }
}
