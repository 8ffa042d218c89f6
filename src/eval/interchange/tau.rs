//! Tasks of tau-bench and tau2-bench: customers to be played.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ImportFault, Imported, Source, Wishes, text};
use crate::eval::case::{Case, Ending, Expect, SimulationCase};
use crate::eval::matcher::{ExpectedCall, Matcher};

/// Messages that the customer writes at most.
const TURNS: u32 = 20;
/// Their way to call a person.
const TRANSFER: &str = "transfer_to_human_agents";
/// How names of calls begin that only read; whoever reads in another order does nothing wrong.
const READING: [&str; 6] = ["get_", "find_", "list_", "search_", "calculate", "think"];

/// Reads a list of tasks, or an object with `tasks`.
///
/// # Errors
/// When the file cannot be read.
pub fn tau(source: &Source, wishes: &Wishes) -> Result<Imported, ImportFault> {
    let mut imported = Imported::default();
    let whole: Value = serde_json::from_str(source.text)
        .map_err(|error| source.fault(Some(error.line()), format!("this is no JSON: {error}")))?;
    let Some(tasks) = whole.get("tasks").unwrap_or(&whole).as_array() else {
        let message = "this is no list of tasks; give a tasks.json of tau-bench";
        return Err(source.fault(None, message));
    };
    for (number, task) in tasks.iter().enumerate() {
        let id = task.get("id").and_then(text);
        let id = id.unwrap_or_else(|| number.to_string());
        let place = format!("{}: task {id}", source.name.display());
        match persona(task) {
            Some(persona) => {
                let case = SimulationCase {
                    id: imported.unique(&format!("task {id}")),
                    language: wishes.language,
                    phone: None,
                    persona,
                    opening: None,
                    max_turns: TURNS,
                    expect: expected(task, wishes, &place, &mut imported),
                    tags: Vec::new(),
                };
                imported.cases.push(Case::Simulation(case));
            }
            None => imported.refuse("task", "it does not say who the customer is", &place),
        }
    }
    Ok(imported)
}

/// Who the customer is, from the parts of a scenario.
fn persona(task: &Value) -> Option<String> {
    let scenario = task.get("user_scenario").unwrap_or(task);
    let mut parts = Vec::new();
    let mut add = |title: &str, value: Option<&Value>| {
        let said = value.and_then(Value::as_str).map(str::trim);
        if let Some(said) = said.filter(|said| !said.is_empty()) {
            parts.push(format!("{title}{said}"));
        }
    };
    add("", scenario.get("persona"));
    match scenario.get("instructions").or(scenario.get("instruction")) {
        Some(Value::Object(instructions)) => {
            add("", instructions.get("known_info"));
            add("Why you write: ", instructions.get("reason_for_call"));
            add("What you do not know: ", instructions.get("unknown_info"));
            add(
                "How you go about it: ",
                instructions.get("task_instructions"),
            );
        }
        other => add("", other),
    }
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// What must hold at the end. What that environment alone knows is noted as refused.
fn expected(task: &Value, wishes: &Wishes, place: &str, imported: &mut Imported) -> Expect {
    let mut expect = Expect::default();
    let criteria = task.get("evaluation_criteria").unwrap_or(task);
    let basis = list(criteria, "reward_basis");
    for action in list(criteria, "actions") {
        let name = action.get("name").and_then(Value::as_str).unwrap_or("?");
        let of_user = action.get("requestor").and_then(Value::as_str) == Some("user");
        let only_reads = READING.iter().any(|start| name.starts_with(start));
        let mut refuse = |what: &str, why: &str| {
            imported.refuse(format!("{what} `{name}`"), why, place);
        };
        if of_user {
            refuse(
                "call of the customer",
                "customers of the shop have no tools",
            );
        } else if name == TRANSFER {
            expect.outcome = Some(Ending::HandedOff);
        } else if !wishes.tools {
            refuse(
                "call",
                "that shop's tool; --tools expects it under its own name, where your shop has it",
            );
        } else if only_reads && !basis.contains(&json!("ACTION")) {
            refuse("reading call", "only what changes something is expected");
        } else {
            expect.calls.push(call(name, &action));
        }
    }
    let told = [list(criteria, "communicate_info"), list(task, "outputs")];
    expect.contains = told.iter().flatten().filter_map(text).collect();
    environment(task, criteria, place, imported);
    if expect == Expect::default() {
        let why = "it is taken over and judged by manners, prices and grounds alone";
        imported.refuse("every expectation of a task", why, place);
    }
    expect
}

fn list(of: &Value, name: &str) -> Vec<Value> {
    let list = of.get(name).and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

/// Names what only that environment can judge or set up.
fn environment(task: &Value, criteria: &Value, place: &str, imported: &mut Imported) {
    for assertion in list(criteria, "nl_assertions") {
        let what = "assertion in words";
        let why = "a model would judge it; write words or effects";
        let place = format!("{place}: {}", text(&assertion).unwrap_or_default());
        imported.refuse(what, why, &place);
    }
    for name in ["env_assertions", "required_documents", "user_tools"] {
        let found = criteria.get(name).or_else(|| task.get(name));
        if found
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
        {
            imported.refuse(format!("`{name}`"), "that environment's own", place);
        }
    }
    if task
        .get("initial_state")
        .is_some_and(|state| !state.is_null())
    {
        imported.refuse(
            "`initial_state`",
            "that environment's own; write it in knowledge",
            place,
        );
    }
    let basis = list(criteria, "reward_basis");
    if criteria.get("actions").is_some() && (basis.is_empty() || basis.contains(&json!("DB"))) {
        let why =
            "that shop's database; write what your shop must have stored under `expect.state`";
        imported.refuse("final state of the database", why, place);
    }
}

fn call(name: &str, action: &Value) -> ExpectedCall {
    let arguments = ["arguments", "kwargs"];
    let arguments = arguments
        .iter()
        .find_map(|name| action.get(*name)?.as_object());
    let compared = action.get("compare_args").and_then(Value::as_array);
    let none = Map::new();
    let arguments: BTreeMap<String, Matcher> = arguments
        .unwrap_or(&none)
        .iter()
        .map(|(name, value)| {
            let looked_at = compared.is_none_or(|names| names.contains(&json!(name)));
            let value = if looked_at {
                json!({ "equal": value })
            } else {
                json!({ "ignore": true })
            };
            (name.clone(), Matcher::new(value))
        })
        .collect();
    ExpectedCall {
        name: name.to_owned(),
        arguments,
    }
}
