//! Reads the sources against the map in `src/ARCHITECTURE.md`: who may import whom, who owns which
//! library, and how long a file may be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a failing test is meant to panic"
)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Every module at the top of `src/`, and the others that it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Values and small helpers.
    ("domain", &[]),
    ("clock", &[]),
    ("failpoint", &[]),
    ("multipart", &[]),
    ("telemetry", &[]),
    ("config", &["domain"]),
    ("events", &["domain"]),
    ("ports", &["domain"]),
    ("prompts", &["domain"]),
    ("texts", &[]),
    // What is ours: the knowledge, the database, understanding.
    ("knowledge", &["domain", "ports", "understand"]),
    ("store", &["domain", "ports"]),
    ("understand", &["domain", "ports"]),
    (
        "retrieval",
        &[
            "domain",
            "knowledge",
            "ports",
            "rerank",
            "store",
            "understand",
        ],
    ),
    (
        "tools",
        &[
            "clock",
            "domain",
            "knowledge",
            "ports",
            "retrieval",
            "store",
            "understand",
        ],
    ),
    // The agent knows ports, never providers.
    (
        "agent",
        &[
            "domain",
            "failpoint",
            "ports",
            "prompts",
            "retrieval",
            "tools",
            "understand",
        ],
    ),
    (
        "offline",
        &["domain", "ports", "prompts", "tools", "understand"],
    ),
    (
        "worker",
        &[
            "agent",
            "clock",
            "domain",
            "events",
            "failpoint",
            "outbox",
            "ports",
            "store",
        ],
    ),
    (
        "outbox",
        &["clock", "domain", "events", "failpoint", "ports", "store"],
    ),
    // One outside service each.
    ("openai", &["config", "multipart", "ports"]),
    ("qdrant", &["config", "domain", "ports"]),
    ("rerank", &["config"]),
    (
        "whatsapp",
        &[
            "clock",
            "config",
            "domain",
            "failpoint",
            "multipart",
            "ports",
            "store",
        ],
    ),
    ("payments", &["clock", "config", "domain", "ports", "store"]),
    // Meta's side, for tests and trials; it knows nothing of ours.
    ("simulate", &["clock"]),
    // The edges never import each other; what pages share is in `edge`.
    ("edge", &["store"]),
    (
        "web",
        &[
            "config", "domain", "edge", "events", "ports", "store", "tools",
        ],
    ),
    ("desk", &["domain", "edge", "events", "store"]),
    ("mcp", &["config", "domain", "tools"]),
    // Only `app` knows everyone; above it are the ways in.
    (
        "app",
        &[
            "agent",
            "clock",
            "config",
            "desk",
            "domain",
            "events",
            "failpoint",
            "knowledge",
            "mcp",
            "offline",
            "openai",
            "outbox",
            "payments",
            "ports",
            "prompts",
            "qdrant",
            "rerank",
            "retrieval",
            "store",
            "telemetry",
            "texts",
            "tools",
            "understand",
            "web",
            "whatsapp",
            "worker",
        ],
    ),
    (
        "eval",
        &[
            "app",
            "clock",
            "config",
            "domain",
            "knowledge",
            "ports",
            "retrieval",
            "store",
            "tools",
            "understand",
        ],
    ),
    (
        "commands",
        &[
            "app",
            "clock",
            "config",
            "domain",
            "eval",
            "failpoint",
            "knowledge",
            "mcp",
            "retrieval",
            "simulate",
            "store",
            "telemetry",
            "tools",
            "understand",
        ],
    ),
    ("main", &["commands"]),
];

