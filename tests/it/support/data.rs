//! The shared data beside the crate: used in place, tests that need it skip where it is absent.

use std::io::Write;
use std::path::PathBuf;

/// A file or folder of the shared data; nothing, with a notice, where it is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "only tests read this variable")]
    let root = std::env::var_os("SPORTELLO_SHARED_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")),
        PathBuf::from,
    );
    let found = Some(root.join(path)).filter(|path| path.exists());
    if found.is_none() {
        // Written past the test harness, which would keep it to itself.
        writeln!(
            std::io::stderr(),
            "skipped: {} is not here",
            root.join(path).display()
        )
        .unwrap();
    }
    found
}

/// Every `.json` file of a folder of the shared data with its text, in order of name.
pub fn bodies(folder: &str) -> Vec<(String, String)> {
    let Some(folder) = shared(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            (
                path.display().to_string(),
                std::fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}
