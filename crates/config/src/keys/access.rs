//! Address lists, the same for load balancer, listener and rule.

use super::Default::{Means, Required};
use super::{Key, Kind};

/// With the layer's own help text.
pub(super) const fn key(help: &'static str) -> Key {
    Key {
        name: "access",
        kind: Kind::Table(&[ACCESS]),
        default: Means("everybody may come"),
        help,
        example: "access = { deny = [\"192.0.2.0/24\", { file = \"blocklist.txt\" }] }",
    }
}

const ACCESS: &[Key] = &[
    Key {
        name: "allow",
        kind: ENTRIES,
        default: Means("nobody is allowed by name"),
        help: "Who may come: addresses, ranges in CIDR form, or files of them. An entry may end at a time in the form of RFC 3339: `192.0.2.7 until 2027-01-01T00:00:00Z`; from then on it is as if it were not there, without a reload. The most specific entry that holds the client decides, whichever list it is in; a range cannot be in both. A range of IPv6 holds no IPv4 address.",
        example: "access = { allow = [\"192.0.2.0/24\", \"2001:db8::/32\"] }",
    },
    Key {
        name: "deny",
        kind: ENTRIES,
        default: Means("nobody is denied by name"),
        help: "Who may not come; entries as in `allow`.",
        example: "access = { deny = [\"192.0.2.0/24\", \"198.51.100.7 until 2027-01-01T00:00:00Z\"] }",
    },
    Key {
        name: "default",
        kind: Kind::Word(&["allow", "deny"], &[]),
        default: Means("where `allow` is written, be it empty, `deny`; else `allow`"),
        help: "What holds for a client that is in neither list.",
        example: "access = { allow = [\"10.1.0.0/16\"], deny = [\"10.0.0.0/8\"], default = \"allow\" }",
    },
];

const ENTRIES: Kind = Kind::List(&Kind::Either(&Kind::Text("address range"), &Kind::Table(&[FILE])));

const FILE: &[Key] = &[Key {
    name: "file",
    kind: Kind::Text("file"),
    default: Required,
    help: "A file with one entry a line, read at start and reload; `#` and what follows it is a comment. All files of a configuration together have at most 2,000,000 lines and 64 MiB. A range may be there several times; the latest end counts.",
    example: "access = { deny = [{ file = \"blocklist.txt\" }] }",
}];
