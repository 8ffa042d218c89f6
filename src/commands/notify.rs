//! `sportello notify`.

use super::output::{json as print_json, line};
use super::session::public_url;
use super::{Failure, Shared};
use crate::app::{App, Command, NotifiedOrder, NotifyError, NotifyOrder, Remote};

/// What `notify` tells of.
#[derive(Debug, clap::Subcommand)]
pub enum Notify {
    /// News of an order to its customer on WhatsApp
    Order {
        /// The order's number
        number: String,
        /// What happened, for example `shipped`; the order's own status when missing
        #[arg(long)]
        event: Option<String>,
        /// Said once under this key; once per order and event when missing
        #[arg(long)]
        key: Option<String>,
        /// One line of JSON
        #[arg(long)]
        json: bool,
    },
}

/// Asks the running server; without one the message waits in the outbox for the next.
pub async fn run(shared: Shared, notify: Notify) -> Result<(), Failure> {
    let Notify::Order {
        number,
        event,
        key,
        json,
    } = notify;
    let asked = NotifyOrder { number, event, key };
    let notified: NotifiedOrder = match Remote::find(&shared.data).await {
        Some(mut remote) => {
            let value = remote.ask(&Command::NotifyOrder(asked), |_, _| {}).await?;
            serde_json::from_value(value).map_err(|error| Failure::Machine(error.to_string()))?
        }
        None => {
            let url = public_url(&shared);
            let app = App::open(shared.config, &shared.data, &url).await?;
            let notified = app.notify_order(asked).await;
            app.store.close().await;
            notified.map_err(|error| match error {
                NotifyError::App(error) => Failure::App(error),
                other @ (NotifyError::Wrong(_) | NotifyError::NoOrder(_)) => {
                    Failure::Wrong(other.to_string())
                }
                NotifyError::Refused(why) => Failure::Check(why),
            })?
        }
    };
    if json {
        return print_json(&notified);
    }
    line(match (notified.before, notified.template) {
        (true, _) => "it was said before; nothing is sent again",
        (false, true) => "queued as a template",
        (false, false) => "queued as text",
    })
}
