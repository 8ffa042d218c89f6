//! Who listens hears that the shop's texts or products have changed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{ProtocolVersion, SubscriptionFilter};
use rmcp::service::{Peer, RoleServer, SubscriptionContext, SubscriptionSendError};
use tokio::sync::watch;

use super::State;
use super::library::Library;

/// The longest a client may listen; it may ask again then.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Addresses of resources that one client may watch.
const WATCHED: usize = 100;
/// Clients that may listen at the same time, and those of one network address.
const LISTENERS: usize = 256;
const EACH: usize = 16;

/// Who listens, counted by network address.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<IpAddr, usize>>);

impl Places {
    /// A place to listen from; none when they are taken.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place<'_>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let theirs = taken.get(&address).copied().unwrap_or(0);
        if all >= LISTENERS || theirs >= EACH {
            return None;
        }
        taken.insert(address, theirs + 1);
        Some(Place(self, address))
    }
}

/// Free again when it is dropped.
pub(super) struct Place<'a>(&'a Places, IpAddr);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.1) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                taken.remove(&self.1);
            }
        }
    }
}

/// What of it we will tell about: changes of the list, and of addresses that are ours.
pub(super) fn accepted(state: &State, asked: &SubscriptionFilter) -> SubscriptionFilter {
    let library = (state.library)();
    let mut accepted = SubscriptionFilter::new();
    accepted.resources_list_changed = asked.resources_list_changed;
    accepted.resource_subscriptions = asked.resource_subscriptions.as_ref().map(|addresses| {
        addresses
            .iter()
            .filter(|address| library.read(address, &state.identity).is_some())
            .take(WATCHED)
            .cloned()
            .collect()
    });
    accepted
}

/// Tells one subscriber of the newer era, until one side ends it.
pub(super) async fn tell_subscriber(state: &State, subscription: &SubscriptionContext) {
    let mut changes = Changes::from_now(state);
    let told = async {
        while let Some((before, now)) = changes.next().await {
            if tell_difference(state, subscription, &before, &now)
                .await
                .is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = told => {}
        () = subscription.cancelled() => {}
        () = state.shutdown.cancelled() => {}
        () = tokio::time::sleep(LONGEST) => {}
    }
}

async fn tell_difference(
    state: &State,
    subscription: &SubscriptionContext,
    before: &Library,
    now: &Library,
) -> Result<(), SubscriptionSendError> {
    let accepted = subscription.accepted();
    if accepted.resources_list_changed == Some(true) && before.resources() != now.resources() {
        subscription.sink().notify_resource_list_changed().await?;
    }
    for address in accepted.resource_subscriptions.iter().flatten() {
        if before.read(address, &state.identity) != now.read(address, &state.identity) {
            subscription.sink().notify_resource_updated(address).await?;
        }
    }
    Ok(())
}

/// Tells a client that opened a stream with `initialize`. One of the newer era subscribes itself.
pub(super) async fn tell_stream(state: &State, peer: &Peer<RoleServer>) {
    let opened = peer.peer_info();
    if opened.is_none_or(|client| client.protocol_version >= ProtocolVersion::V_2026_07_28) {
        return;
    }
    let mut changes = Changes::from_now(state);
    while let Some((before, now)) = changes.next().await {
        if before.resources() != now.resources()
            && peer.notify_resource_list_changed().await.is_err()
        {
            return;
        }
    }
}

/// The library before and after each change.
struct Changes<'a> {
    state: &'a State,
    ring: watch::Receiver<()>,
    known: Arc<Library>,
}

impl<'a> Changes<'a> {
    fn from_now(state: &'a State) -> Self {
        let mut ring = state.changes.clone();
        ring.mark_unchanged();
        Self {
            state,
            ring,
            known: (state.library)(),
        }
    }

    /// None when nothing will change any more.
    async fn next(&mut self) -> Option<(Arc<Library>, Arc<Library>)> {
        self.ring.changed().await.ok()?;
        let now = (self.state.library)();
        let before = std::mem::replace(&mut self.known, Arc::clone(&now));
        Some((before, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_shared_out_and_come_back() {
        let places = Places::default();
        let address = |last: usize| IpAddr::from([192, 0, 2, u8::try_from(last).unwrap()]);
        let first: Vec<_> = (0..EACH)
            .map(|_| places.take(address(1)).unwrap())
            .collect();
        assert!(places.take(address(1)).is_none());
        let others: Vec<_> = (0..LISTENERS - EACH)
            .map(|place| places.take(address(2 + place / EACH)).unwrap())
            .collect();
        assert!(places.take(address(99)).is_none());
        drop(first);
        assert!(places.take(address(1)).is_some());
        drop(others);
        assert!(places.0.lock().unwrap().is_empty());
    }
}
