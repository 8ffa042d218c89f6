//! Rate limits per key, in memory.

use std::convert::Infallible;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::Fault;

/// Keys are swept out for the first time when there are so many.
const SWEEP: usize = 4096;

/// So many requests a minute for each key; the whole minute's share may come at once.
pub struct Limiter<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
    sweep_at: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// A limit of `per_minute` for each key; 0 counts as 1.
    #[must_use]
    pub fn per_minute(per_minute: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            sweep_at: AtomicUsize::new(SWEEP),
        }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// 429 with the seconds to wait.
    pub fn check(&self, key: &K) -> Result<(), Fault> {
        self.sweep();
        self.limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            let seconds = wait.as_secs() + 1;
            Fault {
                retry_after: Some(seconds),
                ..Fault::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    format!("Too many requests. Try again in {seconds} seconds."),
                )
            }
        })
    }

    /// Forgets the keys whose minute is over, before there are many; the threshold doubles over what is
    /// left, so that the sweep costs a constant share of each request.
    fn sweep(&self) {
        if self.limiter.len() < self.sweep_at.load(Ordering::Relaxed) {
            return;
        }
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
        self.sweep_at
            .store(SWEEP.max(self.limiter.len() * 2), Ordering::Relaxed);
    }
}

/// Where a request comes from: the peer's address, of IPv6 the network of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    /// Needs a server that was started with connect info; without it all callers are one.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.0.ip());
        Ok(address.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_over_its_limit_is_told_when_to_come_back() {
        let limiter = Limiter::per_minute(2);
        assert!(limiter.check(&1).is_ok());
        assert!(limiter.check(&1).is_ok());
        let fault = limiter.check(&1).unwrap_err();
        assert_eq!(fault.status, StatusCode::TOO_MANY_REQUESTS);
        assert!((1..=31).contains(&fault.retry_after.unwrap()), "{fault:?}");
        assert!(limiter.check(&2).is_ok(), "another key has its own share");
    }

    #[test]
    fn keys_whose_time_is_over_are_forgotten() {
        let limiter = Limiter::per_minute(u32::MAX);
        for key in 0..3 * SWEEP {
            limiter.check(&key).unwrap();
        }
        assert!(limiter.limiter.len() <= SWEEP, "{}", limiter.limiter.len());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_client() {
        let client = |text: &str| Client::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(client("2001:db8:1:2::7"), client("2001:db8:1:2:ffff::1"));
        assert_ne!(client("2001:db8:1:2::7"), client("2001:db8:1:3::7"));
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
    }
}
