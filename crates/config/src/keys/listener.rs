//! What only a listener has.

use super::Default::{Is, Means, Required};
use super::{Key, Kind, rule};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "load_balancer",
        kind: Kind::Text("instance"),
        default: Is("\"default\""),
        help: "The instance that the listener belongs to and inherits from.",
        example: "load_balancer = \"shop\"",
    },
    Key {
        name: "bind",
        kind: Kind::OneOrMore(&Kind::Text("address and port")),
        default: Required,
        help: "The addresses to listen on, IPv6 in brackets. `[::]` is every address, of IPv4 too. With port 0 the kernel chooses one, which `evenkeel status` shows.",
        example: "bind = [\"192.0.2.1:80\", \"[2001:db8::1]:80\"]",
    },
    Key {
        name: "protocol",
        kind: Kind::Word(&["http", "https"], &["tcp", "tcp_ssl", "udp"]),
        default: Is("\"http\""),
        help: "What clients speak: HTTP/2, HTTP/1.1 and HTTP/1.0, without encryption or with TLS. `https` needs `certificates`.",
        example: "protocol = \"https\"",
    },
    Key {
        name: "forward",
        kind: FORWARD,
        default: Means("status 404 when no rule matches"),
        help: "The target group of the requests that no rule matches, or several with weights of 0–1000.",
        example: "forward = \"app\"",
    },
    Key {
        name: "rule",
        kind: Kind::Tables(&[rule::CONDITIONS, rule::ACTIONS]),
        default: Means("none"),
        help: "Which requests, and what happens to them. The most specific host decides first: exact, then the longest `*.` in front, then `.*` behind, then a regular expression, then rules without a host. Within a host the path: exact, then the longest prefix, then a regular expression, then none. Between equals the rule with more conditions, then the first in the file. All conditions of a rule must hold. Where no rule of the best host matches, the next less specific host is tried, then the listener's `forward`, then the answer is 404.",
        example: "",
    },
];

pub(super) const FORWARD: Kind =
    Kind::Either(&Kind::Text("target group"), &Kind::Map("target group", &Kind::Integer(0, 1000)));
