//! Texts of the program that a folder puts others in the place of: `prompts/` and `tools/`, as in the sources.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A folder's own texts; empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// By the path in `prompts/`: `agent.md`, `phrases/en.toml`.
    pub prompts: BTreeMap<String, String>,
    /// Descriptions by the tool's name.
    pub tools: BTreeMap<String, String>,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {error}", path.display())]
pub struct TextsFault {
    path: PathBuf,
    error: io::Error,
}

impl Texts {
    /// Reads a folder.
    ///
    /// # Errors
    /// When a file cannot be read, or is not UTF-8.
    pub fn read(folder: &Path) -> Result<Self, TextsFault> {
        let mut texts = Self::default();
        collect(&folder.join("prompts"), "", &mut texts.prompts)?;
        let mut tools = BTreeMap::new();
        collect(&folder.join("tools"), "", &mut tools)?;
        texts.tools = tools
            .into_iter()
            .map(|(name, text)| (name.trim_end_matches(".md").to_owned(), text))
            .collect();
        Ok(texts)
    }
}

fn collect(
    folder: &Path,
    prefix: &str,
    found: &mut BTreeMap<String, String>,
) -> Result<(), TextsFault> {
    let fault = |path: &Path, error| TextsFault {
        path: path.to_owned(),
        error,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| fault(folder, error))?,
    };
    for entry in entries {
        let path = entry.map_err(|error| fault(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What editors and systems leave behind.
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{name}/"), found)?;
        } else {
            let text = fs::read_to_string(&path).map_err(|error| fault(&path, error))?;
            found.insert(name, text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_by_the_names_of_the_sources() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Texts::read(folder.path()).unwrap(), Texts::default());
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("prompts/agent.md", b"Be short.");
        write("prompts/phrases/en.toml", b"and = \"&\"");
        write("prompts/.DS_Store", b"\xff");
        write("tools/open_ticket.md", b"Use this.");
        let texts = Texts::read(folder.path()).unwrap();
        let names: Vec<&str> = texts.prompts.keys().map(String::as_str).collect();
        assert_eq!(names, ["agent.md", "phrases/en.toml"]);
        assert_eq!(texts.tools["open_ticket"], "Use this.");
        write("tools/payment_link.md", b"\xff");
        let fault = Texts::read(folder.path()).unwrap_err().to_string();
        assert!(fault.contains("payment_link.md cannot be read"), "{fault}");
    }
}
