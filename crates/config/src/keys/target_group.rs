//! Keys of a target group.

use super::Default::{Is, Means, Required};
use super::{Key, Kind, connections, persistence, tls};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "protocol",
        kind: Kind::Word(&["http", "https", "h2c", "h2", "tcp"], &["udp"]),
        default: Means("with TCP listeners that forward here `\"tcp\"`, otherwise `\"http\"`"),
        help: "The protocol of the targets: `http` is HTTP/1.1 without encryption, `https` HTTP/1.1 with TLS, `h2c` HTTP/2 without encryption, by prior knowledge, and `h2` HTTP/2 with TLS. gRPC needs one of these two. `tcp` is for listeners with `protocol = \"tcp\"` and `\"tcp_ssl\"`, and only for them.",
        example: "protocol = \"h2\"",
    },
    Key {
        name: "tls",
        kind: Kind::Table(&[tls::OF_TARGETS]),
        default: Means("certificates are verified with the roots of the system"),
        help: "TLS to targets, for `protocol = \"https\"` and `\"h2\"`.",
        example: "tls = { server_name = \"app.internal\", ca = \"internal-ca.pem\" }",
    },
    Key {
        name: "targets",
        kind: Kind::List(&Kind::Either(&Kind::Text("address and port"), &Kind::Table(&[TARGET]))),
        default: Required,
        help: "The targets, each an address with its port, or a table with address and weight.",
        example: "targets = [\"10.0.0.1:8080\", { address = \"10.0.0.2:8080\", weight = 5 }]",
    },
    Key {
        name: "algorithm",
        kind: Kind::Word(
            &["weighted_round_robin", "least_connections", "random_two", "source_ip_hash", "hash"],
            &["least_latency"],
        ),
        default: Is("\"weighted_round_robin\""),
        help: "How a target is chosen: in turn by weight; the one with the fewest requests in flight, or TCP connections, relative to its weight; the less busy of two random ones; by a hash of the client's address; or by a hash of what `hash_on` names.",
        example: "algorithm = \"least_connections\"",
    },
    Key {
        name: "hash_on",
        kind: Kind::Table(&[HASH_ON]),
        default: Means("needed with `algorithm = \"hash\"`, not allowed with others"),
        help: "What is hashed. For a request without it, the client's address is hashed.",
        example: "hash_on = { header = \"X-User\" }",
    },
    Key {
        name: "persistence",
        kind: Kind::Table(&[persistence::KEYS]),
        default: Means("every request is given a target by the algorithm"),
        help: "Keeps the requests of one client at one target, as long as it is healthy. Rules may say otherwise.",
        example: "persistence = { type = \"cookie\", ttl = \"8h\" }",
    },
    Key {
        name: "health_check",
        kind: Kind::Table(&[HEALTH_CHECK]),
        default: Means("no checks: every target counts as healthy"),
        help: "Probes every target. A new target gets no requests until it is healthy, unless its group has no healthy target.",
        example: "health_check = { type = \"http\", path = \"/healthz\" }",
    },
    Key {
        name: "timeouts",
        kind: Kind::Table(&[TIMEOUTS]),
        default: Means("the timeouts below"),
        help: "Timeouts for targets.",
        example: "timeouts = { connect = \"1s\", response = \"30s\" }",
    },
    Key {
        name: "keepalive",
        kind: Kind::Table(&[KEEPALIVE]),
        default: Means("the settings below"),
        help: "Idle connections to targets, which are kept for later requests.",
        example: "keepalive = { idle_timeout = \"30s\", idle_max = 64 }",
    },
    Key {
        name: "tcp_keepalive",
        kind: connections::TCP_KEEPALIVE,
        default: connections::TCP_KEEPALIVE_DEFAULT,
        help: "TCP keepalive: probes by which the kernel detects that a target is gone without closing its connections, which are then closed. The same time, `idle` + `interval` × `probes`, also limits how long a target may accept no byte of the data that is sent to it, if it is at most 15 minutes. `\"off\"` sends no probes. A reload changes the setting for new connections.",
        example: "tcp_keepalive = { idle = \"30s\", interval = \"5s\", probes = 3 }",
    },
    Key {
        name: "proxy_protocol_out",
        kind: Kind::Word(&["v1", "v2"], &[]),
        default: Means("none is sent"),
        help: "The version of the PROXY header with which each connection to a target begins. It names the client's address, and with `v2` also its TLS: version, cipher, name, protocol and the common name of its certificate. Health checks at the target's own port begin with one that names no client. Targets must expect it: it is sent to all of the group. Only for `protocol = \"tcp\"`.",
        example: "proxy_protocol_out = \"v2\"",
    },
    Key {
        name: "max_connections",
        kind: connections::CONNECTIONS,
        default: connections::NO_LIMIT,
        help: "How many requests, or connections of TCP listeners, each target of the group may have in flight, over all workers. A target that is full is left out of the choice, and sessions go elsewhere for as long as theirs is; if all are full, the request is answered with 503, or the connection reset, and the reason is `targets_full`. Health checks and idle connections do not count, WebSockets do.",
        example: "max_connections = 200",
    },
];

