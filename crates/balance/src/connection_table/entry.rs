//! What the table holds of one connection.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU64;

use super::links::Links;
use super::{ConnectionId, Ends, IdleTimeout, ListenerNumber, Opening, Protocol, Row, ServerNumber, State};

/// One connection. Times are milliseconds of the caller's clock.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    ends: PackedEnds,
    pub(super) listener: ListenerNumber,
    pub(super) protocol: Protocol,
    pub(super) state: State,
    timeout_kind: TimeoutKind,
    /// The wheel's slot that it is in.
    pub(super) slot: u16,
    timeout_ms: u32,
    pub(super) number: u32,
    server: u32,
    began: u64,
    /// When the last byte moved.
    active: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) session: Option<NonZeroU64>,
    pub(super) links: [Links; 2],
    pub(super) payload: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeoutKind {
    None,
    Ends,
    Shown,
}

const NO_SERVER: u32 = u32::MAX;

impl<T> Entry<T> {
    pub(super) fn new(opening: Opening<T>, number: u32, now: u64) -> Self {
        let Opening { protocol, ends, state, listener, idle_timeout, payload } = opening;
        let mut entry = Self {
            ends: PackedEnds::new(ends),
            listener,
            protocol,
            state,
            timeout_kind: TimeoutKind::None,
            slot: 0,
            timeout_ms: 0,
            number,
            server: NO_SERVER,
            began: now,
            active: now,
            bytes_in: 0,
            bytes_out: 0,
            session: None,
            links: [Links::NONE; 2],
            payload,
        };
        entry.set_timeout(idle_timeout);
        entry
    }

    pub(super) fn words(&self) -> [u64; 5] {
        self.ends.words()
    }

    pub(super) fn ends(&self) -> Ends {
        self.ends.unpack()
    }

    pub(super) fn is_flow(&self) -> bool {
        self.protocol == Protocol::Udp
    }

    pub(super) fn set_timeout(&mut self, timeout: IdleTimeout) {
        (self.timeout_kind, self.timeout_ms) = match timeout {
            IdleTimeout::None => (TimeoutKind::None, 0),
            IdleTimeout::Ends(ms) => (TimeoutKind::Ends, ms),
            IdleTimeout::Shown(ms) => (TimeoutKind::Shown, ms),
        };
    }

    pub(super) fn set_server(&mut self, server: Option<ServerNumber>) {
        self.server = server.map_or(NO_SERVER, |server| server.0);
    }

    pub(super) fn touch(&mut self, now: u64) {
        self.active = self.active.max(now);
    }

    /// When it ends if no byte comes; `None`: the table does not end it.
    pub(super) fn due(&self) -> Option<u64> {
        (self.timeout_kind == TimeoutKind::Ends)
            .then(|| self.active.saturating_add(u64::from(self.timeout_ms)))
    }

    pub(super) fn row(&self, place: u32, now: u64) -> Row {
        let idle = now.saturating_sub(self.active);
        Row {
            id: ConnectionId { place, number: self.number },
            protocol: self.protocol,
            ends: self.ends(),
            server: (self.server != NO_SERVER).then_some(ServerNumber(self.server)),
            state: self.state,
            listener: self.listener,
            age: now.saturating_sub(self.began),
            idle,
            idle_remaining: (self.timeout_kind != TimeoutKind::None)
                .then(|| u64::from(self.timeout_ms).saturating_sub(idle)),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            session: self.session,
        }
    }
}

/// Both ends in 40 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PackedEnds {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    source_port: u16,
    destination_port: u16,
    /// The interface of link-local addresses. If both ends are such, they have the same.
    zone: u32,
}

impl PackedEnds {
    pub(super) fn new(ends: Ends) -> Self {
        let address = |end: SocketAddr| match end.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let zone = |end| if let SocketAddr::V6(v6) = end { v6.scope_id() } else { 0 };
        Self {
            source: address(ends.source),
            destination: address(ends.destination),
            source_port: ends.source.port(),
            destination_port: ends.destination.port(),
            zone: zone(ends.source).max(zone(ends.destination)),
        }
    }

    pub(super) fn words(self) -> [u64; 5] {
        let [source, destination] = [self.source.to_bits(), self.destination.to_bits()];
        let ports = u64::from(self.source_port) << 48 | u64::from(self.destination_port) << 32;
        [
            (source >> 64) as u64,
            source as u64,
            (destination >> 64) as u64,
            destination as u64,
            ports | u64::from(self.zone),
        ]
    }

    pub(super) fn unpack(self) -> Ends {
        let end = |address: Ipv6Addr, port| match address.to_canonical() {
            IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_multicast() => {
                SocketAddr::V6(SocketAddrV6::new(v6, port, 0, self.zone))
            }
            ip => SocketAddr::new(ip, port),
        };
        Ends {
            source: end(self.source, self.source_port),
            destination: end(self.destination, self.destination_port),
        }
    }
}
