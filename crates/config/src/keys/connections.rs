//! What holds for connections before any request is read.

use super::Default::{Is, Means};
use super::{Key, Kind};

pub(super) const TCP_KEEPALIVE: Kind = Kind::Either(&Kind::Word(&["off"], &[]), &Kind::Table(&[PROBES]));
pub(super) const TCP_KEEPALIVE_DEFAULT: super::Default = Means("the probes below");

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

// The kernel's range (`man 7 tcp`: TCP_KEEPIDLE, TCP_KEEPINTVL).
const KERNEL_SECONDS: Kind = Kind::Duration(1_000, 32_767_000);
