//! Access lists, with the same keys for load balancer, listener and rule.

use super::Default::{Means, Required};
use super::{Key, Kind};

/// The key `access`, with the help text of its table.
pub(super) const fn key(help: &'static str) -> Key {
    Key {
        name: "access",
        kind: Kind::Table(&[ACCESS]),
        default: Means("every client is allowed"),
        help,
        example: "access = { deny = [\"192.0.2.0/24\", { file = \"blocklist.txt\" }] }",
    }
}

const ACCESS: &[Key] = &[
    Key {
        name: "allow",
        kind: ENTRIES,
        default: Means("no addresses are listed"),
        help: "Clients that are allowed: addresses, ranges in CIDR form, or files of these. An entry may have an expiry time in the form of RFC 3339: `192.0.2.7 until 2027-01-01T00:00:00Z`; it expires without a reload. The most specific entry that contains the client's address decides, in whichever list it is; a range cannot be in both lists. An IPv6 range contains no IPv4 address.",
        example: "access = { allow = [\"192.0.2.0/24\", \"2001:db8::/32\"] }",
    },
    Key {
        name: "deny",
        kind: ENTRIES,
        default: Means("no addresses are listed"),
        help: "Clients that are denied; entries as in `allow`.",
        example: "access = { deny = [\"192.0.2.0/24\", \"198.51.100.7 until 2027-01-01T00:00:00Z\"] }",
    },
    Key {
        name: "default",
        kind: Kind::Word(&["allow", "deny"], &[]),
        default: Means("if `allow` is set, even to an empty list, `deny`; else `allow`"),
        help: "The verdict for a client that is in neither list.",
        example: "access = { allow = [\"10.1.0.0/16\"], deny = [\"10.0.0.0/8\"], default = \"allow\" }",
    },
];

const ENTRIES: Kind = Kind::List(&Kind::Either(&Kind::Text("address range"), &Kind::Table(&[FILE])));

const FILE: &[Key] = &[Key {
    name: "file",
    kind: Kind::Text("file"),
    default: Required,
    help: "A file with one entry a line, read at start and reload; `#` and what follows it is a comment. All files of a configuration together have at most 2,000,000 lines and 64 MiB. If a range is listed several times, the latest expiry applies.",
    example: "access = { deny = [{ file = \"blocklist.txt\" }] }",
}];
