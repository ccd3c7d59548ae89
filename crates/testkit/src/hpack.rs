//! Hand-made header blocks (RFC 7541): literals without Huffman coding, and malformed ones for hostile clients.

/// A field from the tables: up to 61 static, above dynamic.
pub fn indexed(index: usize) -> Vec<u8> {
    integer(0x80, 7, index)
}

/// A literal field without indexing.
pub fn literal(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![0x00], string(name.as_ref()), string(value.as_ref())].concat()
}

/// A literal field with incremental indexing: both sides add it to the dynamic table.
pub fn remembered(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![0x40], string(name.as_ref()), string(value.as_ref())].concat()
}

/// A dynamic table size update.
pub fn table_size(bytes: usize) -> Vec<u8> {
    integer(0x20, 5, bytes)
}

/// The header block of a request without a body; `fields` are names and values.
pub fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = literal(":method", method);
    block.extend(literal(":scheme", "http"));
    block.extend(literal(":path", path));
    block.extend(literal(":authority", "shop.example"));
    fields.iter().for_each(|(name, value)| block.extend(literal(name, value)));
    block
}

/// A string literal (§5.2), not Huffman-coded.
pub fn string(text: &[u8]) -> Vec<u8> {
    [integer(0x00, 7, text.len()), text.to_vec()].concat()
}

/// An integer (§5.1). `first` has the bits above the prefix of `bits` bits.
pub fn integer(first: u8, bits: u32, value: usize) -> Vec<u8> {
    let most = (1_usize << bits) - 1;
    if value < most {
        return vec![first | u8::try_from(value).unwrap()];
    }
    let mut bytes = vec![first | u8::try_from(most).unwrap()];
    let mut rest = value - most;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 0x80);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

/// Decodes the status of a response. Its block must begin with the status, as nearly all do: indexed, or a
/// literal with name index 8 to 14. Huffman-coded digits are decoded.
pub fn status(block: &[u8]) -> Option<u16> {
    let mut block = block;
    // Table size updates come first.
    while block.first()? & 0xE0 == 0x20 {
        let length =
            if block[0] & 0x1F == 0x1F { 1 + block[1..].iter().position(|b| b & 0x80 == 0)? + 1 } else { 1 };
        block = block.get(length..)?;
    }
    let (&first, rest) = block.split_first()?;
    if first & 0x80 != 0 {
        return INDEXED_STATUSES.get(usize::from(first & 0x7F).checked_sub(8)?).copied();
    }
    // A literal, with or without indexing, whose name is an index.
    let name = if first & 0x40 != 0 { first & 0x3F } else { first & 0x0F };
    let (&length, text) = rest.split_first()?;
    if !(8..=14).contains(&name) {
        return None;
    }
    let text = text.get(..usize::from(length & 0x7F))?;
    if length & 0x80 == 0 { std::str::from_utf8(text).ok()?.parse().ok() } else { huffman_digits(text) }
}

/// The codes of digits have 5 or 6 bits (Appendix B): 0, 1 and 2 are 0 to 2 with five bits, 3 to 9 are 0x19 to
/// 0x1F with six.
fn huffman_digits(coded: &[u8]) -> Option<u16> {
    let bits: String = coded.iter().map(|byte| format!("{byte:08b}")).collect();
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let five = u16::from_str_radix(bits.get(at..at + 5)?, 2).ok()?;
        let digit = if five <= 2 {
            at += 5;
            five
        } else {
            at += 6;
            u16::from_str_radix(bits.get(at - 6..at)?, 2).ok()?.checked_sub(0x19)? + 3
        };
        number = number * 10 + digit;
    }
    Some(number)
}

const INDEXED_STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_match_the_examples_of_the_rfc() {
        // RFC 7541, C.1.
        assert_eq!(integer(0, 5, 10), [0b01010]);
        assert_eq!(integer(0, 5, 1337), [0b11111, 0b1001_1010, 0b1010]);
        assert_eq!(integer(0, 8, 42), [42]);
    }

    #[test]
    fn statuses_are_read() {
        // RFC 7541, C.6.1: 302 in Huffman coding.
        let table: [(&[u8], Option<u16>); 6] = [
            (&[0x88], Some(200)),
            (&[0x20, 0x8D], Some(404)),
            (&[0x48, 0x82, 0x64, 0x02, 0x58], Some(302)),
            (b"\x48\x03421", Some(421)),
            (b"\x08\x03502rest", Some(502)),
            (&[0x40], None),
        ];
        for (block, expected) in table {
            assert_eq!(status(block), expected, "{block:x?}");
        }
    }
}
