//! `sportello simulate`: a customer in the terminal, without an account at Meta.

use std::io::IsTerminal as _;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Failure;
use super::chat::phone;
use super::output::{line, note};
use crate::clock;
use crate::simulate::customer::{Act, Customer, HELP};
use crate::simulate::{Account, Graph, Reply, Sent, Step, webhook};

const NUMBER: &str = "106540352242922";
const BUSINESS: &str = "102290129340398";
/// After the end of the input so long is waited for an answer to what was said last, and then for more.
const PATIENCE: Duration = Duration::from_secs(30);
const QUIET: Duration = Duration::from_secs(1);
/// Between two tries to reach the server, and how many there are.
const AGAIN: Duration = Duration::from_millis(500);
const TRIES: usize = 120;

/// What `simulate` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The running server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// The app secret that signs the webhooks
    #[arg(long, default_value = "simulated-app-secret")]
    secret: String,
    /// The token that the server sends with
    #[arg(long, default_value = "simulated-token")]
    token: String,
    /// The customer's telephone number
    #[arg(long, default_value = "+393331234567", value_parser = phone)]
    phone: String,
    /// The customer's name
    #[arg(long, default_value = "Ada")]
    name: String,
    /// Where the stand-in for the Graph API listens; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8090")]
    listen: String,
}

/// Talks until the input ends.
pub async fn run(args: Args) -> Result<(), Failure> {
    let listener = TcpListener::bind(&args.listen).await.map_err(|error| {
        Failure::Machine(format!(
            "cannot listen on {}: {error}; choose another with --listen",
            args.listen
        ))
    })?;
    let run = Uuid::now_v7().simple().to_string();
    let graph = Graph::new(Account {
        number: NUMBER.to_owned(),
        business: BUSINESS.to_owned(),
        token: args.token.clone(),
        secret: args.secret.clone(),
        run: format!("{}.", &run[4..12]),
    });
    graph.tell(Step::usual());
    instructions(&args, &listener.local_addr()?.to_string());
    let door = format!("{}/webhooks/whatsapp", args.server.trim_end_matches('/'));
    let stop = CancellationToken::new();
    let served = axum::serve(listener, graph.router());
    let talked = tokio::select! {
        served = served => Err(Failure::from(served.err().unwrap_or_else(|| {
            std::io::Error::other("the stand-in ended")
        }))),
        () = graph.deliver(&door, stop.clone()) => Ok(()),
        talked = talk(&graph, &args, &door) => talked,
    };
    stop.cancel();
    talked
}

fn instructions(args: &Args, address: &str) {
    note(&format!(
        "The stand-in for the Graph API is at http://{address}/v26.0"
    ));
    note("The server must have been started with:");
    for (name, value) in [
        ("APP_SECRET", args.secret.as_str()),
        ("ACCESS_TOKEN", args.token.as_str()),
        ("PHONE_NUMBER_ID", NUMBER),
        ("WABA_ID", BUSINESS),
        ("GRAPH_URL", &format!("http://{address}/v26.0")),
    ] {
        note(&format!("  SPORTELLO_WHATSAPP__{name}={value}"));
    }
    note(HELP);
}

/// What goes on between two lines.
enum Happened {
    Typed(String),
    Came(Sent),
    Ended,
}

async fn talk(graph: &Graph, args: &Args, door: &str) -> Result<(), Failure> {
    let mut customer = Customer::new(graph.clone(), &args.phone, &args.name);
    let mut news = graph.watch();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let client = reqwest::Client::new();
    let mut unanswered = false;
    loop {
        match next(&mut lines, &mut news).await? {
            Happened::Came(sent) => unanswered &= !show(&mut customer, &sent)?,
            Happened::Ended => break,
            Happened::Typed(text) if text.trim().is_empty() => {}
            Happened::Typed(text) => match act(graph, &customer, &text) {
                Ok(Asked::Nothing) => {}
                Ok(Asked::End) => return Ok(()),
                Ok(Asked::Post(body)) => {
                    post(&client, door, &args.secret, &body).await?;
                    unanswered = true;
                }
                Err(wrong) => note(&wrong),
            },
        }
    }
    if !std::io::stdin().is_terminal() {
        last_words(&mut customer, &mut news, unanswered).await?;
    }
    Ok(())
}

async fn next(
    lines: &mut Lines<BufReader<Stdin>>,
    news: &mut broadcast::Receiver<Sent>,
) -> Result<Happened, Failure> {
    tokio::select! {
        typed = lines.next_line() => Ok(typed?.map_or(Happened::Ended, Happened::Typed)),
        came = news.recv() => came
            .map(Happened::Came)
            .map_err(|error| Failure::Machine(format!("messages were missed: {error}"))),
    }
}

enum Asked {
    Nothing,
    End,
    Post(serde_json::Value),
}

fn act(graph: &Graph, customer: &Customer, text: &str) -> Result<Asked, String> {
    let act = Act::read(text)?;
    match act {
        Act::Help => note(HELP),
        Act::Fail(code) => graph.reply_next(&[Reply::Code(code)]),
        Act::Quit => return Ok(Asked::End),
        Act::Say(_)
        | Act::Image(..)
        | Act::Voice(_)
        | Act::Location(..)
        | Act::Cart(_)
        | Act::Tap(_)
        | Act::React(_) => {}
    }
    let webhook = customer.act(&act, clock::now() / 1000)?;
    Ok(webhook.map_or(Asked::Nothing, Asked::Post))
}

/// Whether the message was for this customer.
fn show(customer: &mut Customer, sent: &Sent) -> Result<bool, Failure> {
    let Some(lines) = customer.receive(sent) else {
        return Ok(false);
    };
    for text in lines {
        line(&text)?;
    }
    line("")?;
    Ok(true)
}

/// Waits for a server that is not there yet; a webhook that it refuses will never be taken.
async fn post(
    client: &reqwest::Client,
    door: &str,
    secret: &str,
    body: &serde_json::Value,
) -> Result<(), Failure> {
    for attempt in 0..TRIES {
        match webhook::post(client, door, secret, body).await {
            Ok(200) => return Ok(()),
            Ok(401) => {
                return Err(Failure::Wrong(
                    "the server refuses the signature: SPORTELLO_WHATSAPP__APP_SECRET and --secret differ"
                        .to_owned(),
                ));
            }
            Ok(404) => {
                return Err(Failure::Wrong(
                    "the server's WhatsApp door is closed: start it with the variables above"
                        .to_owned(),
                ));
            }
            Ok(_) | Err(_) if attempt == 0 => {
                note(&format!("waiting for the server at {door}"));
            }
            Ok(_) | Err(_) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
    Err(Failure::Machine(format!("no server answers at {door}")))
}

async fn last_words(
    customer: &mut Customer,
    news: &mut broadcast::Receiver<Sent>,
    mut unanswered: bool,
) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        let wait = if unanswered {
            end.saturating_duration_since(Instant::now())
        } else {
            QUIET
        };
        match timeout(wait, news.recv()).await {
            Ok(Ok(sent)) => unanswered &= !show(customer, &sent)?,
            Ok(Err(_)) => return Ok(()),
            Err(_) if unanswered => {
                return Err(Failure::Machine(format!(
                    "no answer came within {} seconds",
                    PATIENCE.as_secs()
                )));
            }
            Err(_) => return Ok(()),
        }
    }
}
