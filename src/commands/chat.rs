//! `sportello chat`.

use tokio::io::{AsyncBufReadExt, BufReader};
use uuid::Uuid;

use super::output::{line, note};
use super::session::Session;
use super::{Failure, Shared};
use crate::app::{Command, Said, Talk};
use crate::domain::{Answer, InboundContent, Outcome};
use crate::telemetry;

/// Digits of an international telephone number: E.164 allows fifteen.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// What `chat` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Count as this verified phone, for example +4915112345678
    #[arg(long, value_parser = phone)]
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

/// A number in international form, without what only groups its digits.
pub(super) fn phone(written: &str) -> Result<String, String> {
    let number: String = written
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '-' | '(' | ')' | '.' | '/'))
        .collect();
    let digits = number.strip_prefix('+').unwrap_or_default();
    let plausible =
        PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plausible.then_some(number).ok_or_else(|| {
        format!("`{written}` is no international telephone number such as +4915112345678")
    })
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

#[cfg(test)]
mod tests {
    use super::phone;

    #[test]
    fn a_phone_is_an_international_number() {
        assert_eq!(phone("+49 151 1234-5678").as_deref(), Ok("+4915112345678"));
        for wrong in [
            "abc",
            "",
            "+",
            "015112345678",
            "+49abc1234567",
            "+1234567890123456",
        ] {
            assert!(phone(wrong).is_err(), "{wrong}");
        }
    }
}
