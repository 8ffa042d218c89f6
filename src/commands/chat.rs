//! `sportello chat`.

use tokio::io::{AsyncBufReadExt, BufReader};
use uuid::Uuid;

use super::output::{line, note};
use super::session::Session;
use super::{Failure, Shared};
use crate::app::{Command, Said, Talk};
use crate::domain::{Answer, InboundContent, Outcome};
use crate::telemetry;

/// What `chat` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Count as this verified phone, for example +4915112345678
    #[arg(long)]
    phone: Option<String>,
    /// Show what was understood and done
    #[arg(long)]
    trace: bool,
    /// One JSON object a turn
    #[arg(long)]
    json: bool,
}

/// Answers every line of standard input until it ends.
pub async fn run(shared: Shared, args: Args) -> Result<(), Failure> {
    telemetry::logs("error", false);
    let mut session = Session::open(shared).await?;
    if let Session::Local(local) = &session {
        local.work()?;
    }
    note("Type a message; an empty line or Ctrl-D ends.");
    let name = format!("terminal-{}", Uuid::now_v7().simple());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(text) = lines.next_line().await? {
        if text.trim().is_empty() {
            break;
        }
        let talk = Talk {
            session: name.clone(),
            phone: args.phone.clone(),
            content: vec![InboundContent::Text { text }],
        };
        let said = session.ask(Command::Talk(talk)).await?;
        if args.json {
            super::output::json(&said)?;
            continue;
        }
        let said: Said =
            serde_json::from_value(said).map_err(|error| Failure::Machine(error.to_string()))?;
        show(&said, args.trace)?;
    }
    session.close().await;
    Ok(())
}

fn show(said: &Said, trace: bool) -> Result<(), Failure> {
    if trace {
        let steps: Vec<&str> = said
            .trace
            .tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        let intent = said
            .trace
            .triage
            .as_ref()
            .map_or("-", |triage| triage.intent.decided());
        note(&format!(
            "  [{intent}; {}; {}; tools: {}; {} ms]",
            said.trace.plan,
            said.trace.retrieval,
            steps.join(", "),
            said.trace.milliseconds
        ));
    }
    match &said.outcome {
        Outcome::Answered { answer, .. } | Outcome::HandedOff { answer, .. } => print(answer),
        Outcome::Silent { reason } => {
            note(&format!("  (no answer: {reason})"));
            Ok(())
        }
    }
}

fn print(answer: &Answer) -> Result<(), Failure> {
    line(&answer.text)?;
    if let Some(payment) = &answer.payment {
        line(&format!("[{}] {}", payment.label, payment.url))?;
    }
    for choice in &answer.choices {
        line(&format!("[{}]", choice.title))?;
    }
    line("")
}
