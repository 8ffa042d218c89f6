//! A shop that differs from the configured one: knowledge with a suite's own files laid over it.

use std::fs;
use std::io;
use std::path::Path;

use crate::knowledge::{self, KnowledgeSource};

/// Its rows are added to the shop's.
const CATALOG: &str = "catalog.csv";

/// Copies the knowledge into a folder and lays another folder over it: files are added or replaced, the
/// rows of a catalog are added.
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
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_added_and_so_are_rows() {
        let extra = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(extra.path().join("faq/it")).unwrap();
        fs::write(extra.path().join("faq/it/new.md"), "new").unwrap();
        fs::write(extra.path().join("catalog.csv"), "id\nthe-new-one\n").unwrap();
        let target = folder.path().join("knowledge");
        lay_over(&KnowledgeSource::Embedded, extra.path(), &target).unwrap();
        let catalog = fs::read_to_string(target.join("catalog.csv")).unwrap();
        assert!(catalog.starts_with("id,category") && catalog.ends_with("\nthe-new-one\n"));
        assert!(target.join("faq/it/new.md").is_file());
        assert!(target.join("faq/de/new.md").parent().unwrap().is_dir());
    }
}
