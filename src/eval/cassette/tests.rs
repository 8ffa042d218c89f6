//! Recording and replaying with a model that answers from what it is shown.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use uuid::Uuid;

use super::{CaseBook, CaseRun, Cassette, Recorder, Replayer, Scrubber};
use crate::domain::{ConversationId, Language, PaymentId, TicketId};
use crate::ports::{
    ChatModel, ModelError, ModelMessage, ModelReply, ModelRequest, ToolCall, ToolDefinition,
    TurnFacts,
};

const URL: &str = "http://127.0.0.1:8080";
const SAID: &str =
    "I take the Aria. I am anna.rossi@example.com, +39 333 1234567, 4111 1111 1111 1111";

/// Makes a link, then names it and what the customer said. Its calls have random ids.
#[derive(Default)]
struct Clerk {
    asked: AtomicUsize,
}

#[async_trait]
impl ChatModel for Clerk {
    fn id(&self) -> &str {
        "clerk@host"
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let reply = ModelReply {
            input_tokens: 100,
            output_tokens: 20,
            ..ModelReply::default()
        };
        let Some(ModelMessage::Tool { content, .. }) = request.messages.last() else {
            return Ok(ModelReply {
                calls: vec![ToolCall {
                    id: format!("call_{}", Uuid::new_v4().simple()),
                    name: "payment_link".to_owned(),
                    arguments: json!({ "for": "anna.rossi@example.com", "note": "call +39 333 1234567" }),
                }],
                ..reply
            });
        };
        let link: Value = serde_json::from_str(content).unwrap();
        Ok(ModelReply {
            text: format!(
                "Pay at {} by {}, or call 02 98765432.",
                link["url"].as_str().unwrap(),
                link["expires_at"]
            ),
            ..reply
        })
    }
}

fn tools(description: &str) -> Vec<ToolDefinition> {
    vec![ToolDefinition {
        name: "payment_link".to_owned(),
        description: description.to_owned(),
        input_schema: json!({ "type": "object" }),
    }]
}

fn request(conversation: &ConversationId, prompt: &str) -> ModelRequest {
    ModelRequest {
        messages: vec![
            ModelMessage::System(format!(
                "{prompt}\n- Intent: buy (0.83). Write to help@shop.example."
            )),
            ModelMessage::User(SAID.to_owned()),
        ],
        tools: tools("Makes a link."),
        max_output_tokens: 300,
        conversation: conversation.clone(),
        facts: TurnFacts::of(SAID, Language::EN),
    }
}

/// A tool's result with everything that differs from run to run.
fn result() -> String {
    let id = PaymentId::random();
    let expires = format!(
        "2026-11-2{}T10:00:00.{}Z",
        rand::random_range(1..9),
        rand::random_range(1..999)
    );
    json!({
        "id": id, "url": format!("{URL}/pay/{id}"), "expires_at": expires, "ticket": TicketId::new(),
    })
    .to_string()
}

/// Both calls of a conversation; gives the last reply and the result that it was told.
async fn converse(
    model: &dyn ChatModel,
    conversation: &ConversationId,
) -> Result<(String, Value), ModelError> {
    let mut request = request(conversation, "You work at the counter.");
    let reply = model.complete(&request).await?;
    let call = reply.calls[0].clone();
    assert_eq!(call.arguments["for"], "anna.rossi@example.com");
    let result = result();
    request.messages.push(ModelMessage::Assistant {
        text: reply.text,
        calls: reply.calls,
    });
    request.messages.push(ModelMessage::Tool {
        call_id: call.id,
        name: call.name,
        content: result.clone(),
    });
    let text = model.complete(&request).await?.text;
    Ok((text, serde_json::from_str(&result).unwrap()))
}

fn scrubber() -> Scrubber {
    Scrubber::new(URL, &[])
}

fn entered(run: &CaseRun) -> (Arc<CaseBook>, ConversationId) {
    let (book, conversation) = (CaseBook::default(), ConversationId::new());
    book.enter(&conversation, run.clone());
    (Arc::new(book), conversation)
}

/// Records a conversation and gives what its file says.
async fn recorded(folder: &Path, run: &CaseRun) -> String {
    let (book, conversation) = entered(run);
    let cassette = Arc::new(Cassette::anew(folder, scrubber()).unwrap());
    let recorder = Recorder::new(Arc::new(Clerk::default()), Arc::clone(&cassette), book);
    converse(&recorder, &conversation).await.unwrap();
    cassette.finish(&run.case);
    assert_eq!(cassette.fault(), None);
    std::fs::read_to_string(folder.join(format!("{}.json", run.case))).unwrap()
}

