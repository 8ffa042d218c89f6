//! What the pages' edges share: guards, limits, files and the shape of an error. It knows no edge.

mod body;
mod cookies;
mod fault;
mod files;
mod guard;
mod limits;
mod password;

pub use body::Body;
pub use cookies::{NewCookie, SameSite, cookie};
pub use fault::Fault;
pub use files::file;
pub use guard::{content_security_policy, guarded};
pub use limits::{Client, Limiter};
pub use password::same_secret;
