//! One file of a cassette: the calls of one case.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::book::CaseRun;
use super::request::{Asked, Replied};

/// The version of the files that this program reads and writes.
const VERSION: u32 = 1;
/// Longer names make trouble in some file systems.
const LONGEST_NAME: usize = 80;

/// The calls of one case, in the order in which they were made, repeat after repeat.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tape {
    version: u32,
    pub(super) case: String,
    /// The model that answered first.
    pub(super) model: String,
    pub(super) calls: Vec<Recording>,
}

/// One call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recording {
    pub(super) hash: String,
    /// Which repeat of the case asked.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub(super) repeat: u32,
    /// The model, where it is not that of the file: a judge, for example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    pub(super) request: Asked,
    pub(super) reply: Replied,
    pub(super) milliseconds: u64,
}

/// A tape and what was played of it.
#[derive(Debug)]
pub(super) struct Reel {
    pub(super) tape: Tape,
    places: HashMap<String, Vec<usize>>,
    played: HashMap<(u32, String), usize>,
    milliseconds: HashMap<u32, u64>,
    /// Whether it is being recorded anew and stands beside what was recorded before.
    pub(super) unfinished: bool,
}

impl Tape {
    pub(super) fn new(case: &str, model: &str) -> Self {
        Self {
            version: VERSION,
            case: case.to_owned(),
            model: model.to_owned(),
            calls: Vec::new(),
        }
    }

    /// Reads a file.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let bytes = fs::read(file).map_err(|error| error.to_string())?;
        let tape: Self = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if tape.version != VERSION {
            return Err(format!(
                "it has version {}, this program reads version {VERSION}; record it again",
                tape.version
            ));
        }
        Ok(tape)
    }

    /// Writes the file: it is either whole or as it was.
    pub(super) fn write(&self, file: &Path) -> std::io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        let mut name = file.file_name().map(OsString::from).unwrap_or_default();
        name.push(format!(".tmp{}", std::process::id()));
        let unfinished = file.with_file_name(name);
        let written = File::create(&unfinished).and_then(|mut open| {
            open.write_all(&bytes)?;
            open.sync_all()
        });
        written
            .and_then(|()| fs::rename(&unfinished, file))
            .inspect_err(|_| {
                // What is left of it helps nobody; the error is told.
                let _ = fs::remove_file(&unfinished);
            })
    }
}

impl Reel {
    pub(super) fn new(tape: Tape, unfinished: bool) -> Self {
        let mut reel = Self {
            tape,
            places: HashMap::new(),
            played: HashMap::new(),
            milliseconds: HashMap::new(),
            unfinished,
        };
        reel.index();
        reel
    }

    /// The recording of a request. The n-th time that a repeat asks the same it is that repeat's n-th recording,
    /// else the last; a repeat that was never recorded hears the last one that was.
    pub(super) fn play(&mut self, run: &CaseRun, hash: &str) -> Option<&Recording> {
        let calls = &self.tape.calls;
        let places = self.places.get(hash)?;
        let repeat_of = |place: &usize| calls.get(*place).map(|call| call.repeat);
        let last = places.iter().filter_map(repeat_of).max()?;
        let own = places
            .iter()
            .any(|place| repeat_of(place) == Some(run.repeat));
        let repeat = if own { run.repeat } else { last };
        let heard = self
            .played
            .entry((run.repeat, hash.to_owned()))
            .or_insert(0);
        let mut fitting = places
            .iter()
            .filter(|place| repeat_of(place) == Some(repeat))
            .copied();
        let place = fitting
            .clone()
            .nth(*heard)
            .or_else(|| fitting.next_back())?;
        *heard += 1;
        let call = calls.get(place)?;
        *self.milliseconds.entry(run.repeat).or_insert(0) += call.milliseconds;
        Some(call)
    }

    /// How long the calls that a repeat has heard took when they were recorded.
    pub(super) fn milliseconds(&self, repeat: u32) -> u64 {
        self.milliseconds.get(&repeat).copied().unwrap_or(0)
    }

    /// Adds a call behind the others of its repeat. It counts as heard.
    pub(super) fn add(&mut self, recording: Recording) {
        let key = (recording.repeat, recording.hash.clone());
        *self.played.entry(key).or_insert(0) += 1;
        *self.milliseconds.entry(recording.repeat).or_insert(0) += recording.milliseconds;
        self.tape.calls.push(recording);
        // The order of threads must not show.
        self.tape.calls.sort_by_key(|call| call.repeat);
        self.index();
    }

    fn index(&mut self) {
        self.places.clear();
        for (place, call) in self.tape.calls.iter().enumerate() {
            self.places
                .entry(call.hash.clone())
                .or_default()
                .push(place);
        }
    }
}

/// The file of a case: its id where that can be a file's name, else what is left of it and a short hash.
pub(super) fn file_of(folder: &Path, case: &str) -> PathBuf {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let mut name: String = case
        .chars()
        .map(|letter| if safe(letter) { letter } else { '-' })
        .take(LONGEST_NAME)
        .collect();
    // Some file systems take two names for one that differ in capitals only.
    let capitals = name.bytes().any(|letter| letter.is_ascii_uppercase());
    if name != case || capitals || name.starts_with('.') || name.is_empty() {
        let hash = hex::encode(Sha256::digest(case));
        name = format!("{}-{}", name.trim_start_matches('.'), &hash[..8]);
    }
    folder.join(name + ".json")
}

fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_first(repeat: &u32) -> bool {
    *repeat == 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_case_has_a_file_of_its_own() {
        let folder = Path::new("cassettes");
        let name = |case: &str| {
            let file = file_of(folder, case);
            assert_eq!(file.parent(), Some(folder), "{case}");
            file.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(name("buying_it.2"), "buying_it.2.json");
        let cases = [
            "a/b",
            "a-b",
            "a b",
            "A-b",
            "..",
            ".",
            "",
            "../../etc/passwd",
            "é",
            "è",
        ];
        let names: HashSet<String> = cases.iter().map(|case| name(case).to_lowercase()).collect();
        assert_eq!(names.len(), cases.len(), "{names:?}");
        assert!(name(&"x".repeat(500)).len() < 100);
    }
}
