//! Short texts from certificates. Distinguished names are only formatted in `identity/name.rs`, so that `evenkeel cert
//! check` prints them in the form that an allow-list requires.

use std::fmt::Write;

use x509_parser::prelude::X509Name;

/// The first common name.
pub(crate) fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_common_name().next()?.as_str().ok().map(str::to_owned)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
