//! The edits of a response head if the response is compressed, or could have been.

use model::{Compression, ContentCoding};

use super::Survey;
use crate::http1::token;

/// Changes to the head of a response. By default it stays unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadEdits {
    /// The content coding that is applied to the body.
    pub coding: Option<ContentCoding>,
    adds_vary: bool,
    weakens_etag: bool,
}

impl HeadEdits {
    /// Edits for a response that may be compressed, and is compressed if `coding` is set. `Vary` is written in either
    /// case: otherwise a cache could give the compressed response to a client that does not accept it.
    pub fn of_response(survey: &Survey<'_>, coding: Option<ContentCoding>) -> Self {
        Self { coding, adds_vary: !survey.varies, weakens_etag: coding.is_some() }
    }

    /// Edits for a 206, which varies as the whole response does.
    pub fn of_part(survey: &Survey<'_>, settings: &Compression) -> Self {
        let adds_vary = !survey.varies && survey.stands_for_compressible(settings, None);
        Self { adds_vary, ..Self::default() }
    }

    /// Edits for a 304, which varies as the 200 would. `length` is that of its body, if the 304 says it. If the client's conditional request has the validator of a compressed response, the 304 must
    /// carry the same validator, or the client's cache could not use the answer (RFC 9111 §4.3.4).
    pub fn of_not_modified<'a>(
        survey: &Survey<'_>,
        settings: &Compression,
        length: Option<u64>,
        if_none_match: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let may_be_compressed = survey.stands_for_compressible(settings, length);
        let unchanged = Self { adds_vary: may_be_compressed && !survey.varies, ..Self::default() };
        let etag = survey.etag.filter(|etag| is_strong(etag) && !survey.is_final);
        let Some(etag) = etag else { return unchanged };
        let (mut has_weak, mut has_strong) = (false, false);
        for tag in if_none_match.into_iter().flat_map(token::list) {
            has_strong |= tag == etag;
            has_weak |= tag.strip_prefix(b"W/") == Some(etag);
        }
        let weakens_etag = has_weak && !has_strong;
        Self { adds_vary: (weakens_etag || may_be_compressed) && !survey.varies, weakens_etag, ..unchanged }
    }

    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Whether the target's field of this name is dropped.
    pub fn drops(self, name: &[u8]) -> bool {
        match self.coding {
            Some(_) => holds_for_one_coding(name),
            None => self.weakens_etag && token::eq_ignore_case(name, b"etag"),
        }
    }

    /// Writes the added fields. `etag` is the target's.
    pub fn write(self, etag: Option<&[u8]>, out: &mut Vec<u8>) {
        if let Some(coding) = self.coding {
            write_field(b"Content-Encoding", &[coding.as_str().as_bytes()], out);
        }
        if self.adds_vary {
            write_field(b"Vary", &[b"Accept-Encoding"], out);
        }
        match etag.filter(|_| self.weakens_etag) {
            Some(etag) if is_strong(etag) => write_field(b"ETag", &[b"W/", etag], out),
            Some(etag) if etag.starts_with(b"W/") => write_field(b"ETag", &[etag], out),
            // A value that is not an entity tag cannot be made weak.
            _ => {}
        }
    }
}

/// Whether a field of this name describes the bytes of a body, and is therefore valid for one coding only.
pub(super) fn holds_for_one_coding(name: &[u8]) -> bool {
    let is = |known: &[u8]| token::eq_ignore_case(name, known);
    match name.len() {
        4 => is(b"etag"),
        6 => is(b"digest"),
        11 => is(b"content-md5") || is(b"repr-digest"),
        13 => is(b"accept-ranges"),
        14 => is(b"content-digest") || is(b"content-length"),
        _ => false,
    }
}

/// The trailer lines that also apply to a compressed body.
pub fn keep_trailers(trailers: &[u8], out: &mut Vec<u8>) {
    for line in trailers.split_inclusive(|&byte| byte == b'\n') {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        if !holds_for_one_coding(name) {
            out.extend_from_slice(line);
        }
    }
}

/// RFC 9110 §8.8.3.
fn is_strong(etag: &[u8]) -> bool {
    matches!(etag, [b'"', .., b'"'])
}

