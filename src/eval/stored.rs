//! From a stored conversation to a case, with personal data replaced. Pure.

use std::collections::BTreeMap;

use regex::Regex;

use super::case::{ConversationCase, Ending, Expect, Tap, Turn, Words};
use crate::domain::{Fact, InboundContent, Language, Outcome, TurnId};
use crate::store::TurnRecord;
use crate::understand::entities;

/// Numbers that look like an account, a parcel or a person, whatever they are: five digits or more among letters.
const CODE: &str = r"\b(?:[A-Za-z]*\d[A-Za-z]*){5,}(?:[ -]?(?:[A-Za-z]*\d[A-Za-z]*){2,})*\b";
/// Names for people, so that a text still reads well.
const NAMES: [&str; 8] = [
    "Alex", "Robin", "Rossi", "Kim", "Costa", "Weber", "Luca", "Marin",
];

/// A case made of a conversation.
#[derive(Debug)]
pub struct Drafted {
    /// The case.
    pub case: ConversationCase,
    /// What could not be taken over, for the person who reads it.
    pub left_out: Vec<String>,
}

/// Personal data and what stands in for it, the same for the same.
#[derive(Debug, Default)]
struct StandIns {
    names: Vec<(Regex, String)>,
    known: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
}

/// Makes a case of what customers sent, by turn, and how each turn ended. `name` is what the contact is called.
///
/// The turns are in their order. What was expected is what happened: the outcome, the language and the tools.
#[must_use]
pub fn draft(
    id: &str,
    taken: &[(TurnId, InboundContent)],
    turns: &[TurnRecord],
    name: Option<&str>,
    phone: Option<&str>,
) -> Drafted {
    let mut stand_ins = StandIns::of(name);
    let mut left_out = Vec::new();
    let mut case = ConversationCase {
        id: id.to_owned(),
        language: None,
        phone: phone.map(|phone| stand_ins.phone(phone)),
        turns: Vec::new(),
        tags: vec!["from_production".to_owned()],
    };
    for (number, record) in (1..).zip(turns) {
        let triage = record.trace.triage.as_ref();
        let language = triage.map_or(Language::EN, |triage| triage.language.language);
        let (mut said, mut choice) = (Vec::new(), None);
        for (_, content) in taken.iter().filter(|(turn, _)| *turn == record.id) {
            if let InboundContent::Choice { id, title } = content {
                choice = Some(Tap {
                    id: stand_ins.replaced(id, language),
                    title: title.clone(),
                });
            } else if let Some(words) = content.words() {
                said.push(stand_ins.replaced(words, language));
            } else {
                left_out.push(format!("turn {number}: a message without words"));
            }
        }
        if said.is_empty() && choice.is_none() {
            continue;
        }
        case.language = case
            .language
            .or(triage.map(|triage| triage.language.language));
        case.turns.push(Turn {
            say: match said.len() {
                1 => Words::One(said.remove(0)),
                _ => Words::Several(said),
            },
            choice,
            paid: false,
            expect: seen(record),
        });
    }
    Drafted { case, left_out }
}

fn seen(record: &TurnRecord) -> Expect {
    let (outcome, answered) = match record.outcome {
        Outcome::Answered { .. } => (Ending::Answered, true),
        Outcome::HandedOff { .. } => (Ending::HandedOff, true),
        Outcome::Silent { .. } => (Ending::Silent, false),
    };
    let triage = record.trace.triage.as_ref().filter(|_| answered);
    let tools = record.trace.tools.iter().filter(|tool| !tool.failed);
    let mut tools: Vec<String> = tools.map(|tool| tool.name.clone()).collect();
    tools.dedup();
    Expect {
        outcome: Some(outcome),
        language: triage.map(|triage| triage.language.language),
        tools,
        ..Expect::default()
    }
}

impl StandIns {
    fn of(name: Option<&str>) -> Self {
        let words = name
            .unwrap_or_default()
            .split(|letter: char| !letter.is_alphanumeric());
        let words = words.filter(|word| word.chars().count() > 2);
        let names = words.zip(NAMES).filter_map(|(word, other)| {
            let word = Regex::new(&format!(r"(?i)\b{}\b", regex::escape(word))).ok()?;
            Some((word, other.to_owned()))
        });
        Self {
            names: names.collect(),
            ..Self::default()
        }
    }