fn replayer(folder: &Path, run: &CaseRun) -> (Replayer, ConversationId) {
    let (book, conversation) = entered(run);
    let cassette = Arc::new(Cassette::read(folder, scrubber()).unwrap());
    (Replayer::new(cassette, book), conversation)
}

async fn taped() -> (TempDir, CaseRun, String) {
    let (folder, run) = (tempdir().unwrap(), CaseRun::new("buying", 1));
    let file = recorded(folder.path(), &run).await;
    (folder, run, file)
}

#[tokio::test]
async fn a_replayed_answer_names_the_link_of_this_run() {
    let (folder, run, _) = taped().await;
    let (replayer, conversation) = replayer(folder.path(), &run);
    for _ in 0..2 {
        let (text, result) = converse(&replayer, &conversation).await.unwrap();
        assert!(text.contains(result["url"].as_str().unwrap()), "{text}");
        assert!(
            text.contains(result["expires_at"].as_str().unwrap()),
            "{text}"
        );
    }
    assert!(replayer.missing().is_empty());
    assert_eq!(replayer.id(), "clerk@host");
    // A repeat that was never recorded hears the one that was.
    let (again, conversation) = self::replayer(folder.path(), &CaseRun::new("buying", 7));
    converse(&again, &conversation).await.unwrap();
}

#[tokio::test]
async fn two_recordings_of_a_conversation_are_the_same_file_and_name_nobody() {
    let (_folder, _, one) = taped().await;
    let (_other_folder, _, other) = taped().await;
    let took = regex::Regex::new("\"milliseconds\": [0-9]+").unwrap();
    assert_eq!(took.replace_all(&one, ""), took.replace_all(&other, ""));
    for secret in [
        "anna.rossi",
        "1234567",
        "4111 1111",
        "98765432",
        "help@shop",
        "127.0.0.1",
        "0.83",
    ] {
        assert!(!one.contains(secret), "{secret} in {one}");
    }
    for stand_in in [
        "<shop-1>/pay/<id-1>",
        "<email-1>, <phone-1>, [card",
        "call <phone-1>",
        "<email-2>",
    ] {
        assert!(one.contains(stand_in), "{stand_in} not in {one}");
    }
}

