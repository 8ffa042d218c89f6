//! The configuration: defaults, then the file, then the environment. The only reader of the environment.

mod checks;
mod draft;
mod hours;
mod load;
mod prices;
mod schema;
mod sections;
mod transcription;
mod whatsapp;

use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

pub use checks::warnings;
pub use hours::DeskHours;
pub use load::{ConfigFault, Flag, load};
pub use prices::micros;
pub use sections::*;
pub use transcription::Transcription;
pub use whatsapp::*;

/// The environment as the process was started with. Bytes that are not UTF-8 are replaced.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// The folder of the model files: `SPORTELLO_MODELS`, else `sportello/models` in the user's cache.
#[must_use]
pub fn models_folder() -> PathBuf {
    models_folder_from(&variable)
}

/// A secret in a variable that somebody names, for keys of endpoints that the configuration does not know.
#[must_use]
pub fn secret(name: &str) -> Option<SecretString> {
    Some(variable(name)?.into_string().ok()?.into())
}

/// At which named point the process shall abort, for tests: `SPORTELLO_FAILPOINT`.
#[must_use]
pub fn failpoint() -> Option<String> {
    variable("SPORTELLO_FAILPOINT")?.into_string().ok()
}

/// By how many milliseconds the clock of the process shall be wrong, for tests:
/// `SPORTELLO_CLOCK_OFFSET`.
#[must_use]
pub fn clock_offset() -> Option<String> {
    variable("SPORTELLO_CLOCK_OFFSET")?.into_string().ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn models_folder_from(variable: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    if let Some(folder) = variable("SPORTELLO_MODELS") {
        return PathBuf::from(folder);
    }
    // The XDG specification has relative paths ignored.
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || PathBuf::from(variable("HOME").unwrap_or_else(|| ".".into())).join(".cache");
    cache.unwrap_or_else(home).join("sportello").join("models")
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_where_the_environment_says() {
        let folder = |variables: &[(&str, &str)]| {
            models_folder_from(&|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        let named = [
            ("SPORTELLO_MODELS", "m"),
            ("XDG_CACHE_HOME", "/c"),
            ("HOME", "/h"),
        ];
        assert_eq!(folder(&named), PathBuf::from("m"));
        assert_eq!(folder(&named[1..]), PathBuf::from("/c/sportello/models"));
        assert_eq!(
            folder(&named[2..]),
            PathBuf::from("/h/.cache/sportello/models")
        );
        let relative = [("XDG_CACHE_HOME", "c"), ("HOME", "/h")];
        assert_eq!(
            folder(&relative),
            PathBuf::from("/h/.cache/sportello/models")
        );
    }
}
