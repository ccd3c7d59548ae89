//! Keys of every service that a listener inherits from its load balancer.

use super::Default::{Is, Required};
use super::{Key, Kind, access, connections};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "tcp_keepalive",
        kind: connections::TCP_KEEPALIVE,
        default: connections::TCP_KEEPALIVE_DEFAULT,
        help: "TCP keepalive: probes by which the kernel detects that a client is gone without closing its connection, which is then closed. A client that answers probes stays connected. The same time, `idle` + `interval` × `probes`, also limits how long a client may accept no byte of the data that is sent to it, if it is at most 15 minutes. `\"off\"` sends no probes. A reload changes the setting for new connections.",
        example: "tcp_keepalive = { idle = \"60s\", interval = \"10s\", probes = 6 }",
    },
    access::key(
        "Which clients are allowed. Requests of others get 403 `access_denied` before a rule is chosen, and never reach a target; TCP connections of others are reset. Behind `trusted_proxies` the client is the address that they report. The lists of the load balancer, the listener and the rule do not replace each other: a client must be allowed by all of them. Tunnels that are already open stay open.",
    ),
    Key {
        name: "proxy_protocol",
        kind: Kind::List(&Kind::Text("address range")),
        default: Is("[]"),
        help: "Peers that begin each connection with a PROXY header, version 1 or 2, as addresses or ranges in CIDR form. From these peers the header is required and trusted: its source replaces the peer's address, and its destination port replaces the listener's port. It must arrive within `header_timeout`; a connection without a valid header is closed without a response and counted in `evenkeel_listener_proxy_headers_total`. From any other peer a PROXY header is a malformed request. A listener's list replaces the inherited one.",
        example: "proxy_protocol = [\"10.0.0.0/8\", \"2001:db8::/32\"]",
    },
    Key {
        name: "access_log",
        kind: Kind::Either(&Kind::Word(&["off"], &[]), &Kind::Table(&[ACCESS_LOG])),
        default: Is("\"off\""),
        help: "The access log, with one line per request, or per TCP connection with `protocol = \"tcp\"` and `\"tcp_ssl\"`. `\"off\"` turns an inherited log off.",
        example: "access_log = { path = \"access.log\", format = \"json\" }",
    },
];

const ACCESS_LOG: &[Key] = &[
    Key {
        name: "path",
        kind: Kind::Text("file, or `-` for standard output"),
        default: Required,
        help: "The file that lines are appended to, or `-` for standard output. A relative path is relative to this file.",
        example: "access_log = { path = \"-\" }",
    },
    Key {
        name: "format",
        kind: Kind::Word(&["text", "json"], &[]),
        default: Is("\"text\""),
        help: "Plain text, or one JSON object per line.",
        example: "access_log = { path = \"access.log\", format = \"json\" }",
    },
];
