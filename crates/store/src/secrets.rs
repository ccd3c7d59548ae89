//! URLs hold passwords; texts for operators do not.

use std::fmt;

use crate::StoreError;

/// Why a URL names no database or server; in words without the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidUrl(pub(crate) String);

/// What must not stand in a text for operators.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn in_url(url: &str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, _) = rest.split_once(['/', '?', '#']).unwrap_or((rest, ""));
        // A slash in a password is an error that a URL parser reports; the password must not stand in its text either.
        let user = |part: &str| part.rsplit_once('@').map(|(user, _)| user.to_owned());
        let password = |user: &String| user.split_once(':').map(|(_, password)| password.to_owned());
        let parameter = rest.split(['?', '&']).filter_map(|part| part.strip_prefix("password="));
        let raw = [user(authority), user(rest)].iter().flatten().filter_map(password).collect::<Vec<_>>();
        let raw = raw.into_iter().chain(parameter.map(str::to_owned)).filter(|secret| !secret.is_empty());
        let mut secrets: Vec<String> = raw.flat_map(|secret| [percent_decoded(&secret), secret]).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    /// One line of bounded length without secrets: a hostile server chooses what its errors say.
    pub(crate) fn clean(&self, text: &str) -> String {
        let text = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"));
        let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        line.take(TEXT_LENGTH_MAX).collect()
    }

    pub(crate) fn clean_error(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Away(text) => StoreError::Away(self.clean(&text)),
            StoreError::Login(text) => StoreError::Login(self.clean(&text)),
            StoreError::Full(text) => StoreError::Full(self.clean(&text)),
            StoreError::Denied(text) => StoreError::Denied(self.clean(&text)),
            StoreError::Garbage(text) => StoreError::Garbage(self.clean(&text)),
            other => other,
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// Undoes percent-encoding.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(decoded) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(decoded);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidUrl {}

// limit: characters of a text for operators.
const TEXT_LENGTH_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_stands_in_a_text() {
        for url in [
            "postgres://user:s%40cret@host:5432/db",
            "mysql://user:s%40cret@host",
            "postgres://host/db?sslmode=disable&password=s%40cret",
            "redis://:s%40cret@host/3",
        ] {
            let secrets = Secrets::in_url(url);
            let text = secrets.clean("user: s@cret, raw s%40cret\nend");
            assert_eq!(text, "user: …, raw … end", "{url}");
            assert!(!format!("{secrets:?}").contains("s@cret"));
        }
        assert_eq!(Secrets::in_url("postgres://u:a/b@host/db").clean("a/b"), "…");
        assert_eq!(Secrets::in_url("sqlite:///var/lib/file").clean("/var/lib/file"), "/var/lib/file");
    }

    #[test]
    fn a_text_has_bounded_length() {
        assert_eq!(Secrets::default().clean(&"x".repeat(10_000)).len(), TEXT_LENGTH_MAX);
    }

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(percent_decoded("a%zz%4"), "a%zz%4");
        assert_eq!(percent_decoded("%C3%BC"), "ü");
    }
}
