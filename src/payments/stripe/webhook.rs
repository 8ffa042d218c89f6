//! Stripe's webhook: the signature, and the few events that matter to a link.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;

use crate::domain::PaymentId;

/// Seconds that a signature may be old, or ahead of our clock.
const TOLERANCE: u64 = 300;

/// An event that Stripe signed. It may come twice and out of order; the id tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeEvent {
    /// Stripe's id of the event.
    pub id: String,
    /// What happened.
    pub kind: StripeEventKind,
}

/// What happened to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StripeEventKind {
    /// The customer finished; the money may still be on its way.
    Completed {
        /// Our link.
        payment_id: PaymentId,
        /// Stripe's session.
        session_id: String,
        /// Whether the money is there; a second event says so when it comes later.
        paid: bool,
    },
    /// Nobody paid in time.
    Expired {
        /// Our link.
        payment_id: PaymentId,
    },
    /// The money did not come.
    Failed {
        /// Our link.
        payment_id: PaymentId,
    },
    /// An event or a session that is none of ours.
    Other,
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The header is missing or has another shape, or no secret made its signature.
    #[error("the signature does not fit")]
    Signature,
    /// The signature fits but is too old or from the future.
    #[error("the signature's time is more than 300 seconds away")]
    Stale,
    /// Signed, but no event.
    #[error("the body is not an event")]
    Unreadable,
}

/// Reads an event after checking `Stripe-Signature`: HMAC-SHA256 of `t.body` by one of the secrets, in
/// constant time, and no more than 300 seconds from `now_unix`.
///
/// # Errors
/// See [`WebhookError`].
pub fn verify_webhook(
    secrets: &[SecretString],
    header: Option<&str>,
    body: &[u8],
    now_unix: i64,
) -> Result<StripeEvent, WebhookError> {
    let header = header
        .and_then(Header::parse)
        .ok_or(WebhookError::Signature)?;
    if !header.signed_by_any(secrets, body) {
        return Err(WebhookError::Signature);
    }
    if header.seconds.abs_diff(now_unix) > TOLERANCE {
        return Err(WebhookError::Stale);
    }
    let event: Value = serde_json::from_slice(body).map_err(|_| WebhookError::Unreadable)?;
    let id = event["id"]
        .as_str()
        .ok_or(WebhookError::Unreadable)?
        .to_owned();
    Ok(StripeEvent {
        id,
        kind: kind(&event),
    })
}

struct Header<'a> {
    time: &'a str,
    seconds: i64,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    /// `t=…,v1=…[,v1=…]`; other schemes are skipped.
    fn parse(header: &'a str) -> Option<Self> {
        let mut time = None;
        let mut signatures = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                ("t", value) => time = Some(value),
                ("v1", value) => {
                    let mut signature = [0; 32];
                    hex::decode_to_slice(value, &mut signature).ok()?;
                    signatures.push(signature);
                }
                _ => {}
            }
        }
        let time = time?;
        Some(Self {
            time,
            seconds: time.parse().ok()?,
            signatures,
        })
    }

    fn signed_by_any(&self, secrets: &[SecretString], body: &[u8]) -> bool {
        let usable = secrets
            .iter()
            .map(ExposeSecret::expose_secret)
            .filter(|secret| !secret.is_empty());
        usable.fold(false, |valid, secret| {
            self.signatures.iter().fold(valid, |valid, signature| {
                let matches = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).is_ok_and(|mac| {
                    let mac = mac
                        .chain_update(self.time)
                        .chain_update(".")
                        .chain_update(body);
                    mac.verify_slice(signature).is_ok()
                });
                valid | matches
            })
        })
    }
}

