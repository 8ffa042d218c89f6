//! Items of a webhook that change what we know of our account, our templates or a customer's consent. What a status
//! changes is in the status.

use super::webhook::{Item, ItemKind, change};
use crate::domain::ChannelChange;
use crate::store::{Event, Notice};

/// What an item changes; none when it changes nothing.
pub(super) fn notice(item: &Item, ours: &[String]) -> Option<Notice> {
    match &item.kind {
        ItemKind::Other { field } => {
            let change = change(&item.account_event(), ours, &item.key);
            let changes = change != ChannelChange::default();
            changes.then(|| Notice {
                event: Event {
                    recipient: item.phone_number_id.clone().unwrap_or_default(),
                    key: item.key.clone(),
                    kind: field.clone(),
                    body: item.raw.to_string(),
                },
                change,
            })
        }
        ItemKind::Status(_) | ItemKind::Message(_) | ItemKind::Unparsable { .. } => None,
    }
}
