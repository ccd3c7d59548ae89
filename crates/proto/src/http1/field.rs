//! One field line (RFC 9112 §5).

use super::known::Key;
use super::{Known, Span, lines, token, word};

/// One field of a head, as spans into the sender's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The whole line with its CRLF; copied when the field is forwarded.
    pub line: Span,
    pub name: Span,
    /// The value without surrounding white space.
    pub value: Span,
    pub known: Known,
    /// The name is an alias of `known`, with `_` in place of `-`. We ignore such a field, but targets that pass fields
    /// to programs as CGI does cannot tell the two apart: a proxy that sets `known` must drop it.
    pub alias: bool,
    /// `Connection` lists the name, so the field is hop-by-hop (RFC 9110 §7.6.1). Valid only in a complete head, and
    /// never set for a field whose loss would change the message.
    pub named_by_connection: bool,
}

impl Field {
    /// Whether this is that field, spelt correctly.
    #[inline]
    pub const fn is(&self, known: Known) -> bool {
        self.known as u8 == known as u8 && !self.alias
    }

    /// Whether the field is hop-by-hop, by its own name or because `Connection` lists it.
    #[inline]
    pub const fn is_hop_by_hop(&self) -> bool {
        self.named_by_connection || self.known.is_hop_by_hop()
    }

    /// Reads the line at `start` in one pass, if it is complete, ordinary and at most `limit` bytes long. `None`: use
    /// [`Lines`](super::lines::Lines) and [`Self::parse`], which either find the same field or report the fault.
    #[inline]
    pub(super) fn ordinary(buf: &[u8], start: usize, limit: usize) -> Option<Self> {
        let rest = buf.get(start..)?;
        let (key, colon) = Key::at_start(rest)?;
        let (name, value) = rest.split_at(colon);
        if value.first() != Some(&b':') {
            return None;
        }
        let known = key.known();
        let is_plain = |name| token::classes(name) == token::TOKEN | token::PLAIN && !Known::is_claim(name);
        if known == Known::Other && (name.is_empty() || !is_plain(name)) {
            return None;
        }
        let value_bytes = word::find(value, lines::control)?;
        let end = colon + value_bytes;
        if end > limit || start + end > lines::HEAD_BYTES_MAX || !value[value_bytes..].starts_with(b"\r\n") {
            return None;
        }
        let at = Span { start: start as u32, end: (start + end) as u32 };
        Some(Self {
            line: Span { start: at.start, end: at.end + 2 },
            name: at.part(0, colon),
            value: trimmed(&value[..value_bytes], at.part(colon, end)),
            known,
            alias: false,
            named_by_connection: false,
        })
    }

    /// Reads the line at `at`, which is not empty and contains no control byte but HTAB.
    #[inline]
    pub(super) fn parse(buf: &[u8], at: Span) -> Result<Self, &'static str> {
        let line = at.of(buf);
        let Some(colon) = word::find(line, |bytes| word::equal(bytes, b':')) else {
            return Err(if starts_blank(line) { FOLDED } else { "no colon in a field line" });
        };
        let (name, value) = line.split_at(colon);
        let mut known = Known::of(name);
        let mut alias = false;
        if known == Known::Other {
            let classes = token::classes(name);
            if name.is_empty() || classes & token::TOKEN == 0 {
                return Err(name_fault(name));
            }
            if classes & token::PLAIN == 0 {
                if let Some(meant) = Known::alias_of(name) {
                    (known, alias) = (meant, true);
                }
            } else if Known::is_claim(name) {
                known = Known::Claim;
            }
        }
        Ok(Self {
            line: Span { start: at.start, end: at.end + 2 },
            name: at.part(0, colon),
            value: trimmed(value, at.part(colon, line.len())),
            known,
            alias,
            named_by_connection: false,
        })
    }
}

/// The span `at` of `value`, which starts with the colon; without the colon and the surrounding white space.
#[inline]
fn trimmed(value: &[u8], at: Span) -> Span {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut start = 1;
    while value.get(start).is_some_and(is_blank) {
        start += 1;
    }
    let mut end = value.len();
    while end > start && is_blank(&value[end - 1]) {
        end -= 1;
    }
    at.part(start, end)
}

#[cold]
fn name_fault(name: &[u8]) -> &'static str {
    if name.is_empty() {
        "empty field name"
    } else if starts_blank(name) {
        FOLDED
    } else if name.ends_with(b" ") || name.ends_with(b"\t") {
        "space before colon"
    } else {
        "field name is not a token"
    }
}

fn starts_blank(line: &[u8]) -> bool {
    line.starts_with(b" ") || line.starts_with(b"\t")
}

