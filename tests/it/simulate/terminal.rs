//! The whole program and `sportello simulate` beside it, driven by lines.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use crate::support::listener::nobody;
use crate::support::program::{Program, command, number, until, warm};

/// A customer in the terminal.
struct Terminal {
    child: Child,
    input: ChildStdin,
    out: Lines<BufReader<ChildStdout>>,
    said: Lines<BufReader<ChildStderr>>,
}

impl Terminal {
    fn start(server: &str, more: &[&str]) -> Self {
        let folder = std::env::temp_dir();
        let mut arguments = vec!["simulate", "--listen", "127.0.0.1:0", "--server", server];
        arguments.extend(more);
        let mut child = command(&folder, &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            out: BufReader::new(child.stdout.take().unwrap()).lines(),
            said: BufReader::new(child.stderr.take().unwrap()).lines(),
            child,
        }
    }

    /// The variables that it says the server needs.
    async fn variables(&mut self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        loop {
            let line = self.said.next_line().await.unwrap().expect("instructions");
            if let Some((name, value)) = line.trim().split_once('=')
                && name.starts_with("SPORTELLO_")
            {
                variables.push((name.to_owned(), value.to_owned()));
            }
            if line.contains("/quit") {
                return variables;
            }
        }
    }

    async fn say(&mut self, line: &str) {
        self.input
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
    }

    /// The lines up to one that contains a text.
    async fn read_until(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let read = async {
            while let Some(line) = self.out.next_line().await.unwrap() {
                lines.push(line);
                if lines.last().is_some_and(|line| line.contains(text)) {
                    return;
                }
            }
            panic!("it ended before `{text}`");
        };
        let read = tokio::time::timeout(Duration::from_secs(30), read).await;
        assert!(read.is_ok(), "no `{text}` in {lines:?}");
        lines
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_in_the_terminal() {
    let data = warm().await;
    let address = nobody().await.to_string();
    let mut terminal = Terminal::start(&format!("http://{address}"), &[]);
    let variables = terminal.variables().await;
    assert_eq!(variables.len(), 5, "{variables:?}");
    // The customer writes before the server is there.
    terminal
        .say("hi, I'm looking for an espresso machine under 200 euros")
        .await;
    let mut server = command(data.path(), &["serve", "--listen", &address]);
    server
        .envs(variables)
        .env("SPORTELLO_AGENT__DEBOUNCE_SECONDS", "0.05");
    let program = Program::start(server).await.unwrap();

    let offer = terminal.read_until("  /1 ").await;
    assert!(offer.last().unwrap().contains('€'), "{offer:?}");
    terminal.say("/1").await;
    terminal.read_until("").await;
    terminal.say("ok I take two of the first one").await;
    let link = terminal.read_until("/pay/").await.pop().unwrap();
    let link = link.split_whitespace().last().unwrap().to_owned();
    let paid = reqwest::Client::new().post(&link).send().await.unwrap();
    assert!(paid.status().is_success(), "{} {link}", paid.status());
    terminal.read_until("order").await;
    terminal.say("/dance").await;
    until("a wrong command is explained", async || {
        let line = terminal.said.next_line().await.unwrap();
        line.is_some_and(|line| line.contains("/help"))
    })
    .await;
    until("the statuses came back", async || {
        let read = "SELECT COUNT(*) FROM outbox WHERE delivery = 'read'";
        number(data.path(), read).await >= 3
    })
    .await;
    assert_eq!(
        number(
            data.path(),
            "SELECT COUNT(*) FROM payment_links WHERE state = 'paid'"
        )
        .await,
        1
    );
    terminal.say("/quit").await;
    assert_eq!(terminal.child.wait().await.unwrap().code(), Some(0));
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piped_question_is_answered_before_the_end() {
    let data = warm().await;
    let address = nobody().await.to_string();
    let mut terminal =
        Terminal::start(&format!("http://{address}"), &["--phone", "+4915112340000"]);
    let variables = terminal.variables().await;
    let mut server = command(data.path(), &["serve", "--listen", &address]);
    server
        .envs(variables)
        .env("SPORTELLO_AGENT__DEBOUNCE_SECONDS", "0.05");
    let program = Program::start(server).await.unwrap();
    for line in ["/react 👍", "/tap 9", "/image /nowhere.jpg"] {
        terminal.say(line).await;
        let fault = terminal.said.next_line().await.unwrap().unwrap();
        assert!(
            fault.contains("no ") || fault.contains("cannot"),
            "{line}: {fault}"
        );
    }
    terminal.say("Wo ist Bestellung 10432?").await;
    drop(terminal.input);
    let mut answer = String::new();
    while let Some(line) = terminal.out.next_line().await.unwrap() {
        answer.push_str(&line);
    }
    assert!(answer.contains("10432"), "{answer}");
    assert_eq!(terminal.child.wait().await.unwrap().code(), Some(0));
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_secret_is_told_apart() {
    let data = warm().await;
    let variables = [("SPORTELLO_WHATSAPP__APP_SECRET", "another")];
    let program = Program::serve(data.path(), &variables).await.unwrap();
    let mut terminal = Terminal::start(&program.url, &[]);
    terminal.variables().await;
    terminal.say("ciao").await;
    let ended = terminal.child.wait().await.unwrap();
    assert_eq!(ended.code(), Some(2));
    let fault = terminal.said.next_line().await.unwrap().unwrap();
    assert!(fault.contains("APP_SECRET"), "{fault}");
    assert_eq!(program.stop().await, Some(0));
}
