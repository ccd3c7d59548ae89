//! Connection limits and TCP keepalive.

use super::Default::{Is, Means};
use super::{Key, Kind};

pub(super) const TCP_KEEPALIVE: Kind = Kind::Either(&Kind::Word(&["off"], &[]), &Kind::Table(&[PROBES]));
pub(super) const TCP_KEEPALIVE_DEFAULT: super::Default = Means("the probes below");

/// The limits of a load balancer, over all its listeners.
pub(super) const OF_INSTANCE: &[Key] = &[
    Key {
        name: "max_connections",
        kind: CONNECTIONS,
        default: NO_LIMIT,
        help: "How many connections clients may have open to all listeners of the load balancer together. At the limit a new connection evicts the one that has been idle longest, never one with a request in flight; if none is idle, `when_full` applies.",
        example: "max_connections = 100000",
    },
    Key {
        name: "max_connections_per_client",
        kind: CONNECTIONS,
        default: NO_LIMIT,
        help: "How many of these connections one client may have open. A further one is closed at once; other clients are not affected. Connections that were open before a reload introduced the limit are not counted.",
        example: "max_connections_per_client = 200",
    },
];

/// The limits of a single listener.
pub(super) const OF_LISTENER: &[Key] = &[
    Key {
        name: "max_connections",
        kind: CONNECTIONS,
        default: NO_LIMIT,
        help: "How many connections clients may have open to this listener; the limit of its load balancer applies as well. At the limit a new connection evicts the one that has been idle longest.",
        example: "max_connections = 10000",
    },
    Key {
        name: "max_connections_per_client",
        kind: CONNECTIONS,
        default: NO_LIMIT,
        help: "How many connections one client may have open to this listener; the limit of its load balancer applies as well. A further one is closed at once.",
        example: "max_connections_per_client = 20",
    },
];

/// The keys that a listener inherits.
pub(super) const INHERITED: &[Key] = &[
    Key {
        name: "when_full",
        kind: Kind::Word(&["wait", "refuse"], &[]),
        default: Means("for HTTP `\"wait\"`, for TCP `\"refuse\"`"),
        help: "What happens to a new connection when `max_connections` are open and none of them is idle: with `wait` it stays in the accept queue, with `refuse` it is closed at once, or reset with `protocol = \"tcp\"` and `\"tcp_ssl\"`, whose connections are never evicted.",
        example: "when_full = \"refuse\"",
    },
    Key {
        name: "client_prefix_v4",
        kind: Kind::Integer(1, 32),
        default: Is("32"),
        help: "How many leading bits of an IPv4 address identify a client, for `max_connections_per_client`.",
        example: "client_prefix_v4 = 24",
    },
    Key {
        name: "client_prefix_v6",
        kind: Kind::Integer(1, 128),
        default: Is("64"),
        help: "How many leading bits of an IPv6 address identify a client, for `max_connections_per_client`.",
        example: "client_prefix_v6 = 56",
    },
];

const PROBES: &[Key] = &[
    Key {
        name: "idle",
        kind: KERNEL_SECONDS,
        default: Is("\"2h\""),
        help: "How long the peer may be silent before the first probe is sent, in whole seconds.",
        example: "tcp_keepalive = { idle = \"60s\" }",
    },
    Key {
        name: "interval",
        kind: KERNEL_SECONDS,
        default: Is("\"75s\""),
        help: "The time from one unanswered probe to the next, in whole seconds.",
        example: "tcp_keepalive = { interval = \"10s\" }",
    },
    Key {
        name: "probes",
        kind: Kind::Integer(1, 127),
        default: Is("10"),
        help: "How many unanswered probes in a row end the connection, one `interval` after the last.",
        example: "tcp_keepalive = { probes = 3 }",
    },
];

pub(super) const CONNECTIONS: Kind = Kind::Integer(1, 1 << 24);
pub(super) const NO_LIMIT: super::Default = Means("no limit except that of file descriptors");
// The kernel's range (`man 7 tcp`: TCP_KEEPIDLE, TCP_KEEPINTVL).
const KERNEL_SECONDS: Kind = Kind::Duration(1_000, 32_767_000);
