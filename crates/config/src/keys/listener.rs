//! Keys of a listener that are not inherited.

use super::Default::{Is, Means, Required};
use super::{Key, Kind, rule};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "load_balancer",
        kind: Kind::Text("load balancer"),
        default: Is("\"default\""),
        help: "The load balancer that the listener belongs to and inherits from.",
        example: "load_balancer = \"shop\"",
    },
    Key {
        name: "bind",
        kind: Kind::OneOrMore(&Kind::Text("address and port")),
        default: Required,
        help: "The addresses to listen on, IPv6 in brackets. `[::]` is every address, including those of IPv4. With port 0 the kernel chooses a port, which `evenkeel status` shows.",
        example: "bind = [\"192.0.2.1:80\", \"[2001:db8::1]:80\"]",
    },
    Key {
        name: "protocol",
        kind: Kind::Word(&["http", "https", "tcp", "tcp_ssl"], &["udp"]),
        default: Is("\"http\""),
        help: "What clients speak. `http` and `https` are HTTP/2, HTTP/1.1 and HTTP/1.0, without encryption or with TLS. With `tcp` the bytes of each connection are passed on to one target as they are, whatever they mean; `tcp_ssl` ends TLS here and does the same with what was encrypted. `https` and `tcp_ssl` need `certificates`.",
        example: "protocol = \"https\"",
    },
    Key {
        name: "forward",
        kind: FORWARD,
        default: Means("status 404, or a reset of the TCP connection, if no rule matches"),
        help: "The target group for requests, or TCP connections, that no rule matches, or several with weights of 0–1000.",
        example: "forward = \"app\"",
    },
    Key {
        name: "rule",
        kind: Kind::Tables(&[rule::CONDITIONS, rule::ACTIONS]),
        default: Means("none"),
        help: "A rule: which requests it matches, and its action. The rule with the most specific host is chosen first: exact, then the longest `*.` at the start, then the longest `.*` at the end, then a regular expression, then no host. Within a host the path decides: exact, then the longest prefix, then a regular expression, then no path. Of rules with equal host and path, the one with more conditions is tried first, then the first in the file. All conditions of a rule must hold. If no rule of the best host matches, the next less specific host is tried, then the listener's `forward`, and then the answer is 404. With `protocol = \"tcp\"` and `\"tcp_ssl\"` a rule has the conditions `source`, `sni` and `alpn`, and the keys `forward`, `access` and `persistence`.",
        example: "",
    },
];

pub(super) const FORWARD: Kind =
    Kind::Either(&Kind::Text("target group"), &Kind::Map("target group", &Kind::Integer(0, 1000)));
