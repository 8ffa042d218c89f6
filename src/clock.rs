//! The wall clock, read at the edges only.

use std::sync::atomic::{AtomicI64, Ordering};

static OFFSET: AtomicI64 = AtomicI64::new(0);

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond() + OFFSET.load(Ordering::Relaxed)
}

/// Lets the clock of this process be wrong by so many milliseconds. Release builds keep the right time.
pub fn shift(milliseconds: i64) {
    if cfg!(debug_assertions) {
        OFFSET.store(milliseconds, Ordering::Relaxed);
    }
}
