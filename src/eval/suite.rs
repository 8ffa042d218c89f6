//! Suites: YAML with cases, and JSONL files of further cases.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::case::{Case, Kind, Turn};
use super::gates::Gate;
use super::judge::{call, expected};
use super::scripted::transcript;
use crate::domain::suggestion;

/// A suite, read and checked.
#[derive(Debug)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// The share of cases, in [0, 1], that must pass for each kind.
    pub thresholds: BTreeMap<Kind, f64>,
    /// What measures must be.
    pub gates: Vec<Gate>,
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

/// Everything wrong in a suite.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SuiteFaults(pub Vec<SuiteFault>);

impl SuiteFault {
    /// A fault in a file.
    #[must_use]
    pub fn new(file: &Path, line: Option<usize>, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl From<SuiteFault> for SuiteFaults {
    fn from(fault: SuiteFault) -> Self {
        Self(vec![fault])
    }
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

/// A suite as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A suite of cases for sportello eval")]
struct SuiteFile {
    /// Its name.
    name: String,
    /// The share of cases, in [0, 1], that must pass for each kind.
    #[serde(default)]
    thresholds: BTreeMap<Kind, f64>,
    /// What measures must be.
    #[serde(default)]
    #[schemars(with = "Vec<Gate>")]
    gates: Vec<Spanned<Gate>>,
    /// A folder laid over the shop's knowledge for this suite: its files are added or replace the shop's, and the
    /// rows of its catalog are added.
    #[schemars(with = "Option<String>")]
    knowledge: Option<Spanned<PathBuf>>,
    /// When someone is at the desk, in place of what the configuration says.
    desk_hours: Option<String>,
    /// The cases.
    // Read one by one, so that every fault is found at once.
    #[serde(default)]
    #[schemars(with = "Vec<Case>")]
    cases: Vec<Spanned<Value>>,
    /// Files of further cases.
    #[serde(default)]
    #[schemars(with = "Vec<CaseFile>")]
    files: Vec<Spanned<CaseFile>>,
}

/// Cases in a file of their own, one JSON object a line.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    /// The kind of the cases.
    kind: Kind,
    /// The file, from the suite's folder.
    path: PathBuf,
}

/// The JSON Schema of suites, for editors.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(SuiteFile).to_value();
    schema["$id"] = "https://sportello.dev/schemas/suite.json".into();
    schema
}

impl Suite {
    /// Reads a suite and the files it names.
    ///
    /// # Errors
    /// Every fault of its cases, or the one that keeps them from being read.
    pub fn load(file: &Path) -> Result<Self, SuiteFaults> {
        let text = read(file, file, None)?;
        if file
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            return Self::of_lines(file, &text);
        }
        // Customers say `yes` and `no`.
        let options = serde_saphyr::options! { strict_booleans: true };
        let read = serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
            let line = error.location().map(|location| location.line());
            let line = line.and_then(|line| usize::try_from(line).ok());
            let message = error.without_snippet().to_string();
            let message = meant(message.lines().next().unwrap_or_default());
            SuiteFault::new(file, line, message)
        })?;
        Self::of(file, read)
    }

    fn of(file: &Path, read: SuiteFile) -> Result<Self, SuiteFaults> {
        let fault = |line: Option<usize>, message: String| SuiteFault::new(file, line, message);
        let mut cases = Vec::new();
        let mut names = HashSet::new();
        let mut gates = Vec::new();
        for gate in read.gates {
            if let Some(message) = gate.value.fault() {
                return Err(fault(line_of(&gate), message).into());
            }
            gates.push(gate.value);
        }
        let mut faults = Vec::new();
        for case in read.cases {
            let line = line_of(&case);
            match of_value(case.value, &mut names) {
                Ok(case) => cases.push(case),
                Err(message) => faults.push(fault(line, message)),
            }
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        for listed in read.files {
            let line = line_of(&listed);
            match lines(file, line, folder, &listed.value, &mut names) {
                Ok(listed) => cases.extend(listed),
                Err(found) => faults.extend(found.0),
            }
        }
        if !faults.is_empty() {
            return Err(SuiteFaults(faults));
        }
        for (kind, threshold) in &read.thresholds {
            let kind = kind.name();
            if !(0.0..=1.0).contains(threshold) {
                let message =
                    format!("thresholds.{kind} is {threshold}; write a share from 0 to 1");
                return Err(fault(None, message).into());
            }
            if !cases.iter().any(|case| case.kind().name() == kind) {
                let message = format!("thresholds.{kind} is set, but there is no such case");
                return Err(fault(None, message).into());
            }
        }
        if cases.is_empty() {
            return Err(fault(None, "there is no case".to_owned()).into());
        }
        let knowledge = read.knowledge.map(|named| {
            let path = folder.join(&named.value);
            let line = line_of(&named);
            let missing = || fault(line, format!("there is no folder {}", path.display()));
            path.is_dir().then_some(()).ok_or_else(missing)?;
            Ok::<PathBuf, SuiteFault>(path)
        });
        Ok(Self {
            name: read.name,
            thresholds: read.thresholds,
            gates,
            knowledge: knowledge.transpose()?,
            desk_hours: read.desk_hours,
            cases,
        })
    }

    /// A file of cases, each with its `kind`.
    fn of_lines(file: &Path, text: &str) -> Result<Self, SuiteFaults> {
        let mut names = HashSet::new();
        let name = file.file_stem().unwrap_or_default();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            thresholds: BTreeMap::new(),
            gates: Vec::new(),
            knowledge: None,
            desk_hours: None,
            cases: of_file(file, text, None, &mut names)?,
        })
    }
}

