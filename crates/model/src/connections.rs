//! Settings of connections, which apply before any request is read.

use std::net::IpAddr;
use std::time::Duration;

use crate::LoadBalancerName;

/// A load balancer: what its listeners share.
#[derive(Clone, Debug)]
pub struct LoadBalancer {
    pub name: LoadBalancerName,
    /// For all its listeners together.
    pub connections: ConnectionLimits,
}

/// How many connections clients may have open at a time (KA10, KA11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// 1–16 777 216; `None` is no limit.
    pub max: Option<u32>,
    /// The limit for one client.
    pub per_client: Option<u32>,
    pub client: ClientPrefix,
}

/// How many leading bits of an address identify a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientPrefix {
    /// 1–32.
    pub v4_bits: u8,
    /// 1–128.
    pub v6_bits: u8,
}

/// What happens to a new connection at the connection limit when no idle connection can be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It stays in the accept queue.
    Wait,
    /// It is closed.
    Refuse,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { max: None, per_client: None, client: ClientPrefix { v4_bits: 32, v6_bits: 64 } }
    }
}

impl ClientPrefix {
    /// The first address of the client's prefix, which identifies the client; IPv4 in its IPv6-mapped form.
    pub fn first(self, address: IpAddr) -> u128 {
        let (bits, kept) = match address.to_canonical() {
            IpAddr::V4(v4) => (v4.to_ipv6_mapped().to_bits(), 96 + self.v4_bits.min(32)),
            IpAddr::V6(v6) => (v6.to_bits(), self.v6_bits.min(128)),
        };
        let rest = u128::MAX.checked_shr(kept.into()).unwrap_or(0);
        bits & !rest
    }
}

/// TCP keepalive, which detects a peer that is gone without a FIN or RST (KA9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpKeepalive {
    /// Idle time until the first probe, 1–32 767 s.
    pub idle: Duration,
    /// Time between two probes, 1–32 767 s.
    pub interval: Duration,
    /// How many unanswered probes end the connection, 1–127.
    pub probes: u8,
}

impl Default for TcpKeepalive {
    fn default() -> Self {
        Self { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), probes: 10 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_the_same_prefix_are_one_client() {
        let same = |v4_bits, v6_bits, one: &str, other: &str| {
            let client = ClientPrefix { v4_bits, v6_bits };
            client.first(one.parse().unwrap()) == client.first(other.parse().unwrap())
        };
        for (v4_bits, v6_bits, one, other, is_same) in [
            (32, 64, "192.0.2.1", "192.0.2.1", true),
            (32, 64, "192.0.2.1", "192.0.2.2", false),
            (24, 64, "192.0.2.1", "192.0.2.255", true),
            (24, 64, "192.0.2.1", "192.0.3.1", false),
            (1, 64, "1.2.3.4", "127.0.0.1", true),
            (1, 64, "1.2.3.4", "128.0.0.1", false),
            (32, 64, "2001:db8::1", "2001:db8::ffff:1", true),
            (32, 64, "2001:db8::1", "2001:db8:0:1::1", false),
            (32, 128, "2001:db8::1", "2001:db8::2", false),
            (32, 1, "::1", "7fff::1", true),
            (32, 64, "192.0.2.1", "::ffff:192.0.2.1", true),
            (32, 64, "192.0.2.1", "::c000:201", false),
        ] {
            assert_eq!(same(v4_bits, v6_bits, one, other), is_same, "/{v4_bits} /{v6_bits} {one} {other}");
        }
    }
}