/// A text that may stand only in files whose path begins with one of these.
const OWNED: &[(&str, &[&str])] = &[
    ("async_openai::", &["src/openai"]),
    ("tiktoken_rs::", &["src/openai", "src/knowledge/chunks.rs"]),
    ("qdrant_client::", &["src/qdrant"]),
    ("qdrant_edge::", &["src/qdrant"]),
    ("tonic::", &["src/qdrant"]),
    ("rmcp::", &["src/mcp"]),
    ("sqlx::", &["src/store"]),
    ("clap::", &["src/commands"]),
    ("lingua::", &["src/understand"]),
    ("memmap2::", &["src/understand/encoder/map.rs"]),
    ("env::var", &["src/config"]),
    ("tokio::spawn(", &["src/store/writer.rs"]),
    ("tokio::task::spawn(", &[]),
    ("thread::spawn(", &[]),
    // The clock is read at the edges; what decides is told the time.
    ("SystemTime::now(", &["src/payments"]),
    ("Timestamp::now(", &["src/clock.rs", "src/openai"]),
    ("Zoned::now(", &["src/app"]),
    ("unsafe {", &["src/understand/encoder/map.rs"]),
    ("unsafe fn", &["src/understand/encoder/map.rs"]),
    ("unsafe impl", &["src/understand/encoder/map.rs"]),
    ("unsafe trait", &["src/understand/encoder/map.rs"]),
    ("unsafe extern", &["src/understand/encoder/map.rs"]),
];

/// A longer file holds more than one thing.
const LINES: usize = 500;

#[test]
fn modules_import_only_whom_they_may() {
    let table: HashMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut faults = Vec::new();
    for source in sources() {
        faults.extend(import_faults(&source, &table));
    }
    report(&faults);
}

#[test]
fn libraries_and_powers_have_one_owner() {
    let faults: Vec<String> = sources().iter().flat_map(owner_faults).collect();
    report(&faults);
}

#[test]
fn files_stay_readable() {
    let faults: Vec<String> = sources()
        .iter()
        .filter_map(|source| {
            let lines = source.text.lines().count();
            (lines > LINES).then(|| {
                format!(
                    "{}:{lines}: {lines} lines, more than {LINES}; split it",
                    source.path
                )
            })
        })
        .collect();
    report(&faults);
}

#[test]
fn the_table_has_no_circle() {
    let table: HashMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut open: HashSet<&str> = table.keys().copied().collect();
    while !open.is_empty() {
        let free: Vec<&str> = open
            .iter()
            .copied()
            .filter(|module| table[module].iter().all(|other| !open.contains(other)))
            .collect();
        assert!(
            !free.is_empty(),
            "these modules may import each other in a circle: {open:?}"
        );
        for module in free {
            open.remove(module);
        }
    }
}

#[test]
fn forbidden_imports_are_found() {
    let table: HashMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let found = |path: &str, text: &str| {
        let source = Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let mut faults = import_faults(&source, &table);
        faults.extend(owner_faults(&source));
        faults
    };
    let grouped = "use crate::domain::A;\nuse crate::{\n    desk::{B, tools::C},\n    mcp,\n};\n";
    let faults = found("src/web/chat.rs", grouped);
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(
        faults[0].starts_with("src/web/chat.rs:3: web"),
        "{faults:?}"
    );
    assert!(
        faults[1].starts_with("src/web/chat.rs:4: web"),
        "{faults:?}"
    );
    assert_eq!(
        found("src/agent.rs", "fn a() { crate::openai::b() }").len(),
        1
    );
    assert_eq!(
        found("src/agent/run.rs", "use super::super::qdrant;").len(),
        1
    );
    assert_eq!(found("src/unheard_of.rs", "").len(), 1);
    assert_eq!(found("src/web.rs", "use sqlx::Row as _;").len(), 1);
    assert_eq!(found("src/web.rs", "    tokio::spawn(a());").len(), 1);
    assert_eq!(found("src/web.rs", "/// See [`crate::desk`].").len(), 0);
    assert_eq!(found("src/web.rs", "use crate::web::chat;").len(), 0);
}

struct Source {
    /// From the root of the repository, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// `web` for `src/web.rs` and `src/web/chat.rs`.
    fn module(&self) -> &str {
        let inside = self.path.trim_start_matches("src/");
        inside
            .split('/')
            .next()
            .unwrap_or(inside)
            .trim_end_matches(".rs")
    }

