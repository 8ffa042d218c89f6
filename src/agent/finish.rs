//! From a run's ending to the outcome a customer reads.

use minijinja::context;

use super::run::Ending;
use super::{Desk, Settings};
use crate::domain::{Answer, Choice, HandOffReason, Outcome};
use crate::prompts::Words;

/// The outcome of an ending. `summary` is used when the model wrote none.
pub fn outcome(ending: Ending, words: Words<'_>, desk: Desk, summary: String) -> Outcome {
    match ending {
        Ending::Answered {
            mut answer,
            awaiting,
        } => {
            if let Some(payment) = &mut answer.payment {
                payment.label = words.plain("link_label");
            }
            if answer.text.trim().is_empty() {
                return hand_off(HandOffReason::Failure, words, desk, summary);
            }
            Outcome::Answered { answer, awaiting }
        }
        Ending::HandedOff {
            reason,
            summary: written,
            text,
        } => {
            let summary = if written.trim().is_empty() {
                summary
            } else {
                written
            };
            let mut outcome = hand_off(reason, words, desk, summary);
            if let Outcome::HandedOff { answer, .. } = &mut outcome
                && !text.trim().is_empty()
            {
                answer.text = format!("{}\n\n{}", text.trim(), answer.text);
            }
            outcome
        }
    }
}

/// A hand-off in the customer's words.
pub fn hand_off(reason: HandOffReason, words: Words<'_>, desk: Desk, summary: String) -> Outcome {
    let opening = match reason {
        HandOffReason::Requested => "hand_off_requested",
        HandOffReason::Upset => "hand_off_upset",
        HandOffReason::NotUnderstood => "hand_off_not_understood",
        HandOffReason::OutOfReach
        | HandOffReason::Limit
        | HandOffReason::Proofs
        | HandOffReason::Failure => "hand_off_other",
    };
    Outcome::HandedOff {
        answer: Answer::text(format!("{} {}", words.plain(opening), when(words, desk))),
        reason,
        summary,
    }
}

fn when(words: Words<'_>, desk: Desk) -> String {
    match desk {
        Desk::Open => words.plain("hand_off_now"),
        Desk::Opens {
            weekday,
            hour,
            minute,
        } => words.say(
            "hand_off_later",
            context! {
                weekday => words.name("weekdays", &weekday.to_string()),
                time => format!("{hour}:{minute:02}"),
            },
        ),
    }
}

/// The answer to a message that cannot be read.
pub fn unreadable(kind: &str, words: Words<'_>) -> Outcome {
    let key = match kind {
        "image" | "sticker" | "video" => "unreadable_image",
        "audio" | "voice" => "unreadable_audio",
        _ => "unreadable_other",
    };
    let mut answer = Answer::text(words.plain(key));
    answer.choices.push(person(words));
    Outcome::Answered {
        answer,
        awaiting: None,
    }
}

/// The reply that calls a person.
pub fn person(words: Words<'_>) -> Choice {
    Choice {
        id: "person".to_owned(),
        title: words.plain("choice_person"),
    }
}

/// Tells the customer once that this is an AI and that a person can be asked for. Returns whether it did.
pub fn disclose(
    outcome: &mut Outcome,
    words: Words<'_>,
    settings: &Settings,
    disclosed: bool,
) -> bool {
    let Outcome::Answered { answer, .. } = outcome else {
        return false;
    };
    if disclosed {
        return false;
    }
    let disclosure = words.say("disclosure", context! { shop => settings.shop.as_str() });
    answer.text = format!("{}\n\n{disclosure}", answer.text);
    true
}
