//! promptfoo: configurations, test files in YAML, JSON, JSONL and CSV.

mod assertion;
mod prompt;
mod sheet;

use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use self::assertion::take;
use self::prompt::Prompt;
use super::{ImportFault, Imported, Source, Wishes, render, said, text, turn};
use crate::eval::case::{Expect, Turn};

/// Tests that lists of variables unfold into, at most.
const UNFOLDED: usize = 1_000;

/// Reads a configuration or a file of tests.
///
/// # Errors
/// When the file cannot be read.
pub fn promptfoo(source: &Source, wishes: &Wishes) -> Result<Imported, ImportFault> {
    let mut reader = Reader {
        wishes,
        imported: Imported::default(),
        prompt: None,
        default: Value::Null,
        open: None,
    };
    match source.ending().as_str() {
        "csv" | "jsonl" => {
            let tests = listed(source, &mut reader.imported)?;
            reader.tests(&tests);
        }
        _ => reader.config(source)?,
    }
    reader.close();
    Ok(reader.imported)
}

/// A test and where it stands.
type Test = (String, Value);

struct Reader<'a> {
    wishes: &'a Wishes,
    imported: Imported,
    prompt: Option<Prompt>,
    default: Value,
    /// A conversation that tests with the same `conversationId` go on with.
    open: Option<(String, String, Vec<Turn>, Vec<String>)>,
}

