//! HTTP/2 with clients.

use super::Default::Is;
use super::{Key, Kind};

pub(super) const HTTP2: &[Key] = &[
    Key {
        name: "concurrent_streams",
        kind: Kind::Integer(1, 1000),
        default: Is("100"),
        help: "How many requests one connection may have in flight. A further one is refused (`REFUSED_STREAM`), and the client may retry it.",
        example: "http2 = { concurrent_streams = 250 }",
    },
    Key {
        name: "stream_window",
        kind: WINDOW,
        default: Is("\"256KiB\""),
        help: "The flow-control window of a stream: how much of one body a client may send before the target has read it. Not more than `connection_window`.",
        example: "http2 = { stream_window = \"64KiB\" }",
    },
    Key {
        name: "connection_window",
        kind: WINDOW,
        default: Is("\"1MiB\""),
        help: "The flow-control window of a connection, for all its bodies together.",
        example: "http2 = { connection_window = \"4MiB\" }",
    },
];

const WINDOW: Kind = Kind::Size(64 << 10, 16 << 20);
