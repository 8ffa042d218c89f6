//! What a turn searches the knowledge for: the message, and what was said before it where it goes on from that.

use super::plain;
use crate::domain::{History, Language, Speaker};
use crate::ports::{Filter, Request};
use crate::understand::goes_on;

/// Earlier messages that may still be needed: "a grinder", "for espresso", "and in red?".
const BACK: usize = 2;

/// The words that are searched for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) text: String,
    /// Whether they hold more than the message.
    pub(super) continues: bool,
}

/// The message, after the messages that it goes on from.
pub(super) fn asked(text: &str, history: &History, language: Language) -> Asked {
    let text = plain::without_cards(text);
    if !goes_on(&text, language) {
        return Asked {
            text,
            continues: false,
        };
    }
    let mut said = vec![text];
    let customers = |speaker| speaker == Speaker::Customer;
    let before = history.entries.iter().rev();
    for entry in before.filter(|entry| customers(entry.speaker)).take(BACK) {
        said.push(plain::without_cards(&entry.text));
        if !goes_on(&entry.text, language) {
            break;
        }
    }
    said.reverse();
    Asked {
        continues: said.len() > 1,
        text: said.join("\n"),
    }
}

/// What passages must be: a price that is named holds for all products.
pub(super) fn filter(requests: &[Request]) -> Filter {
    let priced = |request: &Request| {
        let intent = &request.triage.intent;
        let looks = ["product_search", "product_question", "product_comparison"];
        let searches = looks.iter().any(|name| intent.is(name));
        request.triage.entities.price.filter(|_| searches)
    };
    Filter {
        price: requests.iter().find_map(priced),
        ..Filter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HistoryEntry;

    fn said(texts: &[&str]) -> History {
        let entry = |text: &&str| HistoryEntry {
            speaker: Speaker::Customer,
            text: (*text).to_owned(),
            products: Vec::new(),
            intent: None,
            awaiting: None,
            at: 0,
        };
        History {
            entries: texts.iter().map(entry).collect(),
        }
    }

    #[test]
    fn a_question_that_goes_on_is_asked_with_what_came_before() {
        let history = said(&["hello", "do you have espresso cups?", "and for two?"]);
        let found = asked("and in red?", &history, Language::EN);
        assert_eq!(
            found.text,
            "do you have espresso cups?\nand for two?\nand in red?"
        );
        assert!(found.continues);
        let italian = asked("e in rosso?", &said(&["avete tazzine?"]), Language::IT);
        assert_eq!(italian.text, "avete tazzine?\ne in rosso?");
    }

    #[test]
    fn a_question_of_its_own_is_asked_alone() {
        let history = said(&["do you have espresso cups?"]);
        for text in [
            "where is my order 10432?",
            "and could you please also tell me how long delivery to Spain takes",
            "and",
        ] {
            let found = asked(text, &history, Language::EN);
            assert_eq!((found.text.as_str(), found.continues), (text, false));
        }
        assert!(!asked("and in red?", &said(&[]), Language::EN).continues);
    }
}