impl Reader<'_> {
    fn config(&mut self, source: &Source) -> Result<(), ImportFault> {
        let whole: Value = source.yaml()?;
        let Value::Object(config) = whole else {
            let tests = listed(source, &mut self.imported)?;
            self.tests(&tests);
            return Ok(());
        };
        self.left_out(&config, source);
        if let Some(prompts) = config.get("prompts") {
            self.prompt = prompt::first(prompts, source, &mut self.imported);
        }
        self.default = match config.get("defaultTest") {
            Some(Value::String(path)) => beside(source, path, |found| found.yaml())?,
            Some(value) => value.clone(),
            None => Value::Null,
        };
        let tests = entries(&config, source)?;
        for test in tests {
            let line = usize::try_from(test.defined.line()).unwrap_or_default();
            let whole = test.value.as_str();
            match whole.or_else(|| test.value.get("path")?.as_str()) {
                Some(path) => self.file(source, path, &source.at(line))?,
                None => self.tests(&[(source.at(line), test.value)]),
            }
        }
        Ok(())
    }

    /// Names what a configuration has beside tests and prompts.
    fn left_out(&mut self, config: &Map<String, Value>, source: &Source) {
        let place = source.name.display().to_string();
        for name in config.keys() {
            let why = match name.as_str() {
                "prompts" | "tests" | "defaultTest" | "description" | "$schema" | "tags" => {
                    continue;
                }
                "providers" | "targets" => "name models with `sportello eval run --model`",
                "scenarios" => "write them out as tests",
                _ => "this belongs to promptfoo; it is left out",
            };
            let what = format!("configuration `{name}`");
            self.imported.refuse(what, why, &place);
        }
    }

    /// Tests in a file of their own.
    fn file(&mut self, source: &Source, path: &str, place: &str) -> Result<(), ImportFault> {
        let ending = path.rsplit('.').next().unwrap_or_default().to_lowercase();
        let remote = path.contains("://") && !path.starts_with("file://");
        let known = ["csv", "json", "jsonl", "yaml", "yml"].contains(&ending.as_str());
        if remote || path.contains('*') || !known {
            let why =
                "give CSV, YAML, JSON or JSONL files one by one; code that makes tests is not run";
            self.imported
                .refuse(format!("tests from `{path}`"), why, place);
            return Ok(());
        }
        let tests = beside(source, path, |found| listed(found, &mut self.imported))?;
        self.tests(&tests);
        Ok(())
    }

    fn tests(&mut self, tests: &[Test]) {
        for (place, test) in tests {
            if let Err((what, why)) = self.test(test, place) {
                self.imported.refuse(what, why, place);
            }
        }
    }

    /// Takes a test over. The error names it.
    fn test(&mut self, test: &Value, place: &str) -> Result<(), (String, String)> {
        let refused = |why: String| ("test".to_owned(), why);
        let Some(fields) = test.as_object() else {
            return Err(refused(
                "a test is an object with `vars` and `assert`".to_owned(),
            ));
        };
        let default = &self.default;
        let both = |name: &str| -> Map<String, Value> {
            let parts = [default.get(name), fields.get(name)];
            let parts = parts.into_iter().flatten().filter_map(Value::as_object);
            parts.flat_map(Clone::clone).collect()
        };
        let (vars, options, metadata) = (both("vars"), both("options"), both("metadata"));
        let own_only = options.get("disableDefaultAsserts") == Some(&json!(true));
        let of = |test: &Value| match test.get("assert") {
            Some(Value::Array(asserts)) => asserts.clone(),
            _ => Vec::new(),
        };
        let mut asserts = if own_only { Vec::new() } else { of(default) };
        asserts.extend(of(test));
        whole(fields, default, &options)?;
        for name in ["provider", "providers", "prompts"] {
            if fields.contains_key(name) {
                let why = "name models with `sportello eval run --model`; prompts are the shop's";
                self.imported
                    .refuse(format!("`{name}` of a test"), why, place);
            }
        }
        let variants = unfolded(&vars).map_err(refused)?;
        for vars in variants {
            self.variant(fields, &vars, &asserts, &metadata, place)
                .map_err(refused)?;
        }
        Ok(())
    }

    fn variant(
        &mut self,
        fields: &Map<String, Value>,
        vars: &Map<String, Value>,
        asserts: &[Value],
        metadata: &Map<String, Value>,
        place: &str,
    ) -> Result<(), String> {
        let said = self.message(vars, place)?;
        let mut expect = Expect::default();
        let mut taken = 0;
        for assertion in flat(asserts) {
            match take(assertion, vars, &mut expect) {
                Ok(()) => taken += 1,
                Err((what, why)) => self.imported.refuse(what, why, place),
            }
        }
        if taken == 0 {
            return Err(if asserts.is_empty() {
                "it asserts nothing; add an assertion".to_owned()
            } else {
                "none of its assertions is taken over".to_owned()
            });
        }
        let named = fields.get("description").and_then(Value::as_str);
        let named = named.map(|name| render(name, vars).unwrap_or_else(|_| name.to_owned()));
        let name = named.unwrap_or_else(|| said.last().cloned().unwrap_or_default());
        let mut turns: Vec<Turn> = said.into_iter().map(turn).collect();
        if let Some(last) = turns.last_mut() {
            last.expect = expect;
        }
        let mut tags = Vec::new();
        for (key, value) in metadata.iter().filter(|(key, _)| *key != "conversationId") {
            match text(value) {
                Some(value) => tags.push(format!("{key}={value}")),
                None => self.imported.refuse(
                    format!("metadata `{key}`"),
                    "only texts and numbers become tags",
                    place,
                ),
            }
        }
        let conversation = metadata.get("conversationId").and_then(text);
        match (&mut self.open, conversation) {
            (Some((open, _, earlier, _)), Some(id)) if *open == id => earlier.extend(turns),
            (_, Some(id)) => {
                self.close();
                self.open = Some((id, name, turns, tags));
            }
            (_, None) => {
                self.close();
                self.imported.conversation(&name, turns, tags, self.wishes);
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some((_, name, turns, tags)) = self.open.take() {
            self.imported.conversation(&name, turns, tags, self.wishes);
        }
    }

    /// What the customer writes: the variable that is named, the only one, or the prompt's user.
    fn message(&mut self, vars: &Map<String, Value>, place: &str) -> Result<Vec<String>, String> {
        let named = self.wishes.variable.as_ref();
        let only = if vars.len() == 1 {
            vars.iter().next()
        } else {
            None
        };
        let chosen = named.and_then(|name| vars.get_key_value(name)).or(only);
        if let Some((name, value)) = chosen {
            return match text(value) {
                Some(message) if message.starts_with("file://") => Err(format!(
                    "the variable `{name}` is in a file; write its text"
                )),
                Some(message) if message.trim().is_empty() => {
                    Err(format!("the variable `{name}` is empty"))
                }
                Some(message) => Ok(vec![render(&message, vars)?]),
                None => Err(format!("the variable `{name}` is no text")),
            };
        }
        match (&self.prompt, named) {
            (Some(Prompt::Text(template)), _) => Ok(vec![render(template, vars)?]),
            (Some(Prompt::Chat(messages)), _) => {
                let filled: Result<Vec<Value>, String> = messages
                    .iter()
                    .map(|message| prompt::filled(message, vars))
                    .collect();
                said(&filled?, place, &mut self.imported)
            }
            (None, Some(name)) => Err(format!("it has no variable `{name}`; name one with --var")),
            (None, None) => {
                let names: Vec<&str> = vars.keys().map(String::as_str).collect();
                Err(format!(
                    "which of its variables ({}) is the customer's message? Name it with --var",
                    names.join(", ")
                ))
            }
        }
    }
}

/// Whether anything about a test changes what all of it means. The error names it.
fn whole(
    fields: &Map<String, Value>,
    default: &Value,
    options: &Map<String, Value>,
) -> Result<(), (String, String)> {
    for (name, why) in [
        (
            "threshold",
            "a share of assertions is not taken over; write which must hold",
        ),
        ("assertScoringFunction", "code is not run"),
        (
            "providerOutput",
            "the answer is fixed there; here the agent answers",
        ),
    ] {
        if fields.contains_key(name) || default.get(name).is_some() {
            return Err((format!("test with `{name}`"), why.to_owned()));
        }
    }
    for name in [
        "transform",
        "transformVars",
        "postprocess",
        "prefix",
        "suffix",
    ] {
        if options.contains_key(name) {
            let why = "it changes what is asked or answered; write the test without it";
            return Err((format!("test with the option `{name}`"), why.to_owned()));
        }
    }
    Ok(())
}

/// What `tests` of a configuration lists, with lines where it is a list.
fn entries(
    config: &Map<String, Value>,
    source: &Source,
) -> Result<Vec<Spanned<Value>>, ImportFault> {
    #[derive(serde::Deserialize)]
    struct Tests {
        tests: Vec<Spanned<Value>>,
    }
    let unknown = serde_saphyr::Location::UNKNOWN;
    match config.get("tests") {
        Some(Value::Array(_)) => {
            let read: Tests = source.yaml()?;
            Ok(read.tests)
        }
        Some(one) => Ok(vec![Spanned::new(one.clone(), unknown, unknown)]),
        None => {
            let message =
                "there is no `tests`; give a configuration with tests, or a file of tests";
            Err(source.fault(None, message))
        }
    }
}

/// Assertions with those of sets without a threshold, which must all hold as well.
fn flat(asserts: &[Value]) -> Vec<&Value> {
    let mut flat = Vec::new();
    for assertion in asserts {
        let set = assertion.get("type").and_then(Value::as_str) == Some("assert-set");
        match assertion.get("assert") {
            Some(Value::Array(inner)) if set && assertion.get("threshold").is_none() => {
                flat.extend(inner);
            }
            _ => flat.push(assertion),
        }
    }
    flat
}

/// A list as a variable stands for a test with each of its values.
fn unfolded(vars: &Map<String, Value>) -> Result<Vec<Map<String, Value>>, String> {
    let mut all = vec![vars.clone()];
    for (name, value) in vars {
        let Value::Array(values) = value else {
            continue;
        };
        if values.is_empty() {
            return Err(format!("the variable `{name}` is an empty list"));
        }
        if all.len().saturating_mul(values.len()) > UNFOLDED {
            return Err(format!(
                "its variables unfold into more than {UNFOLDED} tests"
            ));
        }
        let each = all.iter().flat_map(|vars| {
            values.iter().map(move |value| {
                let mut vars = vars.clone();
                vars.insert(name.clone(), value.clone());
                vars
            })
        });
        all = each.collect();
    }
    Ok(all)
}

/// The tests of a file that has nothing else.
fn listed(source: &Source, imported: &mut Imported) -> Result<Vec<Test>, ImportFault> {
    match source.ending().as_str() {
        "csv" => sheet::tests(source, imported),
        "jsonl" => Ok(source
            .json_lines()?
            .into_iter()
            .map(|(line, fields)| (source.at(line), Value::Object(fields)))
            .collect()),
        _ => {
            let whole: Value = source.yaml()?;
            if !whole.is_array() {
                let message = "this is neither a configuration nor a list of tests";
                return Err(source.fault(None, message));
            }
            let tests: Vec<Spanned<Value>> = source.yaml()?;
            let tests = tests.into_iter().map(|test| {
                let line = usize::try_from(test.defined.line()).unwrap_or_default();
                (source.at(line), test.value)
            });
            Ok(tests.collect())
        }
    }
}

/// Reads a file that stands beside another one.
fn beside<T>(
    source: &Source,
    path: &str,
    read: impl FnOnce(&Source) -> Result<T, ImportFault>,
) -> Result<T, ImportFault> {
    let path = path.trim_start_matches("file://");
    let text = (source.beside)(path);
    let text = text.map_err(|why| source.fault(None, format!("`{path}`: {why}")))?;
    read(&Source {
        name: &source.name.with_file_name(path),
        text: &text,
        beside: source.beside,
    })
}
