//! `sportello backup`.

use std::path::PathBuf;

use super::output::note;
use super::{Failure, Shared};
use crate::app::AppError;
use crate::store::Store;

/// What `backup` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The new file
    file: PathBuf,
}

/// Copies the database; a server may run meanwhile.
pub async fn run(shared: &Shared, args: &Args) -> Result<(), Failure> {
    if args.file.exists() {
        return Err(Failure::Wrong(format!(
            "{} exists already; name a new file",
            args.file.display()
        )));
    }
    if !shared.data.is_dir() {
        return Err(Failure::Wrong(format!(
            "there is no data folder {}",
            shared.data.display()
        )));
    }
    let store = Store::open(&shared.data).await.map_err(AppError::from)?;
    store.backup(&args.file).await.map_err(AppError::from)?;
    store.close().await;
    note(&format!("copied to {}", args.file.display()));
    Ok(())
}
