//! Trying dead letters again, on the way that every delivery takes. It needs the database only, so it works
//! beside a running server.

use serde::Serialize;

use crate::clock;
use crate::config::Config;
use crate::store::{DeadLetter, Patience, Store, StoreError};
use crate::whatsapp::intake::Sorter;

/// Longer than a voice note takes to be fetched and written down.
const VOICE_MARGIN: i64 = 30_000;

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The letter.
    pub id: String,
    /// How many messages of it are new.
    pub messages: usize,
    /// Why it still cannot be worked on.
    pub reason: Option<String>,
}

/// Sorts deliveries as the configuration says.
pub(super) fn sorter(config: &Config) -> Sorter {
    #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
    let milliseconds = |seconds: f64| (seconds * 1000.0) as i64;
    let debounce = milliseconds(config.agent.debounce_seconds);
    let minutes = i64::try_from(config.agent.late_minutes).unwrap_or(i64::MAX);
    let patience = Patience {
        burst: Some(milliseconds(config.agent.burst_seconds).max(debounce)),
        late: Some(minutes.saturating_mul(60_000)),
        voice: voice(config),
    };
    Sorter::new(&config.whatsapp, debounce, patience)
}

/// So long a turn waits for a voice note: the endpoint's time, or not at all.
fn voice(config: &Config) -> i64 {
    let transcription = &config.transcription;
    if transcription.base_url.is_none() {
        return 0;
    }
    let seconds = transcription.timeout_seconds * u64::from(transcription.tries.max(1));
    i64::try_from(seconds.saturating_mul(1000)).map_or(i64::MAX / 4, |wait| wait + VOICE_MARGIN)
}

/// Tries a letter again. What is stored already is not stored twice, and a letter that still cannot be
/// worked on stays, with the reason of now.
///
/// # Errors
/// What the store says.
pub async fn replay(
    config: &Config,
    store: &Store,
    letter: &DeadLetter,
) -> Result<Replayed, StoreError> {
    let mut intake = sorter(config).intake(letter.body.as_bytes());
    let now = clock::now();
    let reason = intake.dead_letters.first().map(|dead| dead.reason.clone());
    intake.dead_letters.clear();
    let accepted = store.accept(intake, now).await?;
    store
        .letter_replayed(&letter.id, reason.clone(), now)
        .await?;
    Ok(Replayed {
        id: letter.id.clone(),
        messages: accepted.iter().filter(|one| one.id.is_some()).count(),
        reason,
    })
}
