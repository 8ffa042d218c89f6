//! Comparing secrets.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Whether two secrets are the same, in a time that tells neither where they differ nor how long they are.
#[must_use]
pub fn same_secret(left: &str, right: &str) -> bool {
    Sha256::digest(left.as_bytes())
        .ct_eq(&Sha256::digest(right.as_bytes()))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_is_the_same_secret() {
        assert!(same_secret("moka", "moka"));
        assert!(!same_secret("moka", "mokа"));
        assert!(!same_secret("", "moka"));
    }
}
