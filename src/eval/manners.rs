//! How every answer must be, whatever it is about.

use serde_json::Value;

use crate::app::{App, Said};
use crate::domain::{Answer, Language, Outcome};

/// What an assistant that speaks of itself too much says.
const MODEL_TALK: [&str; 7] = [
    "as an ai",
    "language model",
    "modello linguistico",
    "modelo de lenguaje",
    "modelo de linguagem",
    "sprachmodell",
    "modèle de langage",
];
/// Formal and familiar address in German.
const FORMAL: [&str; 7] = ["Sie", "Ihnen", "Ihr", "Ihre", "Ihren", "Ihrem", "Ihrer"];
const FAMILIAR: [&str; 14] = [
    "du", "dir", "dich", "dein", "deine", "deinen", "deiner", "euch", "euer", "eure", "habt",
    "seid", "könnt", "ihr",
];
/// Shorter strings of tool results are not taken for quotations.
const QUOTATION: usize = 40;

/// What was said so far that the next answer is judged by.
pub struct Manners<'a> {
    app: &'a App,
    customer: Vec<String>,
    answered: bool,
}

impl<'a> Manners<'a> {
    /// A conversation that begins.
    pub fn new(app: &'a App) -> Self {
        Self {
            app,
            customer: Vec::new(),
            answered: false,
        }
    }

    /// What is wrong with the answer to these texts. `notice` is an answer that no turn made.
    pub fn faults(&mut self, texts: &[String], said: &Said, notice: bool) -> Vec<String> {
        self.customer.extend_from_slice(texts);
        let Some(answer) = said.outcome.answer() else {
            return Vec::new();
        };
        let language = said
            .trace
            .triage
            .as_ref()
            .map_or(Language::EN, |triage| triage.language.language);
        let own = own_words(answer, said);
        let mut faults = tone(&own, &self.customer);
        if language == Language::DE {
            faults.extend(address(&own, &self.customer));
        }
        faults.extend(self.cards(answer, language));
        if matches!(said.outcome, Outcome::Answered { .. }) && !notice {
            faults.extend(self.disclosure(answer, language));
            self.answered = true;
        }
        faults
    }

    /// The first answer says that this is an AI, the others do not.
    fn disclosure(&self, answer: &Answer, language: Language) -> Option<String> {
        let shop = self.app.config.shop.name.as_str();
        let words = self.app.prompts.words(language);
        let times: usize = ["disclosure", "disclosure_person"]
            .map(|key| words.say(key, minijinja::context! { shop }))
            .iter()
            .map(|said| answer.text.matches(said).count())
            .sum();
        (times != usize::from(!self.answered)).then(|| format!("there are {times} disclosures"))
    }

    /// Cards are products of the catalog at its prices.
    fn cards(&self, answer: &Answer, language: Language) -> Vec<String> {
        let knowledge = self.app.knowledge.load();
        let wrong = answer.products.iter().filter(|card| {
            knowledge.product(&card.id).is_none_or(|product| {
                product.price != card.price || product.title(language) != card.title
            })
        });
        wrong
            .map(|card| format!("the card of {} is not the catalog's", card.id))
            .collect()
    }
}

fn tone(own: &str, customer: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let lower = own.to_lowercase();
    if own.contains("!!") {
        faults.push("there are exclamation marks in a row".to_owned());
    }
    for phrase in MODEL_TALK.iter().filter(|phrase| lower.contains(**phrase)) {
        faults.push(format!("the answer says `{phrase}`"));
    }
    let questions = own.matches('?').count();
    if questions > 1 {
        faults.push(format!("there are {questions} questions"));
    }
    let emoji = own.chars().filter(|letter| is_emoji(*letter)).count();
    let allowed = customer.iter().any(|text| text.chars().any(is_emoji));
    if emoji > usize::from(allowed) {
        faults.push(format!("there are {emoji} emoji"));
    }
    faults
}

fn is_emoji(letter: char) -> bool {
    matches!(u32::from(letter), 0x1F300..=0x1FAFF | 0x2600..=0x27BF)
}

/// German customers are addressed as they address the shop.
fn address(own: &str, customer: &[String]) -> Option<String> {
    let has = |text: &str, words: &[&str]| {
        text.split(|letter: char| !letter.is_alphanumeric())
            .any(|word| words.contains(&word))
    };
    let uses = |words: &[&str]| customer.iter().any(|text| has(text, words));
    let (formal, familiar) = (uses(&FORMAL), uses(&FAMILIAR));
    if has(own, &FORMAL) && familiar && !formal {
        return Some("the answer is formal, the customer is not".to_owned());
    }
    if has(own, &FAMILIAR) && !familiar {
        return Some("the answer is familiar, the customer is not".to_owned());
    }
    None
}

/// The answer without what it quotes: passages, titles of sources, descriptions.
fn own_words(answer: &Answer, said: &Said) -> String {
    let mut quoted: Vec<&str> = Vec::new();
    for tool in &said.trace.tools {
        strings(&tool.result, &mut quoted);
    }
    for passage in &said.trace.passages {
        quoted.push(&passage.text);
    }
    quoted.retain(|text| text.chars().count() >= QUOTATION);
    for source in &answer.sources {
        quoted.push(&source.title);
    }
    quoted.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let mut own = answer.text.clone();
    for text in quoted {
        own = without(&own, text);
    }
    own
}

fn strings<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(map) => map.values().for_each(|value| strings(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text without a quotation, which may have been cut short at its end.
fn without(text: &str, quoted: &str) -> String {
    let beginning: String = quoted.chars().take(QUOTATION).collect();
    let Some(start) = text.find(&beginning).filter(|_| !beginning.is_empty()) else {
        return text.to_owned();
    };
    let (before, rest) = text.split_at(start);
    let common: usize = rest
        .chars()
        .zip(quoted.chars())
        .take_while(|(one, other)| one == other)
        .map(|(letter, _)| letter.len_utf8())
        .sum();
    format!("{before}{}", rest.get(common..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tone_is_judged() {
        let customer = |text: &str| vec![text.to_owned()];
        assert!(tone("Hello! Which one?", &customer("hi")).is_empty());
        assert_eq!(tone("Great!! Which? When?", &customer("hi")).len(), 2);
        assert_eq!(tone("Sure 😊", &customer("hi")).len(), 1);
        assert!(tone("Sure 😊", &customer("hi 😊")).is_empty());
        assert_eq!(tone("As an AI language model, no.", &[]).len(), 2);
    }

    #[test]
    fn german_follows_the_customer() {
        let customer = |text: &str| vec![text.to_owned()];
        assert!(address("Können Sie das prüfen?", &customer("Können Sie helfen?")).is_none());
        assert!(address("Können Sie das prüfen?", &customer("kannst du helfen?")).is_some());
        assert!(address("Kannst du das prüfen?", &customer("Können Sie helfen?")).is_some());
        assert!(address("Wie lautet die Nummer?", &customer("habt ihr auf?")).is_none());
    }

    #[test]
    fn a_quotation_is_taken_out_even_when_it_was_cut() {
        let quoted = "Would you like another model? Return the first one and place a new order.";
        let text = format!("{}…\n\nSource: X", &quoted[..60]);
        assert_eq!(without(&text, quoted), "…\n\nSource: X");
        assert_eq!(without("Which one?", quoted), "Which one?");
    }
}