/// The line where something stands, counted from 1.
fn line_of<T>(found: &Spanned<T>) -> Option<usize> {
    usize::try_from(found.defined.line()).ok()
}

fn read(path: &Path, named_in: &Path, line: Option<usize>) -> Result<String, SuiteFault> {
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("{} cannot be read: {error}", path.display());
        SuiteFault::new(named_in, line, message)
    })
}

/// What serde cannot see.
fn check(case: &Case, names: &mut HashSet<String>) -> Result<(), String> {
    match case {
        Case::Intent(_) | Case::Sentiment(_) | Case::Language(_) => Ok(()),
        Case::Retrieval(case) if case.k == 0 => Err("`k` is 0; write 1 or more".to_owned()),
        Case::Retrieval(_) => Ok(()),
        Case::ToolCall(case) => {
            once(names, "tool call", &case.id)?;
            if case.say.texts().is_empty() {
                return Err(format!("`say` of `{}` is empty; write a message", case.id));
            }
            case.tools.iter().try_for_each(call)
        }
        Case::Conversation(case) => {
            once(names, "conversation", &case.id)?;
            let speaks = |turn: &Turn| !turn.say.texts().is_empty() || turn.choice.is_some();
            if case.turns.is_empty() || case.turns.iter().any(|turn| speaks(turn) == turn.paid) {
                return Err("every turn needs `say` or `choice`, or else `paid`".to_owned());
            }
            case.turns
                .iter()
                .try_for_each(|turn| expected(&turn.expect))
        }
        Case::Simulation(case) => {
            once(names, "simulation", &case.id)?;
            if case.persona.trim().is_empty() || case.max_turns == 0 {
                return Err("a simulation needs a `persona` and at least one turn".to_owned());
            }
            expected(&case.expect)
        }
        Case::Safety(case) => {
            once(names, "safety case", &case.id)?;
            if case.turns.is_empty() || case.turns.iter().any(|words| words.texts().is_empty()) {
                return Err(format!("`turns` of `{}` lack a message", case.id));
            }
            // The model that obeys tells cases apart by what was said.
            if !names.insert(format!("said: {}", transcript(case))) {
                return Err(format!(
                    "another safety case says the same as `{}`; change a word",
                    case.id
                ));
            }
            Ok(())
        }
    }
}

fn once(names: &mut HashSet<String>, what: &str, id: &str) -> Result<(), String> {
    if names.insert(format!("{what}: {id}")) {
        return Ok(());
    }
    Err(format!("the {what} `{id}` is there twice"))
}

fn lines(
    suite: &Path,
    named: Option<usize>,
    folder: &Path,
    listed: &CaseFile,
    names: &mut HashSet<String>,
) -> Result<Vec<Case>, SuiteFaults> {
    let path = folder.join(&listed.path);
    let text = read(&path, suite, named)?;
    of_file(&path, &text, Some(listed.kind), names)
}

fn of_file(
    path: &Path,
    text: &str,
    kind: Option<Kind>,
    names: &mut HashSet<String>,
) -> Result<Vec<Case>, SuiteFaults> {
    let (mut cases, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let case = of_line(kind, line).and_then(|line| of_value(line, names));
        match case {
            Ok(case) => cases.push(case),
            Err(message) => faults.push(SuiteFault::new(path, Some(number), message)),
        }
    }
    if !faults.is_empty() {
        return Err(SuiteFaults(faults));
    }
    if cases.is_empty() {
        return Err(SuiteFault::new(path, None, "there is no case").into());
    }
    Ok(cases)
}

fn of_value(value: Value, names: &mut HashSet<String>) -> Result<Case, String> {
    let case: Case = serde_json::from_value(value).map_err(|error| meant(&error.to_string()))?;
    check(&case, names)?;
    Ok(case)
}

