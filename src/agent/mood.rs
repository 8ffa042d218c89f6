//! The course of a conversation in the mood: who asks the same again, or was left to wait, is not getting happier.

use std::collections::HashSet;

use super::plain;
use crate::domain::{History, Polarity, Sentiment, Speaker};

/// Polarity that each repetition takes away.
const STEP: f32 = 0.2;
/// Polarity that each long wait takes away.
const WAIT_STEP: f32 = 0.1;
/// Seconds without an answer that are a long wait: in a chat an hour is long.
const LONG_WAIT: i64 = 3_600;
/// Long waits that count.
const MOST_WAITS: usize = 3;
/// At or below this polarity a message counts as negative.
const NEGATIVE: f32 = -0.3;
/// Share of words that two messages have in common when they ask the same.
const SAME: f32 = 0.5;
/// What the agent waits for when it asked for an order.
const ASKED: [&str; 2] = ["order_", "ticket_order"];
/// Messages looked back at.
const BACK: usize = 6;

/// The sentiment of a message after what the customer wrote before it.
pub fn after(history: &History, text: &str, sentiment: Sentiment) -> Sentiment {
    let now = words(text);
    // What the agent asked for is an answer, however often it comes.
    let asked = history
        .awaiting()
        .is_some_and(|awaiting| ASKED.iter().any(|start| awaiting.starts_with(start)));
    // Who thanks or agrees has forgiven.
    if now.len() < 2 || asked || sentiment.label == Polarity::Positive {
        return sentiment;
    }
    let before = history.entries.iter().rev();
    let repetitions = before
        .filter(|entry| entry.speaker == Speaker::Customer)
        .take(BACK)
        .filter(|entry| overlap(&now, &words(&entry.text)) >= SAME)
        .count();
    let waits = long_waits(history).min(MOST_WAITS);
    if repetitions + waits == 0 {
        return sentiment;
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of repetitions")]
    let lost = STEP * repetitions as f32 + WAIT_STEP * waits as f32;
    let polarity = (sentiment.polarity - lost).max(-1.0);
    Sentiment {
        label: if polarity <= NEGATIVE {
            Polarity::Negative
        } else {
            sentiment.label
        },
        polarity,
        intensity: sentiment.intensity.max(polarity.abs()),
    }
}

/// How often a message of the customer's had no answer for long. Of several in a row the first counts.
fn long_waits(history: &History) -> usize {
    let mut waits = 0;
    let mut asked = None;
    for entry in &history.entries {
        if entry.speaker == Speaker::Customer {
            asked = asked.or(Some(entry.at));
        } else if let Some(since) = asked.take() {
            waits += usize::from(entry.at - since >= LONG_WAIT);
        }
    }
    waits
}

fn words(text: &str) -> HashSet<String> {
    let lower = plain::without_addresses(text).to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Jaccard's coefficient.
fn overlap(one: &HashSet<String>, other: &HashSet<String>) -> f32 {
    let union = one.union(other).count();
    if union == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "words of a message are few")]
    let share = one.intersection(other).count() as f32 / union as f32;
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{HistoryEntry, InboundContent};

    fn said(texts: &[&str]) -> History {
        let entry = |text: &&str| {
            let content = InboundContent::Text {
                text: (*text).to_owned(),
            };
            HistoryEntry::customer(&content, 0)
        };
        History {
            entries: texts.iter().map(entry).collect(),
        }
    }

    const CALM: Sentiment = Sentiment {
        label: Polarity::Neutral,
        polarity: -0.1,
        intensity: 0.2,
    };

    #[test]
    fn the_third_time_is_negative() {
        let question = "Wo bleibt meine Bestellung 10432??";
        let second = after(&said(&[question]), question, CALM);
        assert!(second.polarity < CALM.polarity);
        let third = after(&said(&[question, question]), question, CALM);
        assert_eq!(third.label, Polarity::Negative);
        assert!(third.polarity >= -1.0);
    }

    #[test]
    fn what_the_agent_asked_for_is_no_repetition() {
        let mails = ["a.rossi@example.it", "anna.rossi@example.it"];
        assert_eq!(after(&said(&mails), mails[0], CALM), CALM);
        let question = "where is my order?";
        let mut history = said(&[question]);
        history.entries.push(HistoryEntry {
            speaker: Speaker::Agent,
            awaiting: Some("order_number".to_owned()),
            ..history.entries[0].clone()
        });
        assert_eq!(after(&history, question, CALM), CALM);
    }

    #[test]
    fn long_waits_are_felt() {
        let mut history = said(&["Where is my parcel?"]);
        let answer = |at: i64| HistoryEntry {
            speaker: Speaker::Agent,
            text: "One moment.".to_owned(),
            at,
            ..history.entries[0].clone()
        };
        let (soon, late) = (answer(60), answer(2 * LONG_WAIT));
        history.entries.push(soon);
        let next = "and how long does it take?";
        assert_eq!(after(&history, next, CALM), CALM);
        history.entries.pop();
        history.entries.push(late);
        assert!(after(&history, next, CALM).polarity < CALM.polarity);
        let glad = Sentiment {
            label: Polarity::Positive,
            polarity: 0.6,
            intensity: 0.6,
        };
        assert_eq!(after(&history, "thank you very much", glad), glad);
    }

    #[test]
    fn another_question_changes_nothing() {
        let history = said(&["Do you ship to Malta?", "thanks"]);
        assert_eq!(after(&history, "and how long does it take?", CALM), CALM);
        assert_eq!(after(&history, "thanks", CALM), CALM);
    }
}
