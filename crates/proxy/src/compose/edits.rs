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
    if edits.is_empty() {
        return;
    }
    for (name, value) in edits.set.iter().chain(&edits.add) {
        write_field(name, value.as_bytes(), out);
    }
}

pub(super) fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}
