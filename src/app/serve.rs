//! The server: doors open first, then the agent is prepared, then messages are worked on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arrivals::Reception;
use super::control::Socket;
use super::doors::{Doorkeeper, router};
use super::media::{self, Fetcher};
use super::open::{App, AppError};
use super::prepare::Prepared;
use crate::agent::Desk;
use crate::clock;
use crate::config::{self, DeskHours};
use crate::openai::Transcriber;
use crate::outbox::{Presence, Sender};
use crate::ports::Messenger;
use crate::store::{Pace, Store, Taker};
use crate::telemetry;
use crate::whatsapp::GraphMessenger;
use crate::whatsapp::media::GraphMedia;
use crate::worker::{Budget, DeskClock, Worker};

/// Senders that run at once.
const SENDERS: usize = 4;
/// People a new portfolio may write to first in a day, until WhatsApp tells otherwise.
const NEW_PORTFOLIO: i64 = 250;
/// A row is a sender's for longer than the channel may take by this much, milliseconds.
const RECORDING: i64 = 10_000;
/// Files that are fetched at once.
const FETCHERS: usize = 2;
/// Between two looks at the database's log.
const CHECKPOINT: Duration = Duration::from_millis(250);
/// Between two tries to build the index.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What a person needs to know of a server that has started.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// Where the shop is.
    pub url: String,
    /// The desk's password, when it was made up for this start.
    pub made_password: Option<String>,
}

/// Serves until told to stop, then finishes what is at hand. `started` is called once, when messages
/// can be stored.
///
/// # Errors
/// [`AppError`], with what to do about it.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: CancellationToken,
    started: impl FnOnce(&Addresses),
) -> Result<(), AppError> {
    if app.config.retrieval.url.is_none() {
        // The embedded index has one owner, so whoever held a lease before is gone.
        app.store.recover_leases().await?;
    }
    app.store.recover_outbox(clock::now()).await?;
    let made_password = app.config.desk.password.is_none().then(made_password);
    let password = match (&app.config.desk.password, &made_password) {
        (Some(password), _) => password.clone(),
        (None, made) => SecretString::from(made.clone().unwrap_or_default()),
    };
    let metrics = telemetry::metrics().map_err(|error| AppError::Machine(error.to_string()))?;
    let keeper = Doorkeeper {
        password,
        shutdown: stop.clone(),
        metrics,
        ready: CancellationToken::new(),
    };
    let routes = router(&app, &keeper).await?;
    let socket = Socket::open(&app.data).await?;
    let tasks = TaskTracker::new();
    tasks.spawn(Reception::new(&app).run(stop.clone()));
    tasks.spawn(checkpoints(app.store.clone(), stop.clone()));
    tasks.spawn(work(
        Arc::clone(&app),
        socket,
        stop.clone(),
        keeper.ready.clone(),
        tasks.clone(),
    ));
    started(&Addresses {
        url: app.public_url.to_string(),
        made_password,
    });
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service)
        .with_graceful_shutdown(stop.clone().cancelled_owned())
        .await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    app.store.close().await;
    served.map_err(|error| AppError::Machine(format!("the server failed: {error}")))
}

/// Keeps the database's log short, so that no message waits for the disk longer than its own commit takes.
async fn checkpoints(store: Store, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(CHECKPOINT) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = store.checkpoint().await {
            tracing::debug!(%error, "the log was not brought in; the next time");
        }
    }
}

/// Prepares the agent, starts the workers, then brings the index up to date beside them.
async fn work(
    app: Arc<App>,
    socket: Option<Socket>,
    stop: CancellationToken,
    ready: CancellationToken,
    tasks: TaskTracker,
) {
    // Fitting takes seconds at the first start; who stops the server then does not wait for it.
    let prepared = tokio::select! {
        prepared = app.prepare() => prepared,
        () = stop.cancelled() => return,
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            tracing::error!(%error, "the agent cannot be prepared; the server stops");
            stop.cancel();
            return;
        }
    };
    if let Err(error) = app.builder.build_words(app.points()).await {
        tracing::error!(%error, "there is no index; answers go without passages");
    }
    if let Err(error) = app.start_workers(&prepared, &stop, &tasks) {
        tracing::error!(%error, "the workers cannot be started; the server stops");
        stop.cancel();
        return;
    }
    ready.cancel();
    if let Some(socket) = socket {
        tasks.spawn(socket.run(Arc::clone(&app), prepared.clone(), stop.clone()));
    }
    tokio::select! {
        () = bring_up_to_date(&app, &prepared) => {}
        () = stop.cancelled() => {}
    }
}

