//! What a listener inherits from its load balancer.

use super::Default::{Is, Means, Required};
use super::{Key, Kind, access, compression, connections, http2};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "keepalive_timeout",
        kind: Kind::Duration(0, 3_600_000),
        default: Is("\"75s\""),
        help: "How long a client's connection may be idle after a response before it is closed. With `0s` every response closes it.",
        example: "keepalive_timeout = \"30s\"",
    },
    Key {
        name: "keepalive_requests",
        kind: Kind::Integer(1, 10_000_000),
        default: Is("10000"),
        help: "How many requests one client connection may carry; the last response closes it.",
        example: "keepalive_requests = 1000",
    },
    Key {
        name: "header_timeout",
        kind: CLIENT_TIMEOUT,
        default: Is("\"60s\""),
        help: "How long a client may take for the whole head of a request; then status 408 and the connection is closed.",
        example: "header_timeout = \"10s\"",
    },
    Key {
        name: "body_timeout",
        kind: CLIENT_TIMEOUT,
        default: Is("\"60s\""),
        help: "How long a client may send nothing within a request's body; then status 408 and the connection is closed. It never limits the whole body.",
        example: "body_timeout = \"30s\"",
    },
    Key {
        name: "send_timeout",
        kind: CLIENT_TIMEOUT,
        default: Is("\"60s\""),
        help: "How long a client may take nothing of a response; then the connection is closed.",
        example: "send_timeout = \"30s\"",
    },
    Key {
        name: "tcp_keepalive",
        kind: connections::TCP_KEEPALIVE,
        default: connections::TCP_KEEPALIVE_DEFAULT,
        help: "Probes by which the kernel finds out that a client vanished without a word; its connection is then closed. A client that answers is never closed by them, but so is one that takes not a byte of what is sent to it for `idle` + `interval` × `probes`, where that is at most 15 minutes. `\"off\"` sends none. A reload changes what holds for new connections.",
        example: "tcp_keepalive = { idle = \"60s\", interval = \"10s\", probes = 6 }",
    },
    Key {
        name: "client_abort",
        kind: Kind::Word(&["cancel", "ignore"], &[]),
        default: Is("\"cancel\""),
        help: "What becomes of a request whose client goes away before it has its response. With `cancel` the target's connection is closed at once. A client goes away by a reset, or by ending its side of a connection that it would have kept; one that says `Connection: close` may do that and is answered. With `ignore` a request that has come as a whole goes on: the target finishes, and what can no longer be sent to the client is read for `timeouts.idle` at most and thrown away; a client that only ended its side is answered.",
        example: "client_abort = \"ignore\"",
    },
    Key {
        name: "limits",
        kind: Kind::Table(&[LIMITS]),
        default: Means("the limits below"),
        help: "Limits on one request. Each key is inherited for itself. Whatever they say, the whole head, request line and header fields together, has at most 64 KiB.",
        example: "limits = { fields = \"32KiB\", body = \"10MiB\" }",
    },
    Key {
        name: "x_forwarded",
        kind: Kind::Bool,
        default: Is("true"),
        help: "Whether targets get `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-Port`. What a client sends under these names is removed unless it is one of the `trusted_proxies`; so are `X-Real-IP`, `X-Original-URL`, `X-Rewrite-URL` and every other `X-Forwarded-*`.",
        example: "x_forwarded = false",
    },
    Key {
        name: "forwarded",
        kind: Kind::Bool,
        default: Is("false"),
        help: "Whether targets get `Forwarded` (RFC 7239).",
        example: "forwarded = true",
    },
    Key {
        name: "via",
        kind: Kind::Text("pseudonym"),
        default: Is("\"off\""),
        help: "The name under which requests and responses get a `Via` (RFC 9110 §7.6.3). A request whose `Via` has the name already is refused with status 508: give each load balancer its own. `\"off\"` ends an inherited one. Off by default, since some servers compress nothing that came through a proxy.",
        example: "via = \"edge-1\"",
    },
    Key {
        name: "trusted_proxies",
        kind: Kind::List(&Kind::Text("address range")),
        default: Is("[]"),
        help: "Peers whose `X-Forwarded-*`, `X-Real-IP`, `X-Original-URL`, `X-Rewrite-URL`, `Forwarded` and `X-Request-Id` are believed, as addresses or ranges in CIDR form. A listener's list takes the place of the inherited one.",
        example: "trusted_proxies = [\"10.0.0.0/8\", \"2001:db8::/32\"]",
    },
    access::key(
        "Who may come. All others get 403 `access_denied`, before a rule is looked for, and never reach a target. Behind `trusted_proxies` the client is the one that they name. A listener's lists are asked besides those of its load balancer and a rule's besides both, not instead of them: all must let the client pass. Tunnels that are open stay open.",
    ),
    Key {
        name: "proxy_protocol",
        kind: Kind::List(&Kind::Text("address range")),
        default: Is("[]"),
        help: "Peers that begin each connection with a PROXY header, version 1 or 2, as addresses or ranges in CIDR form. From them it is required and believed: its source takes the place of the peer's address, its destination port that of the listener. It must come within `header_timeout`; a connection without a valid one is closed without a response and counted in `evenkeel_listener_proxy_headers_total`. From anybody else a PROXY header is a malformed request. A listener's list takes the place of the inherited one.",
        example: "proxy_protocol = [\"10.0.0.0/8\", \"2001:db8::/32\"]",
    },
    Key {
        name: "error_pages",
        kind: Kind::Map("status", &Kind::Text("file")),
        default: Means("a short page of our own"),
        help: "Pages for the statuses that Evenkeel makes itself, by status, class (`5xx`) or range (`500-504`); the narrowest one counts. The type follows from the extension: `html`, `json` or `txt`. A file has at most 256 KiB and is read at start and reload. A listener's table takes the place of the inherited one.",
        example: "error_pages = { 503 = \"sorry.html\", 4xx = \"error.json\" }",
    },
    Key {
        name: "compression",
        kind: Kind::Either(&Kind::Word(&["off", "on"], &[]), &Kind::Table(&[compression::COMPRESSION])),
        default: Is("\"off\""),
        help: "Whether responses of targets are compressed for clients that ask for it with `Accept-Encoding`. `\"on\"` takes every default below, as does an empty table; `\"off\"` ends what was inherited, and a listener's table takes the place of the inherited one.",
        example: "compression = { algorithms = [\"zstd\", \"gzip\"], min_bytes = \"2KiB\" }",
    },
    Key {
        name: "http2",
        kind: Kind::Either(&Kind::Word(&["off", "on"], &[]), &Kind::Table(&[http2::HTTP2])),
        default: Means("on, with the limits below"),
        help: "Whether clients may speak HTTP/2: by ALPN with `https`, by prior knowledge (h2c) with `http`. A table sets its limits, each key inherited for itself; `\"off\"` leaves HTTP/1.1, and `\"on\"` or a table ends an inherited `\"off\"`. A client that resets streams, sends settings and pings or splits its headers faster than requests explain is cut off.",
        example: "http2 = { concurrent_streams = 250 }",
    },
    Key {
        name: "access_log",
        kind: Kind::Either(&Kind::Word(&["off"], &[]), &Kind::Table(&[ACCESS_LOG])),
        default: Is("\"off\""),
        help: "A line per request. `\"off\"` ends an inherited one.",
        example: "access_log = { path = \"access.log\", format = \"json\" }",
    },
];

