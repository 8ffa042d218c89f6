//! `current.json`: which generation is live. Replaced whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::{damaged, unavailable};
use crate::ports::{Generation, IndexError};

const POINTER: &str = "current.json";

/// The live generation; none before the first build.
pub(super) fn read(folder: &Path) -> Result<Option<Generation>, IndexError> {
    let path = folder.join(POINTER);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| damaged(folder, format_args!("{POINTER}: {error}"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unavailable(&path, &error)),
    }
}

/// Makes a generation the live one, durably.
pub(super) fn write(folder: &Path, generation: &Generation) -> Result<(), IndexError> {
    replace(folder, generation).map_err(|error| unavailable(&folder.join(POINTER), &error))
}

fn replace(folder: &Path, generation: &Generation) -> io::Result<()> {
    let temporary = folder.join("current.json.new");
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(generation)?)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(POINTER))?;
    File::open(folder)?.sync_all()
}
