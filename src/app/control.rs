//! Commands on a running server: a Unix socket in the data folder, one JSON object a line.
//!
//! The embedded index has one owner. While `serve` runs, the other commands ask it through this socket;
//! otherwise they open the folder themselves. Either way [`perform`] does the work.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::conversing::Talk;
use super::doors::mcp_state;
use super::notify::NotifyOrder;
use super::open::{App, AppError};
use super::prepare::Prepared;
use super::tokens::{TokenCommand, tokens};
use crate::domain::{Language, PassageKind};
use crate::mcp;
use crate::ports::Filter;
use crate::retrieval::{Query, SearchLegs};
use crate::tools::{CallContext, Caller};

const SOCKET: &str = "control.sock";

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Bring the index up to date.
    Index,
    /// Search the knowledge.
    Search {
        /// The words.
        query: String,
        /// At most so many passages.
        limit: usize,
        /// One of these kinds; empty for all.
        kinds: Vec<PassageKind>,
        /// Their language; guessed when missing.
        language: Option<Language>,
    },
    /// Call a tool as the operator.
    Tool {
        /// The tool.
        name: String,
        /// Its arguments.
        arguments: Value,
        /// The language to answer in.
        language: Option<Language>,
    },
    /// Say something to the agent.
    Talk(Talk),
    /// Tell a customer the news of an order.
    NotifyOrder(NotifyOrder),
    /// Join two contacts that are one person.
    MergeContacts {
        /// The one that stays: its id, phone or user id.
        keep: String,
        /// The one that becomes part of it.
        other: String,
    },
    /// Make, list or end tokens of assistants.
    Tokens(TokenCommand),
    /// Speak MCP on this connection from the next byte on.
    Mcp,
}

/// What comes back, a line each; a result or a failure is the last.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// So many of so many are done.
    Progress(usize, usize),
    /// The result.
    Done(Value),
    /// What went wrong, and the exit code.
    Failed(String, u8),
}

