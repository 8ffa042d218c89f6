//! The models of a run: which ones, at which pace, at what cost, recorded or replayed.

mod budget;
mod pace;
mod spec;
mod wire;

pub use budget::{Budget, Metered, Price, Spent};
pub use pace::{Pace, Paced, Paces};
pub use spec::ModelSpec;
pub use wire::{Taping, Wired, Wiring};
