//! `sportello tokens`.

use jiff::Timestamp;
use serde_json::Value;

use super::output::{json as print_json, line, note};
use super::{Failure, Shared};
use crate::app::{Command, Remote, TokenCommand, tokens_without_server};

/// What `tokens` does.
#[derive(Debug, clap::Subcommand)]
pub enum Tokens {
    /// Make a token; it is shown this once
    Create {
        /// What you and your customers call its holder
        #[arg(long)]
        name: String,
        /// What it allows: catalog:read, orders:read, tickets:write, payments:write
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<String>,
        /// How long it can be used: 90d, 12h, 30m; a year at most
        #[arg(long, default_value = "90d")]
        expires: String,
        /// One line of JSON
        #[arg(long)]
        json: bool,
    },
    /// List the tokens, with when they were used last
    List {
        /// One JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
    /// End a token at once
    Revoke {
        /// Its id, from the list
        id: String,
        /// One line of JSON
        #[arg(long)]
        json: bool,
    },
}

/// Asks the running server; without one the data folder is opened.
pub async fn run(shared: &Shared, tokens: Tokens) -> Result<(), Failure> {
    let (asked, as_json) = match tokens {
        Tokens::Create {
            name,
            scopes,
            expires,
            json,
        } => {
            let asked = TokenCommand::Create {
                name,
                scopes,
                expires,
            };
            (asked, json)
        }
        Tokens::List { json } => (TokenCommand::List, json),
        Tokens::Revoke { id, json } => (TokenCommand::Revoke { id }, json),
    };
    let done = match Remote::find(&shared.data).await {
        Some(mut remote) => {
            let command = Command::Tokens(asked.clone());
            remote.ask(&command, |_, _| {}).await?
        }
        None => tokens_without_server(&shared.data, asked.clone()).await?,
    };
    if as_json {
        return print_json(&done);
    }
    match asked {
        TokenCommand::Create { .. } => {
            line(done["token"].as_str().unwrap_or_default())?;
            note(&format!(
                "This is the only time the token is shown. It is {}, until {}.",
                done["id"].as_str().unwrap_or_default(),
                time(&done["expires_at"])
            ));
            Ok(())
        }
        TokenCommand::List => {
            let listed = done.as_array().map(Vec::as_slice).unwrap_or_default();
            if listed.is_empty() {
                note("there are no tokens; make one with `sportello tokens create`");
            }
            listed.iter().try_for_each(|token| line(&shown(token)))
        }
        TokenCommand::Revoke { .. } => line(&shown(&done)),
    }
}

fn shown(token: &Value) -> String {
    let text = |key: &str| token[key].as_str().unwrap_or_default();
    let scopes = token["scopes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let scopes: Vec<&str> = scopes.iter().filter_map(Value::as_str).collect();
    let (revoked, used) = (&token["revoked_at"], &token["used_at"]);
    let ends = if revoked.is_null() {
        format!("until {}", time(&token["expires_at"]))
    } else {
        format!("revoked {}", time(revoked))
    };
    let used = if used.is_null() {
        "never used".to_owned()
    } else {
        format!("last used {}", time(used))
    };
    format!(
        "{} {} {ends}, {used}  {}",
        text("id"),
        scopes.join(","),
        text("name")
    )
}

fn time(value: &Value) -> String {
    let time = value
        .as_i64()
        .and_then(|at| Timestamp::from_millisecond(at).ok());
    time.map_or_else(
        || "-".to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%MZ").to_string(),
    )
}
