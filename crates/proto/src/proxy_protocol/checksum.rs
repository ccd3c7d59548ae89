//! The checksum of a header of version 2.

/// CRC-32C (RFC 9260 appendix A) of `header`, with zeros for the four bytes of the checksum at `place`.
pub(super) fn crc32c(header: &[u8], place: usize) -> u32 {
    let mut crc = u32::MAX;
    for (at, &byte) in header.iter().enumerate() {
        crc ^= if (place..place + 4).contains(&at) { 0 } else { u32::from(byte) };
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_matches_the_known_value() {
        assert_eq!(crc32c(b"123456789", 100), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32], 3), 0x8a91_36aa);
    }
}
