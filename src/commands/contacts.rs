//! `sportello contacts`: reads the database; a merge is done by the running server, if there is one.

use super::output::{json, line};
use super::{Failure, Shared};
use crate::app::{Command, Remote};
use crate::clock;
use crate::store::{ContactFile, KnownContact, Merged, Store};

/// What `contacts` does.
#[derive(Debug, clap::Subcommand)]
pub enum Contacts {
    /// The contacts, newest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// One JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// One contact: its conversations, whom it may be the same person as, and what was done to it
    Show {
        /// Its id, its phone with `+`, or WhatsApp's user id of it
        who: String,
        /// One JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Join two contacts on WhatsApp that are one person. What both have of a phone, a user id and a name stays
    /// as the first has it; of their consents a no counts. It cannot be undone
    Merge {
        /// The contact that stays: its id, its phone with `+`, or WhatsApp's user id of it
        keep: String,
        /// The contact that becomes part of it
        other: String,
        /// One line of JSON
        #[arg(long)]
        json: bool,
    },
}

/// Lists, shows or joins.
pub async fn run(shared: &Shared, contacts: Contacts) -> Result<(), Failure> {
    let store = shared.store().await?;
    let done = match contacts {
        Contacts::List { limit, json } => list(&store, limit, json).await,
        Contacts::Show { who, json } => show(&store, &who, json).await,
        Contacts::Merge { keep, other, json } => merge(shared, &store, keep, other, json).await,
    };
    store.close().await;
    done
}

async fn list(store: &Store, limit: u32, as_json: bool) -> Result<(), Failure> {
    let contacts = store.contacts(i64::from(limit)).await?;
    if as_json {
        return json(&contacts);
    }
    for contact in &contacts {
        line(&told(contact))?;
    }
    Ok(())
}

async fn show(store: &Store, who: &str, as_json: bool) -> Result<(), Failure> {
    let files = store.contact_files(who).await?;
    if files.is_empty() {
        return Err(Failure::Wrong(format!(
            "`{who}` is no contact; see `sportello contacts list`"
        )));
    }
    if as_json {
        return json(&files);
    }
    for file in &files {
        shown(file)?;
    }
    Ok(())
}

fn shown(file: &ContactFile) -> Result<(), Failure> {
    line(&told(&file.contact))?;
    for conversation in &file.conversations {
        line(&format!("  conversation {conversation}"))?;
    }
    for other in &file.perhaps {
        line(&format!("  perhaps the same person: {}", told(other)))?;
    }
    for entry in &file.audit {
        let (actor, action, details) = (&entry.actor, &entry.action, &entry.details);
        line(&format!("  {action} by {actor}: {details}"))?;
    }
    Ok(())
}

/// A refusal is a wrong call either way: nothing was changed.
async fn merge(
    shared: &Shared,
    store: &Store,
    keep: String,
    other: String,
    as_json: bool,
) -> Result<(), Failure> {
    let merged: Merged = match Remote::find(&shared.data).await {
        Some(mut remote) => {
            let command = Command::MergeContacts { keep, other };
            let value = remote.ask(&command, |_, _| {}).await?;
            serde_json::from_value(value).map_err(|error| Failure::Machine(error.to_string()))?
        }
        None => store
            .merge_contacts(&keep, &other, "operator", clock::now())
            .await?
            .map_err(|refusal| Failure::Wrong(refusal.to_string()))?,
    };
    if as_json {
        return json(&merged);
    }
    line(&format!(
        "{} is now part of {}; {} conversations were joined",
        merged.gone,
        merged.contact,
        merged.joined.len()
    ))
}

fn told(contact: &KnownContact) -> String {
    let known = [
        Some(contact.id.as_str()),
        Some(contact.channel.as_str()),
        contact.phone.as_deref(),
        contact.user_id.as_deref(),
        contact.name.as_deref(),
    ];
    let known: Vec<&str> = known.into_iter().flatten().collect();
    known.join("  ")
}
