//! `sportello backup`.

use std::path::PathBuf;

use super::output::note;
use super::{Failure, Shared};
use crate::store::Store;

/// What `backup` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The new file
    file: PathBuf,
}

/// Copies the database; a server may run meanwhile.
pub async fn run(shared: &Shared, args: &Args) -> Result<(), Failure> {
    shared.has_database()?;
    let file = args.file.display();
    if args.file.symlink_metadata().is_ok() {
        return Err(Failure::Wrong(format!(
            "{file} exists already; name a new file"
        )));
    }
    let folder = args
        .file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Failure::Wrong(format!(
            "there is no folder {}; make it first",
            folder.display()
        )));
    }
    Store::backup(&shared.data, &args.file).await?;
    note(&format!("copied to {file}"));
    Ok(())
}
