//! Paths in the normal form that rules match (RFC 3986 §6.2.2), without path parameters (RFC 3986 §3.3).
//!
//! Only matching uses the normal form; the target receives the client's bytes unchanged. Therefore anything that the
//! target could read as another path than the matched one is reported in [`Normalized::doubts`], and
//! [`any_other_reading`] goes through those paths.

mod readings;

use super::word;
pub use readings::any_other_reading;

/// A path in normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Normalized<'a> {
    pub path: &'a [u8],
    /// What a target may read differently.
    pub doubts: Doubts,
}

/// Parts of a path that servers read in different ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubts(u8);

impl Doubts {
    /// `%2F`.
    const SLASH: u8 = 1;
    /// `%5C`.
    const BACKSLASH: u8 = 2;
    /// `\`.
    const RAW_BACKSLASH: u8 = 4;
    /// `%00`.
    const NUL: u8 = 8;
    /// A dot segment or an empty segment with parameters, such as `..;x`.
    const PARAMETERS: u8 = 16;
    /// A segment with `%3B`, which is a parameter only for a server that decodes before it looks for parameters.
    const ENCODED_PARAMETER: u8 = 32;
    /// A `..` behind an empty segment, which it removes unless slashes are merged before.
    const EMPTY_SEGMENT: u8 = 64;

