//! From a run's ending to the outcome a customer reads.

use minijinja::context;

use super::run::Ending;
use super::{Desk, Settings};
use crate::domain::{Answer, Choice, ConsentState, HandOffReason, InboundContent, Outcome};
use crate::prompts::Words;

/// Longer answers may lose their end on a channel.
const LONG: usize = 700;

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

/// The answer to a message that cannot be read. What was waited for before it is still waited for.
pub fn unreadable(kind: &str, words: Words<'_>, awaiting: Option<&str>) -> Outcome {
    let key = match kind {
        "image" | "sticker" | "animated_sticker" | "video" => "unreadable_image",
        "audio" | "voice" => "unreadable_audio",
        _ => "unreadable_other",
    };
    let awaiting = awaiting.unwrap_or_default();
    let photo = matches!(kind, "image" | "video");
    if photo && awaiting == "photo" {
        return Outcome::Answered {
            answer: Answer::text(words.plain("photo_kept")),
            awaiting: None,
        };
    }
    let mut answer = if photo && awaiting.starts_with("ticket_order:") {
        let question = words.plain("ask_order_for_ticket");
        Answer::text(format!("{} {question}", words.plain("photo_kept")))
    } else {
        Answer::text(words.plain(key))
    };
    answer.choices.push(person(words));
    let still = !awaiting.is_empty() && awaiting != "clarify";
    Outcome::Answered {
        answer,
        awaiting: still.then(|| awaiting.to_owned()),
    }
}

/// The answer to something that only a colleague uses: a place, the card of a person, a form. What was
/// waited for before it is still waited for.
pub fn kept(kind: &str, words: Words<'_>, awaiting: Option<&str>) -> Outcome {
    let key = match kind {
        "location" => "location_kept",
        "contacts" => "contacts_kept",
        _ => "form_kept",
    };
    let mut answer = Answer::text(words.plain(key));
    answer.choices.push(person(words));
    Outcome::Answered {
        answer,
        awaiting: awaiting
            .filter(|awaited| *awaited != "clarify")
            .map(str::to_owned),
    }
}

