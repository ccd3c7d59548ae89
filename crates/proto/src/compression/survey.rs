//! Decides from the fields of a response whether it may be compressed.

use model::Compression;

use super::edits::holds_for_one_coding;
use crate::http1::token;

/// The findings so far. Call it with the fields as the client would get them without compression.
#[derive(Clone, Copy, Debug, Default)]
pub struct Survey<'a> {
    content_type: Option<&'a [u8]>,
    pub(super) etag: Option<&'a [u8]>,
    pub(super) varies: bool,
    /// The response must stay unchanged: already coded, or `no-transform`.
    pub(super) is_final: bool,
    /// It is a part of the whole, of this length if that is known.
    part_of: Option<Option<u64>>,
}

impl<'a> Survey<'a> {
    /// Notes a field from the target.
    pub fn note(&mut self, name: &[u8], value: &'a [u8]) {
        // Most names end here: comparing the length first costs nothing.
        match name.len() {
            4 if is(name, b"vary") => self.varies |= names_accept_encoding(value),
            4 if is(name, b"etag") => self.etag = self.etag.or(Some(value)),
            12 if is(name, b"content-type") => {
                self.is_final |= self.content_type.is_some();
                self.content_type = Some(value);
            }
            13 if is(name, b"cache-control") => self.is_final |= forbids_transform(value),
            13 if is(name, b"content-range") => self.part_of = Some(whole_length(value)),
            16 if is(name, b"content-encoding") => self.is_final = true,
            _ => {}
        }
    }

    /// Notes a field that the operator's rule writes. Compression must not change such a field; if it would have to,
    /// the response is not compressed.
    pub fn note_own(&mut self, name: &[u8], value: &'a [u8]) {
        self.is_final |= holds_for_one_coding(name);
        self.note(name, value);
    }

    /// Whether the response is compressed for a client that accepts it. `length` is the length of its body, if known.
    pub fn may_compress(&self, settings: &Compression, status: u16, length: Option<u64>) -> bool {
        let has_whole_body = status >= 200 && !matches!(status, 204 | 205 | 206 | 304);
        has_whole_body
            && !self.is_final
            && self.part_of.is_none()
            && is_long_enough(settings, length)
            && self.content_type.is_some_and(|value| is_listed(value, &settings.types))
    }

    /// Whether a 206 or a 304 stands for a response that may be compressed, as far as its fields say: it has the same `Vary`
    /// (RFC 9110 §15.3.7, §15.4.5). What is not said counts as if it may. `length` is that of the whole, if known.
    pub fn stands_for_compressible(&self, settings: &Compression, length: Option<u64>) -> bool {
        let is_listed = |value| is_multipart(value) || is_listed(value, &settings.types);
        !self.is_final
            && is_long_enough(settings, self.part_of.flatten().or(length))
            && self.content_type.is_none_or(is_listed)
    }
}

fn is_long_enough(settings: &Compression, length: Option<u64>) -> bool {
    length.is_none_or(|length| length >= settings.bytes_min.max(1))
}

/// The length of the whole in `Content-Range: bytes 0-9/99`; `None`: it is not said (RFC 9110 §14.4).
fn whole_length(content_range: &[u8]) -> Option<u64> {
    content_range.rsplit(|&byte| byte == b'/').next().and_then(token::number)
}

/// Several parts: each of them has the type of the whole (RFC 9110 §14.6).
fn is_multipart(content_type: &[u8]) -> bool {
    const BYTERANGES: &[u8] = b"multipart/byteranges";
    content_type.get(..BYTERANGES.len()).is_some_and(|start| is(start, BYTERANGES))
}

/// `Cache-Control: no-transform` (RFC 9111 §5.2.1.6, §5.2.2.6).
pub fn forbids_transform(cache_control: &[u8]) -> bool {
    token::list(cache_control).any(|directive| is(directive, b"no-transform"))
}

fn names_accept_encoding(vary: &[u8]) -> bool {
    token::list(vary).any(|name| name == b"*" || is(name, b"accept-encoding"))
}

fn is_listed(content_type: &[u8], types: &[String]) -> bool {
    let name = content_type.split(|&byte| byte == b';').next().map(token::trim).unwrap_or_default();
    types.iter().any(|listed| matches(listed.as_bytes(), name))
}

/// A wildcard does not match event streams: flushing each event may cost more than compression saves.
fn matches(listed: &[u8], name: &[u8]) -> bool {
    let Some(star) = listed.iter().position(|&byte| byte == b'*') else { return is(listed, name) };
    let (front, back) = (&listed[..star], &listed[star + 1..]);
    name.len() > front.len() + back.len()
        && is(front, &name[..front.len()])
        && is(back, &name[name.len() - back.len()..])
        && !is(name, b"text/event-stream")
}

