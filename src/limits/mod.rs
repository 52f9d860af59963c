//! What one user or one address may ask for, before anything is spent on it.
//!
//! | file | does |
//! |---|---|
//! | `rate` | how many requests a minute: the arithmetic, and the counts by key |
//! | `address` | whose address a request comes from; what counts as one |
//! | `connections` | how many connections an address has open |
//! | `sharing` | counts together with other instances, through Redis |
//!
//! **Deciding does no I/O.** An instance decides by what it knows; what it admitted it tells Redis a
//! tenth of a second later, in one command for all, and learns what all have admitted. So a limit
//! that is shared may be overstepped by what comes within that tenth at several instances, and no
//! request waits for Redis. Without Redis, or while it is away, each instance counts by itself.
//!
//! Live runs and tokens a day are limited where runs begin, see [`run`](crate::run).

mod address;
mod connections;
mod rate;
mod sharing;

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{live::Live, protocol::UserId};

pub use address::{AddressGroup, ForwardedFor, TrustedProxies};
pub use connections::{ConnectionPlace, Connections};
use rate::Rates;

/// How many requests there may be; 0 is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSettings {
    /// Of one user, in a minute.
    pub per_user: u32,
    /// From one address, in a minute.
    pub per_address: u32,
    /// Whether private addresses are limited as well. Mostly such a one is a proxy that nobody has
    /// named, and all users come from it.
    pub private_addresses: bool,
    /// Who may say for whom a request is made.
    pub proxies: TrustedProxies,
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self {
            per_user: 120,
            per_address: 600,
            private_addresses: false,
            proxies: TrustedProxies::default(),
        }
    }
}

/// A request too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// How many a minute are allowed.
    pub per_minute: u32,
    /// When there is room for one again.
    pub retry_after: Duration,
}

/// Counts the requests of users and addresses. Cheap to clone.
#[derive(Clone)]
pub struct RequestLimits(Arc<Parts>);

struct Parts {
    users: Rates<UserId>,
    addresses: Rates<AddressGroup>,
    private_addresses: bool,
    proxies: TrustedProxies,
}

impl RequestLimits {
    /// Nothing is counted yet.
    pub fn new(settings: RequestSettings) -> Self {
        Self(Arc::new(Parts {
            users: Rates::new(settings.per_user),
            addresses: Rates::new(settings.per_address),
            private_addresses: settings.private_addresses,
            proxies: settings.proxies,
        }))
    }

    /// Admits one more request of a user, or says when.
    pub fn admit_user(&self, user: &UserId) -> Result<(), TooMany> {
        self.0.users.take(user, Instant::now())
    }

    /// Admits one more request from an address, or says when.
    pub fn admit_address(&self, address: IpAddr) -> Result<(), TooMany> {
        let group = AddressGroup::of(address);
        if group.is_private() && !self.0.private_addresses {
            return Ok(());
        }
        self.0.addresses.take(&group, Instant::now())
    }

    /// The address that a request comes from: that of the connection's other end, or what a trusted
    /// proxy there says.
    pub fn client_address(&self, peer: IpAddr, forwarded: ForwardedFor<'_>) -> IpAddr {
        self.0.proxies.client(peer, forwarded)
    }

    /// Counts together with other instances. Never ends; without Redis it does nothing.
    pub async fn share(&self, live: &Live) {
        if !live.is_shared() {
            return std::future::pending().await;
        }
        let Parts { users, addresses, .. } = &*self.0;
        tokio::join!(
            sharing::share(live, users, |user| format!("user:{user}")),
            sharing::share(live, addresses, |group| format!("address:{group}")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(private_addresses: bool) -> RequestLimits {
        RequestLimits::new(RequestSettings {
            per_address: 2,
            private_addresses,
            ..RequestSettings::default()
        })
    }

    fn admitted(limits: &RequestLimits, addresses: &[&str]) -> Vec<bool> {
        let admit = |address: &&str| limits.admit_address(address.parse().unwrap()).is_ok();
        addresses.iter().map(admit).collect()
    }

    #[test]
    fn an_address_of_ipv6_counts_with_its_network() {
        let mapped_and_plain = ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"];
        assert_eq!(admitted(&limits(false), &mapped_and_plain), [true, true, false, true]);

        let one_network = ["2001:db8::1", "2001:db8::2:0:0:1", "2001:db8::3", "2001:db8:0:1::1"];
        assert_eq!(admitted(&limits(false), &one_network), [true, true, false, true]);
    }

    #[test]
    fn private_addresses_are_limited_only_where_that_is_said() {
        let addresses = ["10.0.0.1"; 3];
        assert_eq!(admitted(&limits(false), &addresses), [true; 3]);
        assert_eq!(admitted(&limits(true), &addresses), [true, true, false]);
    }
}
