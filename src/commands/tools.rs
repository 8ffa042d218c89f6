//! `sportello tools`.

use serde_json::Value;

use super::output::{json, line};
use super::session::Session;
use super::{Failure, Shared};
use crate::app::{Command, own_texts};
use crate::domain::Language;
use crate::tools::{Caller, describe, specs};

/// What `tools` does.
#[derive(Debug, clap::Subcommand)]
pub enum Tools {
    /// All tools, with who may call them
    List {
        /// One JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Call a tool
    Call {
        /// The tool's name
        name: String,
        /// Its arguments as a JSON object
        #[arg(default_value = "{}")]
        arguments: String,
        /// The language to answer in
        #[arg(long)]
        language: Option<Language>,
        /// One line of JSON instead of indented JSON
        #[arg(long)]
        json: bool,
    },
}

/// Lists or calls.
pub async fn run(shared: Shared, tools: Tools) -> Result<(), Failure> {
    match tools {
        Tools::List { json } => list(&shared, json),
        Tools::Call {
            name,
            arguments,
            language,
            json,
        } => call(shared, name, &arguments, language, json).await,
    }
}

fn list(shared: &Shared, as_json: bool) -> Result<(), Failure> {
    let mut specs = specs();
    let own = own_texts(&shared.config)?.tools;
    describe(&mut specs, &own)
        .map_err(|fault| Failure::Wrong(format!("`agent.texts`: {fault}")))?;
    if as_json {
        return json(&specs);
    }
    for spec in specs {
        let callers: Vec<String> = spec
            .callers
            .iter()
            .filter(|caller| **caller != Caller::Operator)
            .map(|caller| format!("{caller:?}").to_lowercase())
            .collect();
        line(&format!(
            "{:<20} {:<32} {}",
            spec.name,
            callers.join(" "),
            spec.title
        ))?;
    }
    Ok(())
}

async fn call(
    shared: Shared,
    name: String,
    arguments: &str,
    language: Option<Language>,
    as_json: bool,
) -> Result<(), Failure> {
    let arguments: Value = serde_json::from_str(arguments)
        .map_err(|error| Failure::Wrong(format!("the arguments are not JSON: {error}")))?;
    let mut session = Session::open(shared).await?;
    let command = Command::Tool {
        name,
        arguments,
        language,
    };
    let answer = session.ask(command).await?;
    session.close().await;
    if answer["ok"] == false {
        let text = answer["error"].as_str().unwrap_or_default().to_owned();
        if as_json {
            json(&answer)?;
        }
        return Err(match answer["reason"].as_str() {
            Some("invalid" | "unknown") => Failure::Wrong(text),
            Some("unavailable") => Failure::Machine(text),
            _ => Failure::Check(text),
        });
    }
    if as_json {
        return json(&answer["result"]);
    }
    line(
        &serde_json::to_string_pretty(&answer["result"])
            .map_err(|error| Failure::Machine(error.to_string()))?,
    )
}
