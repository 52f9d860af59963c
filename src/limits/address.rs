//! Whose address a request comes from, and what counts as one.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

/// What counts as one address: of IPv6 the network of 64 bits, which is what one customer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressGroup(IpAddr);

impl AddressGroup {
    /// The group of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                Self(IpAddr::V6(network.into()))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }

    /// Whether it is this machine's, or one that the internet does not know.
    pub fn is_private(&self) -> bool {
        match self.0 {
            IpAddr::V4(address) => {
                let [first, second, ..] = address.octets();
                address.is_loopback()
                    || address.is_private()
                    || address.is_link_local()
                    // Shared between customers of one provider: RFC 6598.
                    || (first == 100 && second & 0xc0 == 64)
            }
            // The loopback address `::1` is in the network `::`.
            IpAddr::V6(address) => {
                address.is_unspecified()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        }
    }
}

impl fmt::Display for AddressGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The proxies that are believed when they say for whom a request is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Addresses, or networks as `10.0.0.0/8`; an error is one that is neither.
    pub fn parse(list: &[String]) -> Result<Self, String> {
        let network = |text: &String| {
            let network =
                text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| text.clone())
        };
        list.iter().map(network).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who stands before the outermost of the proxies. Each appends whom it was called by to
    /// `X-Forwarded-For`, so the list is read from its end, and only as far as those go who are
    /// trusted: what is left of them, anybody may have written.
    pub(super) fn client(&self, peer: IpAddr, forwarded: ForwardedFor<'_>) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut entries = forwarded.0.rsplit(',');
        while self.contains(client) {
            match entries.next().and_then(parse_entry) {
                Some(before) => client = before.to_canonical(),
                None => break,
            }
        }
        client
    }
}

/// What `X-Forwarded-For` says; empty without one.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForwardedFor<'a>(pub &'a str);

/// An address, in some proxies with a port.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.parse().ok();
    bare.or_else(|| entry.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &str) -> String {
        let list = ["10.0.0.0/8", "2001:db8::5", "192.0.2.9"].map(str::to_owned);
        let proxies = TrustedProxies::parse(&list).unwrap();
        proxies.client(peer.parse().unwrap(), ForwardedFor(forwarded)).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_who_its_client_is() {
        for (peer, forwarded, expected) in [
            ("198.51.100.7", "203.0.113.1", "198.51.100.7"),
            ("10.1.2.3", "203.0.113.1", "203.0.113.1"),
            ("::ffff:10.1.2.3", "203.0.113.1", "203.0.113.1"),
            ("2001:db8::5", "2001:db8::77", "2001:db8::77"),
            // What stands to the left, the client may have written itself.
            ("10.1.2.3", "1.1.1.1, 203.0.113.1", "203.0.113.1"),
            // Two proxies in a row.
            ("10.1.2.3", "1.1.1.1, 203.0.113.1, 192.0.2.9", "203.0.113.1"),
            ("10.1.2.3", "203.0.113.1:4711", "203.0.113.1"),
            ("10.1.2.3", "[2001:db8::77]:4711", "2001:db8::77"),
            // A proxy that says nothing that can be read is the client itself.
            ("10.1.2.3", "", "10.1.2.3"),
            ("10.1.2.3", "unknown", "10.1.2.3"),
            ("10.1.2.3", "203.0.113.1, unknown", "10.1.2.3"),
            ("10.1.2.3", "10.9.9.9", "10.9.9.9"),
        ] {
            assert_eq!(client(peer, forwarded), expected, "{peer}, {forwarded}");
        }
    }

    #[test]
    fn what_is_no_address_is_no_proxy() {
        for bad in ["", "localhost", "10.0.0.0/33", "10.0.0.1:80"] {
            assert_eq!(TrustedProxies::parse(&[bad.to_owned()]), Err(bad.to_owned()));
        }
    }

    #[test]
    fn private_addresses_are_those_that_the_internet_does_not_know() {
        for (address, is_private) in [
            ("127.0.0.1", true),
            ("10.1.1.1", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("169.254.0.1", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("8.8.8.8", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
        ] {
            let group = AddressGroup::of(address.parse().unwrap());
            assert_eq!(group.is_private(), is_private, "{address}");
        }
    }
}
