//! Counting tokens, and leaving out what does not fit. Counts are exact for OpenAI's models since GPT-4o and
//! approximate for others.

use std::collections::HashSet;

use tiktoken_rs::o200k_base_singleton;

use crate::ports::{ModelMessage, ToolDefinition};

/// Longer texts are counted in pieces: the table's regular expression gives up on very long runs.
const PIECE: usize = 4_096;
/// What roles, separators and quotes cost, per message, call, result or tool.
const FRAME: usize = 6;

/// Loads the table, about 140 ms and 60 MB; later calls return at once. Call it off the request path.
pub fn warm() {
    let _ = o200k_base_singleton();
}

/// Tokens of a text. Very long texts count at most one more per 4 KiB.
#[must_use]
pub fn count(text: &str) -> usize {
    let table = o200k_base_singleton();
    let mut rest = text;
    let mut tokens = 0;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
        tokens += table.count_ordinary(piece);
        rest = after;
    }
    tokens
}

/// Tokens of a request.
#[must_use]
pub fn size(messages: &[ModelMessage], tools: &[ToolDefinition]) -> usize {
    messages.iter().map(message_size).sum::<usize>() + tools_size(tools)
}

/// The messages that fit into `budget` tokens together with the tools, in order. The oldest exchanges go
/// first, then the oldest calls of the current one. System messages and the newest user message stay,
/// also when they alone are too long. A call and its results stay or go together; halves always go.
#[must_use]
pub fn fit(
    messages: Vec<ModelMessage>,
    tools: &[ToolDefinition],
    budget: usize,
) -> Vec<ModelMessage> {
    let groups = groups(messages);
    let mut total = tools_size(tools) + groups.iter().map(|group| group.size).sum::<usize>();
    let newest = groups.iter().rposition(Group::is_user);
    let mut left_out = vec![false; groups.len()];
    let mut at = 0;
    while at < groups.len() && total > budget {
        let start = at;
        at += 1;
        if newest.is_some_and(|newest| start < newest) {
            // An answer without its question would only confuse.
            while at < groups.len() && !groups[at].is_user() {
                at += 1;
            }
        }
        for index in start..at {
            if Some(index) != newest && !groups[index].is_system() {
                left_out[index] = true;
                total -= groups[index].size;
            }
        }
    }
    let kept = groups.into_iter().zip(left_out).filter(|(_, out)| !out);
    kept.flat_map(|(group, _)| group.messages).collect()
}

/// Messages that stay or go together.
struct Group {
    messages: Vec<ModelMessage>,
    size: usize,
}

impl Group {
    fn is_user(&self) -> bool {
        matches!(self.messages.as_slice(), [ModelMessage::User(_)])
    }

    fn is_system(&self) -> bool {
        matches!(self.messages.as_slice(), [ModelMessage::System(_)])
    }
}

/// A call with its results is one group, any other message its own; half groups are not returned.
fn groups(messages: Vec<ModelMessage>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for message in messages {
        if let ModelMessage::Tool { .. } = message {
            // A result after anything but its call is caught below.
            if let Some(group) = groups.last_mut() {
                group.messages.push(message);
            }
        } else {
            groups.push(Group {
                messages: vec![message],
                size: 0,
            });
        }
    }
    groups
        .into_iter()
        .filter_map(|group| {
            let messages = whole(group.messages);
            let size = messages.iter().map(message_size).sum();
            (!messages.is_empty()).then_some(Group { messages, size })
        })
        .collect()
}

/// The group without calls that lack a result, results that lack a call, and seconds of either.
fn whole(mut messages: Vec<ModelMessage>) -> Vec<ModelMessage> {
    let mut results = messages.split_off(1);
    let mut answered: HashSet<String> = results
        .iter()
        .filter_map(result_id)
        .map(str::to_owned)
        .collect();
    let mut kept_calls = HashSet::new();
    if let Some(ModelMessage::Assistant { text, calls }) = messages.first_mut() {
        let had_calls = !calls.is_empty();
        calls.retain(|call| answered.contains(&call.id) && kept_calls.insert(call.id.clone()));
        if had_calls && calls.is_empty() && text.is_empty() {
            messages.clear();
        }
    }
    answered.retain(|id| kept_calls.contains(id));
    results.retain(|result| result_id(result).is_some_and(|id| answered.remove(id)));
    messages.append(&mut results);
    messages
}