/// Why a running server gave no result.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The connection broke.
    #[error("the running server does not answer: {0}")]
    Broken(#[from] std::io::Error),
    /// It said something else.
    #[error("the running server answered something unexpected: {0}")]
    Odd(#[from] serde_json::Error),
    /// It failed; with the exit code.
    #[error("{0}")]
    Failed(String, u8),
}

/// Does what is asked.
///
/// # Errors
/// [`AppError`], with what to do about it.
pub async fn perform(
    app: &Arc<App>,
    prepared: &Prepared,
    command: Command,
    progress: impl Fn(usize, usize) + Send + Sync,
) -> Result<Value, AppError> {
    match command {
        Command::Index => {
            let report = app.reindex(Some(prepared), progress).await?;
            value(&report)
        }
        Command::Search {
            query,
            limit,
            kinds,
            language,
        } => {
            let detect = |text: &str| {
                prepared
                    .understanding
                    .load()
                    .languages
                    .detect(text, None)
                    .language
            };
            let found = app
                .retriever
                .search(&Query {
                    text: &query,
                    vector: None,
                    diversity: 0.0,
                    legs: SearchLegs::Both,
                    language: language.unwrap_or_else(|| detect(&query)),
                    limit,
                    filter: Filter {
                        kinds,
                        ..Filter::default()
                    },
                })
                .await?;
            Ok(json!({
                "query": query,
                "mode": found.mode.name(),
                "relevant": found.relevant,
                "results": value(&found.passages)?,
            }))
        }
        Command::Tool {
            name,
            arguments,
            language,
        } => {
            let home = app
                .config
                .shop
                .languages
                .first()
                .copied()
                .unwrap_or(Language::EN);
            let context = CallContext::of(Caller::Operator, language.unwrap_or(home));
            Ok(match app.tools.call(&name, arguments, &context).await {
                Ok(result) => json!({ "ok": true, "result": result }),
                Err(error) => json!({
                    "ok": false,
                    "reason": error.name(),
                    "error": error.for_caller(),
                }),
            })
        }
        Command::NotifyOrder(asked) => value(&app.notify_order(asked).await?),
        Command::MergeContacts { keep, other } => value(&app.merge_contacts(&keep, &other).await?),
        Command::Tokens(asked) => tokens(&app.store, asked).await,
        Command::Talk(talk) => value(&app.talk(talk).await?),
        Command::Mcp => Err(AppError::Configuration(
            "MCP is a conversation, not a command".to_owned(),
        )),
    }
}

fn value(thing: &impl Serialize) -> Result<Value, AppError> {
    serde_json::to_value(thing).map_err(|error| AppError::Machine(error.to_string()))
}

/// The socket of a data folder, closed and removed when dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Opens the socket; one that a dead process left behind is replaced. None when another server on this
    /// folder answers there, as several do that share a remote index.
    ///
    /// # Errors
    /// When the folder does not take a socket.
    pub async fn open(data: &Path) -> Result<Option<Self>, AppError> {
        let path = data.join(SOCKET);
        if UnixStream::connect(&path).await.is_ok() {
            tracing::info!(
                "another server on this data folder answers commands; this one goes without a socket"
            );
            return Ok(None);
        }
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(|error| {
            AppError::Machine(format!(
                "the socket {} cannot be made: {error}",
                path.display()
            ))
        })?;
        Ok(Some(Self { listener, path }))
    }

    /// Answers until told to stop.
    pub async fn run(self, app: Arc<App>, prepared: Prepared, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            if let Ok((stream, _)) = accepted {
                let (app, prepared) = (Arc::clone(&app), prepared.clone());
                tracker.spawn(async move {
                    if let Err(error) = answer(app, prepared, stream).await {
                        tracing::warn!(%error, "a command on the socket broke off");
                    }
                });
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(app: Arc<App>, prepared: Prepared, stream: UnixStream) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    while reader.read_line(&mut line).await? > 0 {
        let command: Command = match serde_json::from_str(&line) {
            Ok(command) => command,
            Err(error) => {
                send(
                    &mut writer,
                    &Report::Failed(format!("not a command: {error}"), 2),
                )
                .await?;
                return Ok(());
            }
        };
        if matches!(command, Command::Mcp) {
            if let Ok(url) = Url::parse(&app.public_url)
                && let Err(error) = mcp::serve_stream(mcp_state(&app, url), reader, writer).await
            {
                tracing::warn!(%error, "an MCP stream ended badly");
            }
            return Ok(());
        }
        let (steps, mut done) = tokio::sync::mpsc::unbounded_channel();
        let progress = move |part, whole| {
            let _ = steps.send((part, whole));
        };
        let mut work = std::pin::pin!(perform(&app, &prepared, command, progress));
        let result = loop {
            tokio::select! {
                Some((part, whole)) = done.recv() => {
                    send(&mut writer, &Report::Progress(part, whole)).await?;
                }
                result = &mut work => break result,
            }
        };
        let report = match result {
            Ok(value) => Report::Done(value),
            Err(error) => Report::Failed(error.to_string(), error.exit_code()),
        };
        send(&mut writer, &report).await?;
        line.clear();
    }
    Ok(())
}

async fn send(writer: &mut OwnedWriteHalf, report: &Report) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// A running server, seen from another command.
pub struct Remote {
    lines: Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Remote {
    /// The server that runs on this data folder, when one does.
    pub async fn find(data: &Path) -> Option<Self> {
        let stream = UnixStream::connect(data.join(SOCKET)).await.ok()?;
        let (reader, writer) = stream.into_split();
        Some(Self {
            lines: BufReader::new(reader).lines(),
            writer,
        })
    }

    /// Asks and waits for the result.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn ask(
        &mut self,
        command: &Command,
        progress: impl Fn(usize, usize),
    ) -> Result<Value, RemoteError> {
        self.write(command).await?;
        loop {
            let gone = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            let line = self.lines.next_line().await?.ok_or_else(gone)?;
            match serde_json::from_str(&line)? {
                Report::Progress(part, whole) => progress(part, whole),
                Report::Done(value) => return Ok(value),
                Report::Failed(error, code) => return Err(RemoteError::Failed(error, code)),
            }
        }
    }

    /// Turns the connection into an MCP stream.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn mcp(
        mut self,
    ) -> Result<(BufReader<tokio::net::unix::OwnedReadHalf>, OwnedWriteHalf), RemoteError> {
        self.write(&Command::Mcp).await?;
        Ok((self.lines.into_inner(), self.writer))
    }

    async fn write(&mut self, command: &Command) -> Result<(), RemoteError> {
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        self.writer.write_all(&line).await?;
        Ok(())
    }
}
