//! `sportello eval import`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::file;
use crate::app::knowledge_source;
use crate::commands::output::{line, note};
use crate::commands::{Failure, Shared};
use crate::domain::Language;
use crate::eval::{self, ImportFault, Imported, Source, Wishes};
use crate::knowledge;

/// `eval import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The tool that the files are of
    tool: Tool,
    /// The files; of BFCL the questions and their answers
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write the suite here instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The language of the cases, such as `it`
    #[arg(long, value_name = "XX")]
    language: Option<Language>,
    /// promptfoo, openai: the variable or field that is the customer's message
    #[arg(long, value_name = "NAME")]
    var: Option<String>,
    /// rasa: YAML that says which of the shop's intents theirs are (`theirs: ours`), and under `actions` what their
    /// actions are here
    #[arg(long, value_name = "FILE")]
    intents: Option<PathBuf>,
    /// openai: JSON with the graders, as the evaluation has them
    #[arg(long, value_name = "FILE")]
    graders: Option<PathBuf>,
    /// tau: expect the calls of that shop's tools, for a shop that has them
    #[arg(long)]
    tools: bool,
}

/// A tool whose files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tool {
    /// Configurations, and tests in YAML, JSON, JSONL and CSV
    Promptfoo,
    /// `nlu.yml`, test stories and end-to-end test cases
    Rasa,
    /// Data sets and run exports of OpenAI's evaluations, and lines of openai/evals
    Openai,
    /// The Berkeley Function Calling Leaderboard
    Bfcl,
    /// Tasks of tau-bench and tau2-bench
    Tau,
}

/// Writes a suite from other tools' files, and tells on standard error what could not be taken over.
pub fn run(shared: &Shared, args: &Import) -> Result<(), Failure> {
    let wishes = wishes(shared, args)?;
    let mut texts = Vec::new();
    for file in &args.files {
        texts.push((file.as_path(), file::read(file)?));
    }
    let readers: Vec<_> = texts.iter().map(|(file, _)| beside(file)).collect();
    let sources: Vec<Source> = texts
        .iter()
        .zip(&readers)
        .map(|((name, text), beside)| Source { name, text, beside })
        .collect();
    let imported = match args.tool {
        Tool::Bfcl => eval::bfcl(&sources, &wishes).map_err(wrong)?,
        Tool::Promptfoo => each(&sources, |source| eval::promptfoo(source, &wishes))?,
        Tool::Rasa => each(&sources, |source| eval::rasa(source, &wishes))?,
        Tool::Openai => each(&sources, |source| eval::openai(source, &wishes))?,
        Tool::Tau => each(&sources, |source| eval::tau(source, &wishes))?,
    };
    for refused in imported.lines() {
        note(&format!("not taken over: {refused}"));
    }
    if imported.cases.is_empty() {
        return Err(Failure::Wrong("nothing was taken over".to_owned()));
    }
    write(&imported, args.out.as_deref())?;
    note(&format!("taken over: {} cases", imported.cases.len()));
    Ok(())
}

fn wishes(shared: &Shared, args: &Import) -> Result<Wishes, Failure> {
    let mut wishes = Wishes {
        language: args.language,
        variable: args.var.clone(),
        tools: args.tools,
        ..Wishes::default()
    };
    if let Some(file) = &args.graders {
        let graders: Result<Value, _> = serde_json::from_str(&file::read(file)?);
        let graders = graders.map_err(|error| {
            Failure::Wrong(format!("{}: this is no JSON: {error}", file.display()))
        })?;
        wishes.graders = Some(graders);
    }
    if args.tool != Tool::Rasa {
        return Ok(wishes);
    }
    if let Some(file) = &args.intents {
        let text = file::read(file)?;
        let beside = beside(file);
        let source = Source {
            name: file,
            text: &text,
            beside: &beside,
        };
        eval::mapping(&source, &mut wishes).map_err(wrong)?;
    }
    let source = knowledge_source(&shared.config);
    let knowledge = knowledge::load(&source, shared.config.shop.currency);
    let knowledge = knowledge.map_err(|_| {
        Failure::Wrong("the shop's knowledge has faults; see `sportello check`".to_owned())
    })?;
    let intents = knowledge.intents.into_iter().map(|intent| intent.name);
    wishes.known = intents.collect();
    Ok(wishes)
}

fn wrong(fault: ImportFault) -> Failure {
    Failure::Wrong(fault.to_string())
}

/// Files one after the other; every one that cannot be read is told.
fn each(
    sources: &[Source],
    read: impl Fn(&Source) -> Result<Imported, ImportFault>,
) -> Result<Imported, Failure> {
    let mut all = Imported::default();
    let mut faults = Vec::new();
    for source in sources {
        match read(source) {
            Ok(found) => all.extend(found),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    if faults.is_empty() {
        return Ok(all);
    }
    Err(Failure::Wrong(faults.join("\n")))
}

/// Reads what a file names, relative to it.
fn beside(file: &Path) -> impl Fn(&str) -> Result<String, String> {
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    move |path| {
        let read = std::fs::read_to_string(folder.join(path));
        read.map_err(|error| format!("it cannot be read: {error}"))
    }
}

fn write(imported: &Imported, out: Option<&Path>) -> Result<(), Failure> {
    let failed = |error: serde_json::Error| Failure::Machine(error.to_string());
    let lines: Result<Vec<String>, Failure> = imported
        .cases
        .iter()
        .map(|case| eval::line(case).map_err(failed))
        .collect();
    let lines = lines?;
    let Some(file) = out else {
        return lines.iter().try_for_each(|text| line(text));
    };
    file::write(file, lines.join("\n") + "\n")
}
