//! Tokens, lists and case (RFC 9110 §5.6).

/// Whether this is a token: one or more `tchar` (RFC 9110 §5.6.2).
#[inline]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && classes(bytes) & TOKEN != 0
}

/// Whether a token may contain this byte.
#[inline]
pub const fn is_token_byte(byte: u8) -> bool {
    CLASS[byte as usize] & TOKEN != 0
}

/// Compares names without case (RFC 9110 §5.1).
#[inline]
pub fn eq_ignore_case(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Compares names as CGI does, which makes the same variable of `X-A` and `X_A` (RFC 3875 §4.1.18).
#[inline]
pub fn is_same_variable(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| plain(a) == plain(b))
}

/// A byte of a name in lower case, with `_` as `-`.
#[inline]
pub(super) const fn plain(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

/// The elements of a comma-separated list, trimmed and without empty ones (RFC 9110 §5.6.1.2). Quoted strings are not
/// supported: for lists of tokens only.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// The bytes without optional white space (`OWS`) at both ends.
#[inline]
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// A number in the form of RFC 9110, `1*DIGIT`; `None` for anything else and above 2⁶⁴ − 1.
pub fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The classes that contain all these bytes. The first `_` clears [`PLAIN`].
#[inline]
pub(super) fn classes(bytes: &[u8]) -> u8 {
    bytes.iter().fold(TOKEN | PLAIN, |classes, byte| classes & CLASS[*byte as usize])
}

/// `tchar` (RFC 9110 §5.6.2).
pub(super) const TOKEN: u8 = 1;
/// Any byte but `_`, which some targets read as `-`.
pub(super) const PLAIN: u8 = 2;

static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let token = matches!(byte as u8, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
            || matches!(byte as u8, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+')
            || matches!(byte as u8, b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~');
        table[byte] = if token { TOKEN } else { 0 } | if byte as u8 == b'_' { 0 } else { PLAIN };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_contains_tchar_only() {
        let tchar = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        for byte in 0..=255 {
            assert_eq!(is_token(&[b'a', byte]), tchar.contains(&byte), "{byte}");
            assert_eq!(is_token_byte(byte), tchar.contains(&byte), "{byte}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn list_elements_are_trimmed_and_empty_ones_dropped() {
        let elements: Vec<&[u8]> = list(b" ,close,\t keep-alive ,, x y,").collect();
        assert_eq!(elements, [&b"close"[..], b"keep-alive", b"x y"]);
        assert_eq!(list(b"").count(), 0);
        assert_eq!(list(b" , ,\t").count(), 0);
    }

    #[test]
    fn a_number_is_digits_only_and_fits() {
        for (text, value) in [
            ("0", Some(0)),
            ("00042", Some(42)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999999999999999", None),
            ("", None),
            ("+5", None),
            ("-0", None),
            ("0x5", None),
            ("5 ", None),
            ("5,5", None),
            ("\u{665}", None),
        ] {
            assert_eq!(number(text.as_bytes()), value, "{text}");
        }
    }

    #[test]
    fn case_is_ignored_for_letters_only() {
        assert!(eq_ignore_case(b"Keep-Alive", b"kEEP-aLIVE"));
        assert!(!eq_ignore_case(b"Keep-Alive", b"Keep_Alive"));
        assert!(!eq_ignore_case(b"[", b"{"));
    }

    #[test]
    fn dash_and_underscore_make_the_same_variable() {
        assert!(is_same_variable(b"True-Client-IP", b"true_client-ip"));
        assert!(is_same_variable(b"a_b", b"A-B"));
        for (a, b) in [("a-b", "ab"), ("a-b", "a.b"), ("a-b", "a-b-"), ("a", "b")] {
            assert!(!is_same_variable(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
    }
}
