//! A shop that differs from the configured one: other texts of the program, other knowledge, a suite's own files laid
//! over it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::knowledge::{self, KnowledgeSource};

/// Its rows are added to the shop's.
const CATALOG: &str = "catalog.csv";
/// What a variant's folder may have.
const PARTS: [&str; 3] = ["prompts", "tools", "knowledge"];

/// A change to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its name in reports.
    pub name: String,
    /// `prompts/` and `tools/` take the place of the program's texts, file by file; `knowledge/` is laid over the shop's.
    /// The shop as it is, where there is none.
    pub folder: Option<PathBuf>,
}

impl FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, folder) = match text.split_once('=') {
            Some((name, folder)) => (name.trim(), Some(PathBuf::from(folder))),
            None => (text.trim(), None),
        };
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(format!(
                "`{text}` is no variant; write NAME=FOLDER, or NAME alone for the shop as it is; a name has letters, digits, `-`, `_` and `.`"
            ));
        }
        let has_part = |folder: &PathBuf| PARTS.iter().any(|part| folder.join(part).is_dir());
        if let Some(folder) = folder.as_ref().filter(|folder| !has_part(folder)) {
            return Err(format!(
                "the variant `{name}` changes nothing: {} has no folder prompts, tools or knowledge",
                folder.display()
            ));
        }
        let name = name.to_owned();
        Ok(Self { name, folder })
    }
}

impl Variant {
    /// Its knowledge, to be laid over the shop's.
    #[must_use]
    pub fn knowledge(&self) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?.join("knowledge");
        folder.is_dir().then_some(folder)
    }
}

/// Copies the knowledge into a folder and lays another folder over it: files are added or replaced, an empty file takes
/// one away, the rows of a catalog are added.
///
/// # Errors
/// What the disk says.
pub fn lay_over(source: &KnowledgeSource, extra: &Path, folder: &Path) -> io::Result<()> {
    knowledge::copy(source, folder)?;
    lay(extra, folder)
}

fn lay(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            lay(&entry.path(), &target)?;
        } else if entry.file_name() == CATALOG {
            let rows = fs::read_to_string(entry.path())?;
            let mut catalog = fs::read_to_string(&target)?;
            if !catalog.ends_with('\n') {
                catalog.push('\n');
            }
            // The header stands there already.
            let rows = rows.split_once('\n').map_or("", |(_, rows)| rows);
            fs::write(target, catalog + rows)?;
        } else if entry.metadata()?.len() > 0 {
            fs::copy(entry.path(), target)?;
        } else if target.exists() {
            fs::remove_file(target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_added_and_taken_away_and_so_are_rows() {
        let extra = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let shop = folder.path().join("shop");
        fs::create_dir_all(extra.path().join("faq/it")).unwrap();
        fs::write(extra.path().join("faq/it/new.md"), "new").unwrap();
        fs::write(extra.path().join("catalog.csv"), "id\nthe-new-one\n").unwrap();
        knowledge::copy(&KnowledgeSource::Embedded, &shop).unwrap();
        let first = fs::read_dir(shop.join("faq/it")).unwrap().next().unwrap();
        let gone = first.unwrap().file_name();
        fs::write(extra.path().join("faq/it").join(&gone), "").unwrap();
        let target = folder.path().join("knowledge");
        lay_over(&KnowledgeSource::Embedded, extra.path(), &target).unwrap();
        let catalog = fs::read_to_string(target.join("catalog.csv")).unwrap();
        assert!(catalog.starts_with("id,category") && catalog.ends_with("\nthe-new-one\n"));
        assert!(target.join("faq/it/new.md").is_file());
        assert!(!target.join("faq/it").join(&gone).exists());
        assert!(target.join("faq/de").join(&gone).is_file());
    }

    #[test]
    fn a_variant_has_a_name_and_changes_something() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let read = |text: String| text.parse::<Variant>();
        assert_eq!(read("now".to_owned()).unwrap().folder, None);
        let fault = read(format!("short={path}")).unwrap_err();
        assert!(fault.contains("changes nothing"), "{fault}");
        fs::create_dir(folder.path().join("tools")).unwrap();
        let short = read(format!("short={path}")).unwrap();
        assert_eq!((short.name.as_str(), short.knowledge()), ("short", None));
        for wrong in ["", "=x", "a/b"] {
            assert!(read(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