fn kind(event: &Value) -> StripeEventKind {
    let session = &event["data"]["object"];
    let (Some(payment), Some(session_id)) = (
        session["client_reference_id"].as_str(),
        session["id"].as_str(),
    ) else {
        return StripeEventKind::Other;
    };
    let payment_id = PaymentId::from(payment);
    let completed = |paid: bool| StripeEventKind::Completed {
        payment_id: payment_id.clone(),
        session_id: session_id.to_owned(),
        paid,
    };
    match event["type"].as_str().unwrap_or_default() {
        "checkout.session.completed" => completed(matches!(
            session["payment_status"].as_str(),
            Some("paid" | "no_payment_required")
        )),
        "checkout.session.async_payment_succeeded" => completed(true),
        "checkout.session.async_payment_failed" => StripeEventKind::Failed { payment_id },
        "checkout.session.expired" => StripeEventKind::Expired { payment_id },
        _ => StripeEventKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn signature(secret: &str, time: i64, body: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        hex::encode(
            mac.chain_update(format!("{time}.{body}"))
                .finalize()
                .into_bytes(),
        )
    }

    fn secrets() -> Vec<SecretString> {
        vec![
            SecretString::from("whsec_old"),
            SecretString::from("whsec_new"),
        ]
    }

    fn event(kind: &str, status: &str) -> String {
        json!({ "id": "evt_1", "type": kind, "data": { "object": {
            "id": "cs_1", "client_reference_id": "p1", "payment_status": status,
        } } })
        .to_string()
    }

    #[test]
    fn a_known_signature_verifies() {
        // printf '%s' '1800000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_new
        let header = "t=1800000000,v0=zz,v1=bcd5b8f84c1762e896c564b29f53d2d26064aba6607250fa924f75df06e0f8a4";
        let event = verify_webhook(&secrets(), Some(header), br#"{"id":"evt_1"}"#, NOW).unwrap();
        assert_eq!(
            event,
            StripeEvent {
                id: "evt_1".to_owned(),
                kind: StripeEventKind::Other
            }
        );
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let body = event("checkout.session.expired", "unpaid");
        let header = format!(
            "t={NOW}, v1={}, v1={}",
            "0".repeat(64),
            signature("whsec_old", NOW, &body)
        );
        let event = verify_webhook(&secrets(), Some(&header), body.as_bytes(), NOW).unwrap();
        assert_eq!(
            event.kind,
            StripeEventKind::Expired {
                payment_id: PaymentId::from("p1")
            }
        );
    }

    #[test]
    fn what_is_not_signed_is_not_read() {
        let body = event("checkout.session.completed", "paid");
        let good = signature("whsec_new", NOW, &body);
        for header in [
            String::new(),
            "t=,v1=".to_owned(),
            format!("v1={good}"),
            format!("t={NOW}"),
            format!("t={NOW},v0={good}"),
            format!("t={},v1={good}", NOW + 1),
            format!("t={NOW},v1={}", signature("whsec_other", NOW, &body)),
            format!("t={NOW},v1={}", &good[..60]),
        ] {
            let result = verify_webhook(&secrets(), Some(&header), body.as_bytes(), NOW);
            assert_eq!(result, Err(WebhookError::Signature), "{header}");
        }
        assert_eq!(
            verify_webhook(&secrets(), None, body.as_bytes(), NOW),
            Err(WebhookError::Signature)
        );
        let header = format!("t={NOW},v1={}", signature("", NOW, &body));
        let empty = [SecretString::from("")];
        assert_eq!(
            verify_webhook(&empty, Some(&header), body.as_bytes(), NOW),
            Err(WebhookError::Signature)
        );
    }

    #[test]
    fn a_signature_is_good_for_five_minutes() {
        let body = event("checkout.session.completed", "paid");
        let header = format!("t={NOW},v1={}", signature("whsec_new", NOW, &body));
        for (now, good) in [
            (NOW + 300, true),
            (NOW - 300, true),
            (NOW + 301, false),
            (NOW - 301, false),
        ] {
            let result = verify_webhook(&secrets(), Some(&header), body.as_bytes(), now);
            assert_eq!(result.is_ok(), good);
            assert!(good || result == Err(WebhookError::Stale));
        }
    }

    #[test]
    fn events_say_whether_the_money_is_there() {
        let read = |kind: &str, status: &str| {
            let body = event(kind, status);
            let header = format!("t={NOW},v1={}", signature("whsec_new", NOW, &body));
            verify_webhook(&secrets(), Some(&header), body.as_bytes(), NOW)
                .unwrap()
                .kind
        };
        let completed = |paid| StripeEventKind::Completed {
            payment_id: PaymentId::from("p1"),
            session_id: "cs_1".to_owned(),
            paid,
        };
        assert_eq!(read("checkout.session.completed", "paid"), completed(true));
        assert_eq!(
            read("checkout.session.completed", "unpaid"),
            completed(false)
        );
        assert_eq!(
            read("checkout.session.async_payment_succeeded", "unpaid"),
            completed(true)
        );
        let failed = StripeEventKind::Failed {
            payment_id: PaymentId::from("p1"),
        };
        assert_eq!(
            read("checkout.session.async_payment_failed", "unpaid"),
            failed
        );
        assert_eq!(read("customer.created", "paid"), StripeEventKind::Other);
    }
}