/// Builds the index, again after growing pauses while an endpoint or a server is away.
async fn bring_up_to_date(app: &App, prepared: &Prepared) {
    let mut pause = Duration::from_secs(2);
    loop {
        match app.reindex(Some(prepared), |_, _| {}).await {
            Ok(report) => {
                tracing::info!(
                    chunks = report.chunks,
                    embedded = report.embedded,
                    "the index is up to date"
                );
                return;
            }
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, seconds = pause.as_secs(), "the index is not up to date; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                tracing::error!(%error, "the index is not up to date; what was live stays live");
                return;
            }
        }
    }
}

impl App {
    /// Starts the workers, and the senders when a channel can send.
    ///
    /// # Errors
    /// When the channel's client cannot be made.
    pub fn start_workers(
        self: &Arc<Self>,
        prepared: &Prepared,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<(), AppError> {
        let presence = self.start_senders(stop, tasks)?;
        let worker = Worker {
            store: self.store.clone(),
            agent: Arc::clone(&prepared.agent),
            events: self.events.clone(),
            inbox: Arc::clone(&self.inbox),
            outbox: Arc::clone(&self.outbox),
            desk: desk_clock(self)?,
            presence,
            budget: budget(&self.config.whatsapp),
        };
        for number in 0..self.config.agent.workers.max(1) {
            let owner = format!("{}-{number}", std::process::id());
            tasks.spawn(worker.clone().run(owner, stop.clone()));
        }
        Ok(())
    }

    /// Starts the senders when there is a token to send with, and what shows that an answer is being written.
    fn start_senders(
        &self,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Result<Option<Presence>, AppError> {
        let whatsapp = &self.config.whatsapp;
        if !whatsapp.sends() {
            return Ok(None);
        }
        let messenger = GraphMessenger::new(whatsapp)
            .map_err(|error| AppError::Configuration(error.to_string()))?
            .with_pages(format!("{}/m/", self.public_url));
        let messenger: Arc<dyn Messenger> = Arc::new(messenger);
        let longest =
            1_000 * i64::try_from(whatsapp.timeout_seconds.max(1)).unwrap_or(i64::MAX / 4_000);
        let people = whatsapp.people_per_day.map(i64::from);
        let sender = Sender {
            store: self.store.clone(),
            messenger: Arc::clone(&messenger),
            outbox: Arc::clone(&self.outbox),
            events: self.events.clone(),
            taker: Taker {
                owner: std::process::id().to_string(),
                lease: 2 * longest + RECORDING,
                pace: Pace {
                    per_second: i64::from(whatsapp.messages_per_second),
                    people_a_day: people.filter(|people| *people > 0),
                    people_untold: people.is_none().then_some(NEW_PORTFOLIO),
                },
            },
            longest,
        };
        tasks.spawn(sender.clone().tend(stop.clone()));
        tasks.spawn(sender.clone().heed(stop.clone()));
        for _ in 0..SENDERS {
            tasks.spawn(sender.clone().run(stop.clone()));
        }
        self.start_fetchers(stop, tasks);
        let (presence, typing) = Presence::new(messenger);
        tasks.spawn(typing.run(stop.clone()));
        Ok(Some(presence))
    }

    fn start_fetchers(&self, stop: &CancellationToken, tasks: &TaskTracker) {
        let Some(source) = GraphMedia::new(&self.config.whatsapp) else {
            return;
        };
        let fetcher = Fetcher {
            store: self.store.clone(),
            source: Arc::new(source),
            transcriber: Transcriber::new(&self.config.transcription).map(Arc::new),
            folder: self.data.join(media::FOLDER),
            inbox: Arc::clone(&self.inbox),
            files: Arc::default(),
        };
        for _ in 0..FETCHERS {
            tasks.spawn(fetcher.clone().run(stop.clone()));
        }
    }
}

fn budget(whatsapp: &config::Whatsapp) -> Budget {
    let amount = |text: &Option<String>| text.as_deref().and_then(config::micros);
    Budget {
        currency: whatsapp.rates.currency.code().to_owned(),
        conversation: amount(&whatsapp.budget.conversation),
        day: amount(&whatsapp.budget.day),
    }
}

fn desk_clock(app: &App) -> Result<DeskClock, AppError> {
    let hours = DeskHours::parse(&app.config.desk.hours).map_err(AppError::Configuration)?;
    let timezone = app.config.shop.timezone.clone();
    Ok(Arc::new(move || {
        let now = Zoned::now()
            .in_tz(&timezone)
            .unwrap_or_else(|_| Zoned::now());
        if hours.is_open(&now) {
            return Desk::Open;
        }
        hours
            .next_opening(&now)
            .map_or(Desk::Open, |opening| Desk::Opens {
                weekday: opening.weekday().to_monday_one_offset(),
                hour: opening.hour(),
                minute: opening.minute(),
            })
    }))
}

/// Four groups that can be read aloud.
fn made_password() -> String {
    let bytes: [u8; 8] = rand::random();
    bytes
        .chunks(2)
        .map(hex::encode)
        .collect::<Vec<_>>()
        .join("-")
}
