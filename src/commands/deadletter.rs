//! `sportello deadletter`: works on the database, so a server may run meanwhile.

use jiff::Timestamp;

use super::output::{json, line, note};
use super::{Failure, Shared};
use crate::app::{Replayed, replay};
use crate::store::{DeadLetter, Store};

/// At most so many letters at once.
const LETTERS: i64 = 10_000;

/// What `deadletter` does.
#[derive(Debug, clap::Subcommand)]
pub enum Letters {
    /// The letters that wait, oldest first, with why they lie there
    List {
        /// Those that were replayed, too
        #[arg(long)]
        all: bool,
        /// One JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// One letter with its body, as it came
    Show {
        /// The letter
        id: String,
        /// One line of JSON instead of the body alone
        #[arg(long)]
        json: bool,
    },
    /// Try a letter again, or all that wait
    Replay {
        /// The letter
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All that wait
        #[arg(long)]
        all: bool,
        /// One JSON array instead of a line each
        #[arg(long)]
        json: bool,
    },
}

/// Lists, shows or tries again.
pub async fn run(shared: &Shared, letters: Letters) -> Result<(), Failure> {
    let store = shared.store().await?;
    let done = match letters {
        Letters::List { all, json } => list(&store, all, json).await,
        Letters::Show { id, json } => show(&store, &id, json).await,
        Letters::Replay { id, json, .. } => again(shared, &store, id, json).await,
    };
    store.close().await;
    done
}

async fn list(store: &Store, all: bool, as_json: bool) -> Result<(), Failure> {
    let letters = store.dead_letters(all, LETTERS).await?;
    if as_json {
        return json(&letters);
    }
    for letter in letters {
        line(&format!(
            "{}  {}  {}",
            letter.id,
            time(letter.received_at),
            letter.reason
        ))?;
    }
    Ok(())
}

async fn show(store: &Store, id: &str, as_json: bool) -> Result<(), Failure> {
    let letter = found(store, id).await?;
    if as_json {
        json(&letter)
    } else {
        line(&letter.body)
    }
}

async fn again(
    shared: &Shared,
    store: &Store,
    id: Option<String>,
    as_json: bool,
) -> Result<(), Failure> {
    let letters = match id {
        Some(id) => vec![found(store, &id).await?],
        None => store.dead_letters(false, LETTERS).await?,
    };
    let mut all = Vec::with_capacity(letters.len());
    for letter in &letters {
        all.push(replay(&shared.config, store, letter).await?);
    }
    if as_json {
        json(&all)?;
    } else {
        for replayed in &all {
            line(&told(replayed))?;
        }
    }
    match all
        .iter()
        .filter(|replayed| replayed.reason.is_some())
        .count()
    {
        0 => Ok(()),
        stay => {
            note(&format!("sportello: {stay} of {} stay", all.len()));
            Err(Failure::Check(String::new()))
        }
    }
}

fn told(replayed: &Replayed) -> String {
    match &replayed.reason {
        Some(reason) => format!("{}  stays: {reason}", replayed.id),
        None => format!("{}  done, {} new messages", replayed.id, replayed.messages),
    }
}

async fn found(store: &Store, id: &str) -> Result<DeadLetter, Failure> {
    let letter = store.dead_letter(id).await?;
    letter.ok_or_else(|| {
        Failure::Wrong(format!(
            "there is no letter {id}; see `sportello deadletter list --all`"
        ))
    })
}

fn time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(|_| String::new(), |at| at.to_string())
}
