//! A folder of cassettes, read once and shared by all who record or replay in a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::book::CaseRun;
use super::request::Asked;
use super::stand_ins::{Scrubber, StandIns};
use super::tape::{Recording, Reel, Tape, file_of};
use crate::ports::ModelReply;

/// What a file that is being recorded anew ends with, until its case is over.
const UNFINISHED: &str = "part";

/// Something wrong with a cassette.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", file.display())]
pub struct CassetteFault {
    /// The file or the folder.
    pub file: PathBuf,
    /// What is wrong.
    pub message: String,
}

/// The cassettes of a run.
pub struct Cassette {
    folder: PathBuf,
    scrubber: Scrubber,
    /// Whether cases are recorded anew instead of going on.
    anew: bool,
    reels: Mutex<BTreeMap<String, Arc<Mutex<Reel>>>>,
    fault: OnceLock<CassetteFault>,
}

impl Cassette {
    /// Reads a folder of recordings.
    ///
    /// # Errors
    /// When it is not there, or holds what cannot be read.
    pub fn read(folder: &Path, scrubber: Scrubber) -> Result<Self, CassetteFault> {
        if !folder.is_dir() {
            let message = "there is no such folder; record it with --record".to_owned();
            return Err(fault(folder, message));
        }
        let mut reels = BTreeMap::new();
        for file in files(folder)? {
            let tape = Tape::read(&file).map_err(|message| fault(&file, message))?;
            let case = tape.case.clone();
            let reel = Arc::new(Mutex::new(Reel::new(tape, false)));
            if reels.insert(case.clone(), reel).is_some() {
                let message =
                    format!("the case `{case}` has another file, too; remove one of them");
                return Err(fault(&file, message));
            }
        }
        let cassette = Self::empty(folder, scrubber, false);
        *cassette.reels() = reels;
        Ok(cassette)
    }

    /// Reads a folder of recordings to add to them; it is made when missing.
    ///
    /// # Errors
    /// When it cannot be made, or holds what cannot be read.
    pub fn extend(folder: &Path, scrubber: Scrubber) -> Result<Self, CassetteFault> {
        made(folder)?;
        Self::read(folder, scrubber)
    }

    /// A folder in which every case that is recorded begins anew. What was recorded before stays until the case is
    /// over; cases that are not run stay as they are.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn anew(folder: &Path, scrubber: Scrubber) -> Result<Self, CassetteFault> {
        made(folder)?;
        Ok(Self::empty(folder, scrubber, true))
    }

    fn empty(folder: &Path, scrubber: Scrubber, anew: bool) -> Self {
        Self {
            folder: folder.to_owned(),
            scrubber,
            anew,
            reels: Mutex::default(),
            fault: OnceLock::new(),
        }
    }

    /// How many cases are recorded.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.reels().len()
    }

    /// The models that were recorded, each once.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        let mut models: Vec<String> = self
            .all()
            .into_iter()
            .map(|reel| locked(&reel).tape.model.clone())
            .collect();
        models.sort();
        models.dedup();
        models
    }

    /// How long the calls that a run of a case has heard so far took when they were recorded, milliseconds.
    #[must_use]
    pub fn milliseconds(&self, run: &CaseRun) -> u64 {
        let reel = self.reels().get(&run.case).cloned();
        reel.map_or(0, |reel| locked(&reel).milliseconds(run.repeat))
    }

    /// Says that a case is over with all its repeats: what was recorded takes the place of what was there before.
    /// What is never said here is done when the cassette is dropped.
    pub fn finish(&self, case: &str) {
        let Some(reel) = self.reels().get(case).cloned() else {
            return;
        };
        let mut reel = locked(&reel);
        if !reel.unfinished {
            return;
        }
        let file = file_of(&self.folder, case);
        match fs::rename(unfinished(&file), &file) {
            Ok(()) => reel.unfinished = false,
            Err(error) => self.note(fault(&file, format!("it cannot be written: {error}"))),
        }
    }

    /// Says that all cases are over.
    pub fn finish_all(&self) {
        let cases: Vec<String> = self.reels().keys().cloned().collect();
        cases.iter().for_each(|case| self.finish(case));
    }

    /// The first recording that could not be written.
    #[must_use]
    pub fn fault(&self) -> Option<CassetteFault> {
        self.fault.get().cloned()
    }

    pub(super) fn stand_ins(&self, fresh: &[String]) -> StandIns {
        self.scrubber.stand_ins(fresh)
    }

    /// The recorded reply to a request, with the values of this one.
    pub(super) fn play(
        &self,
        run: &CaseRun,
        hash: &str,
        stand_ins: &StandIns,
    ) -> Option<ModelReply> {
        let reel = self.reels().get(&run.case).cloned()?;
        let mut reel = locked(&reel);
        Some(reel.play(run, hash)?.reply.shown(stand_ins))
    }

    /// Adds a call and writes the file.
    pub(super) fn add(&self, case: &str, model: &str, mut recording: Recording) {
        let file = file_of(&self.folder, case);
        let reel = Arc::clone(self.reels().entry(case.to_owned()).or_insert_with(|| {
            let reel = Reel::new(Tape::new(case, model), self.anew);
            Arc::new(Mutex::new(reel))
        }));
        let mut reel = locked(&reel);
        recording.model = (reel.tape.model != model).then(|| model.to_owned());
        reel.add(recording);
        if self.anew && !reel.unfinished {
            // A case that was said to be over goes on.
            reel.unfinished = true;
        }
        let written = if reel.unfinished {
            reel.tape.write(&unfinished(&file))
        } else {
            reel.tape.write(&file)
        };
        if let Err(error) = written {
            self.note(fault(&file, format!("it cannot be written: {error}")));
        }
    }

    /// What was asked in a case, else in any.
    pub(super) fn known(&self, case: &str) -> Vec<(String, Asked)> {
        let own = self.reels().get(case).cloned();
        let reels = own.map_or_else(|| self.all(), |reel| vec![reel]);
        let mut known = Vec::new();
        for reel in reels {
            let reel = locked(&reel);
            let calls = reel.tape.calls.iter();
            known.extend(calls.map(|call| (reel.tape.case.clone(), call.request.clone())));
        }
        known
    }

    fn all(&self) -> Vec<Arc<Mutex<Reel>>> {
        self.reels().values().cloned().collect()
    }

    fn reels(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Mutex<Reel>>>> {
        locked(&self.reels)
    }

    fn note(&self, fault: CassetteFault) {
        tracing::error!(file = %fault.file.display(), "a recording cannot be written");
        // The first one is told; the others have the same cause.
        let _ = self.fault.set(fault);
    }
}

impl Drop for Cassette {
    fn drop(&mut self) {
        self.finish_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unfinished(file: &Path) -> PathBuf {
    file.with_extension(format!("json.{UNFINISHED}"))
}

fn made(folder: &Path) -> Result<(), CassetteFault> {
    fs::create_dir_all(folder).map_err(|error| fault(folder, format!("it cannot be made: {error}")))
}

/// The files of a folder in the order of their names. A recording that was broken off counts where there is none
/// from before.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CassetteFault> {
    let failed = |error: std::io::Error| fault(folder, error.to_string());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        let finished = path.with_extension("");
        match ending {
            Some("json") => files.push(path),
            Some(UNFINISHED) if !finished.exists() => files.push(path),
            Some(_) | None => {}
        }
    }
    files.sort();
    Ok(files)
}

fn fault(file: &Path, message: String) -> CassetteFault {
    CassetteFault {
        file: file.to_owned(),
        message,
    }
}
