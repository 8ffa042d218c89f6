//! The same door on a byte stream.

use serde_json::{Value, json};
use sportello::mcp::{self, StreamError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

use super::{LEGACY, MODERN, meta, state};

pub struct Line {
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    served: JoinHandle<Result<(), StreamError>>,
}

impl Line {
    fn open(calls_per_minute: u32) -> Self {
        Self::with_state(state(calls_per_minute))
    }

    pub fn with_state(state: mcp::State) -> Self {
        let (ours, theirs) = tokio::io::duplex(1024 * 1024);
        let (reader, writer) = tokio::io::split(theirs);
        let served = tokio::spawn(mcp::serve_stream(state, reader, writer));
        let (reader, writer) = tokio::io::split(ours);
        Self {
            reader: BufReader::new(reader),
            writer,
            served,
        }
    }

    /// Opens the conversation as the older era does; what the server said of itself.
    pub async fn initialize(&mut self) -> Value {
        let opening = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let answer = self.ask(1, "initialize", opening).await;
        assert_eq!(answer["result"]["protocolVersion"], LEGACY);
        assert_eq!(answer["result"]["serverInfo"]["name"], "sportello");
        self.write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        answer["result"].clone()
    }

    pub async fn write(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
        self.writer.write_all(b"\n").await.unwrap();
    }

    pub async fn ask(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.write(
            &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        )
        .await;
        self.read(id).await
    }

    async fn read(&mut self, id: u32) -> Value {
        let answer = self.told().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// The next message, whatever it is.
    pub async fn told(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub async fn close(mut self) -> Result<(), StreamError> {
        self.writer.shutdown().await.unwrap();
        drop((self.reader, self.writer));
        self.served.await.unwrap()
    }
}

async fn open_legacy(calls_per_minute: u32) -> Line {
    let mut line = Line::open(calls_per_minute);
    line.initialize().await;
    line
}

#[tokio::test]
async fn a_client_that_opens_with_initialize_lists_and_calls() {
    let mut line = open_legacy(100).await;
    let listed = line.ask(2, "tools/list", json!({})).await;
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 2);
    let called = line
        .ask(
            3,
            "tools/call",
            json!({"name": "look_up", "arguments": {"query": "moka"}}),
        )
        .await;
    assert_eq!(
        called["result"]["structuredContent"]["found"],
        json!(["moka"])
    );
    line.close().await.unwrap();
}

#[tokio::test]
async fn a_client_of_the_newer_era_needs_no_opening() {
    let mut line = Line::open(100);
    let discovered = line
        .ask(1, "server/discover", json!({"_meta": meta()}))
        .await;
    assert!(
        discovered["result"]["supportedVersions"]
            .as_array()
            .unwrap()
            .contains(&json!(MODERN))
    );
    let call = json!({"name": "look_up", "arguments": {"query": "moka"}, "_meta": meta()});
    let called = line.ask(2, "tools/call", call).await;
    assert_eq!(called["result"]["resultType"], "complete");
    line.close().await.unwrap();
}

#[tokio::test]
async fn too_many_calls_are_a_result_that_can_be_read() {
    let mut line = open_legacy(1).await;
    let call = json!({"name": "look_up", "arguments": {"query": "moka"}});
    assert_eq!(
        line.ask(2, "tools/call", call.clone()).await["result"]["isError"],
        false
    );
    let refused = line.ask(3, "tools/call", call).await;
    assert_eq!(refused["result"]["isError"], true);
    assert!(
        refused["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("Wait")
    );
    line.close().await.unwrap();
}

#[tokio::test]
async fn lines_that_are_no_message_do_not_end_the_stream() {
    let mut line = open_legacy(100).await;
    line.write("{not json").await;
    line.write(&format!("\"{}\"", "a".repeat(300 * 1024))).await;
    assert!(line.ask(2, "tools/list", json!({})).await["result"].is_object());
    line.close().await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_at_once_is_no_error() {
    Line::open(100).close().await.unwrap();
}
