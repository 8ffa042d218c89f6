//! Takes one conversation at a time, runs its turn, records the outcome.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::agent::{Agent, Desk, TurnInput, TurnReport};
use crate::clock;
use crate::domain::{
    ConsentState, HandOffReason, Holder, InboundContent, Language, Outcome, TurnId, TurnTrace,
    consent_word,
};
use crate::events::{Event, Events};
use crate::failpoint;
use crate::outbox::Presence;
use crate::ports::Seen;
use crate::store::{Claim, Closing, Store, StoreError};

/// A lease outlives the longest turn by this much.
const MARGIN: Duration = Duration::from_secs(30);
/// A worker that has nothing to do looks again after this time at the latest.
const IDLE: Duration = Duration::from_secs(2);
/// Milliseconds; no turn is scheduled and no lease lasts so far ahead.
const JUMP: i64 = 10 * 60 * 1000;
/// After so many attempts a person takes over.
const ATTEMPTS: i64 = 3;

/// Says when someone is at the desk.
pub type DeskClock = Arc<dyn Fn() -> Desk + Send + Sync>;

/// A worker. Several may run, in one process or in many.
#[derive(Clone)]
pub struct Worker {
    /// The store.
    pub store: Store,
    /// The agent.
    pub agent: Arc<Agent>,
    /// Tells those who watch.
    pub events: Events,
    /// Rings when something was accepted.
    pub inbox: Arc<Notify>,
    /// Rings when something is to be sent.
    pub outbox: Arc<Notify>,
    /// When someone is at the desk.
    pub desk: DeskClock,
    /// Shows customers that an answer is being written, on a channel that can.
    pub presence: Option<Presence>,
    /// What the messages of a channel may cost.
    pub budget: Budget,
}

/// What messages may cost, millionths of the currency.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    /// ISO 4217.
    pub currency: String,
    /// In one conversation.
    pub conversation: Option<i64>,
    /// In one day.
    pub day: Option<i64>,
}