const TARGET: &[Key] = &[
    Key {
        name: "address",
        kind: Kind::Text("address and port"),
        default: Required,
        help: "The target's address and port, IPv6 in brackets.",
        example: "targets = [{ address = \"[2001:db8::1]:8080\" }]",
    },
    Key {
        name: "weight",
        kind: Kind::Integer(0, 1000),
        default: Is("1"),
        help: "The target's share of requests relative to the others. With 0 it gets no new requests.",
        example: "targets = [{ address = \"10.0.0.1:8080\", weight = 10 }]",
    },
];

const HASH_ON: &[Key] = &[Key {
    name: "header",
    kind: Kind::Text("header"),
    default: Required,
    help: "The request header whose value is hashed.",
    example: "hash_on = { header = \"X-User\" }",
}];

const HEALTH_CHECK: &[Key] = &[
    Key {
        name: "type",
        kind: Kind::Word(&["tcp", "http", "https"], &["grpc", "udp", "custom"]),
        default: Required,
        help: "With `tcp` the target must accept a connection; with `http` it must answer a `GET` with an expected status; `https` is the same over TLS with the group's `tls` settings, so that a certificate that fails for requests also fails the probe. `https` is for groups with `protocol = \"https\"` or `\"h2\"`, and `http` for the others; with a separate `port` for the check, `http` is for all groups. Probes use HTTP/2 if requests do, and their responses are read under the same rules as those to requests, with the strictest `limits` of the listeners that forward to the group.",
        example: "health_check = { type = \"tcp\" }",
    },
    Key {
        name: "path",
        kind: Kind::Text("path"),
        default: Is("\"/\""),
        help: "The path of the probe, with its query if there is one. Only with `type = \"http\"` and `\"https\"`.",
        example: "health_check = { type = \"http\", path = \"/healthz\" }",
    },
    Key {
        name: "host",
        kind: Kind::Text("host"),
        default: Means("the target's address"),
        help: "The `Host` of the probe. Only with `type = \"http\"` and `\"https\"`.",
        example: "health_check = { type = \"http\", host = \"app.example.com\" }",
    },
    Key {
        name: "expected",
        kind: Kind::OneOrMore(&Kind::Either(&Kind::Integer(200, 599), &Kind::Text("class or range"))),
        default: Is("[\"200-399\"]"),
        help: "Statuses of a healthy target: single statuses, classes (`\"2xx\"`) and ranges (`\"200-399\"`). Only with `type = \"http\"` and `\"https\"`.",
        example: "health_check = { type = \"http\", expected = [200, \"3xx\"] }",
    },
    Key {
        name: "interval",
        kind: Kind::Duration(100, 3_600_000),
        default: Is("\"5s\""),
        help: "The time from one probe of a target to the next, with some jitter so that probes do not synchronise.",
        example: "health_check = { type = \"tcp\", interval = \"1s\" }",
    },
    Key {
        name: "timeout",
        kind: Kind::Duration(10, 3_600_000),
        default: Means("the shorter of `\"2s\"` and `interval`"),
        help: "How long a probe may take; not longer than `interval`.",
        example: "health_check = { type = \"tcp\", timeout = \"500ms\" }",
    },
    Key {
        name: "healthy",
        kind: Kind::Integer(1, 100),
        default: Is("3"),
        help: "Successes in a row that make a target healthy.",
        example: "health_check = { type = \"tcp\", healthy = 2 }",
    },
    Key {
        name: "unhealthy",
        kind: Kind::Integer(1, 100),
        default: Is("3"),
        help: "Failures in a row that make a target unhealthy.",
        example: "health_check = { type = \"tcp\", unhealthy = 2 }",
    },
    Key {
        name: "port",
        kind: Kind::Integer(1, 65_535),
        default: Means("the target's own"),
        help: "The port that is probed.",
        example: "health_check = { type = \"http\", port = 9000 }",
    },
];

const TIMEOUTS: &[Key] = &[
    Key {
        name: "connect",
        kind: Kind::Duration(100, 3_600_000),
        default: Is("\"4s\""),
        help: "How long a target may take to accept a connection. After that another target is tried.",
        example: "timeouts = { connect = \"1s\" }",
    },
    Key {
        name: "response",
        kind: Kind::Duration(100, 3_600_000),
        default: Is("\"60s\""),
        help: "How long a target may take until the first byte of its response, after the whole request was sent, or while the client waits for `100 Continue`. After that the client gets status 504.",
        example: "timeouts = { response = \"5m\" }",
    },
    Key {
        name: "idle",
        kind: Kind::Duration(100, 3_600_000),
        default: Is("\"60s\""),
        help: "How long a target may pause in the middle of its response, or read nothing of the request. After that the exchange is ended.",
        example: "timeouts = { idle = \"30s\" }",
    },
];

const KEEPALIVE: &[Key] = &[
    Key {
        name: "idle_timeout",
        kind: Kind::Duration(0, 3_600_000),
        default: Is("\"60s\""),
        help: "How long a connection may be idle before it is closed; it should be shorter than the targets' own idle timeout. With `0s` none is kept.",
        example: "keepalive = { idle_timeout = \"4s\" }",
    },
    Key {
        name: "idle_max",
        kind: Kind::Integer(0, 100_000),
        default: Is("512"),
        help: "Idle connections to one target that each worker keeps; 0 keeps none.",
        example: "keepalive = { idle_max = 64 }",
    },
];
