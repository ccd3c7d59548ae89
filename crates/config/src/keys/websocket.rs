//! A rule's settings for WebSockets.

use super::Default::{Is, Means};
use super::{Key, Kind};

pub(super) const WEBSOCKET: &[Key] = &[
    Key {
        name: "enabled",
        kind: Kind::Bool,
        default: Is("true"),
        help: "Whether an upgrade to WebSocket is passed on. If not, it gets 403 `websocket_disabled`; other requests go on.",
        example: "websocket = { enabled = false }",
    },
    Key {
        name: "idle_timeout",
        kind: Kind::Duration(SECOND, DAY),
        default: Is("\"60s\""),
        help: "Without a byte in either direction that long, the connection is closed.",
        example: "websocket = { idle_timeout = \"1h\" }",
    },
    Key {
        name: "max_lifetime",
        kind: Kind::Duration(SECOND, 30 * DAY),
        default: Means("no limit"),
        help: "A connection that has been open that long is closed, with `drain_close_code` where there is one.",
        example: "websocket = { max_lifetime = \"12h\" }",
    },
    Key {
        name: "max_connections",
        kind: Kind::Integer(1, 10_000_000),
        default: Means("no limit"),
        help: "How many WebSockets the rule may have at a time, all workers together, those included that a target has not answered yet. One more gets 503 `websocket_full`. Reloads that leave the rule's host, path and conditions alone go on counting.",
        example: "websocket = { max_connections = 10000 }",
    },
    Key {
        name: "allowed_origins",
        kind: Kind::List(&Kind::Text("origin")),
        default: Means("any origin, or none"),
        help: "The origins whose pages may connect, as browsers send them: scheme, host, and the port where it is not the scheme's own; `https://*.example.com` is every host under `example.com`, and `null` the origin of pages that have none. A request with another `Origin`, without one or with several gets 403 `websocket_origin`. Browsers cannot choose the header; other programs can, so this is no authentication.",
        example: "websocket = { allowed_origins = [\"https://shop.example.com\", \"https://*.example.org:8443\"] }",
    },
    Key {
        name: "allowed_subprotocols",
        kind: Kind::List(&Kind::Text("subprotocol")),
        default: Means("any subprotocol, or none"),
        help: "The subprotocols that may be spoken, as in `Sec-WebSocket-Protocol`, letters of either case apart. A client that offers none of them gets 403 `websocket_subprotocol`, and a target that chooses another, or one that was not offered, is 502 `target_upgrade_unasked`. The offer itself goes to the target as it came.",
        example: "websocket = { allowed_subprotocols = [\"graphql-transport-ws\"] }",
    },
    Key {
        name: "ping_interval",
        kind: Kind::Duration(SECOND, HOUR),
        default: Means("no pings"),
        help: "A client that has been silent that long gets a Ping, between two frames of the target's. Its Pong counts as a byte against `idle_timeout` and goes on to the target, which by RFC 6455 ignores what it did not ask for. Shorter than `idle_timeout`.",
        example: "websocket = { ping_interval = \"20s\" }",
    },
    Key {
        name: "drain_close_code",
        kind: Kind::Integer(1000, 4999),
        default: Means("a plain close"),
        help: "The status of the Close frame that client and target get, between two frames, when a stop, a reload that removes the listener or `max_lifetime` ends the connection: 1000–1003, 1007–1014 or 3000–4999. 1001 is `going away`. The connection then ends when both have answered, or after 5 s. Without it a stop leaves WebSockets open until `stop_timeout`, and a reload leaves them alone.",
        example: "websocket = { drain_close_code = 1001 }",
    },
];

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
