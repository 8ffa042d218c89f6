//! The configuration: defaults, then the file, then the environment. The only reader of the environment.

mod sections;

pub use sections::*;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SecretString>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(SecretString),
        Many(Vec<SecretString>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(secret) => vec![secret],
        OneOrMany::Many(secrets) => secrets,
    })
}
