//! The signature of a webhook: HMAC-SHA256 over the raw body.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Whether one of the secrets signed these bytes. The header is `X-Hub-Signature-256`: `sha256=` and 64
/// lower-case hexadecimal digits. Every secret is tried, each in constant time; an empty one signs nothing.
#[must_use]
pub fn verify(secrets: &[SecretString], header: Option<&str>, body: &[u8]) -> bool {
    let Some(claimed) = header.and_then(signature) else {
        return false;
    };
    secrets
        .iter()
        .filter(|secret| !secret.expose_secret().is_empty())
        .fold(false, |valid, secret| {
            let matches = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
                .is_ok_and(|mac| mac.chain_update(body).verify_slice(&claimed).is_ok());
            valid | matches
        })
}

fn signature(header: &str) -> Option<[u8; 32]> {
    let digits = header.strip_prefix("sha256=")?;
    if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut signature = [0; 32];
    hex::decode_to_slice(digits, &mut signature).ok()?;
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    // printf '%s' '{"entry":[]}' | openssl dgst -sha256 -hmac geheim
    const BODY: &[u8] = br#"{"entry":[]}"#;
    const GOOD: &str = "sha256=dcf33460135b0fc58a3930e84d3682a2bd52c3c2ba0bf0309f22bc938391de01";

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from(*text)).collect()
    }

    #[test]
    fn any_of_the_secrets_may_sign() {
        assert!(verify(&secrets(&["geheim"]), Some(GOOD), BODY));
        assert!(verify(&secrets(&["alt", "geheim"]), Some(GOOD), BODY));
        assert!(verify(&secrets(&["geheim", "neu"]), Some(GOOD), BODY));
        assert!(!verify(&secrets(&["alt", "neu"]), Some(GOOD), BODY));
        assert!(!verify(&[], Some(GOOD), BODY));
    }

    #[test]
    fn a_header_of_another_shape_never_verifies() {
        let secrets = secrets(&["geheim"]);
        let hex = &GOOD["sha256=".len()..];
        for header in [
            None,
            Some(""),
            Some("sha256="),
            Some(hex),
            Some(&GOOD[..GOOD.len() - 2]),
            Some(&format!("{GOOD}00")),
            Some(&format!(" {GOOD}")),
            Some(&format!("sha1={hex}")),
            Some(&format!("sha256={}", hex.to_uppercase())),
            Some(&format!("sha256={}", "z".repeat(64))),
        ] {
            assert!(!verify(&secrets, header, BODY), "{header:?}");
        }
    }

    #[test]
    fn other_bytes_and_empty_secrets_never_verify() {
        assert!(!verify(
            &secrets(&["geheim"]),
            Some(GOOD),
            br#"{"entry": []}"#
        ));
        let empty = Hmac::<Sha256>::new_from_slice(b"")
            .unwrap()
            .chain_update(BODY)
            .finalize();
        let header = format!("sha256={}", hex::encode(empty.into_bytes()));
        assert!(!verify(&secrets(&[""]), Some(&header), BODY));
    }
}
