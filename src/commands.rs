//! The command line: a contract that others script against.
//!
//! Machine output goes to standard output, everything else to standard error. Exit codes: 0 done, 1 a
//! check or gate failed, 2 wrong call or configuration, 3 a provider or the machine failed, 4 a recording is missing.

mod backup;
mod chat;
mod check;
mod contacts;
mod deadletter;
mod eval;
mod fit;
mod index;
mod mcp;
mod notify;
mod output;
mod report;
mod search;
mod serve;
mod session;

mod simulate;
mod templates;
mod tokens;
mod tools;
mod understand;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::app::{AppError, RemoteError};
use crate::clock;
use crate::config::{self, Config, Flag};
use crate::failpoint;
use crate::store::{Store, StoreError};

/// The AI agent at a business's counter.
#[derive(Debug, Parser)]
#[command(name = "sportello", version, about)]
struct Cli {
    /// The configuration file; without one, the demo shop
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder for all state: database, index, media
    #[arg(long, global = true, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve all doors
    Serve(serve::Args),
    /// Check the configuration and the knowledge, and report every fault
    Check(check::Args),
    /// Bring the index up to date with the knowledge
    Index(index::Args),
    /// Search the knowledge
    Search(search::Args),
    /// Label lines with language, intent and sentiment
    Understand(understand::Args),
    /// Talk to the agent in the terminal
    Chat(chat::Args),
    /// List the tools, or call one
    #[command(subcommand)]
    Tools(tools::Tools),
    /// Speak MCP on standard input and output
    Mcp,
    /// Fit the weights that are part of the program
    #[command(subcommand)]
    Fit(fit::Fit),
    /// Measure the agent against a suite of cases
    #[command(subcommand)]
    Eval(eval::Eval),
    /// Measure single parts on labelled sets
    #[command(subcommand)]
    Report(report::Report),
    /// Tell a customer something
    #[command(subcommand)]
    Notify(notify::Notify),
    /// The message templates at Meta
    #[command(subcommand)]
    Templates(templates::Templates),
    /// Tokens of the shop's own assistants, for MCP
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    /// Be a customer on WhatsApp, without an account: a stand-in for the Graph API and a terminal
    Simulate(simulate::Args),
    /// What came in and could not be worked on
    #[command(subcommand)]
    Deadletter(deadletter::Letters),
    /// Who writes on the channels, and joining two contacts that are one person
    #[command(subcommand)]
    Contacts(contacts::Contacts),
    /// Copy the database while it is in use
    Backup(backup::Args),
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The call or the configuration is wrong.
    #[error("{0}")]
    Wrong(String),
    /// A check or a gate failed; what it found is said already.
    #[error("{0}")]
    Check(String),
    /// A provider or the machine failed.
    #[error("{0}")]
    Machine(String),
    /// A call to a model has no recording.
    #[error("{0}")]
    Unrecorded(String),
    /// A part of the program failed.
    #[error(transparent)]
    App(#[from] AppError),
    /// A running server failed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Machine(error.to_string())
    }
}

impl Failure {
    fn configuration(faults: &[config::ConfigFault]) -> Self {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Self::Wrong(format!(
            "the configuration has faults:\n{}",
            lines.join("\n")
        ))
    }

    fn code(&self) -> u8 {
        match self {
            Self::Check(_) => 1,
            Self::Wrong(_) => 2,
            Self::Machine(_) => 3,
            Self::Unrecorded(_) => 4,
            Self::App(error) => error.exit_code(),
            Self::Remote(RemoteError::Failed(_, code)) => *code,
            Self::Remote(RemoteError::Broken(_) | RemoteError::Odd(_)) => 3,
        }
    }
}

/// What every command knows.
pub struct Shared {
    /// The configuration, checked.
    pub config: Config,
    /// The data folder.
    pub data: PathBuf,
}

impl Shared {
    /// Refuses a data folder that no server has used: a wrong name would make an empty database.
    fn has_database(&self) -> Result<(), Failure> {
        if Store::exists(&self.data) {
            return Ok(());
        }
        Err(Failure::Wrong(format!(
            "there is no database in {}; name the folder of the server with --data",
            self.data.display()
        )))
    }

    /// The database that is there.
    async fn store(&self) -> Result<Store, Failure> {
        self.has_database()?;
        Ok(Store::open(&self.data).await?)
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    if let Some(count) = config::failpoint().and_then(|text| text.parse().ok()) {
        failpoint::arm(count);
    }
    if let Some(offset) = config::clock_offset().and_then(|text| text.parse().ok()) {
        clock::shift(offset);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::note(&format!("the runtime cannot be started: {error}"));
            return ExitCode::from(3);
        }
    };
    let ran = runtime.block_on(run(cli));
    // A read of standard input cannot be interrupted; it must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            if !text.is_empty() {
                output::note(&format!("sportello: {text}"));
            }
            ExitCode::from(failure.code())
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let listen = if let Command::Serve(args) = &cli.command {
        args.listen.clone()
    } else {
        None
    };
    let flags: Vec<Flag<'_>> = listen
        .as_deref()
        .map(|value| Flag {
            name: "--listen",
            key: "server.listen",
            value,
        })
        .into_iter()
        .collect();
    let loaded = config::load(cli.config.as_deref(), config::environment(), &flags);
    let config = match (loaded, &cli.command) {
        (Ok(config), _) => config,
        (Err(faults), Command::Check(args)) => return check::configuration(&faults, args),
        (Err(faults), _) => return Err(Failure::configuration(&faults)),
    };
    for warning in config::warnings(&config) {
        output::note(&format!("sportello: {warning}"));
    }
    let shared = Shared {
        config,
        data: cli.data,
    };
    match cli.command {
        Command::Serve(args) => serve::run(shared, args).await,
        Command::Check(args) => check::run(&shared, &args),
        Command::Index(args) => index::run(shared, &args).await,
        Command::Search(args) => search::run(shared, args).await,
        Command::Understand(args) => understand::run(shared, args).await,
        Command::Chat(args) => chat::run(shared, args).await,
        Command::Tools(tools) => tools::run(shared, tools).await,
        Command::Mcp => mcp::run(shared).await,
        Command::Fit(fit) => fit::run(&shared, fit).await,
        Command::Eval(eval) => eval::run(shared, eval).await,
        Command::Report(report) => report::run(shared, report).await,
        Command::Notify(notify) => notify::run(shared, notify).await,
        Command::Templates(templates) => templates::run(&shared, templates).await,
        Command::Tokens(tokens) => tokens::run(&shared, tokens).await,
        Command::Simulate(args) => simulate::run(args).await,
        Command::Deadletter(letters) => deadletter::run(&shared, letters).await,
        Command::Contacts(contacts) => contacts::run(&shared, contacts).await,
        Command::Backup(args) => backup::run(&shared, &args).await,
    }
}
