//! Paths in the normal form that rules match (RFC 3986 §6.2.2).
//!
//! Only matching uses the normal form; the target receives the client's bytes unchanged. Therefore anything that the
//! target could decode to another path than the matched one must be reported here, as [`Normalized::hidden_at`].

use super::word;

/// A path in normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Normalized<'a> {
    pub path: &'a [u8],
    /// From this offset on, `path` depends on how the target reads an encoded `/`, `\` or NUL: the start of the first
    /// segment that contains one, or 0 if `..` could then climb elsewhere. A rule that looks at bytes after the offset
    /// must not decide; the request is refused.
    pub hidden_at: Option<usize>,
}

impl Normalized<'_> {
    /// Whether a segment contains an encoded separator or NUL (`%2F`, `%5C`, `\`, `%00`).
    pub fn hides_separator(&self) -> bool {
        self.hidden_at.is_some()
    }
}

/// Why a path has no normal form. Reported as `Failure::RequestPath`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathError {
    pub detail: &'static str,
}

/// Normalises a path: decodes `%XX` of unreserved bytes, writes other `%XX` in upper case, removes dot segments, merges
/// repeated slashes. A path that is already normal is returned unchanged; any other is written to `scratch`. An empty
/// path becomes `/`; `*` stays.
///
/// # Errors
/// A `%` without two hexadecimal digits, `..` above the root, a path that does not begin with `/`.
pub fn normalize<'a>(path: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<Normalized<'a>, PathError> {
    match path {
        [] => return Ok(Normalized { path: b"/", hidden_at: None }),
        b"*" => return Ok(Normalized { path, hidden_at: None }),
        [b'/', ..] => {}
        _ => return Err(PathError { detail: "path does not begin with a slash" }),
    }
    if looks_normal(path) {
        return Ok(Normalized { path, hidden_at: None });
    }
    scratch.clear();
    scratch.push(b'/');
    let mut writer = Writer { out: scratch, hidden_at: None, ends_in_name: false };
    for segment in path[1..].split(|byte| *byte == b'/') {
        writer.segment(segment)?;
    }
    let Writer { hidden_at, ends_in_name, .. } = writer;
    if ends_in_name {
        scratch.pop();
    }
    Ok(Normalized { path: scratch, hidden_at })
}

/// Whether [`normalize`] returns this path unchanged and it hides no separator.
pub fn is_normal(path: &[u8]) -> bool {
    normalize(path, &mut Vec::new())
        .is_ok_and(|normal| normal.path == path && !path.is_empty() && !normal.hides_separator())
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    hidden_at: Option<usize>,
    /// The last segment is a name, without a slash after it.
    ends_in_name: bool,
}

impl Writer<'_> {
    /// Writes one segment and a slash, or removes the segment before it. `out` ends with a slash before and after.
    fn segment(&mut self, segment: &[u8]) -> Result<(), PathError> {
        let start = self.out.len();
        self.decode(segment)?;
        self.ends_in_name = false;
        match &self.out[start..] {
            b"" | b"." => self.out.truncate(start),
            b".." => self.take_back(start)?,
            _ => {
                self.out.push(b'/');
                self.ends_in_name = true;
            }
        }
        Ok(())
    }

    /// Removes the `..` at `start`, and the segment before it.
    fn take_back(&mut self, start: usize) -> Result<(), PathError> {
        let Some(before) = self.out[..start - 1].iter().rposition(|byte| *byte == b'/') else {
            return Err(PathError { detail: "path leaves the root" });
        };
        self.out.truncate(before + 1);
        // A target that decodes the hidden separator removes another segment than we do.
        self.hidden_at = self.hidden_at.map(|_| 0);
        Ok(())
    }

    fn decode(&mut self, segment: &[u8]) -> Result<(), PathError> {
        let start = self.out.len();
        // The start of a segment as a target sees it that decodes hidden separators.
        let mut inner_start = start;
        let mut rest = segment;
        while let Some(plain) = rest.iter().position(|byte| matches!(byte, b'%' | b'\\')) {
            self.out.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
            let (byte, taken) = match *rest {
                [b'\\', ..] => (b'\\', 1),
                [_, high, low, ..] => (decoded(high, low)?, 3),
                _ => return Err(NOT_HEX),
            };
            let hides = matches!(byte, b'/' | b'\\' | 0);
            if hides {
                self.hide_from(start, inner_start);
            }
            if is_unreserved(byte) {
                self.out.push(byte);
            } else {
                self.out.extend(rest[..taken].iter().map(u8::to_ascii_uppercase));
            }
            if hides {
                inner_start = self.out.len();
            }
            rest = &rest[taken..];
        }
        self.out.extend_from_slice(rest);
        if inner_start > start {
            self.hide_from(start, inner_start);
        }
        Ok(())
    }

    /// Records a hidden segment at `start`; `out[inner_start..]` is its last part between hidden separators.
    fn hide_from(&mut self, start: usize, inner_start: usize) {
        let from = if &self.out[inner_start..] == b".." { 0 } else { start };
        self.hidden_at = Some(self.hidden_at.map_or(from, |at| at.min(from)));
    }
}

const fn is_unreserved(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~')
}

fn decoded(high: u8, low: u8) -> Result<u8, PathError> {
    let digit = |byte: u8| (byte as char).to_digit(16).ok_or(NOT_HEX);
    Ok((digit(high)? * 16 + digit(low)?) as u8)
}

/// Whether the path is normal at first sight: it contains no `%`, `\`, `//` and `/.`.
#[inline]
fn looks_normal(path: &[u8]) -> bool {
    let (Some((last, here)), Some((_, next))) = (path.split_last(), path.split_first()) else { return false };
    let (here_words, here_rest) = here.as_chunks::<8>();
    let (next_words, next_rest) = next.as_chunks::<8>();
    let odd_words = here_words.iter().zip(next_words).any(|(here, next)| {
        let (here, next) = (u64::from_le_bytes(*here), u64::from_le_bytes(*next));
        let slash_or_dot = word::equal_exact(next, b'/') | word::equal_exact(next, b'.');
        let pairs = word::equal_exact(here, b'/') & slash_or_dot;
        pairs | word::equal(here, b'%') | word::equal(here, b'\\') != 0
    });
    let is_odd = |byte: u8| matches!(byte, b'%' | b'\\');
    let odd_rest = |(here, next): (&u8, &u8)| is_odd(*here) || (*here == b'/' && matches!(next, b'/' | b'.'));
    !odd_words && !here_rest.iter().zip(next_rest).any(odd_rest) && !is_odd(*last)
}

const NOT_HEX: PathError = PathError { detail: "percent sign without two hexadecimal digits" };
