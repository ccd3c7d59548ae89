//! What is compressed, and how.

use super::Default::{Is, Means};
use super::{Key, Kind};

pub(super) const COMPRESSION: &[Key] = &[
    Key {
        name: "algorithms",
        kind: Kind::List(&Kind::Word(&["zstd", "br", "gzip"], &[])),
        default: Is("[\"zstd\", \"br\", \"gzip\"]"),
        help: "The codings that a client can get, the one to take first where it likes several equally (RFC 9110 §12.5.3).",
        example: "compression = { algorithms = [\"br\", \"gzip\"] }",
    },
    Key {
        name: "types",
        kind: Kind::List(&Kind::Text("media type")),
        default: Means(
            "`text/*` and what else is text on the web: JSON, XML, JavaScript, SVG, WebAssembly, uncompressed fonts and icons",
        ),
        help: "Media types that are compressed, without parameters. A `*` may stand for the subtype, or for its part before a `+`: `text/*`, `application/*+json`. It does not reach `text/event-stream`, which must be listed itself; its events are then sent on as they come. A response without `Content-Type` is not compressed.",
        example: "compression = { types = [\"text/*\", \"application/json\"] }",
    },
    Key {
        name: "min_bytes",
        kind: Kind::Size(0, 1 << 30),
        default: Is("\"1KiB\""),
        help: "A body that is known to be shorter is left as it is. A body of unknown length is compressed.",
        example: "compression = { min_bytes = \"4KiB\" }",
    },
    Key {
        name: "level",
        kind: Kind::Either(&Kind::Word(&["fast", "balanced", "small"], &[]), &Kind::Table(&[LEVELS])),
        default: Is("\"balanced\""),
        help: "How much time is given for fewer bytes: `fast` is zstd 1, br 2 and gzip 2, `balanced` zstd 3, br 4 and gzip 5, `small` zstd 9, br 6 and gzip 9. A table sets the levels one by one; what it leaves out is as in `balanced`.",
        example: "compression = { level = \"fast\" }",
    },
];

const LEVELS: &[Key] = &[
    Key {
        name: "zstd",
        kind: Kind::Integer(1, 9),
        default: Is("3"),
        help: "The level of zstd.",
        example: "compression = { level = { zstd = 5 } }",
    },
    Key {
        name: "br",
        kind: Kind::Integer(0, 6),
        default: Is("4"),
        help: "The quality of br. Higher ones than these take many MiB and much time for each response; they are for files.",
        example: "compression = { level = { br = 2 } }",
    },
    Key {
        name: "gzip",
        kind: Kind::Integer(1, 9),
        default: Is("5"),
        help: "The level of gzip. What zlib gives at 1, this gives at 2; 1 is faster and much larger.",
        example: "compression = { level = { gzip = 6 } }",
    },
];
