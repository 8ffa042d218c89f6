//! Texts from files and to files, which are there whole or not at all.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::commands::Failure;

/// Reads a file.
pub fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::Wrong(format!("{} cannot be read: {error}", file.display()));
    std::fs::read_to_string(file).map_err(failed)
}

/// JSON for people and machines, with the end of its last line.
pub fn pretty(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    Ok(text.map_err(|error| Failure::Machine(error.to_string()))? + "\n")
}

/// Writes a file. A pipe or a device is written to as it is: nothing can be put in its place.
pub fn write(file: &Path, text: String) -> Result<(), Failure> {
    if std::fs::metadata(file).is_ok_and(|there| !there.is_file()) {
        return std::fs::write(file, text).map_err(|error| cannot(file, &error));
    }
    write_all(&[(file.to_owned(), text)])
}

/// Writes all files, or none: each is written whole beside its place before the first is put there. Folders are made
/// where they are missing.
pub fn write_all(files: &[(PathBuf, String)]) -> Result<(), Failure> {
    let written = files
        .iter()
        .try_for_each(|(file, text)| beside(file, text))
        .and_then(|()| files.iter().try_for_each(|(file, _)| put(file)));
    if written.is_err() {
        for (file, _) in files {
            let _ = std::fs::remove_file(part(file));
        }
    }
    written
}

fn part(file: &Path) -> PathBuf {
    file.with_added_extension("part")
}

fn beside(file: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
    }
    std::fs::write(part(file), text).map_err(|error| cannot(&part(file), &error))
}

fn put(file: &Path) -> Result<(), Failure> {
    std::fs::rename(part(file), file).map_err(|error| cannot(file, &error))
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Machine(format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_all_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("deep/out");
        let file = |name: &str, text: &str| (out.join(name), text.to_owned());
        write_all(&[file("a", "text"), file("b", "text")]).unwrap();
        assert_eq!(std::fs::read_to_string(out.join("b")).unwrap(), "text");
        std::fs::create_dir(out.join("c.part")).unwrap();
        let failed = write_all(&[file("a", "new"), file("c", "text")]);
        assert!(matches!(failed, Err(Failure::Machine(_))), "{failed:?}");
        assert_eq!(std::fs::read_to_string(out.join("a")).unwrap(), "text");
        assert!(!out.join("a.part").exists());
    }

    #[test]
    fn a_device_stays_one() {
        let device = Path::new("/dev/null");
        if device.exists() {
            write(device, "text".to_owned()).unwrap();
            assert!(!std::fs::metadata(device).unwrap().is_file());
            assert!(!part(device).exists());
        }
    }
}