fn write_field(name: &[u8], value: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    value.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use model::ContentCoding::{Br, Gzip};

    use super::*;
    use crate::compression::survey::tests::{settings, survey};

    fn written(edits: HeadEdits, survey: &Survey<'_>) -> String {
        let mut out = Vec::new();
        edits.write(survey.etag, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_compressed_response_has_content_encoding_and_vary() {
        let plain = survey(&[]);
        assert_eq!(
            written(HeadEdits::of_response(&plain, Some(Br)), &plain),
            "Content-Encoding: br\r\nVary: Accept-Encoding\r\n"
        );
        assert_eq!(written(HeadEdits::of_response(&plain, None), &plain), "Vary: Accept-Encoding\r\n");
    }

    #[test]
    fn vary_is_written_once() {
        for (vary, expected) in [
            ("Origin", "Vary: Accept-Encoding\r\n"),
            ("", "Vary: Accept-Encoding\r\n"),
            ("X-Accept-Encoding", "Vary: Accept-Encoding\r\n"),
            ("Origin, accept-encoding", ""),
            ("*", ""),
        ] {
            let survey = survey(&[("Vary", vary)]);
            assert_eq!(written(HeadEdits::of_response(&survey, None), &survey), expected, "{vary}");
        }
    }

    #[test]
    fn a_strong_validator_becomes_weak() {
        for (etag, expected) in [
            ("\"x\"", "ETag: W/\"x\"\r\n"),
            ("\"\"", "ETag: W/\"\"\r\n"),
            ("W/\"x\"", "ETag: W/\"x\"\r\n"),
            ("x", ""),
            ("\"", ""),
        ] {
            let survey = survey(&[("ETag", etag), ("Vary", "*")]);
            let edits = HeadEdits::of_response(&survey, Some(Gzip));
            assert!(edits.drops(b"etag"));
            assert_eq!(written(edits, &survey), format!("Content-Encoding: gzip\r\n{expected}"), "{etag}");
            assert!(!HeadEdits::of_response(&survey, None).drops(b"ETag"), "not compressed");
        }
    }

    #[test]
    fn fields_about_the_uncompressed_bytes_are_dropped() {
        let edits = HeadEdits::of_response(&survey(&[]), Some(Gzip));
        for (name, expected) in [
            ("Accept-Ranges", true),
            ("Content-MD5", true),
            ("Digest", true),
            ("Content-Digest", true),
            ("Repr-Digest", true),
            ("Content-Length", true),
            ("Last-Modified", false),
            ("Content-Type", false),
            ("Set-Cookie", false),
        ] {
            assert_eq!(edits.drops(name.as_bytes()), expected, "{name}");
            assert!(!HeadEdits::default().drops(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_304_carries_the_validator_that_the_client_has() {
        for (etag, asked, weakens) in [
            ("\"x\"", &["W/\"x\""][..], true),
            ("\"x\"", &["W/\"y\", W/\"x\""], true),
            ("\"x\"", &["W/\"y\"", "W/\"x\""], true),
            ("\"x\"", &["\"x\""], false),
            ("\"x\"", &["\"x\", W/\"x\""], false),
            ("\"x\"", &["W/\"y\""], false),
            ("\"x\"", &["*"], false),
            ("\"x\"", &[], false),
            ("W/\"x\"", &["W/\"x\""], false),
        ] {
            let survey = survey(&[("ETag", etag)]);
            let asked_tags = asked.iter().map(|tags| tags.as_bytes());
            let edits = HeadEdits::of_not_modified(&survey, &settings(), None, asked_tags);
            assert_eq!(edits.drops(b"ETag"), weakens, "{etag} {asked:?}");
            let etag = if weakens { "ETag: W/\"x\"\r\n" } else { "" };
            assert_eq!(written(edits, &survey), format!("Vary: Accept-Encoding\r\n{etag}"));
        }
    }

    #[test]
    fn a_206_or_304_has_the_vary_of_the_200() {
        for (fields, expected) in [
            (&[][..], "Vary: Accept-Encoding\r\n"),
            (&[("Vary", "Accept-Encoding")], ""),
            (&[("Content-Type", "image/png")], ""),
        ] {
            let survey = survey(fields);
            let not_modified = HeadEdits::of_not_modified(&survey, &settings(), None, []);
            for edits in [not_modified, HeadEdits::of_part(&survey, &settings())] {
                assert_eq!(written(edits, &survey), expected, "{fields:?}");
                assert!(!edits.drops(b"Content-Length") && !edits.drops(b"ETag"));
            }
        }
    }

    #[test]
    fn trailers_about_the_uncompressed_bytes_are_dropped() {
        let mut out = Vec::new();
        keep_trailers(
            b"Repr-Digest: sha-256=:x:\r\nServer-Timing: a\r\nETag: \"x\"\r\nX: y: z\r\n",
            &mut out,
        );
        assert_eq!(out, b"Server-Timing: a\r\nX: y: z\r\n");
    }
}
