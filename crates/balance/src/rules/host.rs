//! The form in which hosts are compared.

/// `None` if the host is too long to be a name.
pub(super) fn lower_case<'a>(host: &'a [u8], scratch: &'a mut [u8; HOST_BYTES_MAX]) -> Option<&'a [u8]> {
    let lower = scratch.get_mut(..host.len())?;
    if !host.iter().any(u8::is_ascii_uppercase) {
        return Some(host);
    }
    lower.copy_from_slice(host);
    lower.make_ascii_lowercase();
    Some(lower)
}

// limit: a name has at most 253 bytes (RFC 1035 §2.3.4). A longer one matches only rules without a host.
pub(super) const HOST_BYTES_MAX: usize = 255;
