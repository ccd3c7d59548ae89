//! TLS with clients and with targets.

use super::Default::{Is, Means, Required};
use super::{Key, Kind, client_auth};

/// What only a listener with `protocol = "https"` has.
pub(super) const OF_LISTENER: &[Key] = &[
    Key {
        name: "certificates",
        kind: Kind::OneOrMore(&Kind::Either(&Kind::Text("file"), &Kind::Table(&[CERTIFICATE]))),
        default: Means("needed with `protocol = \"https\"`, not allowed with others"),
        help: "The listener's certificates: a PEM file with certificate, chain and key, in any order, or a table that names the key's file as well. Which one a client gets follows from the name that it asks for (SNI): exact, then the longest wildcard, then the first one here, which is the default. RSA and ECDSA certificates of one name stand side by side. The files are read at start and reload.",
        example: "certificates = [\"example.com.pem\", { cert = \"example.org.crt\", key = \"example.org.key\" }]",
    },
    Key {
        name: "client_auth",
        kind: Kind::Table(&[client_auth::KEYS]),
        default: Means("clients are not asked for certificates"),
        help: "Certificates of clients (mutual TLS). Counts for every name whose certificate has no `client_auth` of its own.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", crl = \"clients.crl\" }",
    },
    Key {
        name: "sni_strict",
        kind: Kind::Bool,
        default: Is("false"),
        help: "Whether a client that asks for a name that no certificate has, or for none, is refused with the alert `unrecognized_name`. Otherwise it gets the first certificate.",
        example: "sni_strict = true",
    },
    Key {
        name: "handshake_timeout",
        kind: Kind::Duration(1_000, 3_600_000),
        default: Is("\"10s\""),
        help: "How long a client may take from its connection to the end of the handshake; then the connection is closed.",
        example: "handshake_timeout = \"5s\"",
    },
    Key {
        name: "tls",
        kind: Kind::Table(&[POLICY]),
        default: Means("the settings below"),
        help: "Which versions and cipher suites of TLS are offered.",
        example: "tls = { min_version = \"1.3\" }",
    },
    Key {
        name: "hsts",
        kind: Kind::Table(&[HSTS]),
        default: Means("no such field"),
        help: "Responses get a `Strict-Transport-Security` (RFC 6797): browsers then come by https only, even where a link says `http`. It cannot be called back before its time is over, so begin with a short one.",
        example: "hsts = { max_age = \"365d\", include_subdomains = true }",
    },
    Key {
        name: "redirect_http",
        kind: Kind::Integer(1, 65_535),
        default: Means("no redirect"),
        help: "A port on which the listener listens as well, without encryption and on the same IP addresses, and sends everybody to https with status 308: same host, path and query. The port it leads to is 443 where `bind` has it, otherwise that of the first address there. It is a listener of its own, `NAME:redirect`, with the same settings and limits and without rules.",
        example: "redirect_http = 80",
    },
];

const CERTIFICATE: &[Key] = &[
    Key {
        name: "cert",
        kind: Kind::Text("file"),
        default: Required,
        help: "A PEM file with the certificate and its chain, in any order.",
        example: "certificates = { cert = \"example.com.crt\", key = \"example.com.key\" }",
    },
    Key {
        name: "key",
        kind: Kind::Text("file"),
        default: Means("the key is in the file of `cert`"),
        help: "A PEM file with the private key.",
        example: "certificates = { cert = \"example.com.crt\", key = \"example.com.key\" }",
    },
    Key {
        name: "client_auth",
        kind: Kind::Table(&[client_auth::KEYS]),
        default: Means("the listener's `client_auth`"),
        help: "Certificates of clients, for the names of this certificate, instead of what the listener says; with the same keys as the listener's `client_auth`. `{ mode = \"off\" }` asks for none.",
        example: "certificates = [\"www.pem\", { cert = \"api.pem\", client_auth = { mode = \"required\", ca = \"clients.pem\" } }]",
    },
];

const POLICY: &[Key] = &[
    Key {
        name: "min_version",
        kind: Kind::Text("`1.2` or `1.3`"),
        default: Is("\"1.2\""),
        help: "The oldest version that clients may speak. Older ones than 1.2 are not offered at all.",
        example: "tls = { min_version = \"1.3\" }",
    },
    Key {
        name: "cipher_suites",
        kind: Kind::List(&Kind::Text("IANA name")),
        default: Means("all that are named below and that `min_version` allows, in that order"),
        help: "What is offered, the best first: `TLS_AES_128_GCM_SHA256`, `TLS_AES_256_GCM_SHA384` and `TLS_CHACHA20_POLY1305_SHA256` of TLS 1.3; `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`, `TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384`, `TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256` and the same three with `ECDHE_RSA` of TLS 1.2. The order here counts, not the client's. A version without a suite in the list is not offered.",
        example: "tls = { cipher_suites = [\"TLS_AES_256_GCM_SHA384\", \"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\"] }",
    },
];

const HSTS: &[Key] = &[
    Key {
        name: "max_age",
        // 10 years: the limit is against slips only.
        kind: Kind::Duration(0, 3_650 * 86_400_000),
        default: Required,
        help: "How long a browser keeps to https after each response, in whole seconds. With `0s` it forgets.",
        example: "hsts = { max_age = \"1h\" }",
    },
    Key {
        name: "include_subdomains",
        kind: Kind::Bool,
        default: Is("false"),
        help: "Whether that holds for every name below the host as well.",
        example: "hsts = { max_age = \"30d\", include_subdomains = true }",
    },
    Key {
        name: "preload",
        kind: Kind::Bool,
        default: Is("false"),
        help: "Whether browsers may build the host into their lists. Those want `include_subdomains` and a `max_age` of a year at least.",
        example: "hsts = { max_age = \"365d\", include_subdomains = true, preload = true }",
    },
];

/// `tls` of a target group.
pub(super) const OF_TARGETS: &[Key] = &[
    Key {
        name: "server_name",
        kind: Kind::Text("host name or IP address"),
        default: Means("the target's IP address"),
        help: "The name that targets are asked for (SNI) and that their certificates must have. An IP address is not sent, only compared.",
        example: "tls = { server_name = \"app.internal\" }",
    },
    Key {
        name: "ca",
        kind: Kind::Text("file"),
        default: Means("the roots of the system"),
        help: "A PEM file with the CA certificates that targets' certificates must come from.",
        example: "tls = { ca = \"internal-ca.pem\" }",
    },
    Key {
        name: "cert",
        kind: Kind::Text("file"),
        default: Means("none is shown"),
        help: "Our own certificate with its chain, for targets that ask for one, as a PEM file.",
        example: "tls = { cert = \"balancer.pem\" }",
    },
    Key {
        name: "key",
        kind: Kind::Text("file"),
        default: Means("the key is in the file of `cert`"),
        help: "A PEM file with the private key of `cert`.",
        example: "tls = { cert = \"balancer.crt\", key = \"balancer.key\" }",
    },
    Key {
        name: "verify",
        kind: Kind::Bool,
        default: Is("true"),
        help: "Whether targets' certificates are verified. Without it anybody between Evenkeel and the targets can read and change everything; `check` warns.",
        example: "tls = { verify = false }",
    },
];
