//! TLS with clients and to targets.

use super::Default::{Is, Means, Required};
use super::{Key, Kind, client_auth};

/// Keys of a listener with `protocol = "https"` and, but for the last two, `"tcp_ssl"`; `handshake_timeout` also of `"tcp"`.
pub(super) const OF_LISTENER: &[Key] = &[
    Key {
        name: "certificates",
        kind: Kind::OneOrMore(&Kind::Either(&Kind::Text("file"), &Kind::Table(&[CERTIFICATE]))),
        default: Means("needed with `protocol = \"https\"` and `\"tcp_ssl\"`, not allowed with others"),
        help: "The listener's certificates: a PEM file with certificate, chain and key, in any order, or a table that names the key's file as well. The name that a client sends (SNI) selects its certificate: exact, then a wildcard, then the first one here, which is the default. A name may have both an RSA and an ECDSA certificate. The files are read at start and reload, and when they change.",
        example: "certificates = [\"example.com.pem\", { cert = \"example.org.crt\", key = \"example.org.key\" }]",
    },
    Key {
        name: "client_auth",
        kind: Kind::Table(&[client_auth::KEYS]),
        default: Means("no client certificates are requested"),
        help: "Client certificates (mutual TLS). Applies to every name whose certificate has no `client_auth` of its own.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", crl = \"clients.crl\" }",
    },
    Key {
        name: "sni_strict",
        kind: Kind::Bool,
        default: Is("false"),
        help: "Whether a client that sends no name (SNI), or a name that no certificate covers, is refused with the alert `unrecognized_name`. Otherwise it gets the first certificate.",
        example: "sni_strict = true",
    },
    Key {
        name: "handshake_timeout",
        kind: Kind::Duration(1_000, 3_600_000),
        default: Is("\"10s\""),
        help: "How long a client may take from connecting to the end of the handshake. After that the connection is closed. With `protocol = \"tcp\"` and rules with `sni` or `alpn` it is the time for the client's first message: a client that has begun it is reset, and one that has sent nothing is taken for one without TLS, since in some protocols the server speaks first.",
        example: "handshake_timeout = \"5s\"",
    },
    Key {
        name: "tls",
        kind: Kind::Table(&[POLICY]),
        default: Means("the settings below"),
        help: "The TLS versions and cipher suites that are offered.",
        example: "tls = { min_version = \"1.3\" }",
    },
    Key {
        name: "hsts",
        kind: Kind::Table(&[HSTS]),
        default: Means("the field is not sent"),
        help: "Adds `Strict-Transport-Security` to responses (RFC 6797): browsers then use only https, even for `http` links. It cannot be revoked before `max_age` is over, so begin with a short one.",
        example: "hsts = { max_age = \"365d\", include_subdomains = true }",
    },
    Key {
        name: "redirect_http",
        kind: Kind::Integer(1, 65_535),
        default: Means("no redirect"),
        help: "A second port on the same IP addresses, without encryption, where every request is redirected to https with status 308: same host, path and query. It redirects to port 443 if `bind` has it, otherwise to the port of the first address. It is a separate listener, `NAME:redirect`, with the same settings and limits and without rules.",
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
        help: "Client certificates for the names of this certificate. Replaces the listener's `client_auth` and has the same keys. `{ mode = \"off\" }` requests none.",
        example: "certificates = [\"www.pem\", { cert = \"api.pem\", client_auth = { mode = \"required\", ca = \"clients.pem\" } }]",
    },
];

const POLICY: &[Key] = &[
    Key {
        name: "min_version",
        kind: Kind::Text("`1.2` or `1.3`"),
        default: Is("\"1.2\""),
        help: "The oldest version that clients may use. Versions before 1.2 are never offered.",
        example: "tls = { min_version = \"1.3\" }",
    },
    Key {
        name: "cipher_suites",
        kind: Kind::List(&Kind::Text("IANA name")),
        default: Means("all suites named below that `min_version` allows, in that order"),
        help: "The cipher suites that are offered, in order of preference: `TLS_AES_128_GCM_SHA256`, `TLS_AES_256_GCM_SHA384` and `TLS_CHACHA20_POLY1305_SHA256` of TLS 1.3; `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`, `TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384`, `TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256` and the same three with `ECDHE_RSA` of TLS 1.2. This order is used, not the client's. A version without a suite in the list is not offered.",
        example: "tls = { cipher_suites = [\"TLS_AES_256_GCM_SHA384\", \"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\"] }",
    },
];

const HSTS: &[Key] = &[
    Key {
        name: "max_age",
        // 10 years: the limit only catches typing errors.
        kind: Kind::Duration(0, 3_650 * 86_400_000),
        default: Required,
        help: "How long a browser uses only https after each response, in whole seconds. With `0s` browsers forget the host.",
        example: "hsts = { max_age = \"1h\" }",
    },
    Key {
        name: "include_subdomains",
        kind: Kind::Bool,
        default: Is("false"),
        help: "Whether that applies to every subdomain of the host as well.",
        example: "hsts = { max_age = \"30d\", include_subdomains = true }",
    },
    Key {
        name: "preload",
        kind: Kind::Bool,
        default: Is("false"),
        help: "Whether browsers may add the host to their preload lists. The lists require `include_subdomains` and a `max_age` of at least one year.",
        example: "hsts = { max_age = \"365d\", include_subdomains = true, preload = true }",
    },
];

/// `tls` of a target group.
pub(super) const OF_TARGETS: &[Key] = &[
    Key {
        name: "server_name",
        kind: Kind::Text("host name or IP address"),
        default: Means("the target's IP address"),
        help: "The name that is sent to targets (SNI) and that their certificates must have. An IP address is not sent, only verified.",
        example: "tls = { server_name = \"app.internal\" }",
    },
    Key {
        name: "ca",
        kind: Kind::Text("file"),
        default: Means("the roots of the system"),
        help: "A PEM file with the CA certificates that must have issued targets' certificates, or with certificates of targets themselves.",
        example: "tls = { ca = \"internal-ca.pem\" }",
    },
    Key {
        name: "cert",
        kind: Kind::Text("file"),
        default: Means("none is sent"),
        help: "A PEM file with the client certificate and its chain that Evenkeel presents to targets that request one.",
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
        help: "Whether targets' certificates are verified. If not, an attacker between Evenkeel and the targets can read and change everything; `evenkeel check` warns.",
        example: "tls = { verify = false }",
    },
];
