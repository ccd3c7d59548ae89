//! Certificates of clients; the same keys for a listener and for one of its certificates.

use super::Default::{Is, Means, Required};
use super::{Key, Kind};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "mode",
        kind: Kind::Word(&["off", "optional", "required"], &[]),
        default: Required,
        help: "Whether clients must show a certificate. With `optional` one without is served too, but a bad one is refused all the same. With `off` none is asked for.",
        example: "client_auth = { mode = \"optional\", ca = \"clients.pem\" }",
    },
    Key {
        name: "ca",
        kind: Kind::Text("file"),
        default: Means("needed unless `mode = \"off\"`"),
        help: "A PEM file with the CA certificates that clients' certificates must come from.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\" }",
    },
    Key {
        name: "crl",
        kind: Kind::OneOrMore(&Kind::Text("file")),
        default: Means("nothing is revoked"),
        help: "Lists of revoked certificates (CRLs), as PEM or DER, read at start and reload. Each must be signed by a CA of `ca`.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", crl = [\"root.crl\", \"issuing.crl\"] }",
    },
    Key {
        name: "depth",
        kind: Kind::Integer(0, 10),
        default: Is("3"),
        help: "How many intermediate certificates may stand between the client's and that of the CA.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", depth = 1 }",
    },
    Key {
        name: "expired_crl",
        kind: Kind::Word(&["fail", "warn"], &[]),
        default: Is("\"fail\""),
        help: "What a CRL whose `nextUpdate` has passed means: the certificates of its issuer are refused, or it counts as before and the log warns.",
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
        default: Means("everybody whose certificate is good"),
        help: "Who may come; all others get status 403. `subject=` and the whole subject as RFC 4514 writes it, the name itself first; `san=` and an alternative name, `DNS:`, `email:`, `URI:` or `IP:` in front; `fingerprint=` and the SHA-256 of the certificate in hexadecimal digits, with or without colons. One that fits is enough.",
        example: "client_auth = { mode = \"required\", ca = \"clients.pem\", allow = [\"subject=CN=alice,O=Example\", \"san=DNS:alice.example\"] }",
    },
    Key {
        name: "headers",
        kind: Kind::Table(&[HEADERS]),
        default: Means("targets are told nothing"),
        help: "Request headers that tell targets who the client is, each by the name that it gets. What a client sends under these names is removed, also with `_` for `-`.",
        example: "client_auth = { mode = \"optional\", ca = \"clients.pem\", headers = { subject = \"X-Client-Subject\", verify = \"X-Client-Verify\" } }",
    },
];

const HEADERS: &[Key] = &[
    header(
        "subject",
        "The subject as RFC 4514 writes it.",
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
        "`SUCCESS`, or `NONE` where the client showed no certificate.",
        "client_auth = { mode = \"optional\", ca = \"clients.pem\", headers = { verify = \"X-Client-Verify\" } }",
    ),
];

const fn header(name: &'static str, help: &'static str, example: &'static str) -> Key {
    Key { name, kind: Kind::Text("header"), default: Means("not told"), help, example }
}
