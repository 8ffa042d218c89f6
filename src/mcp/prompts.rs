//! The shop's prompts, as data that MCP can list and fill.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::model;
use serde_json::{Map, Value};

/// What a client filled in, by argument.
pub type Filled = BTreeMap<String, String>;

/// Fills a prompt in.
pub type Render = Arc<dyn Fn(&Filled) -> Result<String, String> + Send + Sync>;

/// A prompt that a client may offer to a person.
#[derive(Clone)]
pub struct Prompt {
    /// The name.
    pub name: String,
    /// A title for people.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// What it takes, in order.
    pub arguments: Vec<PromptArgument>,
    /// Gets every required argument and no unknown one. The error is for the log.
    pub render: Render,
}

/// An argument of a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptArgument {
    /// The name.
    pub name: String,
    /// What to fill in.
    pub description: String,
    /// Whether the prompt cannot do without.
    pub required: bool,
    /// Values to suggest; others are taken too.
    pub choices: Vec<String>,
}

impl Prompt {
    /// The prompt as MCP lists it.
    pub(super) fn listed(&self) -> model::Prompt {
        let arguments = self
            .arguments
            .iter()
            .map(|argument| {
                model::PromptArgument::new(argument.name.as_str())
                    .with_description(argument.description.as_str())
                    .with_required(argument.required)
            })
            .collect();
        model::Prompt::new(
            self.name.as_str(),
            Some(self.description.as_str()),
            Some(arguments),
        )
        .with_title(self.title.as_str())
    }

    /// Checks what a client filled in; the error says how to mend it.
    pub(super) fn check(&self, given: Map<String, Value>) -> Result<Filled, String> {
        let known = |name: &str| self.arguments.iter().any(|argument| argument.name == name);
        let mut filled = Filled::new();
        for (name, value) in given {
            match value {
                Value::String(text) if known(&name) => filled.insert(name, text),
                Value::String(_) => return Err(format!("This prompt has no argument `{name}`.")),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => return Err(format!("`{name}` must be a string.")),
            };
        }
        let missing = self
            .arguments
            .iter()
            .find(|argument| argument.required && !filled.contains_key(&argument.name));
        match missing {
            Some(argument) => Err(format!(
                "`{}` is required: {}",
                argument.name, argument.description
            )),
            None => Ok(filled),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prompt() -> Prompt {
        Prompt {
            name: "advise".to_owned(),
            title: "Advise".to_owned(),
            description: "Advises.".to_owned(),
            arguments: vec![
                PromptArgument {
                    name: "need".to_owned(),
                    description: "what the customer needs".to_owned(),
                    required: true,
                    choices: Vec::new(),
                },
                PromptArgument {
                    name: "budget".to_owned(),
                    ..PromptArgument::default()
                },
            ],
            render: Arc::new(|filled| Ok(format!("{filled:?}"))),
        }
    }

    fn check(given: Value) -> Result<Filled, String> {
        let Value::Object(given) = given else {
            panic!("an object")
        };
        prompt().check(given)
    }

    #[test]
    fn faults_name_the_argument() {
        assert_eq!(
            check(json!({})).unwrap_err(),
            "`need` is required: what the customer needs"
        );
        assert_eq!(
            check(json!({"need": 3})).unwrap_err(),
            "`need` must be a string."
        );
        assert_eq!(
            check(json!({"need": "a grinder", "colour": "red"})).unwrap_err(),
            "This prompt has no argument `colour`."
        );
        assert_eq!(
            check(json!({"need": "a grinder"})).unwrap()["need"],
            "a grinder"
        );
    }
}
