//! The prompts and phrases: the only reader of `prompts/`. All are part of the program.

mod phrases;

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior, Value};

use crate::domain::Language;

/// The agent's system prompt; how a model without tool calls of its own says which tool to use; how a model plays a
/// customer in an evaluation, and judges an answer there.
const FILES: [(&str, &str); 4] = [
    ("agent", include_str!("../prompts/agent.md")),
    ("json_mode", include_str!("../prompts/json_mode.md")),
    ("customer", include_str!("../prompts/customer.md")),
    ("judge", include_str!("../prompts/judge.md")),
];

/// All prompts and phrases, compiled once.
pub struct Prompts {
    environment: Environment<'static>,
}

/// A prompt file that cannot be used. In the program's own it is a fault of the build, found by the tests.
#[derive(Debug, thiserror::Error)]
#[error("prompts: {0}")]
pub struct PromptError(String);

impl From<minijinja::Error> for PromptError {
    fn from(error: minijinja::Error) -> Self {
        Self(error.to_string())
    }
}

impl Prompts {
    /// Compiles the program's own.
    ///
    /// # Errors
    /// When a file is not valid; the tests load them all.
    pub fn load() -> Result<Self, PromptError> {
        Self::with(&BTreeMap::new())
    }

    /// Compiles all of them, with others in the place of some. `own` has files by their path in `prompts/`; a file of
    /// phrases may have only those that differ, and be of a language that the program does not have.
    ///
    /// # Errors
    /// When a file is not known or not valid, or names what nothing fills in.
    pub fn with(own: &BTreeMap<String, String>) -> Result<Self, PromptError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in FILES {
            environment.add_template(name, text)?;
        }
        phrases::add(&mut environment)?;
        for (file, text) in own {
            let fault = |error: PromptError| PromptError(format!("{file}: {}", error.0));
            let stem = file.strip_suffix(".md").unwrap_or(file);
            let language = file
                .strip_prefix("phrases/")
                .and_then(|name| name.strip_suffix(".toml"));
            match language {
                Some(language) => phrases::replace(&mut environment, language, text),
                None if FILES.iter().any(|(name, _)| *name == stem) => {
                    replace(&mut environment, stem, stem, text)
                }
                None => Err(PromptError(
                    "there is no such prompt; there are agent.md, json_mode.md, customer.md, judge.md and \
                     phrases/LANGUAGE.toml"
                        .to_owned(),
                )),
            }
            .map_err(fault)?;
        }
        Ok(Self { environment })
    }

    /// The system prompt of the agent.
    ///
    /// # Errors
    /// When the context lacks something the prompt names.
    pub fn agent(&self, context: impl Into<Value>) -> Result<String, PromptError> {
        self.render("agent", context.into())
    }

    /// The instructions for a model that plays a customer.
    ///
    /// # Errors
    /// When the context lacks something the prompt names.
    pub fn customer(&self, context: impl Into<Value>) -> Result<String, PromptError> {
        self.render("customer", context.into())
    }

    /// The instructions for a model that judges an answer.
    ///
    /// # Errors
    /// When the context lacks something the prompt names.
    pub fn judge(&self, context: impl Into<Value>) -> Result<String, PromptError> {
        self.render("judge", context.into())
    }

    /// The extra instructions of the `json_schema` tool mode.
    ///
    /// # Errors
    /// When the file is not valid.
    pub fn json_mode(&self) -> Result<String, PromptError> {
        self.render("json_mode", ().into())
    }

    fn render(&self, name: &str, context: Value) -> Result<String, PromptError> {
        let template = self.environment.get_template(name)?;
        Ok(template.render(context)?.trim().to_owned())
    }

    /// The phrases of a language, English where it has none.
    #[must_use]
    pub fn words(&self, language: Language) -> Words<'_> {
        Words {
            prompts: self,
            language,
        }
    }
}

/// Puts a text in the place of a template. It may name what the `model` for it names.
fn replace(
    environment: &mut Environment<'static>,
    name: &str,
    model: &str,
    text: &str,
) -> Result<(), PromptError> {
    let given = environment.get_template(model)?.undeclared_variables(false);
    environment.add_template_owned(name.to_owned(), text.to_owned())?;
    let named = environment.get_template(name)?.undeclared_variables(false);
    let unknown: Option<&String> = named.difference(&given).min();
    match unknown {
        None => Ok(()),
        Some(unknown) => {
            let mut given: Vec<&str> = given.iter().map(String::as_str).collect();
            given.sort_unstable();
            Err(PromptError(format!(
                "nothing fills in `{unknown}`; there are: {}",
                given.join(", ")
            )))
        }
    }
}

/// The phrases of one language.
#[derive(Clone, Copy)]
pub struct Words<'p> {
    prompts: &'p Prompts,
    language: Language,
}

