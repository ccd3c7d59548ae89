//! Keys of HTTP that a listener inherits from its load balancer.

use super::Default::{Is, Means};
use super::{Key, Kind, compression, http2};

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
        help: "How long a client may take to send the whole head of a request. After that it gets status 408, and the connection is closed.",
        example: "header_timeout = \"10s\"",
    },
    Key {
        name: "body_timeout",
        kind: CLIENT_TIMEOUT,
        default: Is("\"60s\""),
        help: "How long a client may pause while it sends a request's body. After that it gets status 408, and the connection is closed. The whole body may take longer.",
        example: "body_timeout = \"30s\"",
    },
    Key {
        name: "send_timeout",
        kind: CLIENT_TIMEOUT,
        default: Is("\"60s\""),
        help: "How long a client may read nothing of a response before the connection is closed.",
        example: "send_timeout = \"30s\"",
    },
    Key {
        name: "min_rate",
        kind: Kind::Either(&Kind::Word(&["off"], &[]), &Kind::Table(&[MIN_RATE])),
        default: Means("the rate below"),
        help: "How slowly a client may send the body of a request, or read a response, although each of its pauses is shorter than `body_timeout` or `send_timeout`. Only the time counts in which the client is waited for, and a body is not measured any more once its response has begun, nor is a stream of gRPC messages to a group that speaks HTTP/2. A client below the rate gets status 408, or is disconnected while it reads. `\"off\"` sets no limit.",
        example: "min_rate = { bytes_per_second = 1024, grace = \"20s\" }",
    },
    Key {
        name: "client_abort",
        kind: Kind::Word(&["cancel", "ignore"], &[]),
        default: Is("\"cancel\""),
        help: "What happens to a request when its client disconnects before it has the response. A client disconnects by a reset, or by a half-close of a keep-alive connection; a half-close after `Connection: close` is normal, and the request is answered. With `cancel` the connection to the target is closed at once. With `ignore` a request that was received completely goes on: the target finishes, and the rest of a response that can no longer be sent is read for at most `timeouts.idle` and discarded; after a half-close the client gets its response.",
        example: "client_abort = \"ignore\"",
    },
    Key {
        name: "limits",
        kind: Kind::Table(&[LIMITS]),
        default: Means("the limits below"),
        help: "Limits on one request. Each key is inherited separately. In any case the whole head, request line and header fields together, has at most 64 KiB.",
        example: "limits = { fields = \"32KiB\", body = \"10MiB\" }",
    },
    Key {
        name: "x_forwarded",
        kind: Kind::Bool,
        default: Is("true"),
        help: "Whether targets get `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-Port`. These headers are removed from a client's request unless it is one of the `trusted_proxies`; so are `X-Real-IP`, `X-Original-URL`, `X-Rewrite-URL` and every other `X-Forwarded-*`.",
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
        help: "The name of this load balancer in the `Via` that is added to requests and responses (RFC 9110 §7.6.3). A request whose `Via` already contains the name is in a loop and is refused with status 508, so each load balancer needs a unique name. `\"off\"` turns an inherited name off. Off by default, because some servers do not compress responses to requests with `Via`.",
        example: "via = \"edge-1\"",
    },
    Key {
        name: "request_id",
        kind: Kind::Table(&[REQUEST_ID]),
        default: Means("responses carry the id"),
        help: "The id of each request. Targets get it in `X-Request-Id`, and it is in the access log and on error pages. It is random, or that of one of the `trusted_proxies`.",
        example: "request_id = { response = false }",
    },
    Key {
        name: "trusted_proxies",
        kind: Kind::List(&Kind::Text("address range")),
        default: Is("[]"),
        help: "Peers whose `X-Forwarded-*`, `X-Real-IP`, `X-Original-URL`, `X-Rewrite-URL`, `Forwarded` and `X-Request-Id` are trusted, as addresses or ranges in CIDR form. A listener's list replaces the inherited one.",
        example: "trusted_proxies = [\"10.0.0.0/8\", \"2001:db8::/32\"]",
    },
    Key {
        name: "error_pages",
        kind: Kind::Map("status", &Kind::Text("file")),
        default: Means("a short built-in page"),
        help: "Pages for error responses that Evenkeel generates itself, also for a rule's `respond` without a `body`, by status, class (`5xx`) or range (`500-504`); the narrowest match is used. The extension sets the content type: `html`, `json` or `txt`. A file has at most 256 KiB and is read at start and reload. A listener's table replaces the inherited one.",
        example: "error_pages = { 503 = \"sorry.html\", 4xx = \"error.json\" }",
    },
    Key {
        name: "compression",
        kind: Kind::Either(&Kind::Word(&["off", "on"], &[]), &Kind::Table(&[compression::COMPRESSION])),
        default: Is("\"off\""),
        help: "Whether responses of targets are compressed for clients that request it with `Accept-Encoding`. `\"on\"` or an empty table sets every default below; `\"off\"` turns inherited compression off. A listener's table replaces the inherited one.",
        example: "compression = { algorithms = [\"zstd\", \"gzip\"], min_bytes = \"2KiB\" }",
    },
    Key {
        name: "http2",
        kind: Kind::Either(&Kind::Word(&["off", "on"], &[]), &Kind::Table(&[http2::HTTP2])),
        default: Means("on, with the limits below"),
        help: "Whether clients may speak HTTP/2: by ALPN with `https`, by prior knowledge (h2c) with `http`. A table sets its limits, and each key is inherited separately; `\"off\"` allows only HTTP/1, and `\"on\"` or a table ends an inherited `\"off\"`. A client that floods the connection with stream resets, settings, pings or fragmented headers is disconnected.",
        example: "http2 = { concurrent_streams = 250 }",
    },
    Key {
        name: "paths",
        kind: Kind::Table(&[PATHS]),
        default: Means("as below"),
        help: "How paths that servers read in different ways are treated. Each key is inherited separately.",
        example: "paths = { encoded_slash = \"refuse\" }",
    },
];

