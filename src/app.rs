//! The composition root: everything is made and connected here, and only here are tasks started.

mod control;
mod conversing;
mod doors;
mod open;
mod prepare;
mod serve;

pub use control::{Command, Remote, RemoteError, Report};
pub use conversing::{Said, Talk};
pub use open::{App, AppError};
pub use prepare::Prepared;
pub use serve::{Addresses, serve};