    fn of_sort(
        &mut self,
        sort: &'static str,
        found: &str,
        make: impl Fn(usize) -> String,
    ) -> String {
        if let Some(known) = self.known.get(found) {
            return known.clone();
        }
        let count = self.counts.entry(sort).or_default();
        *count += 1;
        let made = make(*count);
        self.known.insert(found.to_owned(), made.clone());
        made
    }

    /// Numbers that nobody has: 555-0100 to 555-0199 are kept free for stories.
    fn phone(&mut self, phone: &str) -> String {
        self.of_sort("phone", phone, |count| {
            format!("+120255501{:02}", count % 100)
        })
    }

    fn replaced(&mut self, text: &str, language: Language) -> String {
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for mention in entities(text, language).mentions {
            let stand_in = match &mention.fact {
                Fact::Email(email) => self.of_sort("email", email, |count| {
                    format!("customer{count}@example.com")
                }),
                Fact::Phone(phone) => self.phone(phone),
                Fact::Order(order) => self.of_sort("order", order.as_str(), |count| {
                    format!("{}", 90_000 + count)
                }),
                Fact::Reference(_) | Fact::Price(_) | Fact::Quantity(_) | Fact::Date(_) => continue,
            };
            let Some(before) = text.get(end..mention.start) else {
                continue;
            };
            out.push_str(&self.without_names(before));
            out.push_str(&stand_in);
            end = mention.end;
        }
        let rest = text.get(end..).unwrap_or_default();
        out.push_str(&self.without_names(rest));
        out
    }

    fn without_names(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, other) in &self.names {
            text = name.replace_all(&text, other.as_str()).into_owned();
        }
        let Ok(codes) = Regex::new(CODE) else {
            return text;
        };
        let replaced = codes.replace_all(&text, |found: &regex::Captures<'_>| {
            self.of_sort("code", &found[0], |count| format!("CODE-{count}"))
        });
        replaced.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Answer, TurnTrace};

    fn turn(id: &str) -> TurnRecord {
        TurnRecord {
            id: TurnId::from(id),
            outcome: Outcome::Answered {
                answer: Answer::text("ok"),
                awaiting: None,
            },
            trace: TurnTrace::default(),
        }
    }

    fn said(turn: &str, text: &str) -> (TurnId, InboundContent) {
        let text = text.to_owned();
        (TurnId::from(turn), InboundContent::Text { text })
    }

    #[test]
    fn personal_data_is_replaced_by_the_same_everywhere() {
        let taken = [
            said(
                "a",
                "Hi, this is Giulia Ferri, order 10432, giulia.ferri@example.it",
            ),
            said("a", "call me at +39 333 123 4567"),
            said(
                "b",
                "so what about 10432? giulia.ferri@example.it, IBAN IT60X0542811101000000123456",
            ),
        ];
        let drafted = draft(
            "one",
            &taken,
            &[turn("a"), turn("b")],
            Some("Giulia Ferri"),
            Some("+393331234567"),
        );
        let text = serde_json::to_string(&drafted.case).unwrap();
        for word in [
            "Giulia",
            "Ferri",
            "giulia",
            "10432",
            "333 123",
            "393331234567",
            "IT60",
            "0542811101",
        ] {
            assert!(!text.contains(word), "{word} in {text}");
        }
        let [first, second] = drafted.case.turns.as_slice() else {
            panic!("two turns");
        };
        assert_eq!(first.say.texts().len(), 2);
        assert_eq!(text.matches("90001").count(), 2, "{text}");
        assert_eq!(text.matches("customer1@example.com").count(), 2, "{text}");
        assert_eq!(drafted.case.phone.as_deref(), Some("+12025550101"));
        assert!(second.say.texts()[0].contains("CODE-1"), "{text}");
    }

    #[test]
    fn turns_without_words_are_left_out() {
        let drafted = draft(
            "one",
            &[said("a", "hello")],
            &[turn("a"), turn("silent")],
            None,
            None,
        );
        assert_eq!(drafted.case.turns.len(), 1);
        assert_eq!(drafted.case.turns[0].expect.outcome, Some(Ending::Answered));
    }
}
