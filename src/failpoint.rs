//! Named points at which a test makes the program die. Absent from release builds.

#[cfg(debug_assertions)]
mod armed {
    use std::sync::atomic::{AtomicU64, Ordering};

    static LEFT: AtomicU64 = AtomicU64::new(0);

    /// Dies at the n-th point from now on; 0 disarms.
    pub fn arm(n: u64) {
        LEFT.store(n, Ordering::SeqCst);
    }

    /// One point.
    pub fn point(name: &str) {
        let before = LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        if before == Ok(1) {
            tracing::error!(name, "dying at a failpoint");
            std::process::abort();
        }
    }
}

#[cfg(debug_assertions)]
pub use armed::{arm, point};

/// Nothing in a release build.
#[cfg(not(debug_assertions))]
pub fn arm(_: u64) {}

/// Nothing in a release build.
#[cfg(not(debug_assertions))]
pub fn point(_: &str) {}
