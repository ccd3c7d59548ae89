//! Client certificates, with the same keys for a listener and for one of its certificates.

use super::Default::{Is, Means, Required};
use super::{Key, Kind};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "mode",
        kind: Kind::Word(&["off", "optional", "required"], &[]),
        default: Required,
        help: "Whether clients must present a certificate. With `optional` a client without a certificate is served as well, but one with an invalid certificate is refused. With `off` no certificate is requested.",
        example: "client_auth = { mode = \"optional\", ca = \"clients.pem\" }",
    },
    Key {
        name: "ca",
        kind: Kind::Text("file"),
        default: Means("needed unless `mode = \"off\"`"),
        help: "A PEM file with the CA certificates that must have issued clients' certificates.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\" }",
    },
    Key {
        name: "crl",
        kind: Kind::OneOrMore(&Kind::Text("file")),
        default: Means("nothing is revoked"),
        help: "Certificate revocation lists (CRLs), as PEM or DER, read at start and reload. Each must be signed by a CA of `ca`.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", crl = [\"root.crl\", \"issuing.crl\"] }",
    },
    Key {
        name: "depth",
        kind: Kind::Integer(0, 10),
        default: Is("3"),
        help: "How many intermediate certificates are allowed between the client's and that of the CA.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", depth = 1 }",
    },
    Key {
        name: "expired_crl",
        kind: Kind::Word(&["fail", "warn"], &[]),
        default: Is("\"fail\""),
        help: "How a CRL is treated after its `nextUpdate`: with `fail` all certificates of its issuer are refused, with `warn` the list stays in force and a warning is logged.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", crl = \"clients.crl\", expired_crl = \"warn\" }",
    },
    Key {
        name: "close_revoked",
        kind: Kind::Bool,
        default: Is("false"),
        help: "Whether a reload closes the open connections of clients whose certificate a new CRL revokes.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", crl = \"clients.crl\", close_revoked = true }",
    },
    Key {
        name: "allow",
        kind: Kind::OneOrMore(&Kind::Text("`subject=…`, `san=…` or `fingerprint=…`")),
        default: Means("every valid certificate"),
        help: "Certificates that are allowed; clients with others get status 403. An entry is `subject=` and the whole subject in the form of RFC 4514, most specific part first; `san=` and an alternative name with its prefix `DNS:`, `email:`, `URI:` or `IP:`; or `fingerprint=` and the SHA-256 of the certificate in hexadecimal digits, with or without colons. One matching entry is enough.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", allow = [\"subject=CN=alice,O=Example\", \"san=DNS:alice.example\"] }",
    },
    Key {
        name: "headers",
        kind: Kind::Table(&[HEADERS]),
        default: Means("none are sent"),
        help: "Request headers that pass the client's identity to targets, with the name of each. Headers of these names in a client's request are removed, also with `_` for `-`. Not with `protocol = \"tcp_ssl\"`.",
        example: "client_auth = { mode = \"optional\", ca = \"clients.pem\", headers = { subject = \"X-Client-Subject\", verify = \"X-Client-Verify\" } }",
    },
];

const HEADERS: &[Key] = &[
    header(
        "subject",
        "The subject in the form of RFC 4514.",
        "client_auth = { mode = \"optional\", ca = \"clients.pem\", headers = { subject = \"X-Client-Subject\" } }",
    ),
    header(
        "san",
        "The alternative names, such as `DNS:alice.example`.",
        "client_auth = { mode = \"optional\", ca = \"clients.pem\", headers = { san = \"X-Client-San\" } }",
    ),
    header(
        "serial",
        "The serial number in hexadecimal digits.",
        "client_auth = { mode = \"optional\", ca = \"clients.pem\", headers = { serial = \"X-Client-Serial\" } }",
    ),
    header(
        "fingerprint",
        "The SHA-256 of the certificate in hexadecimal digits.",
        "client_auth = { mode = \"optional\", ca = \"clients.pem\", headers = { fingerprint = \"X-Client-Fingerprint\" } }",
    ),
    header(
        "certificate",
        "The whole certificate, as PEM in percent encoding.",
        "client_auth = { mode = \"optional\", ca = \"clients.pem\", headers = { certificate = \"X-Client-Certificate\" } }",
    ),
    header(
        "verify",
        "`SUCCESS`, or `NONE` if the client presented no certificate.",
        "client_auth = { mode = \"optional\", ca = \"clients.pem\", headers = { verify = \"X-Client-Verify\" } }",
    ),
];

const fn header(name: &'static str, help: &'static str, example: &'static str) -> Key {
    Key { name, kind: Kind::Text("header"), default: Means("not sent"), help, example }
}
