//! A rule's conditions and actions.

use super::Default::{Is, Means, Required};
use super::listener::FORWARD;
use super::websocket::WEBSOCKET;
use super::{Key, Kind, access, persistence};

pub(super) const CONDITIONS: &[Key] = &[
    Key {
        name: "host",
        kind: Kind::Text("host pattern"),
        default: Means("any host"),
        help: "The host that the client asks for, without port: exact, `*.example.com` (one or more labels at the start), `www.example.*` (one or more labels at the end) or `~` and a regular expression, which is matched against the name in lower case. International names are written in their `xn--` form.",
        example: "host = \"*.example.com\"",
    },
    Key {
        name: "path",
        kind: Kind::Text("path pattern"),
        default: Means("any path"),
        help: "The path, compared after `%XX` of letters and digits are decoded, `.` and `..` resolved and repeated slashes merged: a prefix (`/api` matches itself and every path under it, `/api/` only the paths under it), `= /x` for exactly that path, or `~` and a regular expression. A regular expression matches anywhere in the path unless it is anchored with `^` and `$`.",
        example: "path = \"/api/\"",
    },
    Key {
        name: "trailing_slash",
        kind: Kind::Word(&["redirect"], &[]),
        default: Means("`/abc` is not under `/abc/`"),
        help: "With `redirect` and a `path` that is a prefix with a `/` at its end, the rule also matches exactly that path without the `/`; rules for exactly that path (`= /abc`) are tried before, and shorter prefixes after. Such a request is redirected with status 308 to the path with the `/`, whatever the rule's action and the method are; host, port and query are kept.",
        example: "trailing_slash = \"redirect\"",
    },
    Key {
        name: "method",
        kind: Kind::OneOrMore(&Kind::Text("method")),
        default: Means("any method"),
        help: "One of these methods, in upper case.",
        example: "method = [\"GET\", \"HEAD\"]",
    },
    Key {
        name: "header",
        kind: Kind::Map("header", VALUE),
        default: Means("no condition"),
        help: "Headers that the request must have: with exactly this value, with `\"*\"` for any value, or `\"~ …\"` for a regular expression that matches anywhere in the value.",
        example: "header = { X-Canary = \"1\", User-Agent = \"~ (?i)bot\" }",
    },
    Key {
        name: "query",
        kind: Kind::Map("parameter", VALUE),
        default: Means("no condition"),
        help: "Query parameters that the request must have; values as in `header`.",
        example: "query = { preview = \"*\" }",
    },
    Key {
        name: "cookie",
        kind: Kind::Map("cookie", VALUE),
        default: Means("no condition"),
        help: "Cookies that the request must have; values as in `header`.",
        example: "cookie = { beta = \"yes\" }",
    },
    Key {
        name: "source",
        kind: Kind::List(&Kind::Text("address range")),
        default: Means("any client"),
        help: "Addresses or ranges in CIDR form, one of which must contain the client's address. Behind `trusted_proxies` the client is the address that they report.",
        example: "source = [\"192.0.2.0/24\"]",
    },
    Key {
        name: "sni",
        kind: Kind::Text("host pattern"),
        default: Means("any connection, with TLS or without"),
        help: "The name that a TLS client asks for (SNI), with the patterns and the precedence of `host`; only with `protocol = \"tcp\"` and `\"tcp_ssl\"`. With `tcp` the client's first message is looked at and passed on as it is, so that TLS ends at the target; with `tcp_ssl` TLS ends here. A client without TLS or without a name matches no such rule. With Encrypted Client Hello only the outer name can be seen.",
        example: "sni = \"*.example.com\"",
    },
    Key {
        name: "alpn",
        kind: Kind::OneOrMore(&Kind::Text("protocol")),
        default: Means("any protocol, or none"),
        help: "Protocols, one of which the TLS client must offer (ALPN), as they are registered: 1–255 bytes, compared byte for byte. Only with `protocol = \"tcp\"` and `\"tcp_ssl\"`. With `tcp_ssl` the first one in the rules which the client offers, and with which such a rule matches, is agreed on; a client that offers only others gets the alert `no_application_protocol`, unless a rule without `alpn` or the listener's `forward` takes it.",
        example: "alpn = [\"h2\", \"http/1.1\"]",
    },
];

