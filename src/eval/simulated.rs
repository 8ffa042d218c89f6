//! Conversations with a customer that a model plays.

use minijinja::context;

use super::case::SimulationCase;
use super::observed::Talked;
use super::talks::Conversation;
use crate::app::{App, Prepared};
use crate::domain::{ConversationId, Language, Outcome};
use crate::ports::{ChatModel, ModelMessage, ModelRequest, TurnFacts};

/// What the player writes when the customer has nothing more to say.
const STOP: &str = "###STOP###";
/// Tokens of one message.
const OUTPUT_TOKENS: u32 = 300;

/// Runs a conversation until the customer is done, gives up, or a person takes over.
pub async fn simulate(
    app: &App,
    prepared: &Prepared,
    player: &dyn ChatModel,
    case: &SimulationCase,
    session: String,
) -> Talked {
    let agent = &prepared.agent;
    let home = agent.settings.home;
    let mut talk = Conversation::new(app, session, case.phone.as_deref());
    let language = case.language.unwrap_or(home);
    let persona = context! {
        persona => &case.persona, language => language.code(), stop => STOP, shop => &agent.settings.shop,
    };
    let instructions = match agent.prompts.customer(persona) {
        Ok(instructions) => instructions,
        Err(error) => {
            return Talked {
                broke_off: Some(error.to_string()),
                ..talk.end()
            };
        }
    };
    let mut said: Option<String> = case.opening.clone();
    for _ in 0..case.max_turns {
        let message = match said.take() {
            Some(message) => message,
            None => {
                let request = asked(&instructions, talk.talked(), home, case);
                match player.complete(&request).await {
                    Ok(reply) => reply.text,
                    Err(error) => {
                        return Talked {
                            broke_off: Some(format!("the player of the customer: {error}")),
                            ..talk.end()
                        };
                    }
                }
            }
        };
        let (message, done) = match message.split_once(STOP) {
            Some((message, _)) => (message.trim(), true),
            None => (message.trim(), false),
        };
        if !message.is_empty() && !talk.say_texts(&[message.to_owned()]).await {
            break;
        }
        let last = talk.talked().turns.last();
        let handed_off = last.is_some_and(|turn| matches!(turn.outcome, Outcome::HandedOff { .. }));
        if done || message.is_empty() || handed_off {
            break;
        }
    }
    talk.end()
}

/// The conversation as the player sees it: the shop is the one who asks.
fn asked(
    instructions: &str,
    talked: &Talked,
    home: Language,
    case: &SimulationCase,
) -> ModelRequest {
    let mut messages = vec![ModelMessage::System(instructions.to_owned())];
    if talked.turns.is_empty() {
        messages.push(ModelMessage::User("(Write your first message.)".to_owned()));
    }
    for turn in &talked.turns {
        messages.push(ModelMessage::Assistant {
            text: turn.customer.join("\n"),
            calls: Vec::new(),
        });
        let text = turn
            .outcome
            .answer()
            .map_or("(no answer)", |answer| &answer.text);
        messages.push(ModelMessage::User(text.to_owned()));
    }
    ModelRequest {
        messages,
        tools: Vec::new(),
        max_output_tokens: OUTPUT_TOKENS,
        conversation: ConversationId::new(),
        facts: TurnFacts::of("", case.language.unwrap_or(home)),
    }
}