fn is(name: &[u8], known: &[u8]) -> bool {
    token::eq_ignore_case(name, known)
}

#[cfg(test)]
pub(super) mod tests {
    use model::{CompressionLevels, ContentCoding};

    use super::*;

    pub(crate) fn settings() -> Compression {
        Compression {
            codings: ContentCoding::ALL.to_vec(),
            types: ["text/*", "application/json", "application/*+json"].map(str::to_owned).to_vec(),
            bytes_min: 1000,
            levels: CompressionLevels::FAST,
        }
    }

    pub(crate) fn survey(fields: &[(&'static str, &'static str)]) -> Survey<'static> {
        let mut survey = Survey::default();
        fields.iter().for_each(|(name, value)| survey.note(name.as_bytes(), value.as_bytes()));
        survey
    }

    fn may(fields: &[(&'static str, &'static str)], status: u16, length: Option<u64>) -> bool {
        survey(fields).may_compress(&settings(), status, length)
    }

    const HTML: (&str, &str) = ("Content-Type", "text/html; charset=utf-8");

    #[test]
    fn complete_bodies_of_listed_types_are_compressed() {
        assert!(may(&[HTML], 200, None));
        for (status, expected) in [
            (101, false),
            (103, false),
            (200, true),
            (203, true),
            (204, false),
            (205, false),
            (206, false),
            (304, false),
            (404, true),
            (500, true),
        ] {
            assert_eq!(may(&[HTML], status, None), expected, "{status}");
        }
        for (length, expected) in [(0, false), (999, false), (1000, true), (u64::MAX, true)] {
            assert_eq!(may(&[HTML], 200, Some(length)), expected, "{length}");
        }
    }

    #[test]
    fn types_match_the_configured_list() {
        for (value, expected) in [
            ("text/html", true),
            ("TEXT/HTML", true),
            (" text/css ;charset=x", true),
            ("text/", false),
            ("text", false),
            ("application/json", true),
            ("application/jsonp", false),
            ("application/problem+json", true),
            ("application/+json", false),
            ("application/x+jsonp", false),
            ("image/png", false),
            ("text/event-stream", false),
            ("Text/Event-Stream; x=y", false),
            ("", false),
        ] {
            assert_eq!(may(&[("content-type", value)], 200, None), expected, "{value}");
        }
        assert!(!may(&[], 200, None), "no type");
        assert!(!may(&[HTML, HTML], 200, None), "two types");
        let mut listed = settings();
        listed.types.push("text/event-stream".to_owned());
        assert!(survey(&[("content-type", "text/event-stream")]).may_compress(&listed, 200, None));
    }

    #[test]
    fn responses_that_must_not_be_transformed_are_not_compressed() {
        for (field, expected) in [
            (("Content-Encoding", "gzip"), false),
            (("content-encoding", "identity"), false),
            (("Content-Range", "bytes 0-9/10"), false),
            (("Cache-Control", "max-age=3, No-Transform"), false),
            (("Cache-Control", "no-transformation"), true),
            (("X-Cache-Control", "no-transform"), true),
            (("ETag", "\"x\""), true),
            (("Repr-Digest", "sha-256=:x:"), true),
        ] {
            assert_eq!(may(&[HTML, field], 200, None), expected, "{field:?}");
        }
    }

    #[test]
    fn a_206_or_304_varies_as_the_200_would() {
        let png = ("Content-Type", "image/png");
        for (fields, length, expected) in [
            (&[][..], None, true),
            (&[HTML], None, true),
            (&[HTML], Some(999), false),
            (&[HTML], Some(1000), true),
            (&[png], None, false),
            (&[HTML, ("Content-Encoding", "gzip")], None, false),
            (&[("Cache-Control", "no-transform")], None, false),
            (&[HTML, ("Content-Range", "bytes 0-9/1000")], None, true),
            (&[HTML, ("Content-Range", "bytes 0-9/999")], None, false),
            (&[HTML, ("Content-Range", "bytes 0-9/*")], None, true),
            (&[png, ("Content-Range", "bytes 0-9/1000")], None, false),
            (&[("Content-Type", "multipart/byteranges; boundary=x")], None, true),
        ] {
            let found = survey(fields).stands_for_compressible(&settings(), length);
            assert_eq!(found, expected, "{fields:?} {length:?}");
        }
    }

    #[test]
    fn fields_of_the_operators_rule_prevent_compression() {
        for (name, expected) in [
            ("ETag", false),
            ("Accept-Ranges", false),
            ("Repr-Digest", false),
            ("Content-Encoding", false),
            ("X-Any", true),
        ] {
            let mut survey = survey(&[HTML]);
            survey.note_own(name.as_bytes(), b"x");
            assert_eq!(survey.may_compress(&settings(), 200, None), expected, "{name}");
        }
    }
}