fn result_id(message: &ModelMessage) -> Option<&str> {
    match message {
        ModelMessage::Tool { call_id, .. } => Some(call_id),
        ModelMessage::System(_) | ModelMessage::User(_) | ModelMessage::Assistant { .. } => None,
    }
}

fn message_size(message: &ModelMessage) -> usize {
    FRAME
        + match message {
            ModelMessage::System(text) | ModelMessage::User(text) => count(text),
            ModelMessage::Tool { name, content, .. } => FRAME + count(name) + count(content),
            ModelMessage::Assistant { text, calls } => {
                let calls = calls
                    .iter()
                    .map(|call| FRAME + count(&call.name) + count(&call.arguments.to_string()));
                count(text) + calls.sum::<usize>()
            }
        }
}

fn tools_size(tools: &[ToolDefinition]) -> usize {
    let tool = |tool: &ToolDefinition| {
        FRAME + count(&tool.name) + count(&tool.description) + count(&tool.input_schema.to_string())
    };
    tools.iter().map(tool).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ports::ToolCall;

    fn user(text: &str) -> ModelMessage {
        ModelMessage::User(text.to_owned())
    }

    fn assistant(text: &str, ids: &[&str]) -> ModelMessage {
        let call = |id: &&str| ToolCall {
            id: (*id).to_owned(),
            name: "search_catalog".to_owned(),
            arguments: json!({"query": "moka"}),
        };
        ModelMessage::Assistant {
            text: text.to_owned(),
            calls: ids.iter().map(call).collect(),
        }
    }

    fn result(id: &str) -> ModelMessage {
        ModelMessage::Tool {
            call_id: id.to_owned(),
            name: "search_catalog".to_owned(),
            content: "[]".to_owned(),
        }
    }

    fn conversation() -> Vec<ModelMessage> {
        vec![
            ModelMessage::System("You work at the counter.".to_owned()),
            user("first question"),
            assistant("", &["a"]),
            result("a"),
            assistant("first answer", &[]),
            user("second question"),
            assistant("second answer", &[]),
            user("third question"),
            assistant("", &["b", "c"]),
            result("b"),
            result("c"),
            assistant("", &["d"]),
            result("d"),
        ]
    }

    #[test]
    fn counts_as_the_vendor_does() {
        assert_eq!(count(""), 0);
        assert_eq!(count("hello world"), 2);
        assert_eq!(
            count("<|endoftext|>"),
            o200k_base_singleton().count_ordinary("<|endoftext|>")
        );
    }

    #[test]
    fn very_long_runs_are_counted_too() {
        for text in [
            " ".repeat(300_000),
            "a".repeat(300_000),
            "é\n".repeat(100_000),
            "\u{1F600}".repeat(50_000),
        ] {
            let tokens = count(&text);
            assert!(tokens > 0 && tokens <= text.len());
        }
    }

    #[test]
    fn the_oldest_exchange_goes_first_then_the_oldest_calls() {
        let whole = conversation();
        let size_of = |messages: &[ModelMessage]| size(messages, &[]);
        assert_eq!(fit(whole.clone(), &[], size_of(&whole)), whole);

        let mut shorter = whole.clone();
        shorter.drain(1..5);
        assert_eq!(fit(whole.clone(), &[], size_of(&whole) - 1), shorter);

        let current = [&whole[..1], &whole[7..]].concat();
        assert_eq!(fit(whole.clone(), &[], size_of(&shorter) - 1), current);

        let last_call = [&whole[..1], &whole[7..8], &whole[11..]].concat();
        assert_eq!(fit(whole.clone(), &[], size_of(&current) - 1), last_call);

        let bare = [&whole[..1], &whole[7..8]].concat();
        assert_eq!(fit(whole, &[], 0), bare);
    }

    #[test]
    fn tools_count_too() {
        let tools = [ToolDefinition {
            name: "search_catalog".to_owned(),
            description: "Finds products.".to_owned(),
            input_schema: json!({"type": "object"}),
        }];
        let whole = conversation();
        let budget = size(&whole, &[]);
        assert!(fit(whole.clone(), &tools, budget).len() < whole.len());
        assert_eq!(fit(whole.clone(), &tools, size(&whole, &tools)), whole);
    }

    #[test]
    fn halves_go_even_when_there_is_room() {
        let messages = vec![
            user("question"),
            result("nobody"),
            assistant("words", &["lost", "a"]),
            result("a"),
            result("a"),
            result("b"),
            assistant("", &["lost"]),
        ];
        let whole = vec![user("question"), assistant("words", &["a"]), result("a")];
        assert_eq!(fit(messages, &[], 10_000), whole);
    }

    fn any_message() -> impl Strategy<Value = ModelMessage> {
        let ids = prop::collection::vec("[a-d]", 0..3);
        prop_oneof![
            1 => "[a-z ]{0,30}".prop_map(ModelMessage::System),
            4 => "[a-z ]{0,60}".prop_map(ModelMessage::User),
            4 => ("[a-z ]{0,60}", ids).prop_map(|(text, ids)| {
                assistant(&text, &ids.iter().map(String::as_str).collect::<Vec<_>>())
            }),
            6 => "[a-d]".prop_map(|id| result(&id)),
        ]
    }

    fn ids_of(message: &ModelMessage) -> Vec<String> {
        match message {
            ModelMessage::Assistant { calls, .. } => {
                calls.iter().map(|call| call.id.clone()).collect()
            }
            ModelMessage::System(_) | ModelMessage::User(_) | ModelMessage::Tool { .. } => vec![],
        }
    }

    proptest! {
        #[test]
        fn what_fits_is_whole_in_order_and_small(
            messages in prop::collection::vec(any_message(), 0..24),
            budget in 0usize..400,
        ) {
            let fitted = fit(messages.clone(), &[], budget);

            // Every call is followed by its result before anything else, and every result has its call.
            let mut open: Vec<String> = vec![];
            for message in &fitted {
                if let Some(id) = result_id(message) {
                    let at = open.iter().position(|waiting| waiting == id);
                    prop_assert!(at.is_some());
                    open.remove(at.unwrap());
                } else {
                    prop_assert!(open.is_empty());
                    open = ids_of(message);
                }
            }
            prop_assert!(open.is_empty());

            // Order: what is left is a subsequence, but for calls taken out of a message.
            let mut source = messages.iter();
            for message in &fitted {
                let same = |other: &ModelMessage| match (message, other) {
                    (ModelMessage::Assistant { text, .. }, ModelMessage::Assistant { text: other, .. }) => text == other,
                    _ => message == other,
                };
                prop_assert!(source.any(same));
            }

            // What must stay, stays.
            let systems = |messages: &[ModelMessage]| {
                messages.iter().filter(|m| matches!(m, ModelMessage::System(_))).cloned().collect::<Vec<_>>()
            };
            let newest = |messages: &[ModelMessage]| {
                messages.iter().rfind(|m| matches!(m, ModelMessage::User(_))).cloned()
            };
            prop_assert_eq!(systems(&fitted), systems(&messages));
            prop_assert_eq!(newest(&fitted), newest(&messages));

            // The budget holds unless only what must stay is left.
            let must_stay = systems(&messages).len() + usize::from(newest(&messages).is_some());
            prop_assert!(size(&fitted, &[]) <= budget || fitted.len() == must_stay);
        }
    }
}