pub(super) const ACTIONS: &[Key] = &[
    Key {
        name: "forward",
        kind: FORWARD,
        default: Means("one of `forward`, `redirect` and `respond` is needed"),
        help: "The target group that gets the request, or several with weights of 0–1000.",
        example: "forward = { app = 90, app-next = 10 }",
    },
    Key {
        name: "redirect",
        kind: Kind::Table(&[REDIRECT]),
        default: Means("one of `forward`, `redirect` and `respond` is needed"),
        help: "Redirects the client to another address.",
        example: "redirect = { scheme = \"https\", code = 308 }",
    },
    Key {
        name: "respond",
        kind: Kind::Table(&[RESPOND]),
        default: Means("one of `forward`, `redirect` and `respond` is needed"),
        help: "Answers with a response from the configuration.",
        example: "respond = { status = 403, body = \"Not for you.\" }",
    },
    access::key(
        "Which clients may use this rule, with every action. Others get 403 `access_denied`, and no other rule is tried; `source`, in contrast, is a condition. The lists of the load balancer and the listener are checked before and must allow the client as well.",
    ),
    Key {
        name: "rewrite",
        kind: Kind::Text("path"),
        default: Means("the target gets the client's path"),
        help: "Replaces the part of the path that `path` matched: a prefix, with one `/` between it and the rest; the whole path, if the rule has an exact path or none; or the match of a regular expression, with `$1`, `${name}` and `$$` expanded. The query is kept. Only with `forward`.",
        example: "rewrite = \"/new/\"",
    },
    Key {
        name: "request_headers",
        kind: Kind::Table(&[EDITS]),
        default: Means("no edits"),
        help: "Edits of the headers that the target gets. Only with `forward`. Fields that control message framing or a single connection cannot be edited; `Host` can be `set`. `_` counts as `-` in names, because targets that use CGI or WSGI do not tell them apart.",
        example: "request_headers = { set = { X-Tenant = \"shop\" }, remove = [\"Accept-Encoding\"] }",
    },
    Key {
        name: "response_headers",
        kind: Kind::Table(&[EDITS]),
        default: Means("no edits"),
        help: "Edits of the headers that the client gets, with every action, and of errors that Evenkeel generates once the rule has matched; there fields that describe the error page or keep it out of caches stay. Fields that control message framing or a single connection cannot be edited, nor can `Location` if the rule redirects.",
        example: "response_headers = { add = { Cache-Control = \"no-store\" } }",
    },
    Key {
        name: "websocket",
        kind: Kind::Table(&[WEBSOCKET]),
        default: Means("WebSockets are forwarded with the settings below"),
        help: "Which clients may open a WebSocket, and limits on open ones. Only with `forward`.",
        example: "websocket = { idle_timeout = \"10m\" }",
    },
    Key {
        name: "persistence",
        kind: Kind::Table(&[persistence::KEYS]),
        default: Means("the `persistence` of the target group"),
        help: "Keeps the requests of one client at one target, instead of the `persistence` of the target group. Sessions of this rule are its own. Its keys are those of the target group's. Only with `forward`.",
        example: "persistence = { type = \"source_ip\", timeout = \"30m\" }",
    },
];

const REDIRECT: &[Key] = &[
    Key {
        name: "to",
        kind: Kind::Text("address"),
        default: Means("one of `to` and `scheme` is needed"),
        help: "The new address: `http://…`, `https://…` or a path. `{host}` is the host without port, `{port}` a `:` and the port in the request's host (empty if it has none, or 80 or 443), `{path}` the path as the client sent it, `{query}` the `?` and the query, or empty; `{{` and `}}` are literal braces. If `{host}` is used, a request without a host is answered with 400 `request_host`.",
        example: "redirect = { to = \"https://example.com/new\" }",
    },
    Key {
        name: "scheme",
        kind: Kind::Word(&["http", "https"], &[]),
        default: Means("one of `to` and `scheme` is needed"),
        help: "Redirects to the same host, path and query under this scheme. The port is the scheme's default, whatever the client's port was, unless `port` is set.",
        example: "redirect = { scheme = \"https\", code = 308 }",
    },
    Key {
        name: "port",
        kind: Kind::Either(&Kind::Word(&["keep"], &[]), &Kind::Integer(1, 65_535)),
        default: Means("the scheme's default port"),
        help: "The port of the new address, or `\"keep\"` for the port in the request's host (none if it has none, or 80 or 443). Only with `scheme`.",
        example: "redirect = { scheme = \"https\", port = 8443 }",
    },
    Key {
        name: "code",
        kind: Kind::Integer(301, 308),
        default: Is("302"),
        help: "The status: 301, 302, 303, 307 or 308. Clients may cache 301 and 308 permanently; 307 and 308 keep the method.",
        example: "redirect = { to = \"/new\", code = 308 }",
    },
];

const RESPOND: &[Key] = &[
    Key {
        name: "status",
        kind: Kind::Integer(200, 599),
        default: Required,
        help: "The status.",
        example: "respond = { status = 204 }",
    },
    Key {
        name: "body",
        kind: Kind::Text("text"),
        default: Is("\"\""),
        help: "The body, at most 256 KiB; 204 and 304 have none.",
        example: "respond = { status = 200, body = \"ok\" }",
    },
    Key {
        name: "content_type",
        kind: Kind::Text("media type"),
        default: Is("\"text/plain; charset=utf-8\""),
        help: "The type of `body`.",
        example: "respond = { status = 200, body = \"{}\", content_type = \"application/json\" }",
    },
];

const EDITS: &[Key] = &[
    Key {
        name: "set",
        kind: Kind::Map("header", &Kind::Text("value")),
        default: Is("{}"),
        help: "Removes all fields of that name and adds this one.",
        example: "response_headers = { set = { Server = \"shop\" } }",
    },
    Key {
        name: "add",
        kind: Kind::Map("header", &Kind::Text("value")),
        default: Is("{}"),
        help: "Adds this field to the existing ones.",
        example: "response_headers = { add = { Vary = \"Cookie\" } }",
    },
    Key {
        name: "remove",
        kind: Kind::List(&Kind::Text("header")),
        default: Is("[]"),
        help: "Removes all fields of that name.",
        example: "response_headers = { remove = [\"X-Powered-By\"] }",
    },
];

const VALUE: &Kind = &Kind::Text("value, `*` or `~ regex`");
