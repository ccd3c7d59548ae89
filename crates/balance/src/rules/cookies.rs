//! Cookies of a request, one by one.

/// The values of one cookie in one `Cookie` field line (RFC 6265 §4.2.1). Quotes are part of the value.
pub(super) fn cookie_values(line: &[u8], name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    line.split(|&byte| byte == b';').any(|pair| {
        let (key, value) = split_pair(pair.trim_ascii());
        key == name.as_bytes() && each(value)
    })
}

/// Splits `name=value`. Without `=` the value is empty.
pub(super) fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|&byte| byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_split_at_semicolons() {
        for (line, name, expected) in [
            ("a=1", "a", vec!["1"]),
            ("a=1; b=2;a=3", "a", vec!["1", "3"]),
            ("  a = 1", "a", vec![]),
            ("a=\"1\"", "a", vec!["\"1\""]),
            ("a=x=y", "a", vec!["x=y"]),
            ("aa=1", "a", vec![]),
            ("A=1", "a", vec![]),
            ("a", "a", vec![""]),
            (";;", "a", vec![]),
        ] {
            let mut seen = Vec::new();
            let stopped = cookie_values(line.as_bytes(), name, &mut |value| {
                seen.push(String::from_utf8(value.to_vec()).unwrap());
                false
            });
            assert!(!stopped);
            assert_eq!(seen, expected, "{line}");
        }
    }
}
