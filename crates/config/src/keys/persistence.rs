//! Keys of session persistence, of groups and of rules.

use super::Default::{Means, Required};
use super::{Key, Kind};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "type",
        kind: Kind::Word(&["cookie", "source_ip"], &[]),
        default: Required,
        help: "How the requests of one client are recognised: by a cookie, or by the client's address, which is the same for all clients behind one NAT.",
        example: "persistence = { type = \"cookie\" }",
    },
    Key {
        name: "mode",
        kind: Kind::Word(&["insert", "rewrite", "learn"], &[]),
        default: Means("`\"insert\"` with `type = \"cookie\"`"),
        help: "`insert` adds a cookie to responses, whose sealed value names the target; `rewrite` puts such a value behind that of the application's cookie, and takes it off again for the target; `learn` changes nothing, and remembers which target has set which value of the application's cookie.",
        example: "persistence = { type = \"cookie\", mode = \"learn\", name = \"PHPSESSID\" }",
    },
    Key {
        name: "name",
        kind: Kind::Text("cookie"),
        default: Means("`\"EKSESSION\"`; needed with `mode = \"rewrite\"` and `\"learn\"`"),
        help: "The cookie's name. For `rewrite` and `learn` that of the application. Groups between which the requests of one client go need different names. With a name that begins with `__Host-` or `__Secure-` browsers take an inserted cookie only if it is `Secure`, which it is not on a listener without TLS, unless `secure = true` says so.",
        example: "persistence = { type = \"cookie\", name = \"SHOPROUTE\" }",
    },
    Key {
        name: "domain",
        kind: Kind::Text("domain"),
        default: Means("the cookie is for the host of the request only"),
        help: "The `Domain` of the cookie: it is sent to this host and all hosts under it. It must cover the hosts of the rules that lead here, and must not be a public suffix such as `co.uk`, which is looked up in the list of the system, `/usr/share/publicsuffix/public_suffix_list.dat`. Only with `mode = \"insert\"`.",
        example: "persistence = { type = \"cookie\", domain = \"example.com\" }",
    },
    Key {
        name: "path",
        kind: Kind::Text("path"),
        default: Means("`\"/\"`"),
        help: "The `Path` of the cookie: it is sent with requests for this path and all paths under it. Only with `mode = \"insert\"`.",
        example: "persistence = { type = \"cookie\", path = \"/shop\" }",
    },
    Key {
        name: "ttl",
        kind: Kind::Duration(SECOND, 365 * DAY),
        default: Means("until the browser is closed; one hour after the last use with `mode = \"learn\"`"),
        help: "How long a session keeps its target: with `insert` after the last response, each of which renews the cookie; with `rewrite` after the target has set its cookie; with `learn` after the last use of the cookie. Evenkeel itself enforces it, whatever a client does.",
        example: "persistence = { type = \"cookie\", ttl = \"8h\" }",
    },
    Key {
        name: "http_only",
        kind: Kind::Bool,
        default: Means("`true`"),
        help: "Whether scripts of the page are kept from the cookie (`HttpOnly`). Only with `mode = \"insert\"`.",
        example: "persistence = { type = \"cookie\", http_only = false }",
    },
    Key {
        name: "secure",
        kind: Kind::Bool,
        default: Means("`true` if the client's connection has TLS"),
        help: "Whether browsers send the cookie over TLS only (`Secure`). Only with `mode = \"insert\"`.",
        example: "persistence = { type = \"cookie\", secure = true }",
    },
    Key {
        name: "same_site",
        kind: Kind::Word(&["strict", "lax", "none"], &[]),
        default: Means("no `SameSite`: what the browser does without it"),
        help: "Whether browsers send the cookie with requests that come from pages of other sites (`SameSite`): `strict` never, `lax` only where the user follows a link, `none` always, which needs `Secure`. Only with `mode = \"insert\"`.",
        example: "persistence = { type = \"cookie\", same_site = \"lax\" }",
    },
    Key {
        name: "key_file",
        kind: Kind::Text("file"),
        default: Means(
            "a secret that is made at the start, in a file beside this one, with `.key` after its name",
        ),
        help: "A file with the secret that seals the cookie, so that clients can neither read nor make one; 64 hexadecimal digits such as `openssl rand -hex 32` makes them, and perhaps a second line with another secret, which only opens cookies: the previous one, or the next one. Only the owner may have access (mode 0600). All processes behind which clients move need the same. Only with `mode = \"insert\"` and `\"rewrite\"`.",
        example: "persistence = { type = \"cookie\", key_file = \"/etc/evenkeel/cookies.key\" }",
    },
    Key {
        name: "hide",
        kind: Kind::Bool,
        default: Means("`false`"),
        help: "Whether the cookie is taken off requests before the target gets them. Only with `mode = \"insert\"`.",
        example: "persistence = { type = \"cookie\", hide = true }",
    },
    Key {
        name: "timeout",
        kind: Kind::Duration(SECOND, DAY),
        default: Means("`\"5m\"` with `type = \"source_ip\"`"),
        help: "How long after the end of the last request of a client its next one goes to the same target. While a request is in flight, the target stays. Only with `type = \"source_ip\"`.",
        example: "persistence = { type = \"source_ip\", timeout = \"30m\" }",
    },
    Key {
        name: "prefix_v4",
        kind: Kind::Integer(1, 32),
        default: Means("32"),
        help: "How many leading bits of an IPv4 address identify a client. Only with `type = \"source_ip\"`.",
        example: "persistence = { type = \"source_ip\", prefix_v4 = 24 }",
    },
    Key {
        name: "prefix_v6",
        kind: Kind::Integer(1, 128),
        default: Means("64"),
        help: "How many leading bits of an IPv6 address identify a client. Only with `type = \"source_ip\"`.",
        example: "persistence = { type = \"source_ip\", prefix_v6 = 56 }",
    },
    Key {
        name: "from",
        kind: Kind::Word(&["connection", "forwarded"], &[]),
        default: Means("`\"connection\"` with `type = \"source_ip\"`"),
        help: "The address that counts: that of the connection, or of the client that its PROXY header names; or with `forwarded` that of the client behind `trusted_proxies`. Only with `type = \"source_ip\"`.",
        example: "persistence = { type = \"source_ip\", from = \"forwarded\" }",
    },
    Key {
        name: "spill",
        kind: Kind::Integer(1, 1_000_000),
        default: Means("a session stays with its target however busy it is"),
        help: "When this many requests are in flight at a session's target, its next request goes to another target. The session stays. Only with `type = \"source_ip\"`.",
        example: "persistence = { type = \"source_ip\", spill = 200 }",
    },
    Key {
        name: "store",
        kind: Kind::Text("session store"),
        default: Means("sessions are kept in this process"),
        help: "The `[session_store.NAME]` that keeps the sessions, so that they outlive this process or are shared with others. Only with `type = \"source_ip\"` and `mode = \"learn\"`: the other cookies hold what is to be known.",
        example: "persistence = { type = \"source_ip\", store = \"shared\" }",
    },
];

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 3_600 * SECOND;