impl Worker {
    /// Works until told to stop; the turn at hand is finished first.
    pub async fn run(self, owner: String, stop: CancellationToken) {
        let lease = self.agent.settings.deadline + MARGIN;
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        while !stop.is_cancelled() {
            match self.store.claim(&owner, lease, clock::now()).await {
                Ok(Some(claim)) => self.work(claim).await,
                Ok(None) => self.wait(&stop).await,
                Err(error) => {
                    tracing::error!(%error, "a worker cannot claim");
                    tokio::select! {
                        () = tokio::time::sleep(IDLE) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
    }

    async fn wait(&self, stop: &CancellationToken) {
        let due = match self.store.next_due().await {
            Ok(Some(due)) if due > clock::now() + JUMP => {
                self.set_back().await;
                IDLE
            }
            Ok(Some(due)) => Duration::from_millis(u64::try_from(due - clock::now()).unwrap_or(0))
                .clamp(Duration::from_millis(5), IDLE),
            Ok(None) | Err(_) => IDLE,
        };
        tokio::select! {
            () = self.inbox.notified() => {}
            () = tokio::time::sleep(due) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Nothing is due so far ahead unless the clock was ahead when it was scheduled.
    async fn set_back(&self) {
        let now = clock::now();
        match self.store.pull_back(now, now + JUMP).await {
            Ok(conversations) => {
                tracing::warn!(
                    conversations,
                    "the clock was set back; what waited is due now"
                );
            }
            Err(error) => tracing::error!(%error, "what waits for a wrong time stays so"),
        }
    }

    async fn work(&self, claim: Claim) {
        let conversation = claim.state.id.clone();
        let epoch = claim.epoch;
        let turn = TurnId::new();
        let span =
            tracing::info_span!("turn", %turn, %conversation, channel = claim.state.channel.name());
        failpoint::point("turn claimed");
        let worked = AssertUnwindSafe(self.turn(claim, turn).instrument(span))
            .catch_unwind()
            .await;
        let failure = match worked {
            Ok(Ok(())) => return,
            Ok(Err(StoreError::Stale)) => {
                tracing::warn!(%conversation, "a stale turn was discarded");
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a panic".to_owned(),
        };
        tracing::error!(%conversation, failure, "a turn failed and is tried again");
        let later = clock::now() + 2_000;
        if let Err(error) = self.store.release(&conversation, epoch, later).await {
            tracing::error!(%conversation, %error, "a conversation stays leased until its lease ends");
        }
    }

    async fn turn(&self, claim: Claim, turn: TurnId) -> Result<(), StoreError> {
        let report = self.report(&claim, &turn).await;
        failpoint::point("turn run");
        metrics::counter!("sportello_turns_total", "channel" => claim.state.channel.name(), "outcome" => report.outcome.name()).increment(1);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a turn are few")]
        let seconds = report.trace.milliseconds as f64 / 1000.0;
        metrics::histogram!("sportello_turn_seconds").record(seconds);
        let model = report
            .trace
            .models
            .last()
            .map_or("none", |model| model.model.as_str())
            .to_owned();
        let intent = report.intent.clone().unwrap_or_default();
        let milliseconds = report.trace.milliseconds;
        let closing = Closing {
            turn,
            conversation: claim.state.id.clone(),
            epoch: claim.epoch,
            consumed: claim
                .pending
                .iter()
                .map(|message| message.id.clone())
                .collect(),
            intent: report.intent,
            outcome: report.outcome,
            trace: report.trace,
            language: report.language,
            misunderstood: report.misunderstood,
            disclosed: report.disclosed,
        };
        let outcome = self.store.close_turn(closing, clock::now()).await?;
        failpoint::point("turn closed");
        tracing::info!(
            outcome = outcome.name(),
            model,
            intent,
            milliseconds,
            "turn done"
        );
        if outcome.answer().is_some() {
            self.events.tell(&claim.state.id, Event::Message);
            self.outbox.notify_one();
        }
        if matches!(outcome, Outcome::HandedOff { .. }) {
            self.events.tell(&claim.state.id, Event::Holder);
        }
        self.events.tell(&claim.state.id, Event::Done);
        Ok(())
    }

    async fn report(&self, claim: &Claim, turn: &TurnId) -> TurnReport {
        let language = claim.state.language.unwrap_or(self.agent.settings.home);
        if claim.state.holder == Holder::Human {
            return untouched(claim, language, "a person holds the conversation");
        }
        if let Some(report) = self.consent(claim, language).await {
            return report;
        }
        if claim.outdated {
            return untouched(
                claim,
                language,
                "it came late, and newer messages were dealt with",
            );
        }
        if claim.attempts > ATTEMPTS {
            return self.given_up(claim, language, HandOffReason::Failure);
        }
        match self.is_spent(claim).await {
            Ok(false) => {}
            Ok(true) => {
                metrics::counter!("sportello_budget_reached_total").increment(1);
                return self.given_up(claim, language, HandOffReason::Limit);
            }
            // A budget that cannot be read stops nobody: the turn is stored in the same database.
            Err(error) => tracing::error!(%error, "the costs cannot be read"),
        }
        let input = TurnInput {
            turn: turn.clone(),
            conversation: claim.state.id.clone(),
            contact: claim.state.contact.id.clone(),
            epoch: claim.epoch,
            phone: claim.state.contact.phone.clone(),
            language: claim.state.language,
            misunderstood: claim.state.misunderstood,
            disclosed: claim.state.disclosed,
            history: claim.history.clone(),
            messages: claim
                .pending
                .iter()
                .map(|message| message.content.clone())
                .collect(),
            desk: (self.desk)(),
            referral: claim.state.referral.clone(),
            reference: claim.reference.clone(),
        };
        let progress = |stage| self.events.tell(&claim.state.id, Event::Progress { stage });
        let answer = self.agent.turn(input, &progress);
        match (&self.presence, seen(claim)) {
            (Some(presence), Some(message)) => tokio::select! {
                biased;
                // Never ends; the turn does.
                () = presence.show(message) => untouched(claim, language, ""),
                report = answer => report,
            },
            _ => answer.await,
        }
    }

    /// A message that stops or resumes marketing was written down when it came. It is confirmed once, in the
    /// customer's language, and no model is asked; a repeated one is known already.
    async fn consent(&self, claim: &Claim, language: Language) -> Option<TurnReport> {
        let [only] = claim.pending.as_slice() else {
            return None;
        };
        let asked = consent_word(only.content.words()?)?;
        if !claim.state.channel.is_sent() {
            return None;
        }
        let ids = [only.id.clone()];
        let contact = &claim.state.contact.id;
        let said = match self.store.consent_by(contact, &ids).await {
            Ok(said) => said,
            Err(error) => {
                tracing::error!(%error, "the ledger of consents cannot be read");
                return None;
            }
        };
        match (said, asked) {
            (Some(state), _) => {
                let outcome = self.agent.confirm_consent(state, language);
                Some(TurnReport {
                    outcome,
                    ..untouched(claim, language, "")
                })
            }
            (None, ConsentState::Revoked) => {
                Some(untouched(claim, language, "marketing was stopped before"))
            }
            // Nothing was stopped before, so the word means something else.
            (None, ConsentState::Granted) => None,
        }
    }

    /// Whether the conversation or the day has cost what it may.
    async fn is_spent(&self, claim: &Claim) -> Result<bool, StoreError> {
        let budget = &self.budget;
        if !claim.state.channel.is_sent() || budget.conversation.or(budget.day).is_none() {
            return Ok(false);
        }
        let (conversation, day) = self
            .store
            .spent(&claim.state.id, &budget.currency, clock::now())
            .await?;
        let reached = |limit: Option<i64>, spent: i64| limit.is_some_and(|limit| spent >= limit);
        Ok(reached(budget.conversation, conversation) || reached(budget.day, day))
    }

    /// A turn that failed again and again, or that would cost too much, is a person's.
    fn given_up(&self, claim: &Claim, language: Language, reason: HandOffReason) -> TurnReport {
        let text = claim
            .pending
            .iter()
            .filter_map(|message| InboundContent::words(&message.content))
            .collect::<Vec<_>>()
            .join("\n");
        let outcome = self.agent.hand_off(reason, language, (self.desk)(), &text);
        TurnReport {
            outcome,
            ..untouched(claim, language, "")
        }
    }
}

/// The last message that is being answered, on a channel that can show it.
fn seen(claim: &Claim) -> Option<Seen> {
    let message = claim.pending.last()?;
    claim.state.channel.is_sent().then(|| Seen {
        recipient: claim.state.recipient.clone(),
        external_id: message.external_id.clone(),
    })
}

fn untouched(claim: &Claim, language: Language, reason: &str) -> TurnReport {
    TurnReport {
        outcome: Outcome::Silent {
            reason: reason.to_owned(),
        },
        trace: TurnTrace::default(),
        language,
        intent: None,
        misunderstood: claim.state.misunderstood,
        disclosed: false,
    }
}
