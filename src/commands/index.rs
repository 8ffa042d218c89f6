//! `sportello index`.

use super::output::{json, line};
use super::session::Session;
use super::{Failure, Shared};
use crate::app::Command;

/// What `index` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object instead of a sentence
    #[arg(long)]
    json: bool,
}

/// Brings the index up to date.
pub async fn run(shared: Shared, args: &Args) -> Result<(), Failure> {
    let mut session = Session::without_index(shared).await?;
    let report = session.ask(Command::Index).await?;
    session.close().await;
    if args.json {
        return json(&report);
    }
    line(&format!(
        "{} chunks, {} embedded now",
        report["chunks"], report["embedded"]
    ))
}
