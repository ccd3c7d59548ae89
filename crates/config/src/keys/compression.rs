//! Compression of responses.

use super::Default::{Is, Means};
use super::{Key, Kind};

pub(super) const COMPRESSION: &[Key] = &[
    Key {
        name: "algorithms",
        kind: Kind::List(&Kind::Word(&["zstd", "br", "gzip"], &[])),
        default: Is("[\"zstd\", \"br\", \"gzip\"]"),
        help: "The content codings that are offered, in order of preference. The order decides between codings that the client accepts equally (RFC 9110 §12.5.3).",
        example: "compression = { algorithms = [\"br\", \"gzip\"] }",
    },
    Key {
        name: "types",
        kind: Kind::List(&Kind::Text("media type")),
        default: Means(
            "`text/*` and other compressible types: JSON, XML, JavaScript, SVG, WebAssembly, uncompressed fonts and icons",
        ),
        help: "Media types that are compressed, without parameters. A `*` matches the subtype, or its part before a `+`: `text/*`, `application/*+json`. `text/*` does not match `text/event-stream`, which must be listed explicitly; each event is then flushed as it arrives. A response without `Content-Type` is not compressed.",
        example: "compression = { types = [\"text/*\", \"application/json\"] }",
    },
    Key {
        name: "min_bytes",
        kind: Kind::Size(0, 1 << 30),
        default: Is("\"1KiB\""),
        help: "A body that is known to be shorter is not compressed. A body of unknown length is.",
        example: "compression = { min_bytes = \"4KiB\" }",
    },
    Key {
        name: "level",
        kind: Kind::Either(&Kind::Word(&["fast", "balanced", "small"], &[]), &Kind::Table(&[LEVELS])),
        default: Is("\"balanced\""),
        help: "The compression level, a trade of CPU time against size: `fast` is zstd 1, br 2 and gzip 2, `balanced` zstd 3, br 4 and gzip 5, `small` zstd 9, br 6 and gzip 9. A table sets the levels one by one; levels that it leaves out are those of `balanced`.",
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
        help: "The quality of br. Higher qualities need many MiB and much CPU time per response; they are meant for static files.",
        example: "compression = { level = { br = 2 } }",
    },
    Key {
        name: "gzip",
        kind: Kind::Integer(1, 9),
        default: Is("5"),
        help: "The level of gzip. Level 2 here compares to level 1 of zlib; level 1 is faster, but its output is much larger.",
        example: "compression = { level = { gzip = 6 } }",
    },
];
