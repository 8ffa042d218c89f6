//! Cassettes: what models were asked and answered, one readable file per case, replayed without a network.
//!
//! A call is found again by its case and by the hash of its request. What differs from run to run (ids, payment
//! links, times, our own address) and what names a person stands there as a stand-in such as `<id-1>`, numbered
//! by first appearance within the request; a replayed reply gets the values of the request at hand back.

mod book;
mod difference;
mod folder;
mod recorder;
mod replayer;
mod request;
mod stand_ins;
mod tape;
#[cfg(test)]
mod tests;

pub use book::{CaseBook, CaseRun};
pub use difference::MissingRecording;
pub use folder::{Cassette, CassetteFault};
pub use recorder::Recorder;
pub use replayer::Replayer;
pub use stand_ins::Scrubber;
