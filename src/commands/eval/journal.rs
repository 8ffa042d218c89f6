//! What a run has judged so far, a line a case, so that it can be gone on with.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::commands::Failure;
use crate::eval::CaseResult;

/// The journal of a run; without a file nothing is kept.
pub struct Journal {
    file: Option<(PathBuf, Mutex<File>)>,
    known: Vec<CaseResult>,
}

impl Journal {
    /// Opens a journal: to go on with it, else anew. A line that a crash cut off is left out.
    pub fn open(path: Option<PathBuf>, resume: bool) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self {
                file: None,
                known: Vec::new(),
            });
        };
        let failed = |error: std::io::Error| {
            Failure::Machine(format!("{} cannot be used: {error}", path.display()))
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let text = match std::fs::read_to_string(&path) {
            Ok(text) if resume => text,
            Err(error) if resume && error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => String::new(),
        };
        let known: Vec<CaseResult> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true);
        let mut file = options.open(&path).map_err(failed)?;
        for case in &known {
            write(&mut file, case).map_err(failed)?;
        }
        Ok(Self {
            file: Some((path, Mutex::new(file))),
            known,
        })
    }

    /// Takes out what an earlier run has judged.
    pub fn known(&mut self) -> Vec<CaseResult> {
        std::mem::take(&mut self.known)
    }

    /// Keeps a case. A disk that takes no more costs only the going on.
    pub fn add(&self, case: &CaseResult) {
        if let Some((_, file)) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = write(&mut file, case) {
                tracing::warn!(%error, "a case is not in the journal");
            }
        }
    }

    /// The run is complete.
    pub fn remove(&self) {
        if let Some((path, _)) = &self.file {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn write(file: &mut File, case: &CaseResult) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(case)?;
    line.push(b'\n');
    file.write_all(&line)
}
