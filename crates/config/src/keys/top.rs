//! Keys of the top level, including the tables that headers open.

use super::Default::{Is, Means, Required};
use super::{Fields, Key, Kind, connections, every, http, listener, session, target_group, tcp, tls};

pub(crate) const ROOT: Fields = &[TOP];

const TOP: &[Key] = &[
    Key {
        name: "workers",
        kind: Kind::Integer(1, model::Limits::WORKERS_MAX as u64),
        default: Means("one per core"),
        help: "Worker threads. Each serves its own connections on every listener.",
        example: "workers = 4",
    },
    Key {
        name: "stop_timeout",
        kind: Kind::Duration(0, 3_600_000),
        default: Is("\"30s\""),
        help: "How long a graceful stop waits for requests and tunnels in flight. Connections that are still open at its end are reset, without a response; the access log has the request as `stopped` with status 503.",
        example: "stop_timeout = \"1m\"",
    },
    Key {
        name: "admin",
        kind: Kind::Table(&[ADMIN]),
        default: Means("the default socket"),
        help: "The admin API, through which the running load balancer answers `evenkeel status`, `reload` and the other commands.",
        example: "",
    },
    Key {
        name: "load_balancer",
        kind: Kind::Named(&[every::KEYS, http::KEYS, connections::OF_INSTANCE, connections::INHERITED]),
        default: Means("a load balancer `default` with the defaults of its keys"),
        help: "A load balancer: limits and settings that its listeners inherit. A listener belongs to the load balancer that its `load_balancer` names, otherwise to `default`, which always exists and can be written to change its settings.",
        example: "",
    },
    Key {
        name: "listener",
        kind: Kind::Named(&[
            listener::KEYS,
            tls::OF_LISTENER,
            every::KEYS,
            http::KEYS,
            tcp::KEYS,
            connections::OF_LISTENER,
            connections::INHERITED,
        ]),
        default: Means("nothing is served: at least one is needed"),
        help: "Addresses to listen on and what happens to the requests, or the TCP connections, that arrive there. Every key of `[load_balancer.NAME]` is allowed here as well and overrides the inherited value; those of HTTP are not allowed with `protocol = \"tcp\"` and `\"tcp_ssl\"`, which do not inherit them either.",
        example: "",
    },
    Key {
        name: "target_group",
        kind: Kind::Named(&[target_group::KEYS]),
        default: Means("none"),
        help: "A set of targets that can serve the same requests, and how targets are chosen, checked and connected to.",
        example: "",
    },
    Key {
        name: "session_store",
        kind: Kind::Named(&[session::STORE]),
        default: Means("sessions are kept in this process"),
        help: "Where sessions are kept so that they outlive this process, or are shared with others.",
        example: "",
    },
    Key {
        name: "session_gateway",
        kind: Kind::Named(&[session::GATEWAY]),
        default: Means("none"),
        help: "An endpoint with the protocol of memcached, whose items are kept in a session store, for the session handlers of applications.",
        example: "",
    },
];

const ADMIN: &[Key] = &[
    Key {
        name: "bind",
        kind: Kind::OneOrMore(&Kind::Text("`unix:` and a path, or address and port")),
        default: Required,
        help: "Unix sockets of the admin API, and TCP addresses, which have `/metrics`, `/health` and `/ready` only. Without a Unix socket it is the default one: `$RUNTIME_DIRECTORY/admin.sock`, for root `/run/evenkeel/admin.sock`, otherwise `$XDG_RUNTIME_DIR/evenkeel.sock`. A relative path is relative to this file. An address that is not a loopback one needs `token_file`.",
        example: "bind = [\"unix:/run/evenkeel/admin.sock\", \"127.0.0.1:9900\"]",
    },
    Key {
        name: "token_file",
        kind: Kind::Text("file"),
        default: Means("none"),
        help: "A file with the token that requests to TCP addresses must have, but for loopback addresses: `Authorization: Bearer TOKEN`. At least 16 visible ASCII characters; white space around them is ignored. It is read again at a reload.",
        example: "token_file = \"/etc/evenkeel/metrics.token\"",
    },
];
