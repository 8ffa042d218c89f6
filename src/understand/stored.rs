//! How numbers are written down: little-endian bytes, in text as Base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Numbers that are one string in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Packed(String);

impl Packed {
    pub(super) fn floats(values: &[f32]) -> Self {
        Self(
            STANDARD.encode(
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect::<Vec<u8>>(),
            ),
        )
    }

    pub(super) fn words(values: &[u32]) -> Self {
        Self(
            STANDARD.encode(
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect::<Vec<u8>>(),
            ),
        )
    }

    pub(super) fn to_floats(&self) -> Result<Vec<f32>, String> {
        Ok(self.quads()?.into_iter().map(f32::from_le_bytes).collect())
    }

    pub(super) fn to_words(&self) -> Result<Vec<u32>, String> {
        Ok(self.quads()?.into_iter().map(u32::from_le_bytes).collect())
    }

    fn quads(&self) -> Result<Vec<[u8; 4]>, String> {
        let bytes = STANDARD
            .decode(&self.0)
            .map_err(|error| error.to_string())?;
        let (quads, rest) = bytes.as_chunks::<4>();
        if rest.is_empty() {
            Ok(quads.to_vec())
        } else {
            Err("a number is cut off".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let values = [0.0, -1.5, f32::MAX];
        assert_eq!(Packed::floats(&values).to_floats().unwrap(), values);
        assert_eq!(
            Packed::words(&[7, u32::MAX]).to_words().unwrap(),
            [7, u32::MAX]
        );
        assert!(Packed("AAA=".to_owned()).to_floats().is_err());
    }
}
