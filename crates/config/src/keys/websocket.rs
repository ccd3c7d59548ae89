//! Keys of a rule's WebSocket settings.

use super::Default::{Is, Means};
use super::{Key, Kind};

pub(super) const WEBSOCKET: &[Key] = &[
    Key {
        name: "enabled",
        kind: Kind::Bool,
        default: Is("true"),
        help: "Whether upgrades to WebSocket are forwarded. If not, they get 403 `websocket_disabled`; other requests are not affected.",
        example: "websocket = { enabled = false }",
    },
    Key {
        name: "idle_timeout",
        kind: Kind::Duration(SECOND, DAY),
        default: Is("\"60s\""),
        help: "A connection with no byte in either direction for this time is closed.",
        example: "websocket = { idle_timeout = \"1h\" }",
    },
    Key {
        name: "max_lifetime",
        kind: Kind::Duration(SECOND, 30 * DAY),
        default: Means("no limit"),
        help: "A connection that has been open for this time is closed, with `drain_close_code` if it is set.",
        example: "websocket = { max_lifetime = \"12h\" }",
    },
    Key {
        name: "max_connections",
        kind: Kind::Integer(1, 10_000_000),
        default: Means("no limit"),
        help: "How many WebSockets the rule may have open at the same time, over all workers and including handshakes that a target has not answered yet. A further one gets 503 `websocket_full`. A reload that does not change the rule's host, path and conditions keeps the count.",
        example: "websocket = { max_connections = 10000 }",
    },
    Key {
        name: "allowed_origins",
        kind: Kind::List(&Kind::Text("origin")),
        default: Means("any origin, or none"),
        help: "The origins of pages that may connect, as browsers send them: scheme, host, and port unless it is the scheme's default. `https://*.example.com` is every host under `example.com`, and `null` is the origin of pages without one. A request with another `Origin`, with none or with several gets 403 `websocket_origin`. A page cannot forge the header, but other programs can, so this is not authentication.",
        example: "websocket = { allowed_origins = [\"https://shop.example.com\", \"https://*.example.org:8443\"] }",
    },
    Key {
        name: "allowed_subprotocols",
        kind: Kind::List(&Kind::Text("subprotocol")),
        default: Means("any subprotocol, or none"),
        help: "The subprotocols that are allowed, as in `Sec-WebSocket-Protocol`; they are case-sensitive. A client that offers none of them gets 403 `websocket_subprotocol`. If a target selects another one, or one that was not offered, the client gets 502 `target_upgrade_unasked`. The client's offer is forwarded to the target unchanged.",
        example: "websocket = { allowed_subprotocols = [\"graphql-transport-ws\"] }",
    },
    Key {
        name: "ping_interval",
        kind: Kind::Duration(SECOND, HOUR),
        default: Means("no pings"),
        help: "A client that has been silent for this time gets a Ping, between two frames of the target. Its Pong restarts `idle_timeout` and is forwarded to the target, which ignores an unsolicited Pong (RFC 6455). Shorter than `idle_timeout`.",
        example: "websocket = { ping_interval = \"20s\" }",
    },
    Key {
        name: "drain_close_code",
        kind: Kind::Integer(1000, 4999),
        default: Means("the connections are closed without Close frames"),
        help: "The status of the Close frame that client and target get, between two frames, when a stop, a reload that removes the listener or `max_lifetime` ends the connection: 1000–1003, 1007–1014 or 3000–4999. 1001 is `going away`. The connection ends when both have answered, or after 5 s. Without this key a stop leaves WebSockets open until `stop_timeout`, and a reload does not close them.",
        example: "websocket = { drain_close_code = 1001 }",
    },
];

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
