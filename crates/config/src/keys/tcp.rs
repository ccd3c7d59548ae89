//! Keys of a listener that passes bytes on as they are.

use super::Default::Is;
use super::{Key, Kind};

pub(super) const KEYS: &[Key] = &[Key {
    name: "idle_timeout",
    kind: Kind::Duration(1_000, 86_400_000),
    default: Is("\"15m\""),
    help: "How long a connection may be open without a byte in either direction before both sides are reset. Only with `protocol = \"tcp\"` and `\"tcp_ssl\"`.",
    example: "idle_timeout = \"1h\"",
}];
