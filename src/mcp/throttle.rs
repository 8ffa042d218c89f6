//! How many tools a client may call.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Addresses remembered before those that have their whole allowance back are forgotten.
const REMEMBERED: usize = 10_000;

/// An allowance per caller, refilled evenly over the time.
pub(super) struct Throttle<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// At most so many calls a minute, at least one.
    pub(super) fn per_minute(calls: u32) -> Self {
        Self::new(Quota::per_minute(at_least_one(calls)))
    }

    /// At most so many calls an hour, at least one.
    pub(super) fn per_hour(calls: u32) -> Self {
        Self::new(Quota::per_hour(at_least_one(calls)))
    }

    fn new(quota: Quota) -> Self {
        Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a call, or says how long to wait for the next.
    pub(super) fn take(&self, key: &K) -> Result<(), Duration> {
        if self.limiter.len() > REMEMBERED {
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(key)
            .map_err(|refused| refused.wait_time_from(self.clock.now()))
    }
}

fn at_least_one(calls: u32) -> NonZeroU32 {
    NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN)
}

/// One household or server: an IPv4 address, or the first 64 bits of an IPv6 one.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        network(text.parse().unwrap())
    }

    #[test]
    fn an_allowance_ends_and_says_for_how_long() {
        let throttle = Throttle::per_minute(2);
        assert_eq!(throttle.take(&address("192.0.2.1")), Ok(()));
        assert_eq!(throttle.take(&address("192.0.2.1")), Ok(()));
        let wait = throttle.take(&address("192.0.2.1")).unwrap_err();
        assert!(
            wait > Duration::from_secs(25) && wait <= Duration::from_secs(30),
            "{wait:?}"
        );
        assert_eq!(throttle.take(&address("192.0.2.2")), Ok(()));
    }

    #[test]
    fn neighbours_on_one_ipv6_network_share_an_allowance() {
        let throttle = Throttle::per_minute(1);
        assert_eq!(throttle.take(&address("2001:db8::1")), Ok(()));
        assert!(throttle.take(&address("2001:db8::2")).is_err());
        assert_eq!(throttle.take(&address("2001:db8:0:1::1")), Ok(()));
    }

    #[test]
    fn an_ipv4_address_is_the_same_inside_ipv6() {
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    }

    #[test]
    fn no_allowance_at_all_still_means_one() {
        assert_eq!(Throttle::per_minute(0).take(&address("192.0.2.1")), Ok(()));
    }
}
