//! The top level, and the tables that headers open there.

use super::Default::{Is, Means, Required};
use super::{Fields, Key, Kind, connections, http, listener, target_group, tls};

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
        help: "How long a graceful stop waits for requests and tunnels in flight. Connections that are still open at its end are cut: the client sees a reset and is sent nothing more; the access log has the request as `stopped` with status 503.",
        example: "stop_timeout = \"1m\"",
    },
    Key {
        name: "admin",
        kind: Kind::Table(&[ADMIN]),
        default: Means("the default socket"),
        help: "Where the running balancer answers `evenkeel status`, `reload` and the other commands.",
        example: "",
    },
    Key {
        name: "load_balancer",
        kind: Kind::Named(&[http::KEYS, connections::OF_INSTANCE, connections::INHERITED]),
        default: Means("an instance `default` with the defaults of its keys"),
        help: "An instance: what its listeners inherit. A listener belongs to the instance that its `load_balancer` names, otherwise to `default`, which is always there and may be written to change its settings.",
        example: "",
    },
    Key {
        name: "listener",
        kind: Kind::Named(&[
            listener::KEYS,
            tls::OF_LISTENER,
            http::KEYS,
            connections::OF_LISTENER,
            connections::INHERITED,
        ]),
        default: Means("nothing is served: at least one is needed"),
        help: "Addresses to listen on and what happens to the requests that arrive there. Every key of `[load_balancer.NAME]` may stand here as well and goes before the inherited one.",
        example: "",
    },
    Key {
        name: "target_group",
        kind: Kind::Named(&[target_group::KEYS]),
        default: Means("none"),
        help: "A set of targets that can serve the same requests, and how one of them is chosen, checked and talked to.",
        example: "",
    },
];

const ADMIN: &[Key] = &[Key {
    name: "bind",
    kind: Kind::Text("`unix:` and a path"),
    default: Required,
    help: "The Unix socket of the admin API. Without `[admin]` it is `$XDG_RUNTIME_DIR/evenkeel.sock`, for root `/run/evenkeel/admin.sock`. A relative path is relative to this file.",
    example: "bind = \"unix:/run/evenkeel/admin.sock\"",
}];
