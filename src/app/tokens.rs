//! Tokens of the shop's own assistants: made, listed and ended at the command line.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::open::{AppError, folder};
use crate::clock;
use crate::domain::{Scope, TokenId};
use crate::mcp::{new_token, token_hash};
use crate::store::{NewToken, Store};

/// The longest name of a token.
const LONGEST_NAME: usize = 60;
const MINUTE: i64 = 60 * 1000;
/// A token lives for at most a year.
const LONGEST: i64 = 366 * 24 * 60 * MINUTE;

/// What is to be done with tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenCommand {
    /// Make one.
    Create {
        /// What people call it.
        name: String,
        /// Names of scopes.
        scopes: Vec<String>,
        /// How long it can be used, for example `90d`.
        expires: String,
    },
    /// List all.
    List,
    /// End one.
    Revoke {
        /// Its id.
        id: String,
    },
}

/// Does it. A token that is made is in the result, and nowhere else.
///
/// # Errors
/// [`AppError::Configuration`] for a name, scope, time or id that cannot be.
pub async fn tokens(store: &Store, asked: TokenCommand) -> Result<Value, AppError> {
    match asked {
        TokenCommand::Create {
            name,
            scopes,
            expires,
        } => create(store, &name, &scopes, &expires).await,
        TokenCommand::List => Ok(json!(store.tokens().await?)),
        TokenCommand::Revoke { id } => {
            let ended = store
                .revoke_token(&TokenId::from(id.as_str()), clock::now())
                .await?;
            let ended = ended.ok_or_else(|| {
                wrong(format!(
                    "there is no token {id}; see `sportello tokens list`"
                ))
            })?;
            Ok(json!(ended))
        }
    }
}

/// The same in a data folder on which no server runs.
///
/// # Errors
/// Those of [`tokens`], and what the store says.
pub async fn tokens_without_server(data: &Path, asked: TokenCommand) -> Result<Value, AppError> {
    folder(data)?;
    let store = Store::open(data).await?;
    let done = tokens(&store, asked).await;
    store.close().await;
    done
}

async fn create(
    store: &Store,
    name: &str,
    scopes: &[String],
    expires: &str,
) -> Result<Value, AppError> {
    let name = name.trim();
    let plain = |letter: char| letter.is_alphanumeric() || " .-_'&".contains(letter);
    if name.is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(plain) {
        return Err(wrong(format!(
            "the name has 1 to {LONGEST_NAME} letters, digits, spaces and .-_'&; customers read who asks for their code"
        )));
    }
    let mut allowed = Vec::new();
    for scope in scopes {
        let scope: Scope = scope.trim().parse().map_err(wrong)?;
        if !allowed.contains(&scope) {
            allowed.push(scope);
        }
    }
    if allowed.is_empty() {
        let names = Scope::ALL.map(Scope::name).join(", ");
        return Err(wrong(format!("name at least one scope of {names}")));
    }
    let token = new_token();
    let now = clock::now();
    let new = NewToken {
        name: name.to_owned(),
        hash: token_hash(&token),
        scopes: allowed,
        expires_at: now + lifetime(expires).map_err(wrong)?,
    };
    let kept = store.create_token(new, now).await?;
    let mut shown = json!(kept);
    shown["token"] = json!(token);
    Ok(shown)
}

/// Milliseconds of a time such as `90d`, `12h` or `30m`.
fn lifetime(text: &str) -> Result<i64, String> {
    let wrong = || {
        format!(
            "`{text}` is no time a token can live; write for example 90d, 12h or 30m, a year at most"
        )
    };
    let text = text.trim();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let minutes = match unit {
        'd' => 24 * 60,
        'h' => 60,
        'm' => 1,
        _ => return Err(wrong()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number = number.parse::<u32>().map_err(|_| wrong())?;
    let lifetime = i64::from(number) * minutes * MINUTE;
    if (MINUTE..=LONGEST).contains(&lifetime) {
        Ok(lifetime)
    } else {
        Err(wrong())
    }
}

fn wrong(message: String) -> AppError {
    AppError::Configuration(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lifetimes_are_days_hours_and_minutes() {
        assert_eq!(lifetime("90d"), Ok(90 * 24 * 60 * MINUTE));
        assert_eq!(lifetime(" 12h "), Ok(12 * 60 * MINUTE));
        assert_eq!(lifetime("1m"), Ok(MINUTE));
        for other in [
            "",
            "d",
            "90",
            "0d",
            "-1d",
            "1.5h",
            "9000d",
            "4294967295d",
            "1w",
            "90 d",
            "1è",
        ] {
            assert!(lifetime(other).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_lifetime_or_a_clear_error(text in "\\PC{0,12}") {
            match lifetime(&text) {
                Ok(lifetime) => prop_assert!((MINUTE..=LONGEST).contains(&lifetime)),
                Err(error) => prop_assert!(error.contains("90d")),
            }
        }
    }
}
