//! `sportello serve`.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::note;
use super::{Failure, Shared};
use crate::app::{Addresses, App, serve};
use crate::telemetry;

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
}

/// Serves until SIGTERM or Ctrl-C.
pub async fn run(shared: Shared, _: Args) -> Result<(), Failure> {
    telemetry::logs("info", true);
    let listen = shared.config.server.listen.clone();
    let listener = TcpListener::bind(&listen).await.map_err(|error| {
        Failure::Machine(format!(
            "cannot listen on {listen}: {error}; choose another with --listen"
        ))
    })?;
    let address = listener.local_addr()?;
    let public_url = shared
        .config
        .server
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"));
    let demo = shared.config.demo;
    let offline = shared.config.llm.base_url.is_none();
    let app = Arc::new(App::open(shared.config, &shared.data, &public_url).await?);
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let signalled = stop.clone();
    let waiting = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = signalled.cancelled() => return,
        }
        signalled.cancel();
    };
    let serving = serve(app, listener, stop, |addresses| {
        welcome(addresses, demo, offline)
    });
    let (served, ()) = tokio::join!(serving, waiting);
    Ok(served?)
}

fn welcome(addresses: &Addresses, demo: bool, offline: bool) {
    let url = &addresses.url;
    note(&format!("Sportello is open at {url}/"));
    note(&format!("  chat  {url}/"));
    note(&format!("  desk  {url}/desk"));
    note(&format!("  MCP   {url}/mcp"));
    if let Some(password) = &addresses.made_password {
        note(&format!(
            "  the desk's password for this start is {password} (set desk.password to choose one)"
        ));
    }
    if demo {
        note("  this is the demo shop: its orders and its payment page are made up");
    }
    if offline {
        note("  no model endpoint is configured: the offline model answers");
    }
}
