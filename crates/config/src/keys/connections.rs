//! What holds for connections before any request is read.

use super::Default::{Is, Means};
use super::{Key, Kind};

pub(super) const TCP_KEEPALIVE: Kind = Kind::Either(&Kind::Word(&["off"], &[]), &Kind::Table(&[PROBES]));
pub(super) const TCP_KEEPALIVE_DEFAULT: super::Default = Means("the probes below");

/// What stands in an instance, and counts for all its listeners together.
pub(super) const OF_INSTANCE: &[Key] = &[
    Key {
        name: "max_connections",
        kind: CONNECTIONS,
        default: NO_LIMIT,
        help: "How many connections clients may have open to all listeners of the instance together. When they are reached, the connection that has been idle longest is closed for a new one, never one with a request in flight; if none is idle, `when_full` says what happens.",
        example: "max_connections = 100000",
    },
    Key {
        name: "max_connections_per_client",
        kind: CONNECTIONS,
        default: NO_LIMIT,
        help: "How many of them one client may have. One more is closed at once; other clients are not concerned. Connections that stand when a reload brings the cap are not counted.",
        example: "max_connections_per_client = 200",
    },
];

/// The same of a listener, for itself.
pub(super) const OF_LISTENER: &[Key] = &[
    Key {
        name: "max_connections",
        kind: CONNECTIONS,
        default: NO_LIMIT,
        help: "How many connections clients may have open to this listener, within those of its instance. When they are reached, the one that has been idle longest is closed for a new one.",
        example: "max_connections = 10000",
    },
    Key {
        name: "max_connections_per_client",
        kind: CONNECTIONS,
        default: NO_LIMIT,
        help: "How many connections one client may have open to this listener, within those of its instance. One more is closed at once.",
        example: "max_connections_per_client = 20",
    },
];

/// What a listener inherits.
pub(super) const INHERITED: &[Key] = &[
    Key {
        name: "when_full",
        kind: Kind::Word(&["wait", "refuse"], &[]),
        default: Is("\"wait\""),
        help: "What happens to a new connection when `max_connections` are open and none of them is idle: it waits in the kernel's queue, or it is closed at once.",
        example: "when_full = \"refuse\"",
    },
    Key {
        name: "client_prefix_v4",
        kind: Kind::Integer(1, 32),
        default: Is("32"),
        help: "How many bits of an IPv4 address tell one client of `max_connections_per_client` from another.",
        example: "client_prefix_v4 = 24",
    },
    Key {
        name: "client_prefix_v6",
        kind: Kind::Integer(1, 128),
        default: Is("64"),
        help: "How many bits of an IPv6 address tell one client of `max_connections_per_client` from another.",
        example: "client_prefix_v6 = 56",
    },
];

const PROBES: &[Key] = &[
    Key {
        name: "idle",
        kind: KERNEL_SECONDS,
        default: Is("\"2h\""),
        help: "How long nothing may come from the peer until the first probe, in whole seconds.",
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
        help: "How many probes in a row go unanswered until the connection is lost, one `interval` after the last.",
        example: "tcp_keepalive = { probes = 3 }",
    },
];

const CONNECTIONS: Kind = Kind::Integer(1, 1 << 24);
const NO_LIMIT: super::Default = Means("no limit but that of file descriptors");
// The kernel's range (`man 7 tcp`: TCP_KEEPIDLE, TCP_KEEPINTVL).
const KERNEL_SECONDS: Kind = Kind::Duration(1_000, 32_767_000);
