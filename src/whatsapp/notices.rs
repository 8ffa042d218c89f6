//! Items of a webhook that change what we know of our account, our templates or a customer's consent.

use super::webhook::{Item, ItemKind, change};
use crate::domain::{ChannelChange, ConsentChange, ConsentState};
use crate::store::{Event, Notice};

/// Meta's code: the customer stopped messages that sell.
const OPTED_OUT: i64 = 131_050;

/// What an item changes; none when it changes nothing.
pub(super) fn notice(item: &Item, ours: &[String]) -> Option<Notice> {
    let event = |kind: &str, key: String| Event {
        recipient: item.phone_number_id.clone().unwrap_or_default(),
        key,
        kind: kind.to_owned(),
        body: item.raw.to_string(),
    };
    match &item.kind {
        ItemKind::Other { field } => {
            let change = change(&item.account_event(), ours, &item.key);
            let changes = change != ChannelChange::default();
            changes.then(|| Notice {
                event: event(field, item.key.clone()),
                change,
            })
        }
        ItemKind::Status(status) => {
            let opted_out = status.errors.iter().any(|error| error.code == OPTED_OUT);
            let addresses = item.status_addresses();
            if !opted_out || addresses.is_empty() {
                return None;
            }
            let proof = Some(status.wamid.clone());
            let said = ConsentChange::marketing(ConsentState::Revoked, "error_131050", proof);
            Some(Notice {
                event: event("opted_out", format!("{}:{OPTED_OUT}", item.key)),
                change: ChannelChange {
                    consent: Some((addresses, said)),
                    ..ChannelChange::default()
                },
            })
        }
        ItemKind::Message(_) | ItemKind::Unparsable { .. } => None,
    }
}