    const HIDDEN: u8 = Self::SLASH | Self::BACKSLASH | Self::RAW_BACKSLASH | Self::NUL;

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a segment contains an encoded separator or NUL (`%2F`, `%5C`, `\`, `%00`).
    pub const fn hides_separator(self) -> bool {
        self.0 & Self::HIDDEN != 0
    }
}

/// Why a path has no normal form. Reported as `Failure::RequestPath`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathError {
    pub detail: &'static str,
}

/// Normalises a path: takes path parameters (`;x`) off each segment, decodes `%XX` of unreserved bytes, writes other
/// `%XX` in upper case, removes dot segments, merges repeated slashes. A path that is already normal is returned
/// unchanged; any other is written to `scratch`. An empty path becomes `/`; `*` stays.
///
/// # Errors
/// A `%` without two hexadecimal digits, `..` above the root, a path that does not begin with `/`.
pub fn normalize<'a>(path: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<Normalized<'a>, PathError> {
    normalize_as(path, Form { parameters: Parameters::Removed, empty: Empty::Merged }, scratch)
}

/// The same form, but with the parameters of segments that stay: a rewritten path keeps them.
///
/// # Errors
/// The same as for [`normalize`].
pub fn with_parameters<'a>(path: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], PathError> {
    normalize_as(path, Form { parameters: Parameters::Kept, empty: Empty::Merged }, scratch)
        .map(|normal| normal.path)
}

/// Whether [`normalize`] returns this path unchanged and it hides no separator.
pub fn is_normal(path: &[u8]) -> bool {
    normalize(path, &mut Vec::new())
        .is_ok_and(|normal| normal.path == path && !path.is_empty() && normal.doubts.is_empty())
}

/// How a path is brought into normal form.
#[derive(Clone, Copy, Debug)]
struct Form {
    parameters: Parameters,
    empty: Empty,
}

/// What an empty segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Empty {
    /// Nothing: repeated slashes are merged.
    Merged,
    /// A segment, which stays in the result.
    Segment,
}

/// What is done with the part of a segment from its first `;` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameters {
    Removed,
    /// Only behind `;`: `%3B` is a part of the name.
    RawRemoved,
    /// Not a part of the name that decides whether the segment is a dot segment.
    Kept,
    /// Nothing: the server does not know parameters.
    OfTheName,
}

impl Parameters {
    /// Whether they begin at a `;` of this length as sent.
    fn begin_at(self, taken: usize) -> bool {
        match self {
            Self::Removed | Self::Kept => true,
            Self::RawRemoved => taken == 1,
            Self::OfTheName => false,
        }
    }
}

fn normalize_as<'a>(
    path: &'a [u8],
    form: Form,
    scratch: &'a mut Vec<u8>,
) -> Result<Normalized<'a>, PathError> {
    let doubts = Doubts::default();
    match path {
        [] => return Ok(Normalized { path: b"/", doubts }),
        b"*" => return Ok(Normalized { path, doubts }),
        [b'/', ..] => {}
        _ => return Err(PathError { detail: "path does not begin with a slash" }),
    }
    if looks_normal(path) {
        return Ok(Normalized { path, doubts });
    }
    scratch.clear();
    scratch.push(b'/');
    let mut writer = Writer { out: scratch, form, doubts, has_empty: false, ends_in_name: false };
    for segment in path[1..].split(|byte| *byte == b'/') {
        writer.segment(segment)?;
    }
    let Writer { doubts, ends_in_name, .. } = writer;
    if ends_in_name {
        scratch.pop();
    }
    Ok(Normalized { path: scratch, doubts })
}

/// The first byte, decoded, and its length as sent.
fn next_byte(rest: &[u8]) -> Option<(u8, usize)> {
    match *rest {
        [b'%', high, low, ..] => Some((decoded(high, low).unwrap_or(b'%'), 3)),
        [byte, ..] => Some((byte, 1)),
        [] => None,
    }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    form: Form,
    doubts: Doubts,
    /// There was an empty segment.
    has_empty: bool,
    /// The last segment is a name, without a slash after it.
    ends_in_name: bool,
}

impl Writer<'_> {
    /// Writes one segment and a slash, or removes the segment before it. `out` ends with a slash before and after.
    fn segment(&mut self, segment: &[u8]) -> Result<(), PathError> {
        let start = self.out.len();
        let name_end = self.decode(segment)?;
        self.ends_in_name = false;
        match &self.out[start..name_end] {
            b"" => {
                self.remove(start, name_end);
                self.has_empty = true;
                if self.form.empty == Empty::Segment {
                    self.out.push(b'/');
                }
            }
            b"." => self.remove(start, name_end),
            b".." => {
                self.remove(start, name_end);
                self.climb(start)?;
            }
            _ => {
                if matches!(self.form.parameters, Parameters::Removed | Parameters::RawRemoved) {
                    self.out.truncate(name_end);
                }
                self.out.push(b'/');
                self.ends_in_name = true;
            }
        }
        Ok(())
    }

    /// Removes the segment at `start`, which is no name. With parameters it is one for a server that does not know them.
    fn remove(&mut self, start: usize, name_end: usize) {
        if self.out.len() > name_end {
            self.doubts.0 |= Doubts::PARAMETERS;
        }
        self.out.truncate(start);
    }

    /// Removes the segment before `start`.
    fn climb(&mut self, start: usize) -> Result<(), PathError> {
        if self.has_empty {
            self.doubts.0 |= Doubts::EMPTY_SEGMENT;
        }
        let Some(before) = self.out[..start - 1].iter().rposition(|byte| *byte == b'/') else {
            return Err(PathError { detail: "path leaves the root" });
        };
        self.out.truncate(before + 1);
        Ok(())
    }

    /// Writes a segment; returns where its name ends.
    fn decode(&mut self, segment: &[u8]) -> Result<usize, PathError> {
        let mut name_end = None;
        let mut rest = segment;
        while let Some(plain) = rest.iter().position(|byte| matches!(byte, b'%' | b'\\' | b';')) {
            self.out.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
            let (byte, taken) = match *rest {
                [b'%', high, low, ..] => (decoded(high, low)?, 3),
                [byte @ (b'\\' | b';'), ..] => (byte, 1),
                _ => return Err(NOT_HEX),
            };
            match byte {
                b'/' => self.doubts.0 |= Doubts::SLASH,
                b'\\' if taken == 1 => self.doubts.0 |= Doubts::RAW_BACKSLASH,
                b'\\' => self.doubts.0 |= Doubts::BACKSLASH,
                0 => self.doubts.0 |= Doubts::NUL,
                b';' if name_end.is_none() => {
                    if taken > 1 {
                        self.doubts.0 |= Doubts::ENCODED_PARAMETER;
                    }
                    if self.form.parameters.begin_at(taken) {
                        name_end = Some(self.out.len());
                    }
                }
                _ => {}
            }
            if is_unreserved(byte) {
                self.out.push(byte);
            } else {
                self.out.extend(rest[..taken].iter().map(u8::to_ascii_uppercase));
            }
            rest = &rest[taken..];
        }
        self.out.extend_from_slice(rest);
        Ok(name_end.unwrap_or(self.out.len()))
    }
}

const fn is_unreserved(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~')
}

fn decoded(high: u8, low: u8) -> Result<u8, PathError> {
    let digit = |byte: u8| (byte as char).to_digit(16).ok_or(NOT_HEX);
    Ok((digit(high)? * 16 + digit(low)?) as u8)
}

/// Whether the path is normal at first sight: it contains no `%`, `\`, `;`, `//` and `/.`.
#[inline]
fn looks_normal(path: &[u8]) -> bool {
    let (Some((last, here)), Some((_, next))) = (path.split_last(), path.split_first()) else { return false };
    let (here_words, here_rest) = here.as_chunks::<8>();
    let (next_words, next_rest) = next.as_chunks::<8>();
    let odd_words = here_words.iter().zip(next_words).any(|(here, next)| {
        let (here, next) = (u64::from_le_bytes(*here), u64::from_le_bytes(*next));
        let slash_or_dot = word::equal_exact(next, b'/') | word::equal_exact(next, b'.');
        let pairs = word::equal_exact(here, b'/') & slash_or_dot;
        pairs | word::equal(here, b'%') | word::equal(here, b'\\') | word::equal(here, b';') != 0
    });
    let is_odd = |byte: u8| matches!(byte, b'%' | b'\\' | b';');
    let odd_rest = |(here, next): (&u8, &u8)| is_odd(*here) || (*here == b'/' && matches!(next, b'/' | b'.'));
    !odd_words && !here_rest.iter().zip(next_rest).any(odd_rest) && !is_odd(*last)
}

const NOT_HEX: PathError = PathError { detail: "percent sign without two hexadecimal digits" };
