//! Keys of session stores and session gateways.

use model::Limits;

use super::Default::{Is, Means, Required};
use super::{Key, Kind};

pub(super) const STORE: &[Key] = &[
    Key {
        name: "type",
        kind: Kind::Word(&["memory", "file", "sql", "memcached", "redis"], &[]),
        default: Required,
        help: "Where the sessions are: in this process, so that they are lost when it ends; in files of a directory, which may be on NFS; in a database (SQLite, PostgreSQL, MySQL or MariaDB); in a group of memcached servers; or in Redis or Valkey.",
        example: "type = \"sql\"",
    },
    Key {
        name: "path",
        kind: Kind::Text("directory"),
        default: Means("needed with `type = \"file\"`, not allowed with others"),
        help: "The directory of the files. It is made if it is missing.",
        example: "path = \"/var/lib/evenkeel/sessions\"",
    },
    Key {
        name: "url",
        kind: Kind::Text("URL"),
        default: Means("needed with `type = \"sql\"` and `\"redis\"`, not allowed with others"),
        help: "The database: `sqlite://` and a file, which is made if it is missing (`sqlite:///var/lib/evenkeel/sessions.db`; a relative path is relative to this file), `postgres://USER:PASSWORD@HOST/DATABASE` or `mysql://USER:PASSWORD@HOST/DATABASE`; or the Redis or Valkey server: `redis://HOST:PORT/NUMBER`, with TLS `rediss://`, at a Unix socket `redis+unix:///PATH`, behind sentinels that name the master `redis+sentinel://HOST:PORT,HOST:PORT/MASTER/NUMBER`. The password is never shown.",
        example: "url = \"postgres://evenkeel:secret@db.internal/sessions\"",
    },
    Key {
        name: "servers",
        kind: Kind::List(&Kind::Either(
            &Kind::Text("host and port, or `unix:` and a path"),
            &Kind::Table(&[SERVER]),
        )),
        default: Means("needed with `type = \"memcached\"`, not allowed with others"),
        help: "The memcached servers, over which the sessions are spread by consistent hashing, as libmemcached's ketama does. All processes that share them need the same list. A server that fails is left out until it is back.",
        example: "servers = [\"10.0.0.1:11211\", { address = \"10.0.0.2:11211\", weight = 2 }]",
    },
    Key {
        name: "timeout",
        kind: Kind::Duration(1, 1_000),
        default: Is("\"10ms\""),
        help: "How long a request, or a command of a session gateway, waits for the store. A request then goes on without it.",
        example: "timeout = \"20ms\"",
    },
    Key {
        name: "capacity",
        kind: Kind::Integer(1, Limits::SESSIONS_MAX as u64),
        default: Is("1000000"),
        help: "Sessions that this process keeps in memory, in front of the store; with `type = \"memory\"` there are no others. One to which no request has come back for long makes room for a new one.",
        example: "capacity = 200000",
    },
    Key {
        name: "key_file",
        kind: Kind::Text("file"),
        default: Means(
            "a secret that is made at the start, in a file beside this one, with `.key` after its name",
        ),
        help: "A file with a secret by which the names of sessions are hashed, so that no client's address stands in the store; 64 hexadecimal digits such as `openssl rand -hex 32` makes them, and perhaps a second line with another secret, by which sessions are also found: the previous one, or the next one. Only the owner may have access (mode 0600). All processes that share the store need the same. Not for `type = \"memory\"`.",
        example: "key_file = \"/etc/evenkeel/sessions.key\"",
    },
];

const SERVER: &[Key] = &[
    Key {
        name: "address",
        kind: Kind::Text("host and port, or `unix:` and a path"),
        default: Required,
        help: "The server's host and port, IPv6 in brackets, or its Unix socket.",
        example: "servers = [{ address = \"unix:/run/memcached.sock\" }]",
    },
    Key {
        name: "weight",
        kind: Kind::Integer(1, 1000),
        default: Is("1"),
        help: "The server's share of sessions relative to the others.",
        example: "servers = [{ address = \"10.0.0.1:11211\", weight = 2 }]",
    },
];

pub(super) const GATEWAY: &[Key] = &[
    Key {
        name: "bind",
        kind: Kind::Text("`unix:` and a path, or address and port"),
        default: Required,
        help: "Where applications connect: a Unix socket, for this process's user and group only, or a loopback address. The protocol has no authentication, so other addresses are not allowed.",
        example: "bind = \"unix:/run/evenkeel/sessions.sock\"",
    },
    Key {
        name: "store",
        kind: Kind::Text("session store"),
        default: Required,
        help: "The `[session_store.NAME]` that keeps the items.",
        example: "store = \"database\"",
    },
    Key {
        name: "cache",
        kind: Kind::Text("session store"),
        default: Means("none"),
        help: "A `[session_store.NAME]` of type `memory`, `memcached` or `redis` that keeps copies: items are written to `store` first and then to it, and read from it. A `memory` cache does not see what other processes write to `store`; it is only for a store that no other process uses, or for clients that always come to the same process.",
        example: "cache = \"near\"",
    },
    Key {
        name: "max_item",
        kind: Kind::Size(1024, Limits::ITEM_BYTES_MAX),
        default: Is("\"1MiB\""),
        help: "The largest value of an item. Larger ones are refused, as memcached does. SQL databases and Redis take at most 1MiB; a memcached server what its own `-I` allows, less about 200 bytes for the key and the rest of the item.",
        example: "max_item = \"256KiB\"",
    },
];