    /// How many modules deep the file is: one for `src/web.rs`.
    fn depth(&self) -> usize {
        self.path.matches('/').count()
    }

    /// The text with comments blanked; offsets and lines stay.
    fn code(&self) -> String {
        let lines = self.text.lines().map(|line| {
            if line.trim_start().starts_with("//") {
                return "";
            }
            line.split_once(" // ").map_or(line, |(code, _)| code)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn import_faults(source: &Source, table: &HashMap<&str, &[&str]>) -> Vec<String> {
    let module = source.module();
    if module == "lib" {
        return Vec::new();
    }
    let Some(allowed) = table.get(module) else {
        return vec![format!(
            "{}:1: the module `{module}` is not in the table MAY_IMPORT",
            source.path
        )];
    };
    imports(source, table)
        .into_iter()
        .filter(|(_, other)| other != module && !allowed.contains(&other.as_str()))
        .map(|(line, other)| format!("{}:{line}: {module} may not import {other}", source.path))
        .collect()
}

fn owner_faults(source: &Source) -> Vec<String> {
    let code = source.code();
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        for (text, owners) in OWNED {
            let named = positions(line, text).next().is_some();
            if named && !owners.iter().any(|owner| source.path.starts_with(owner)) {
                faults.push(format!(
                    "{}:{number}: `{text}` belongs to {owners:?} only",
                    source.path
                ));
            }
        }
    }
    faults
}

/// The top-level modules that a file names, with the lines.
fn imports(source: &Source, table: &HashMap<&str, &[&str]>) -> Vec<(usize, String)> {
    let code = source.code();
    let root = if source.module() == "main" {
        "sportello::"
    } else {
        "crate::"
    };
    let mut found = Vec::new();
    for start in positions(&code, root) {
        let rest = start + root.len();
        if code[rest..].starts_with('{') {
            for (offset, name) in group(&code[rest + 1..]) {
                found.push((line_of(&code, rest + 1 + offset), name));
            }
        } else {
            found.push((line_of(&code, rest), word(&code[rest..]).to_owned()));
        }
    }
    // `super::` that climbs out of the top-level module.
    let climb = "super::".repeat(source.depth());
    for start in positions(&code, &climb) {
        let name = word(code[start..].trim_start_matches("super::"));
        if table.contains_key(name) && !is_submodule(source, name) {
            found.push((line_of(&code, start), name.to_owned()));
        }
    }
    found
}

/// In an inline `mod tests` of `web.rs`, `super::tools` is `web::tools`.
fn is_submodule(source: &Source, name: &str) -> bool {
    let folder = source.path.trim_end_matches(".rs");
    root().join(folder).join(format!("{name}.rs")).exists()
}

/// The first words of the items of `{a, b::{c, d}}`, read from behind the opening brace.
fn group(text: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let mut depth = 1;
    let mut expected = true;
    for (offset, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => expected = true,
            _ if depth == 1 && expected && !character.is_whitespace() => {
                names.push((offset, word(&text[offset..]).to_owned()));
                expected = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Where a text begins that is not the end of a longer word.
fn positions<'a>(code: &'a str, text: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(text)
        .map(|(start, _)| start)
        .filter(|start| {
            let before = code[..*start].chars().next_back();
            !before.is_some_and(|character| character.is_alphanumeric() || character == '_')
        })
}

fn word(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_alphanumeric() && character != '_');
    &text[..end.unwrap_or(text.len())]
}

fn line_of(code: &str, offset: usize) -> usize {
    code[..offset].matches('\n').count() + 1
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    files.sort();
    assert!(files.len() > 20, "the sources were not found");
    files
        .iter()
        .map(|file| Source {
            path: file
                .strip_prefix(root())
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/"),
            text: std::fs::read_to_string(file).unwrap(),
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}
