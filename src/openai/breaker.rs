//! A circuit breaker: after some failures in a row nobody asks for a while, then one call tries.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A circuit that is closed, open or half-open. The caller tells the time.
#[derive(Debug)]
pub struct Breaker {
    limit: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { until: Instant },
}

impl Default for Breaker {
    /// Opens after 3 failures in a row, for 20 seconds.
    fn default() -> Self {
        Self::new(3, Duration::from_secs(20))
    }
}

impl Breaker {
    /// A closed circuit that opens for `pause` after `limit` failures in a row.
    #[must_use]
    pub fn new(limit: u32, pause: Duration) -> Self {
        Self {
            limit,
            pause,
            state: Mutex::new(State::Closed { failures: 0 }),
        }
    }

    /// Lets a call through, or not.
    ///
    /// # Errors
    /// The time until the next call may try; zero while another call is trying.
    pub fn admit(&self, now: Instant) -> Result<Permit<'_>, Duration> {
        let mut state = self.state();
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now >= until => {
                *state = State::HalfOpen { until };
                true
            }
            State::Open { until } => return Err(until.saturating_duration_since(now)),
            State::HalfOpen { .. } => return Err(Duration::ZERO),
        };
        Ok(Permit {
            breaker: self,
            probe,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call that was let through. Dropping it without a verdict, as a cancelled call does, changes
/// nothing: the next call may try.
#[derive(Debug)]
#[must_use]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Permit<'_> {
    /// The endpoint answered, whatever it said.
    pub fn succeed(self) {
        let mut state = self.breaker.state();
        // A call from before the circuit opened says nothing about the endpoint now.
        if self.probe || matches!(*state, State::Closed { .. }) {
            *state = State::Closed { failures: 0 };
        }
    }

    /// The endpoint did not answer.
    pub fn fail(self, now: Instant) {
        let mut state = self.breaker.state();
        let open = State::Open {
            until: now + self.breaker.pause,
        };
        *state = match *state {
            State::HalfOpen { .. } if self.probe => open,
            State::Closed { failures } if failures + 1 >= self.breaker.limit => open,
            State::Closed { failures } => State::Closed {
                failures: failures + 1,
            },
            other @ (State::Open { .. } | State::HalfOpen { .. }) => other,
        };
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.probe {
            return;
        }
        let mut state = self.breaker.state();
        if let State::HalfOpen { until } = *state {
            *state = State::Open { until };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(20);

    fn opened(start: Instant) -> Breaker {
        let breaker = Breaker::new(3, PAUSE);
        for _ in 0..3 {
            breaker.admit(start).unwrap().fail(start);
        }
        breaker
    }

    #[test]
    fn opens_after_three_failures_in_a_row_only() {
        let start = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..2 {
            breaker.admit(start).unwrap().fail(start);
        }
        breaker.admit(start).unwrap().succeed();
        for _ in 0..2 {
            breaker.admit(start).unwrap().fail(start);
        }
        breaker.admit(start).unwrap().fail(start);
        assert_eq!(breaker.admit(start).unwrap_err(), PAUSE);
    }

    #[test]
    fn lets_one_call_try_after_the_pause() {
        let start = Instant::now();
        let breaker = opened(start);
        assert!(
            breaker
                .admit(start + PAUSE - Duration::from_millis(1))
                .is_err()
        );
        let probe = breaker.admit(start + PAUSE).unwrap();
        assert_eq!(breaker.admit(start + PAUSE).unwrap_err(), Duration::ZERO);
        probe.succeed();
        assert!(breaker.admit(start + PAUSE).is_ok());
    }

    #[test]
    fn a_failed_try_opens_for_another_pause() {
        let start = Instant::now();
        let breaker = opened(start);
        let later = start + PAUSE;
        breaker.admit(later).unwrap().fail(later);
        assert_eq!(breaker.admit(later).unwrap_err(), PAUSE);
        assert!(breaker.admit(later + PAUSE).is_ok());
    }

    #[test]
    fn a_cancelled_try_leaves_room_for_the_next() {
        let start = Instant::now();
        let breaker = opened(start);
        drop(breaker.admit(start + PAUSE).unwrap());
        breaker.admit(start + PAUSE).unwrap().succeed();
        assert!(breaker.admit(start).is_ok());
    }

    #[test]
    fn a_late_answer_does_not_close_an_open_circuit() {
        let start = Instant::now();
        let breaker = Breaker::new(3, PAUSE);
        let slow = breaker.admit(start).unwrap();
        for _ in 0..3 {
            breaker.admit(start).unwrap().fail(start);
        }
        slow.succeed();
        assert!(breaker.admit(start).is_err());
    }

    proptest! {
        #[test]
        fn never_two_calls_while_not_closed(verdicts in prop::collection::vec((0u8..3, 0u64..30), 1..60)) {
            let breaker = Breaker::default();
            let mut now = Instant::now();
            let mut in_a_row = 0;
            for (verdict, seconds) in verdicts {
                now += Duration::from_secs(seconds);
                let Ok(permit) = breaker.admit(now) else {
                    prop_assert!(in_a_row >= 3);
                    continue;
                };
                if in_a_row >= 3 {
                    prop_assert!(breaker.admit(now).is_err());
                }
                match verdict {
                    0 => { permit.succeed(); in_a_row = 0; }
                    1 => { permit.fail(now); in_a_row += 1; }
                    _ => drop(permit),
                }
            }
        }
    }
}
