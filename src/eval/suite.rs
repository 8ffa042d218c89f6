//! Suites: YAML with cases, and JSONL files of further cases.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::case::{Case, IntentCase, Kind, LanguageCase, SentimentCase, Turn};
use crate::domain::{Language, Polarity};

/// A suite, read and checked.
#[derive(Debug)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// The share of cases, in [0, 1], that must pass for each kind.
    pub thresholds: BTreeMap<Kind, f64>,
    /// A folder laid over the shop's knowledge for this suite: its files are added or replace the shop's,
    /// and the rows of its catalog are added.
    pub knowledge: Option<PathBuf>,
    /// When someone is at the desk, in place of what the configuration says.
    pub desk_hours: Option<String>,
    /// The cases: those of the suite itself, then those of its files.
    pub cases: Vec<Case>,
}

/// Something wrong in a suite.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct SuiteFault {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SuiteFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(formatter, "{line}:")?;
        }
        write!(formatter, " {}", self.message)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteFile {
    name: String,
    #[serde(default)]
    thresholds: BTreeMap<Kind, f64>,
    knowledge: Option<Spanned<PathBuf>>,
    desk_hours: Option<String>,
    #[serde(default)]
    cases: Vec<Spanned<Case>>,
    #[serde(default)]
    files: Vec<Spanned<CaseFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    kind: Kind,
    path: PathBuf,
}

/// A line of a JSONL file; data sets may hold more than we read.
#[derive(Deserialize)]
struct Line {
    text: String,
    language: Option<Language>,
    intent: Option<String>,
    label: Option<Polarity>,
}

impl Suite {
    /// Reads a suite and the files it names.
    ///
    /// # Errors
    /// The first fault.
    pub fn load(file: &Path) -> Result<Self, SuiteFault> {
        let text = read(file, file, None)?;
        let fault = |line: Option<usize>, message: String| SuiteFault {
            file: file.to_owned(),
            line,
            message,
        };
        let read: SuiteFile = serde_saphyr::from_str(&text).map_err(|error| {
            let line = error.location().map(|location| location.line());
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or_default().to_owned();
            fault(line.and_then(|line| usize::try_from(line).ok()), message)
        })?;
        let mut cases = Vec::new();
        let mut names = HashSet::new();
        for case in read.cases {
            let line = usize::try_from(case.defined.line()).ok();
            check(&case.value, &mut names).map_err(|message| fault(line, message))?;
            cases.push(case.value);
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        for listed in read.files {
            let line = usize::try_from(listed.defined.line()).ok();
            cases.extend(lines(file, line, folder, &listed.value)?);
        }
        for (kind, threshold) in &read.thresholds {
            let kind = kind.name();
            if !(0.0..=1.0).contains(threshold) {
                let message =
                    format!("thresholds.{kind} is {threshold}; write a share from 0 to 1");
                return Err(fault(None, message));
            }
            if !cases.iter().any(|case| case.kind().name() == kind) {
                let message = format!("thresholds.{kind} is set, but there is no such case");
                return Err(fault(None, message));
            }
        }
        if cases.is_empty() {
            return Err(fault(None, "there is no case".to_owned()));
        }
        let knowledge = read.knowledge.map(|named| {
            let path = folder.join(&named.value);
            let line = usize::try_from(named.defined.line()).ok();
            let missing = || fault(line, format!("there is no folder {}", path.display()));
            path.is_dir().then_some(()).ok_or_else(missing)?;
            Ok(path)
        });
        Ok(Self {
            name: read.name,
            thresholds: read.thresholds,
            knowledge: knowledge.transpose()?,
            desk_hours: read.desk_hours,
            cases,
        })
    }
}

fn read(path: &Path, named_in: &Path, line: Option<usize>) -> Result<String, SuiteFault> {
    std::fs::read_to_string(path).map_err(|error| SuiteFault {
        file: named_in.to_owned(),
        line,
        message: format!("{} cannot be read: {error}", path.display()),
    })
}

/// What serde cannot see.
fn check(case: &Case, names: &mut HashSet<String>) -> Result<(), String> {
    match case {
        Case::Intent(_) | Case::Sentiment(_) | Case::Language(_) => Ok(()),
        Case::Retrieval(case) if case.relevant.is_empty() => {
            Err("`relevant` is empty; name at least one document".to_owned())
        }
        Case::Retrieval(case) if case.k == 0 => Err("`k` is 0; write 1 or more".to_owned()),
        Case::Retrieval(_) => Ok(()),
        Case::Conversation(case) => {
            if !names.insert(case.id.clone()) {
                return Err(format!("the conversation `{}` is there twice", case.id));
            }
            let speaks = |turn: &Turn| !turn.say.texts().is_empty() || turn.choice.is_some();
            if case.turns.is_empty() || case.turns.iter().any(|turn| speaks(turn) == turn.paid) {
                return Err("every turn needs `say` or `choice`, or else `paid`".to_owned());
            }
            Ok(())
        }
    }
}

fn lines(
    suite: &Path,
    named: Option<usize>,
    folder: &Path,
    listed: &CaseFile,
) -> Result<Vec<Case>, SuiteFault> {
    let path = folder.join(&listed.path);
    let text = read(&path, suite, named)?;
    let mut cases = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let case = of_line(listed.kind, line).and_then(|case| {
            check(&case, &mut HashSet::new())?;
            Ok(case)
        });
        cases.push(case.map_err(|message| SuiteFault {
            file: path.clone(),
            line: Some(number),
            message,
        })?);
    }
    Ok(cases)
}

