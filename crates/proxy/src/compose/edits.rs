//! The operator's edits of header fields.

use model::FieldEdits;
use proto::http1::token;

/// Whether a response's field is replaced or removed.
#[inline]
pub(crate) fn is_edited(edits: &FieldEdits, name: &[u8]) -> bool {
    !edits.is_empty() && edits.replaces(|edited| token::eq_ignore_case(edited, name))
}

/// Whether a request's field is replaced or removed. A client could otherwise send what the operator takes away with `_`
/// for `-`, to a target that reads both as one.
#[inline]
pub(super) fn is_edited_or_alias(edits: &FieldEdits, name: &[u8]) -> bool {
    !edits.is_empty() && edits.replaces(|edited| token::is_same_variable(edited, name))
}

pub(super) fn write_edits(edits: &FieldEdits, out: &mut Vec<u8>) {
    write_edits_of(edits, |_| true, out);
}

/// Writes the edits of the names that `may_be_edited`.
pub(super) fn write_edits_of(edits: &FieldEdits, may_be_edited: impl Fn(&[u8]) -> bool, out: &mut Vec<u8>) {
    if edits.is_empty() {
        return;
    }
    for (name, value) in edits.set.iter().chain(&edits.add) {
        if may_be_edited(name.as_bytes()) {
            write_field(name, value.as_bytes(), out);
        }
    }
}

/// Whether a field of a failure's reply is ours alone: it describes the page that we wrote, keeps it out of caches, or tells a
/// gRPC client what failed. What a rule says of its target's responses would be wrong there.
pub(super) fn belongs_to_failure(name: &[u8]) -> bool {
    let begins = |start: &[u8]| name.get(..start.len()).is_some_and(|own| token::eq_ignore_case(own, start));
    let is_page = begins(b"content-") && !begins(b"content-security-policy");
    let ours: [&[u8]; 6] = [b"age", b"cache-control", b"etag", b"expires", b"last-modified", b"pragma"];
    is_page || begins(b"grpc-") || ours.iter().any(|ours| token::eq_ignore_case(ours, name))
}

/// Whether a field of a 101 belongs to the handshake of the WebSocket, which client and target agree on (RFC 6455 §4.2.2).
pub(super) fn belongs_to_handshake(name: &[u8]) -> bool {
    const START: &[u8] = b"sec-websocket-";
    name.get(..START.len()).is_some_and(|own| token::eq_ignore_case(own, START))
}

pub(super) fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}