const MIN_RATE: &[Key] = &[
    Key {
        name: "bytes_per_second",
        kind: Kind::Integer(1, 1_073_741_824),
        default: Is("128"),
        help: "The rate, as a number of bytes.",
        example: "min_rate = { bytes_per_second = 1024 }",
    },
    Key {
        name: "grace",
        kind: Kind::Duration(1_000, 3_600_000),
        default: Is("\"60s\""),
        help: "How far a client may fall behind the rate: for so long it may send or take nothing, and bytes beyond the rate restore what it has used up.",
        example: "min_rate = { grace = \"20s\" }",
    },
];

const LIMITS: &[Key] = &[
    Key {
        name: "request_line",
        kind: Kind::Size(256, HEAD_BYTES_MAX),
        default: Is("\"16KiB\""),
        help: "The maximum size of the request line; above it status 414. The whole head, with the header fields, has at most 64 KiB.",
        example: "limits = { request_line = \"8KiB\" }",
    },
    Key {
        name: "field",
        kind: Kind::Size(256, HEAD_BYTES_MAX),
        default: Is("\"16KiB\""),
        help: "The maximum size of one header field with its name; above it status 431, or 502 in a target's response. The whole head has at most 64 KiB.",
        example: "limits = { field = \"32KiB\" }",
    },
    Key {
        name: "fields",
        kind: Kind::Size(1024, HEAD_BYTES_MAX),
        default: Is("\"64KiB\""),
        help: "The maximum size of all header fields together; above it status 431, or 502 in a target's response. It cannot be less than `field`. The whole head, with the request line, has at most 64 KiB.",
        example: "limits = { fields = \"32KiB\" }",
    },
    Key {
        name: "fields_count",
        kind: Kind::Integer(1, 10_000),
        default: Is("100"),
        help: "The maximum number of header fields; above it status 431, or 502 in a target's response.",
        example: "limits = { fields_count = 200 }",
    },
    Key {
        name: "body",
        kind: Kind::Either(&Kind::Word(&["unlimited"], &[]), &Kind::Size(0, 1 << 50)),
        default: Is("\"unlimited\""),
        help: "The maximum size of a request's body, declared or counted; above it status 413. Bodies are streamed and never stored, whatever the limit is.",
        example: "limits = { body = \"10MiB\" }",
    },
];

const REQUEST_ID: &[Key] = &[Key {
    name: "response",
    kind: Kind::Bool,
    default: Is("true"),
    help: "Whether final responses, and the 101 to a WebSocket, carry the id in `X-Request-Id`. One that the target set is passed on instead.",
    example: "request_id = { response = false }",
}];

const PATHS: &[Key] = &[Key {
    name: "encoded_slash",
    kind: Kind::Word(&["refuse", "pass"], &[]),
    default: Is("\"pass\""),
    help: "Whether a path that hides `/`, `\\` or NUL (`%2F`, `\\`, `%5C`, `%00`) is refused with 400 `request_path`, or passed unchanged. A path for which another rule would decide if the target decodes it is refused in any case.",
    example: "paths = { encoded_slash = \"refuse\" }",
}];

const CLIENT_TIMEOUT: Kind = Kind::Duration(1_000, 3_600_000);
// limit: a head is read into one buffer of the largest size (`net::LARGE`), so a larger value here would have
// no effect.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