const FOLDED: &str = "obs-fold";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lines::Lines;
    use super::*;

    /// The result of the two steps that [`Field::ordinary`] replaces, for the line at `start`.
    fn in_two_steps(buf: &[u8], start: usize, limit: usize) -> Option<Field> {
        let mut lines = Lines::default();
        lines.begin_at(start as u32);
        let line = lines.next(buf, limit).ok()??;
        if line.is_empty() { None } else { Field::parse(buf, line).ok() }
    }

    #[test]
    fn an_ordinary_field_is_read_in_one_pass_at_any_offset() {
        for name in ["Host", "Accept-Language", "Content-Length", "transfer-encoding", "X-B3-TraceId", "a"] {
            for value in
                ["", " ", " a", "  text/html; q=0.1  ", " \u{e9}\u{e9}\u{e9}, \u{e9} and more than a word"]
            {
                for (before, behind) in [(0, 0), (1, 1), (3, 24), (17, 7)] {
                    let line = format!("{}{name}:{value}\r\n{}", "?".repeat(before), "!".repeat(behind));
                    let expected = in_two_steps(line.as_bytes(), before, 100);
                    assert!(expected.is_some());
                    let got = Field::ordinary(line.as_bytes(), before, 100);
                    let is_near_end = line.len() - before < name.len() / 8 * 8 + 8;
                    assert!(got == expected || (got.is_none() && is_near_end), "{line:?} {got:?}");
                    let length = expected.unwrap().line.len() - 2;
                    assert_eq!(Field::ordinary(line.as_bytes(), before, length - 1), None, "{line:?}");
                }
            }
        }
    }

    proptest! {
        /// Generates the significant bytes often, so that many of the lines are fields.
        #[test]
        fn what_is_read_at_once_is_what_two_steps_read(
            name in "[hH][oO][sS][tT]|[a-zA-Z-]{0,20}|[ -~\\x00-\\xff]{0,9}|(x-)?[a-z_0-9 \\r\\n\\t-]{1,30}",
            colon in "[:]{0,2}|[ \\r]",
            value in "[ \\t]{0,2}[ -~]{0,40}[ \\t]{0,2}|[ -~\\x00-\\x1f]{0,10}",
            end in "\r\n|\r|\n|\r\n\r\n|\r\nnext: and so on",
            start in 0usize..20,
            limit in 0usize..60,
        ) {
            let line = format!("{}{name}{colon}{value}{end}", "#".repeat(start));
            if let Some(field) = Field::ordinary(line.as_bytes(), start, limit) {
                prop_assert_eq!(Some(field), in_two_steps(line.as_bytes(), start, limit), "{:?}", line);
            }
        }

        #[test]
        fn any_bytes_may_be_tried(bytes in proptest::collection::vec(any::<u8>(), 0..80), start in 0usize..90, limit: usize) {
            let field = Field::ordinary(&bytes, start, limit);
            prop_assert!(field.is_none() || field == in_two_steps(&bytes, start, limit));
        }
    }

    fn parse(line: &str) -> Result<(String, String, Known, bool), &'static str> {
        let buf = format!("??{line}\r\n");
        let at = Span { start: 2, end: 2 + line.len() as u32 };
        let field = Field::parse(buf.as_bytes(), at)?;
        assert_eq!(field.line.of(buf.as_bytes()), &buf.as_bytes()[2..]);
        let text = |span: Span| String::from_utf8_lossy(span.of(buf.as_bytes())).into_owned();
        Ok((text(field.name), text(field.value), field.known, field.alias))
    }

    #[test]
    fn a_field_is_a_name_a_colon_and_a_trimmed_value() {
        for (line, name, value) in [
            ("Host: a", "Host", "a"),
            ("Host:a", "Host", "a"),
            ("Host:\t \ta b\t ", "Host", "a b"),
            ("Host:", "Host", ""),
            ("Host: \t ", "Host", ""),
            ("x:y:z", "x", "y:z"),
            ("x: :", "x", ":"),
            ("!#$%&'*+-.^_`|~09: v", "!#$%&'*+-.^_`|~09", "v"),
        ] {
            let field = parse(line).unwrap();
            assert_eq!((field.0.as_str(), field.1.as_str()), (name, value), "{line}");
        }
    }

    #[test]
    fn an_ambiguous_line_is_refused() {
        for (line, detail) in [
            ("Host : a", "space before colon"),
            ("Host\t: a", "space before colon"),
            (" Host: a", "obs-fold"),
            ("\tcontinued", "obs-fold"),
            (" : a", "obs-fold"),
            (": a", "empty field name"),
            ("Host a", "no colon in a field line"),
            ("Ho st: a", "field name is not a token"),
            ("H\u{f6}st: a", "field name is not a token"),
            ("(Host): a", "field name is not a token"),
            ("Host@: a", "field name is not a token"),
            ("Content-Length\u{80}: 1", "field name is not a token"),
        ] {
            assert_eq!(parse(line), Err(detail), "{line}");
        }
    }

    #[test]
    fn an_alias_is_marked() {
        assert_eq!(parse("x_forwarded-For: 1").map(|f| (f.2, f.3)), Ok((Known::XForwardedFor, true)));
        assert_eq!(parse("X-Forwarded-For: 1").map(|f| (f.2, f.3)), Ok((Known::XForwardedFor, false)));
        assert_eq!(parse("x_other: 1").map(|f| (f.2, f.3)), Ok((Known::Other, false)));
    }
}