/// An error with what was probably meant, where it names something that nearly exists.
fn meant(message: &str) -> String {
    let Some((wrong, expected)) = message.split_once("expected one of ") else {
        return message.to_owned();
    };
    let Some(wrong) = wrong.split('`').nth(1) else {
        return message.to_owned();
    };
    let expected = expected.split(" at line").next().unwrap_or_default();
    let known = expected.split(", ").map(|name| name.trim_matches('`'));
    message.to_owned() + &suggestion(wrong, known)
}

/// A line is a case. Data sets hold more than a case of their kind does; that is left out.
fn of_line(kind: Option<Kind>, text: &str) -> Result<Value, String> {
    let mut line: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(fields) = line.as_object_mut() else {
        return Err("this is no JSON object".to_owned());
    };
    if let Some(kind) = kind {
        let known: &[&str] = match kind {
            Kind::Intent => &["id", "text", "language", "intent", "tags"],
            Kind::Sentiment => &["id", "text", "language", "label", "tags"],
            Kind::Language => &["id", "text", "language", "tags"],
            Kind::Retrieval => &["id", "text", "language", "kinds", "relevant", "k", "tags"],
            Kind::ToolCall | Kind::Conversation | Kind::Simulation | Kind::Safety => &[],
        };
        if !known.is_empty() {
            fields.retain(|name, _| known.contains(&name.as_str()));
        }
        fields.insert("kind".to_owned(), kind.name().into());
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(suite: &str, lines: &str) -> Result<Suite, SuiteFaults> {
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
    fn yes_is_what_a_customer_says() {
        let suite = load(
            "name: a\ncases:\n  - kind: conversation\n    id: one\n    turns:\n      - say: yes\n      - {say: [no, on]}\n",
            "",
        );
        let suite = suite.unwrap();
        let Case::Conversation(case) = &suite.cases[0] else {
            panic!("not a conversation");
        };
        let said: Vec<String> = case
            .turns
            .iter()
            .flat_map(|turn| turn.say.texts())
            .collect();
        assert_eq!(said, ["yes", "no", "on"]);
    }

    fn first(suite: &str, lines: &str) -> SuiteFault {
        load(suite, lines).unwrap_err().0.remove(0)
    }

    #[test]
    fn faults_name_file_and_line() {
        let fault = first("name: a\ncase: []\n", "");
        assert_eq!(fault.line, Some(2), "{fault}");
        assert!(fault.message.ends_with("did you mean `cases`?"), "{fault}");
        let fault = first(
            "name: a\nfiles: [{kind: intent, path: lines.jsonl}]\n",
            "{\"text\": \"a\", \"intent\": \"buy\"}\n{\"text\": \"b\"}\n",
        );
        assert_eq!(fault.line, Some(2));
        assert!(
            fault
                .to_string()
                .contains("lines.jsonl:2: missing field `intent`"),
            "{fault}"
        );
        let fault = first(
            "name: a\ncases:\n  - {kind: retrieval, text: x, relevant: [a], k: 0}\n",
            "",
        );
        assert_eq!(fault.line, Some(3));
        let none = "name: a\nthresholds: {sentiment: 0.5}\ncases:\n  - {kind: intent, text: x, intent: buy}\n";
        assert!(load(none, "").is_err());
    }

    #[test]
    fn every_fault_is_told_with_what_was_meant() {
        let suite = "name: a\ncases:\n  - {kind: intent, txt: x, intent: buy}\n  \
                     - {kind: tool_cal, id: x, say: hi, tools: []}\n  \
                     - {kind: tool_call, id: x, say: hello, tools: [{name: pay, arguments: {a: {range: [2, 1]}}}]}\n  \
                     - {kind: safety, id: x, turns: [hi]}\n  - {kind: safety, id: z, turns: [hi]}\n";
        let faults = load(suite, "").unwrap_err();
        let told = faults.to_string();
        let lines: Vec<Option<usize>> = faults.0.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [3, 4, 5, 7].map(Some), "{told}");
        for part in [
            "did you mean `text`?",
            "did you mean `tool_call`?",
            "`pay`: a range",
            "says the same",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }

    #[test]
    fn a_file_of_lines_is_a_suite_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.jsonl");
        std::fs::write(
            &file,
            "{\"kind\": \"language\", \"text\": \"hi\", \"language\": \"en\"}\n",
        )
        .unwrap();
        let suite = Suite::load(&file).unwrap();
        assert_eq!((suite.name.as_str(), suite.cases.len()), ("mine", 1));
    }

    #[test]
    fn the_schema_knows_every_kind() {
        let schema = schema().to_string();
        for kind in ["intent", "retrieval", "tool_call", "simulation", "safety"] {
            assert!(schema.contains(&format!("\"{kind}\"")), "{kind}");
        }
    }
}