const LIMITS: &[Key] = &[
    Key {
        name: "request_line",
        kind: Kind::Size(256, HEAD_BYTES_MAX),
        default: Is("\"16KiB\""),
        help: "The request line; beyond it status 414. The whole head, with the header fields, has at most 64 KiB.",
        example: "limits = { request_line = \"8KiB\" }",
    },
    Key {
        name: "field",
        kind: Kind::Size(256, HEAD_BYTES_MAX),
        default: Is("\"16KiB\""),
        help: "One header field with its name; beyond it status 431, or 502 in a target's response. The whole head has at most 64 KiB.",
        example: "limits = { field = \"32KiB\" }",
    },
    Key {
        name: "fields",
        kind: Kind::Size(1024, HEAD_BYTES_MAX),
        default: Is("\"64KiB\""),
        help: "All header fields together; beyond it status 431, or 502 in a target's response. It cannot be less than `field`. The whole head, with the request line, has at most 64 KiB.",
        example: "limits = { fields = \"32KiB\" }",
    },
    Key {
        name: "fields_count",
        kind: Kind::Integer(1, 10_000),
        default: Is("100"),
        help: "The number of header fields; beyond it status 431, or 502 in a target's response.",
        example: "limits = { fields_count = 200 }",
    },
    Key {
        name: "body",
        kind: Kind::Either(&Kind::Word(&["unlimited"], &[]), &Kind::Size(0, 1 << 50)),
        default: Is("\"unlimited\""),
        help: "The body, declared or counted; beyond it status 413. Bodies are streamed, never stored, whatever the limit is.",
        example: "limits = { body = \"10MiB\" }",
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
        help: "Text for people, or one JSON object per line.",
        example: "access_log = { path = \"access.log\", format = \"json\" }",
    },
];

const CLIENT_TIMEOUT: Kind = Kind::Duration(1_000, 3_600_000);
// limit: a head is read into one buffer of the largest size (`net::LARGE`); more would be allowed here and refused
// there.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
