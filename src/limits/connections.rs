//! How many connections an address has open.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use super::{AddressGroup, TrustedProxies};

/// The connections of all addresses. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    max_per_address: usize,
    private_addresses: bool,
    proxies: TrustedProxies,
    open: Mutex<HashMap<AddressGroup, usize>>,
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub struct ConnectionPlace {
    /// `None` where nobody counts.
    counted: Option<(Arc<Parts>, AddressGroup)>,
}

impl Connections {
    /// A limit of 0 is none. Trusted proxies, through which everybody comes, are not limited, nor
    /// are private addresses unless that is said.
    pub fn new(max_per_address: usize, private_addresses: bool, proxies: TrustedProxies) -> Self {
        let open = Mutex::default();
        Self(Arc::new(Parts { max_per_address, private_addresses, proxies, open }))
    }

    /// A place for one more connection from there; `None` when there are enough.
    pub fn enter(&self, peer: IpAddr) -> Option<ConnectionPlace> {
        let parts = &self.0;
        let group = AddressGroup::of(peer);
        let is_free = parts.max_per_address == 0
            || (group.is_private() && !parts.private_addresses)
            || parts.proxies.contains(peer);
        if is_free {
            return Some(ConnectionPlace { counted: None });
        }
        // Every write leaves the map whole, so a poisoned lock is as good as another.
        let mut open = parts.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(group).or_default();
        if *count >= parts.max_per_address {
            return None;
        }
        *count += 1;
        Some(ConnectionPlace { counted: Some((parts.clone(), group)) })
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let Some((parts, group)) = &self.counted else { return };
        // As above.
        let mut open = parts.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(group) {
            *count -= 1;
            if *count == 0 {
                open.remove(group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_as_many_connections_as_it_may_and_a_closed_one_makes_room() {
        let proxies = TrustedProxies::parse(&["192.0.2.9".to_owned()]).unwrap();
        let connections = Connections::new(2, false, proxies);
        let enter = |address: &str| connections.enter(address.parse().unwrap());

        let first = enter("203.0.113.1");
        let second = enter("203.0.113.1");
        assert!(first.is_some() && second.is_some());
        assert!(enter("203.0.113.1").is_none());
        assert!(enter("203.0.113.2").is_some());

        drop(first);
        assert!(enter("203.0.113.1").is_some());

        let unlimited: Vec<_> = ["192.0.2.9", "10.0.0.1"].repeat(3);
        let places: Vec<_> = unlimited.into_iter().map(enter).collect();
        assert!(places.iter().all(Option::is_some));
        drop((second, places));
        assert!(connections.0.open.lock().unwrap().is_empty());
    }
}
