//! Reading columns into domain values.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::Row as _;

use super::StoreError;
use super::dialect::Row;

/// A column that is never null.
pub fn text(row: &Row, column: &str) -> Result<String, StoreError> {
    Ok(row.try_get(column)?)
}

/// A column that may be null.
pub fn optional_text(row: &Row, column: &str) -> Result<Option<String>, StoreError> {
    Ok(row.try_get(column)?)
}

/// A whole number.
pub fn number(row: &Row, column: &str) -> Result<i64, StoreError> {
    Ok(row.try_get(column)?)
}

/// A whole number that may be null.
pub fn optional_number(row: &Row, column: &str) -> Result<Option<i64>, StoreError> {
    Ok(row.try_get(column)?)
}

/// A column that holds JSON.
pub fn json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, StoreError> {
    Ok(serde_json::from_str(&text(row, column)?)?)
}

/// A column that holds one of a few names.
pub fn parsed<T: FromStr<Err = String>>(row: &Row, column: &str) -> Result<T, StoreError> {
    text(row, column)?.parse().map_err(StoreError::Failed)
}

/// A column that holds one of a few names, or null.
pub fn optional_parsed<T: FromStr<Err = String>>(
    row: &Row,
    column: &str,
) -> Result<Option<T>, StoreError> {
    optional_text(row, column)?
        .map(|text| text.parse().map_err(StoreError::Failed))
        .transpose()
}