impl Words<'_> {
    /// The language asked for.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// The language that the phrases are in.
    #[must_use]
    pub fn spoken(&self) -> Language {
        let probe = format!("{}/and", self.language);
        match self.prompts.environment.get_template(&probe) {
            Ok(_) => self.language,
            Err(_) => Language::EN,
        }
    }

    /// A phrase without anything to fill in.
    #[must_use]
    pub fn plain(&self, key: &str) -> String {
        self.say(key, ())
    }

    /// A phrase with its blanks filled. An unknown key or a missing blank is a fault of ours, found by
    /// the tests; it is logged and gives an empty text.
    #[must_use]
    pub fn say(&self, key: &str, context: impl Into<Value>) -> String {
        let environment = &self.prompts.environment;
        let template = environment
            .get_template(&format!("{}/{key}", self.language))
            .or_else(|_| environment.get_template(&format!("en/{key}")));
        match template.and_then(|template| template.render(context.into())) {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(key, kind = ?error.kind(), "a phrase cannot be rendered");
                String::new()
            }
        }
    }

    /// The name of something in a table such as `categories`; the id with spaces when it has none.
    #[must_use]
    pub fn name(&self, table: &str, id: &str) -> String {
        let environment = &self.prompts.environment;
        environment
            .get_template(&format!("{}/{table}.{id}", self.language))
            .or_else(|_| environment.get_template(&format!("en/{table}.{id}")))
            .and_then(|template| template.render(()))
            .unwrap_or_else(|_| id.replace('_', " "))
    }

    /// A list in words: `a, b and c`.
    #[must_use]
    pub fn list(&self, items: &[String]) -> String {
        match items {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} {} {last}", first.join(", "), self.plain("and")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_compiles() {
        let prompts = Prompts::load().unwrap();
        assert!(prompts.json_mode().unwrap().contains("JSON"));
    }

    #[test]
    fn what_a_prompt_lacks_is_an_error() {
        let prompts = Prompts::load().unwrap();
        let known = minijinja::context! {
            shop => "Bottega Moka", about => "coffee", language => "en", language_name => "English",
            intent => "greeting", intent_score => 0.9, sentiment => "neutral", polarity => 0.0,
            phone_verified => false, products_shown => "", passages => Vec::<Value>::new(),
        };
        let rendered = prompts.agent(known.clone()).unwrap();
        assert!(rendered.contains("Nothing in the shop's texts"));
        let names: Vec<String> = known
            .try_iter()
            .unwrap()
            .map(|name| name.to_string())
            .collect();
        for missing in &names {
            let kept = names.iter().filter(|name| *name != missing);
            let context: Value = kept
                .map(|name| (name.clone(), known.get_attr(name).unwrap()))
                .collect();
            assert!(prompts.agent(context).is_err(), "{missing} is not missed");
        }
    }

    fn own(file: &str, text: &str) -> Result<Prompts, PromptError> {
        Prompts::with(&BTreeMap::from([(file.to_owned(), text.to_owned())]))
    }

    #[test]
    fn a_file_takes_the_place_of_ours() {
        let prompts = own("json_mode.md", "Answer in JSON, please.").unwrap();
        assert_eq!(prompts.json_mode().unwrap(), "Answer in JSON, please.");
        let prompts = own("phrases/en.toml", "link_label = \"Pay here\"").unwrap();
        assert_eq!(prompts.words(Language::EN).plain("link_label"), "Pay here");
        assert_eq!(prompts.words(Language::EN).plain("and"), "and");
        let prompts = own("phrases/sv.toml", "link_label = \"Betala\"").unwrap();
        let swedish: Language = "sv".parse().unwrap();
        assert_eq!(prompts.words(swedish).plain("link_label"), "Betala");
        assert_eq!(prompts.words(swedish).plain("and"), "and");
    }

    #[test]
    fn a_file_that_cannot_take_its_place_says_why() {
        let fault = |file: &str, text: &str| own(file, text).err().unwrap().to_string();
        for (file, text, says) in [
            ("agents.md", "", "agents.md: there is no such prompt"),
            ("agent.md", "{% if %}", "agent.md: "),
            (
                "agent.md",
                "{{ shopp }}",
                "nothing fills in `shopp`; there are: about, ad, ",
            ),
            ("phrases/en.toml", "and = ", "phrases/en.toml: "),
            (
                "phrases/en.toml",
                "nd = \"&\"",
                "there is no phrase `nd`; did you mean `and`?",
            ),
            (
                "phrases/en.toml",
                "link_label = \"{{ sum }}\"",
                "link_label: nothing fills in `sum`",
            ),
        ] {
            let said = fault(file, text);
            assert!(said.contains(says), "{said}");
        }
    }

    #[test]
    fn an_unknown_language_speaks_english() {
        let prompts = Prompts::load().unwrap();
        let swedish: Language = "sv".parse().unwrap();
        assert_eq!(prompts.words(swedish).plain("link_label"), "Pay now");
        assert_eq!(prompts.words(swedish).spoken(), Language::EN);
        assert_eq!(prompts.words(Language::IT).spoken(), Language::IT);
        assert_eq!(
            prompts.words(swedish).name("categories", "garden_gnome"),
            "garden gnome"
        );
    }

    #[test]
    fn a_list_is_joined_in_words() {
        let prompts = Prompts::load().unwrap();
        let items = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(prompts.words(Language::EN).list(&items), "a, b and c");
    }
}