#[tokio::test]
async fn what_was_changed_is_shown_against_the_nearest_recording() {
    let (folder, run, _) = taped().await;
    let (replayer, conversation) = replayer(folder.path(), &run);
    let asked = request(&conversation, "You stand at the till.");
    let error = replayer.complete(&asked).await.unwrap_err();
    assert!(
        matches!(error, ModelError::Missing(_)) && !error.may_be_replaced(),
        "{error}"
    );
    let described = ModelRequest {
        tools: tools("Makes a link, always."),
        ..request(&conversation, "You work at the counter.")
    };
    replayer.complete(&described).await.unwrap_err();
    let missing = replayer.missing();
    let lines: Vec<String> = missing
        .iter()
        .flat_map(super::MissingRecording::lines)
        .collect();
    let said = lines.join("\n");
    assert_eq!(missing.len(), 2, "{said}");
    for part in [
        "nearest recording: case buying",
        "message 1 (system) differs:",
        "- You work at the counter.",
        "+ You stand at the till.",
        "the tool payment_link differs: its description or its schema was changed",
    ] {
        assert!(said.contains(part), "{part} not in {said}");
    }
    assert!(
        !said.contains("1234567") && !said.contains("Intent"),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_missing_is_recorded_and_the_rest_is_not_asked() {
    let (folder, run, before) = taped().await;
    let (book, conversation) = entered(&run);
    let clerk = Arc::new(Clerk::default());
    let cassette = Arc::new(Cassette::extend(folder.path(), scrubber()).unwrap());
    let filling = Replayer::filling(cassette, book, Arc::clone(&clerk) as Arc<dyn ChatModel>);
    converse(&filling, &conversation).await.unwrap();
    assert_eq!(clerk.asked.load(Ordering::SeqCst), 0);
    let asked = request(&conversation, "You stand at the till.");
    filling.complete(&asked).await.unwrap();
    filling.complete(&asked).await.unwrap();
    assert_eq!(
        clerk.asked.load(Ordering::SeqCst),
        1,
        "the second time it is recorded"
    );
    let after = std::fs::read_to_string(folder.path().join("buying.json")).unwrap();
    let calls = |text: &str| -> Vec<Value> {
        let tape: Value = serde_json::from_str(text).unwrap();
        tape["calls"].as_array().unwrap().clone()
    };
    let (before, after) = (calls(&before), calls(&after));
    assert_eq!((before.as_slice(), after.len()), (&after[..2], 3));
    // A judge of the same case shares the cassette.
    let judge = filling.for_case(CaseRun::new("buying", 1));
    judge
        .complete(&request(&ConversationId::new(), "You judge."))
        .await
        .unwrap();
    assert_eq!(clerk.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_was_recorded_before_stays_until_its_case_is_over() {
    let (folder, run, before) = taped().await;
    let file = folder.path().join("buying.json");
    let (book, conversation) = entered(&run);
    let cassette = Arc::new(Cassette::anew(folder.path(), scrubber()).unwrap());
    let recorder = Recorder::new(Arc::new(Clerk::default()), Arc::clone(&cassette), book);
    recorder
        .complete(&request(&conversation, "Anew."))
        .await
        .unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    // The process dies here: what was begun counts only where there is nothing from before.
    let begun = folder.path().join("buying.json.part");
    assert!(begun.exists());
    assert_eq!(
        Cassette::read(folder.path(), scrubber()).unwrap().cases(),
        1
    );
    let empty = tempdir().unwrap();
    std::fs::copy(&begun, empty.path().join("buying.json.part")).unwrap();
    assert_eq!(Cassette::read(empty.path(), scrubber()).unwrap().cases(), 1);
    drop(recorder);
    drop(cassette);
    let after = std::fs::read_to_string(&file).unwrap();
    assert!(after != before && after.contains("Anew.") && !begun.exists());
}

#[tokio::test]
async fn repeats_hear_their_own_recordings_in_any_order() {
    let folder = tempdir().unwrap();
    let cassette = Arc::new(Cassette::anew(folder.path(), scrubber()).unwrap());
    let book = Arc::new(CaseBook::default());
    /// Counts aloud.
    struct Counting(AtomicUsize);
    #[async_trait]
    impl ChatModel for Counting {
        fn id(&self) -> &str {
            "counting"
        }

        async fn complete(&self, _: &ModelRequest) -> Result<ModelReply, ModelError> {
            Ok(ModelReply {
                text: self.0.fetch_add(1, Ordering::SeqCst).to_string(),
                ..ModelReply::default()
            })
        }
    }
    let recorder = Recorder::new(
        Arc::new(Counting(AtomicUsize::new(0))),
        Arc::clone(&cassette),
        Arc::clone(&book),
    );
    let asked = request(&ConversationId::new(), "Count.");
    for repeat in [2, 1, 2] {
        recorder
            .for_case(CaseRun::new("c", repeat))
            .complete(&asked)
            .await
            .unwrap();
    }
    cassette.finish_all();
    let replayer = Replayer::new(
        Arc::new(Cassette::read(folder.path(), scrubber()).unwrap()),
        book,
    );
    let mut heard = Vec::new();
    for repeat in [1, 2, 3, 2, 2, 1, 3] {
        let run = CaseRun::new("c", repeat);
        heard.push(replayer.for_case(run).complete(&asked).await.unwrap().text);
    }
    assert_eq!(heard, ["1", "0", "0", "2", "2", "1", "2"]);
    let other = replayer
        .for_case(CaseRun::new("d", 1))
        .complete(&asked)
        .await;
    assert!(other.is_err(), "another case has its own recordings");
}

#[test]
fn broken_files_are_named() {
    let folder = tempdir().unwrap();
    let read = || Cassette::read(folder.path(), scrubber()).map(|cassette| cassette.cases());
    for (text, part) in [
        ("{", "line 1"),
        (
            "{\"version\":2,\"case\":\"a\",\"model\":\"m\",\"calls\":[]}",
            "record it again",
        ),
        (
            "{\"version\":1,\"case\":\"a\",\"model\":\"m\",\"calls\":[{}]}",
            "hash",
        ),
    ] {
        std::fs::write(folder.path().join("a.json"), text).unwrap();
        let fault = read().unwrap_err();
        assert!(
            fault.file.ends_with("a.json") && fault.message.contains(part),
            "{fault}"
        );
    }
    let good = "{\"version\":1,\"case\":\"a\",\"model\":\"m\",\"calls\":[]}";
    std::fs::write(folder.path().join("a.json"), good).unwrap();
    assert_eq!(read(), Ok(1));
    std::fs::write(folder.path().join("b.json"), good).unwrap();
    assert!(read().unwrap_err().message.contains("another file"));
    assert!(Cassette::read(&folder.path().join("none"), scrubber()).is_err());
}
