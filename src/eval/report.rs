//! Reports of runs for people and for machines. Pure: nothing is read, no clock is asked, and what customers wrote
//! is escaped wherever it stands.

mod events;
mod html;
mod junit;
mod markdown;
#[cfg(test)]
mod samples;
mod words;

pub use events::events;
pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
