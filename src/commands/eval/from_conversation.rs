//! `sportello eval from-conversation`.

use std::path::PathBuf;

use crate::commands::output::{line, note};
use crate::commands::{Failure, Shared};
use crate::domain::ConversationId;
use crate::eval;
use crate::store::Store;

/// More turns than this are not taken.
const TURNS: i64 = 200;

/// `eval from-conversation`.
#[derive(Debug, clap::Args)]
pub struct FromConversation {
    /// The conversation's id, as the desk's address shows it
    id: String,
    /// Add the case to this JSONL file, which is made when missing, instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Makes a case of a stored conversation.
pub async fn run(shared: &Shared, args: &FromConversation) -> Result<(), Failure> {
    let store = shared.store().await?;
    let drafted = drafted(&store, &args.id).await;
    store.close().await;
    let drafted = drafted?;
    for left_out in &drafted.left_out {
        note(&format!("sportello: left out: {left_out}"));
    }
    if drafted.case.turns.is_empty() {
        return Err(Failure::Wrong(
            "nothing that can be said again was written in this conversation".to_owned(),
        ));
    }
    let case = eval::Case::Conversation(drafted.case);
    let text = serde_json::to_string(&case).map_err(|error| Failure::Machine(error.to_string()))?;
    match &args.out {
        None => line(&text)?,
        Some(file) => append(file, &text)?,
    }
    note(
        "sportello: phones, addresses, order numbers and the contact's name are replaced; read it before you share it",
    );
    Ok(())
}

async fn drafted(store: &Store, id: &str) -> Result<eval::Drafted, Failure> {
    let conversation = ConversationId::from(id);
    let kept = store.desk_conversation(&conversation).await?;
    let kept = kept.ok_or_else(|| {
        Failure::Wrong(format!(
            "there is no conversation {id}; its id is in the desk's address"
        ))
    })?;
    let taken = store.taken(&conversation).await?;
    let mut turns = store.turns(&conversation, TURNS).await?;
    turns.reverse();
    let address = &kept.overview.address;
    let phone = address.starts_with('+').then_some(address.as_str());
    Ok(eval::draft(
        id,
        &taken,
        &turns,
        kept.overview.name.as_deref(),
        phone,
    ))
}

fn append(file: &std::path::Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let failed = |error: std::io::Error| {
        Failure::Machine(format!("{} cannot be written: {error}", file.display()))
    };
    let mut out = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map_err(failed)?;
    out.write_all(format!("{text}\n").as_bytes())
        .map_err(failed)
}
