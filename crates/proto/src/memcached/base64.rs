//! Base64 (RFC 4648, section 4), for binary keys.

/// The bytes; `None`: it is empty, or not the one way to write them.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    if text.is_empty() || !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let digits = text.len() - padding;
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for four in text[..digits].chunks(4) {
        let mut bits = 0_u32;
        for &digit in four {
            bits = bits << 6 | value(digit)?;
        }
        bits <<= 6 * (4 - four.len());
        let whole = four.len() - 1;
        let [_, three @ ..] = bits.to_be_bytes();
        // The bits that belong to no byte are zero.
        if three[whole..].iter().any(|&byte| byte != 0) {
            return None;
        }
        bytes.extend_from_slice(&three[..whole]);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_one_meaning() {
        for (text, bytes) in [
            ("Zg==", Some(&b"f"[..])),
            ("Zm8=", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("Zm9vYmFy", Some(b"foobar")),
            ("+/8=", Some(b"\xfb\xff")),
            ("", None),
            ("Zg", None),
            ("Zh==", None),
            ("Zm9=", None),
            ("Z===", None),
            ("====", None),
            ("Zm9v\n", None),
            ("Zm=v", None),
            ("Zm_v", None),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), bytes, "{text}");
        }
    }
}