fn of_line(kind: Kind, text: &str) -> Result<Case, String> {
    let wrong = |error: serde_json::Error| error.to_string();
    if kind == Kind::Retrieval {
        return Ok(Case::Retrieval(serde_json::from_str(text).map_err(wrong)?));
    }
    let line: Line = serde_json::from_str(text).map_err(wrong)?;
    let missing = |field: &str| format!("`{field}` is missing");
    let Line { text, language, .. } = line;
    match kind {
        Kind::Intent => Ok(Case::Intent(IntentCase {
            text,
            language,
            intent: line.intent.ok_or_else(|| missing("intent"))?,
        })),
        Kind::Sentiment => Ok(Case::Sentiment(SentimentCase {
            text,
            language,
            label: line.label.ok_or_else(|| missing("label"))?,
        })),
        Kind::Language => Ok(Case::Language(LanguageCase {
            text,
            language: language.ok_or_else(|| missing("language"))?,
        })),
        Kind::Retrieval | Kind::Conversation => {
            Err("conversations are written in the suite itself".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(suite: &str, lines: &str) -> Result<Suite, SuiteFault> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("suite.yaml"), suite).unwrap();
        std::fs::write(folder.path().join("lines.jsonl"), lines).unwrap();
        Suite::load(&folder.path().join("suite.yaml"))
    }

    #[test]
    fn a_suite_takes_cases_of_its_own_and_of_files() {
        let suite = load(
            "name: all\nthresholds: {intent: 0.5}\nfiles:\n  - {kind: intent, path: lines.jsonl}\ncases:\n  \
             - kind: conversation\n    id: one\n    turns:\n      - say: [hi, there]\n        \
             expect: {outcome: answered, polarity_below: -0.5}\n",
            "{\"text\": \"two of those\", \"intent\": \"buy\", \"note\": 1}\n",
        )
        .unwrap();
        let kinds: Vec<Kind> = suite.cases.iter().map(Case::kind).collect();
        assert_eq!(kinds, [Kind::Conversation, Kind::Intent]);
        let Case::Conversation(case) = &suite.cases[0] else {
            panic!("not a conversation");
        };
        assert_eq!(case.turns[0].say.texts(), ["hi", "there"]);
    }

    #[test]
    fn faults_name_file_and_line() {
        let fault = load("name: a\ncase: []\n", "").unwrap_err();
        assert_eq!(fault.line, Some(2), "{fault}");
        let fault = load(
            "name: a\nfiles: [{kind: intent, path: lines.jsonl}]\n",
            "{\"text\": \"a\", \"intent\": \"buy\"}\n{\"text\": \"b\"}\n",
        )
        .unwrap_err();
        assert_eq!(fault.line, Some(2));
        assert!(fault.to_string().contains("lines.jsonl:2: `intent`"));
        let fault = load(
            "name: a\ncases:\n  - {kind: retrieval, text: x, relevant: []}\n",
            "",
        );
        assert_eq!(fault.unwrap_err().line, Some(3));
        let twice = "name: a\ncases:\n  - {kind: intent, text: x, intent: buy, wrong: 1}\n";
        assert!(load(twice, "").is_err());
        let none = "name: a\nthresholds: {sentiment: 0.5}\ncases:\n  - {kind: intent, text: x, intent: buy}\n";
        assert!(load(none, "").is_err());
    }
}
