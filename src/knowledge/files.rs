//! The files of a knowledge folder, on disk or in the program, by their path relative to it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::{Fault, KnowledgeSource, Notes};

/// The most a file may hold, in bytes.
pub(super) const LARGEST_FILE: u64 = 5 * 1024 * 1024;

/// Folders are at most so deep: `faq/<language>/<slug>.md`.
const DEEPEST: usize = 3;

#[derive(RustEmbed)]
#[folder = "knowledge/"]
struct DemoShop;

/// Writes every file of a source into a folder, which is made when missing.
///
/// # Errors
/// What the disk says.
pub fn copy(source: &KnowledgeSource, folder: &Path) -> io::Result<()> {
    let mut notes = Notes::default();
    let files = Files::open(source, &mut notes);
    for path in files.sizes.keys() {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let bytes = files
            .read(path)
            .map_err(|fault| io::Error::other(fault.to_string()))?;
        fs::write(target, bytes)?;
    }
    match notes.faults.into_iter().next() {
        Some(fault) => Err(io::Error::other(fault.to_string())),
        None => Ok(()),
    }
}

/// The files that are there.
#[derive(Debug)]
pub(super) struct Files {
    root: Option<PathBuf>,
    sizes: BTreeMap<String, u64>,
}

impl Files {
    /// Lists the files. Hidden ones are left out.
    pub(super) fn open(source: &KnowledgeSource, notes: &mut Notes) -> Self {
        let folder = match source {
            KnowledgeSource::Embedded => return Self::embedded(),
            KnowledgeSource::Folder(folder) => folder,
        };
        let mut sizes = BTreeMap::new();
        if folder.is_dir() {
            list(folder, "", 1, &mut sizes, notes);
        } else {
            let message = "there is no such folder; name the one that holds catalog.csv";
            notes.fault(&folder.display().to_string(), 1, message);
        }
        Self {
            root: Some(folder.clone()),
            sizes,
        }
    }

    /// The demo shop's files.
    pub(super) fn embedded() -> Self {
        let paths =
            DemoShop::iter().filter(|path| !path.split('/').any(|part| part.starts_with('.')));
        let sizes = paths.map(|path| {
            let size = DemoShop::get(&path).map_or(0, |file| file.data.len() as u64);
            (path.into_owned(), size)
        });
        Self {
            root: None,
            sizes: sizes.collect(),
        }
    }

    /// Whether the file is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.sizes.contains_key(path)
    }

    /// The files below a folder, in order, each with its path and the parts of the path below the folder.
    pub(super) fn below<'a>(
        &'a self,
        folder: &'a str,
    ) -> impl Iterator<Item = (&'a str, Vec<&'a str>)> {
        self.sizes.keys().filter_map(move |path| {
            let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
            Some((path.as_str(), rest.split('/').collect()))
        })
    }

    /// A file's bytes.
    pub(super) fn read(&self, path: &str) -> Result<Cow<'static, [u8]>, Fault> {
        let size = self.sizes.get(path).copied().unwrap_or_default();
        if size > LARGEST_FILE {
            let message = format!(
                "the file has {size} bytes, more than the {LARGEST_FILE} allowed; split it or make it smaller"
            );
            return Err(Fault::new(path, 1, message));
        }
        match &self.root {
            Some(root) => fs::read(root.join(path))
                .map(Cow::Owned)
                .map_err(|error| Fault::new(path, 1, format!("the file cannot be read: {error}"))),
            None => DemoShop::get(path)
                .map(|file| file.data)
                .ok_or_else(|| Fault::new(path, 1, "the file is not there")),
        }
    }

    /// A file's text without a byte order mark; a fault is noted when it has none.
    pub(super) fn text(&self, path: &str, notes: &mut Notes) -> Option<String> {
        let bytes = match self.read(path) {
            Ok(bytes) => bytes,
            Err(fault) => {
                notes.faults.push(fault);
                return None;
            }
        };
        match std::str::from_utf8(&bytes) {
            Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()),
            Err(error) => {
                let line = line_at(&bytes, error.valid_up_to());
                let message =
                    "the text is not valid UTF-8 here; save the file with the encoding UTF-8";
                notes.fault(path, line, message);
                None
            }
        }
    }

    /// A hash over everything: texts by content, pictures by size.
    pub(super) fn fingerprint(&self, notes: &mut Notes) -> String {
        let mut hash = Sha256::new();
        for (path, size) in &self.sizes {
            hash.update((path.len() as u64).to_le_bytes());
            hash.update(path.as_bytes());
            hash.update(size.to_le_bytes());
            if path.starts_with("images/") {
                if *size > LARGEST_FILE {
                    notes.faults.extend(self.read(path).err());
                }
            } else {
                match self.read(path) {
                    Ok(bytes) => hash.update(&bytes),
                    Err(fault) => notes.faults.push(fault),
                }
            }
        }
        if self.root.is_some() && self.below("intents").next().is_none() {
            // The demo shop's intents stand in, and they change with the program.
            hash.update(Self::embedded().fingerprint(notes));
        }
        hex::encode(hash.finalize())
    }
}

/// The line of a byte, counted from 1.
pub(super) fn line_at(bytes: &[u8], offset: usize) -> usize {
    1 + bytes
        .iter()
        .take(offset)
        .filter(|byte| **byte == b'\n')
        .count()
}

fn list(
    folder: &Path,
    prefix: &str,
    depth: usize,
    sizes: &mut BTreeMap<String, u64>,
    notes: &mut Notes,
) {
    let shown = if prefix.is_empty() { "." } else { prefix };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return notes.fault(shown, 1, format!("the folder cannot be read: {error}")),
    };
    for entry in entries.flatten() {
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            notes.fault(shown, 1, "a file's name is not valid UTF-8; rename it");
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let path = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        match fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_file() => {
                sizes.insert(path, metadata.len());
            }
            Ok(metadata) if metadata.is_dir() && depth < DEEPEST => {
                list(&entry.path(), &path, depth + 1, sizes, notes);
            }
            Ok(_) => {}
            Err(error) => notes.fault(&path, 1, format!("the file cannot be read: {error}")),
        }
    }
}