/// Tells whoever sent a picture, a video or a document with words that it is kept: only the words were read.
pub fn note_files(outcome: &mut Outcome, words: Words<'_>, messages: &[InboundContent]) {
    let Outcome::Answered { answer, .. } = outcome else {
        return;
    };
    let is_evidence = |content: &InboundContent| matches!(content, InboundContent::Media(media) if media.kind.is_evidence());
    let kept = words.plain("file_kept");
    if messages.iter().any(is_evidence) && !answer.text.contains(&kept) {
        answer.text = format!("{}\n\n{kept}", answer.text);
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
    let shop = || context! { shop => settings.shop.as_str() };
    let said = answer.text.contains(&words.say("introduction", shop()));
    let own = settings.disclosure.get(&words.spoken());
    let disclosure = match own {
        Some(own) => own.replace("{shop}", &settings.shop),
        None if said => words.say("disclosure_person", shop()),
        None => words.say("disclosure", shop()),
    };
    // The end of a long text may be cut off by the channel.
    answer.text = if answer.text.chars().count() > LONG {
        format!("{disclosure}\n\n{}", answer.text)
    } else {
        format!("{}\n\n{disclosure}", answer.text)
    };
    true
}

/// Confirms that messages that sell were stopped or resumed. What was asked before is asked no more.
pub fn consent(state: ConsentState, words: Words<'_>, settings: &Settings) -> Outcome {
    let shop = context! { shop => settings.shop.as_str() };
    let text = match state {
        ConsentState::Revoked => words.say("marketing_stopped", shop),
        ConsentState::Granted => words.say("marketing_resumed", shop),
    };
    Outcome::Answered {
        answer: Answer::text(text),
        awaiting: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::agent::Limits;
    use crate::domain::{Currency, Language, Money, PaymentButton, PaymentId};
    use crate::prompts::Prompts;

    const LATER: Desk = Desk::Opens {
        weekday: 1,
        hour: 9,
        minute: 5,
    };

    fn answered(text: &str) -> Ending {
        Ending::Answered {
            answer: Answer::text(text),
            awaiting: Some("choose".to_owned()),
        }
    }

    fn handed_off(summary: &str, text: &str) -> Ending {
        Ending::HandedOff {
            reason: HandOffReason::OutOfReach,
            summary: summary.to_owned(),
            text: text.to_owned(),
        }
    }

    fn ended(ending: Ending) -> Outcome {
        let prompts = Prompts::load().unwrap();
        outcome(
            ending,
            prompts.words(Language::EN),
            Desk::Open,
            "ours".to_owned(),
        )
    }

    #[test]
    fn an_answer_is_kept_and_an_empty_one_goes_to_a_person() {
        let expected = Outcome::Answered {
            answer: Answer::text("Yes."),
            awaiting: Some("choose".to_owned()),
        };
        assert_eq!(ended(answered("Yes.")), expected);
        let Outcome::HandedOff {
            answer,
            reason,
            summary,
        } = ended(answered(" \n"))
        else {
            panic!("nothing to say is no answer");
        };
        assert_eq!((reason, summary.as_str()), (HandOffReason::Failure, "ours"));
        assert!(!answer.text.trim().is_empty(), "the customer is told");
    }

    #[test]
    fn a_payment_button_says_so_in_the_customers_language() {
        let prompts = Prompts::load().unwrap();
        let mut answer = Answer::text("Ecco.");
        answer.payment = Some(PaymentButton {
            id: PaymentId::from("one"),
            label: String::new(),
            url: "https://shop.example/pay/one".to_owned(),
            total: Money::new(100, Currency::EUR),
        });
        let ending = Ending::Answered {
            answer,
            awaiting: None,
        };
        let words = prompts.words(Language::IT);
        let outcome = outcome(ending, words, Desk::Open, String::new());
        let label = &outcome.answer().unwrap().payment.as_ref().unwrap().label;
        assert_eq!(*label, words.plain("link_label"));
    }

    #[test]
    fn a_hand_off_has_a_summary_and_the_models_words_first() {
        let parts = |ending| match ended(ending) {
            Outcome::HandedOff {
                answer, summary, ..
            } => (answer.text, summary),
            Outcome::Answered { .. } | Outcome::Silent { .. } => panic!("not handed off"),
        };
        let (text, summary) = parts(handed_off("theirs", " I will ask. "));
        assert_eq!(summary, "theirs");
        assert!(text.starts_with("I will ask.\n\n"), "{text}");
        let (text, summary) = parts(handed_off(" ", " "));
        assert_eq!(summary, "ours");
        assert!(text.starts_with("I'm passing"), "{text}");
    }

    #[test]
    fn every_reason_says_when_someone_answers() {
        let prompts = Prompts::load().unwrap();
        for language in ["en", "it", "es", "pt", "de"] {
            let words = prompts.words(language.parse().unwrap());
            let monday = words.name("weekdays", "1");
            for reason in [
                HandOffReason::Requested,
                HandOffReason::Upset,
                HandOffReason::NotUnderstood,
                HandOffReason::OutOfReach,
                HandOffReason::Limit,
                HandOffReason::Proofs,
                HandOffReason::Failure,
            ] {
                let said = |desk| {
                    let outcome = hand_off(reason, words, desk, String::new());
                    outcome.answer().unwrap().text.clone()
                };
                let later = said(LATER);
                assert!(later.contains("9:05") && later.contains(&monday), "{later}");
                let now = said(Desk::Open);
                assert!(now.ends_with(&words.plain("hand_off_now")), "{now}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_offers_a_person() {
        let prompts = Prompts::load().unwrap();
        let words = prompts.words(Language::DE);
        for (kind, key) in [
            ("image", "unreadable_image"),
            ("sticker", "unreadable_image"),
            ("voice", "unreadable_audio"),
            ("location", "unreadable_other"),
        ] {
            let outcome = unreadable(kind, words, Some("clarify"));
            let answer = outcome.answer().unwrap();
            assert_eq!(answer.text, words.plain(key), "{kind}");
            assert_eq!(answer.choices, [person(words)]);
        }
    }

    #[test]
    fn a_picture_goes_to_the_ticket_that_asked_for_it() {
        let prompts = Prompts::load().unwrap();
        let words = prompts.words(Language::EN);
        let said = |kind, awaiting| match unreadable(kind, words, Some(awaiting)) {
            Outcome::Answered { answer, awaiting } => (answer.text, awaiting),
            Outcome::HandedOff { .. } | Outcome::Silent { .. } => panic!("not answered"),
        };
        let (kept, unread) = (words.plain("photo_kept"), words.plain("unreadable_image"));
        assert_eq!(said("image", "photo"), (kept.clone(), None));
        let (text, awaiting) = said("image", "ticket_order:subject_damaged");
        assert!(
            text.starts_with(&kept) && text.contains("order number"),
            "{text}"
        );
        assert_eq!(awaiting.as_deref(), Some("ticket_order:subject_damaged"));
        let order = Some("order_number".to_owned());
        assert_eq!(said("image", "order_number"), (unread.clone(), order));
        assert_eq!(said("sticker", "photo").0, unread);
        assert_eq!(said("image", "clarify"), (unread, None));
    }

    #[test]
    fn the_ai_is_disclosed_once_and_only_with_an_answer() {
        let prompts = Prompts::load().unwrap();
        let words = prompts.words(Language::EN);
        let settings = Settings {
            shop: "Bottega Moka".to_owned(),
            about: String::new(),
            home: Language::EN,
            deadline: Duration::from_secs(1),
            limits: Limits {
                steps: 1,
                tokens: 1,
            },
            output_tokens: 1,
            passages: 1,
            diversity: 0.0,
            misunderstandings: 1,
            upset_below: -1.0,
            disclosure: BTreeMap::new(),
        };
        let mut first = ended(answered("Yes."));
        assert!(disclose(&mut first, words, &settings, false));
        let text = &first.answer().unwrap().text;
        assert!(
            text.starts_with("Yes.\n\n") && text.contains("AI"),
            "{text}"
        );
        let introduced = "I'm the AI assistant of Bottega Moka, so I can't.";
        let mut introduced = ended(answered(introduced));
        assert!(disclose(&mut introduced, words, &settings, false));
        let text = &introduced.answer().unwrap().text;
        assert_eq!(text.matches("AI assistant").count(), 1, "{text}");
        assert!(text.ends_with("person at any time."), "{text}");
        let mut again = ended(answered("Yes."));
        assert!(!disclose(&mut again, words, &settings, true));
        assert_eq!(again, ended(answered("Yes.")));
        let mut long = ended(answered(&"a".repeat(2_000)));
        assert!(disclose(&mut long, words, &settings, false));
        assert!(
            !long.answer().unwrap().text.starts_with('a'),
            "it is not cut off"
        );
        let mut own = ended(answered("Yes."));
        let settings = Settings {
            disclosure: BTreeMap::from([(Language::EN, "A robot of {shop}.".to_owned())]),
            ..settings
        };
        assert!(disclose(&mut own, words, &settings, false));
        assert_eq!(
            own.answer().unwrap().text,
            "Yes.\n\nA robot of Bottega Moka."
        );
        let mut silent = Outcome::Silent {
            reason: String::new(),
        };
        assert!(!disclose(&mut silent, words, &settings, false));
    }
}
