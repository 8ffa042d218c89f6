//! Webhook bodies through the real door: all of them are kept, and only what is said to us is answered.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use sportello::domain::InboundContent;
use sportello::whatsapp::webhook::{self, ItemKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::serving::serve;
use crate::support::data::bodies;
use crate::support::graph::{Graph, NUMBER, SECRET, account_webhook, sign, text_webhook};
use crate::support::program::{Program, number, until, warm};
use crate::support::stripe::unix_now;

const FOLDERS: [&str; 4] = [
    "meta-openapi/webhooks",
    "pywa/updates-flat",
    "kapso",
    "vaam-bsuid",
];
const STORED: &str = "SELECT COUNT(*) FROM webhooks";
const ASIDE: &str = "SELECT COUNT(*) FROM webhooks WHERE fault IS NOT NULL";
const MESSAGES: &str = "SELECT COUNT(*) FROM inbox";
const UNANSWERED: &str = "SELECT COUNT(*) FROM inbox WHERE turn_id IS NULL";
const WAITING: &str = "SELECT COUNT(*) FROM arrivals";
const EVENTS: &str = "SELECT COUNT(*) FROM events";
const UNSENT: &str = "SELECT COUNT(*) FROM outbox WHERE state <> 'sent'";

async fn post(program: &Program, body: &[u8], signature: Option<String>) -> u16 {
    let mut request = reqwest::Client::new()
        .post(format!("{}/webhooks/whatsapp", program.url))
        .body(body.to_vec());
    if let Some(signature) = signature {
        request = request.header("x-hub-signature-256", signature);
    }
    request.send().await.unwrap().status().as_u16()
}

/// The body as if it came to our number, from a customer who wrote nothing else.
fn ours(body: &str, place: usize) -> Value {
    let mut body: Value = serde_json::from_str(body).unwrap();
    let customer = format!("49151000{place:05}");
    let mut values: Vec<&mut Value> = Vec::new();
    for entry in body["entry"].as_array_mut().unwrap() {
        values.extend(
            entry["changes"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .map(|change| &mut change["value"]),
        );
    }
    let mut renamed = 0;
    for value in values {
        if let Some(metadata) = value.get_mut("metadata") {
            metadata["phone_number_id"] = json!(NUMBER);
        }
        for (list, field) in [
            ("messages", "from"),
            ("contacts", "wa_id"),
            ("message_echoes", "to"),
        ] {
            for element in value
                .get_mut(list)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if element.get(field).is_some() {
                    element[field] = json!(customer);
                }
            }
        }
        // All examples were written by one person.
        for list in ["messages", "contacts", "message_echoes"] {
            let elements = value.get_mut(list).and_then(Value::as_array_mut);
            for element in elements.into_iter().flatten() {
                for field in ["user_id", "from_user_id", "to_user_id"] {
                    if element.get(field).is_some() {
                        element[field] = json!(format!("US.{customer}"));
                    }
                }
            }
        }
        // Placeholders of the examples: several share one id.
        for list in ["messages", "message_echoes"] {
            let messages = value.get_mut(list).and_then(Value::as_array_mut);
            for message in messages.into_iter().flatten() {
                message["id"] = json!(format!("wamid.{place}.{renamed}"));
                // What is older than a day cannot be answered.
                if message.get("timestamp").is_some() {
                    message["timestamp"] = json!(unix_now().to_string());
                }
                renamed += 1;
            }
        }
    }
    body
}

#[derive(Default)]
struct Expected {
    messages: usize,
    others: HashSet<(Option<String>, String)>,
    /// Who said something that wants an answer.
    asking: BTreeMap<String, String>,
    quiet: BTreeMap<String, String>,
    /// Whom a colleague answers on the phone app.
    with_a_person: HashSet<String>,
}

impl Expected {
    fn add(&mut self, path: &str, body: &[u8]) {
        for item in webhook::parse(body).unwrap().items {
            match item.kind {
                ItemKind::Message(inbound) => {
                    self.messages += 1;
                    if matches!(inbound.content, InboundContent::Echo { .. }) {
                        self.with_a_person.insert(inbound.sender.clone());
                    }
                    let silent = inbound.content.is_silent();
                    let list = if silent {
                        &mut self.quiet
                    } else {
                        &mut self.asking
                    };
                    list.insert(inbound.sender, path.to_owned());
                }
                ItemKind::Status(_) | ItemKind::Other { .. } | ItemKind::Unparsable { .. } => {
                    self.others.insert((item.phone_number_id, item.key));
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shared_body_is_kept_and_only_what_is_said_is_answered() {
    let all: Vec<(String, String)> = FOLDERS
        .iter()
        .flat_map(|folder| bodies(&format!("whatsapp/{folder}")))
        .collect();
    if all.is_empty() {
        return;
    }
    let (data, graph) = (warm().await, Graph::start().await);
    let program = serve(data.path(), &graph, &[]).await.unwrap();
    let mut expected = Expected::default();
    for (place, (path, body)) in all.iter().enumerate() {
        let body = serde_json::to_vec(&ours(body, place)).unwrap();
        assert_eq!(
            post(&program, &body, Some(sign(SECRET, &body))).await,
            200,
            "{path}"
        );
        expected.add(path, &body);
    }
    let count = async |query| usize::try_from(number(data.path(), query).await).unwrap();
    assert_eq!(count(STORED).await, all.len());
    until("all are worked in", async || count(WAITING).await == 0).await;
    assert_eq!(count(MESSAGES).await, expected.messages);
    assert_eq!(count(EVENTS).await, expected.others.len());
    assert_eq!(count(ASIDE).await, 0);
    until("all are worked on", async || count(UNANSWERED).await == 0).await;
    // Some of the bodies say that the account may not send any more.
    let ban = json!({ "event": "DISABLED_UPDATE", "ban_info": { "waba_ban_state": "REINSTATE" } });
    let free = account_webhook("account_update", ban).to_string();
    let signature = sign(SECRET, free.as_bytes());
    assert!(count(UNSENT).await > 0);
    assert_eq!(post(&program, free.as_bytes(), Some(signature)).await, 200);
    until("all is sent", async || count(UNSENT).await == 0).await;

    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for sent in graph.sent() {
        let address = sent["to"].as_str().or(sent["recipient"].as_str()).unwrap();
        *answers.entry(address.to_owned()).or_default() += 1;
    }
    let with_a_person = &expected.with_a_person;
    expected
        .asking
        .retain(|sender, _| !with_a_person.contains(sender));
    for (sender, path) in &expected.asking {
        assert_eq!(answers.get(sender), Some(&1), "{path} is answered once");
    }
    // One who also says something is among the others.
    expected
        .quiet
        .retain(|sender, _| !expected.asking.contains_key(sender));
    for (sender, path) in &expected.quiet {
        assert_eq!(answers.get(sender), None, "{path} gets no answer");
    }
    assert_eq!(answers.len(), expected.asking.len());
    assert!(expected.asking.len() > 30 && expected.quiet.len() > 8);

    // The whole again, as Meta does after an outage: nothing is new and nothing is answered.
    for (place, (_, body)) in all.iter().enumerate() {
        let body = serde_json::to_vec(&ours(body, place)).unwrap();
        assert_eq!(post(&program, &body, Some(sign(SECRET, &body))).await, 200);
    }
    until("all are worked in", async || count(WAITING).await == 0).await;
    assert_eq!(count(MESSAGES).await, expected.messages);
    assert_eq!(count(EVENTS).await, expected.others.len() + 1);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(graph.sent().len(), expected.asking.len());
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_body_decides_what_becomes_of_it() {
    let (data, graph) = (warm().await, Graph::start().await);
    let program = serve(data.path(), &graph, &[]).await.unwrap();
    let count = async |query| number(data.path(), query).await;
    let body = text_webhook("393331112222", "wamid.1", "ciao", unix_now()).to_string();
    let body = body.as_bytes();
    for signature in [
        None,
        Some(String::new()),
        Some("sha256=".to_owned()),
        Some(sign("another secret", body)),
        Some(sign(SECRET, b"another body")),
        Some(sign(SECRET, body).replace("sha256", "sha1")),
    ] {
        assert_eq!(
            post(&program, body, signature.clone()).await,
            401,
            "{signature:?}"
        );
    }
    for table in [STORED, WAITING, MESSAGES, EVENTS] {
        assert_eq!(count(table).await, 0, "{table}");
    }

    for (nth, broken) in [&b"{"[..], b"", b"not json", b"{\"entry\": \xff}"]
        .into_iter()
        .enumerate()
    {
        assert_eq!(
            post(&program, broken, Some(sign(SECRET, broken))).await,
            200
        );
        assert_eq!(count(ASIDE).await, i64::try_from(nth).unwrap() + 1);
    }
    assert_eq!(count(MESSAGES).await, 0);

    let mut hologram = text_webhook("393331112222", "wamid.2", "-", unix_now());
    hologram["entry"][0]["changes"][0]["value"]["messages"][0]["type"] = json!("hologram");
    let hologram = hologram.to_string();
    assert_eq!(
        post(
            &program,
            hologram.as_bytes(),
            Some(sign(SECRET, hologram.as_bytes()))
        )
        .await,
        200
    );
    until("the unknown kind is answered", async || {
        graph.sent().len() == 1
    })
    .await;
    assert_eq!(graph.sent()[0]["to"], "+393331112222");

    assert_eq!(too_large(&program).await, 413);
    assert_eq!(count(MESSAGES).await, 1);
    assert_eq!(program.stop().await, Some(0));
}

/// The status of a body of 5 MB; read while it is still being sent.
async fn too_large(program: &Program) -> u16 {
    let address = program.url.trim_start_matches("http://");
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let length = 5 * 1024 * 1024;
    let head = format!(
        "POST /webhooks/whatsapp HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let sending = tokio::spawn(async move {
        writer.write_all(head.as_bytes()).await.unwrap();
        // The other side may close before it has read everything.
        let _ = writer.write_all(&vec![b'x'; length]).await;
    });
    let mut start = [0; 12];
    reader.read_exact(&mut start).await.unwrap();
    sending.abort();
    String::from_utf8_lossy(&start[9..]).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_there_is_no_door() {
    let data = warm().await;
    let program = Program::serve(data.path(), &[]).await.unwrap();
    let door = format!("{}/webhooks/whatsapp", program.url);
    assert_eq!(reqwest::get(&door).await.unwrap().status(), 404);
    let body = text_webhook("393331112222", "wamid.1", "ciao", unix_now()).to_string();
    for signature in [
        None,
        Some(sign("", body.as_bytes())),
        Some(sign(SECRET, body.as_bytes())),
    ] {
        assert_eq!(post(&program, body.as_bytes(), signature).await, 404);
    }
    assert_eq!(number(data.path(), STORED).await, 0);
    assert_eq!(program.stop().await, Some(0));
}
