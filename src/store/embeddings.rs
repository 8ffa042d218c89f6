//! Vectors by model and content hash, so that nothing is embedded twice.

use std::collections::HashMap;

use sqlx::Row as _;

use super::{Store, StoreError};

impl Store {
    /// The vectors that are known of these hashes.
    ///
    /// # Errors
    /// What the database says.
    pub async fn known_vectors(
        &self,
        model: &str,
        hashes: &[String],
    ) -> Result<HashMap<String, Vec<f32>>, StoreError> {
        let mut known = HashMap::with_capacity(hashes.len());
        let mut connection = self.readers.acquire().await?;
        for hash in hashes {
            let row = sqlx::query("SELECT vector FROM embeddings WHERE model = $1 AND hash = $2")
                .bind(model)
                .bind(hash)
                .fetch_optional(&mut *connection)
                .await?;
            if let Some(row) = row {
                known.insert(hash.clone(), decode(&row.try_get::<Vec<u8>, _>(0)?));
            }
        }
        Ok(known)
    }

    /// Keeps vectors. Nobody waits for the disk: what a crash takes away is made again.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_vectors(
        &self,
        model: &str,
        vectors: Vec<(String, Vec<f32>)>,
    ) -> Result<(), StoreError> {
        let model = model.to_owned();
        self.write_repeatable(move |connection| {
            Box::pin(async move {
                for (hash, vector) in &vectors {
                    sqlx::query(
                        "INSERT INTO embeddings (model, hash, vector) VALUES ($1, $2, $3) \
                         ON CONFLICT (model, hash) DO NOTHING",
                    )
                    .bind(&model)
                    .bind(hash)
                    .bind(encode(vector))
                    .execute(&mut *connection)
                    .await?;
                }
                Ok(())
            })
        })
        .await
    }
}

fn encode(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn decode(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|chunk| f32::from_le_bytes(*chunk))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_comes_back_bit_for_bit() {
        let vector = [0.0, -0.0, 1.5, f32::MIN_POSITIVE, f32::MAX, -1.0e-7];
        let bits = |values: &[f32]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&decode(&encode(&vector))), bits(&vector));
        assert!(decode(&[]).is_empty());
    }
}
