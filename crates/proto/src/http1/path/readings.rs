//! The other paths for which a target may take a path. Servers differ in what separates segments (`%2F`, `\`, `%5C`), in
//! what `%00` does, in what is a path parameter (`;`, `%3B`), in whether `..` removes an empty segment (RFC 3986 §5.2.4
//! and the URL standard) or slashes are merged before, and in the order of these steps.

use super::{Doubts, Empty, Form, Parameters, PathError, next_byte, normalize_as};

/// Whether `differs` is true for one of the other paths for which a target may take this path. Each is asked about once.
///
/// # Errors
/// The same as for [`normalize`](super::normalize), for one of these paths; and a path with too many of them.
pub fn any_other_reading(
    path: &[u8],
    mut doubts: Doubts,
    mut differs: impl FnMut(&[u8]) -> bool,
) -> Result<bool, PathError> {
    if doubts.is_empty() {
        return Ok(false);
    }
    let mut scratch = Scratch::default();
    let mut seen = Seen::default();
    // `Removed` comes first: it finds what is a doubt only once something is decoded.
    for parameters in [Parameters::Removed, Parameters::RawRemoved, Parameters::OfTheName] {
        if !doubts.concern(parameters, path) {
            continue;
        }
        for server in servers(parameters, doubts) {
            for empty in [Empty::Merged, Empty::Segment] {
                let found = server.read(path, empty, &mut scratch)?;
                doubts = Doubts(doubts.0 | found.0);
                if doubts.are_too_many(path) {
                    return Err(TOO_MANY);
                }
                let reading = &scratch.reading;
                // The first is the normal form.
                if seen.is_new(reading)? && seen.0.len() > 1 && differs(reading) {
                    return Ok(true);
                }
                if !found.has(Doubts::EMPTY_SEGMENT) {
                    break;
                }
            }
        }
    }
    Ok(false)
}

/// How a server reads a path, but for empty segments.
#[derive(Clone, Copy, Debug)]
struct Server {
    parameters: Parameters,
    hidden: Hidden,
    /// Whether it removes dot segments before it decodes, and then again.
    removes_dots_first: bool,
}

impl Server {
    /// Leaves what the server reads in `scratch.reading`; returns the doubts on the way to it.
    fn read(&self, path: &[u8], empty: Empty, scratch: &mut Scratch) -> Result<Doubts, PathError> {
        let Scratch { first, decoded, last, reading } = scratch;
        let form = Form { parameters: self.parameters, empty };
        let (text, before) = if self.removes_dots_first {
            let normal = normalize_as(path, form, first)?;
            (normal.path, normal.doubts)
        } else if self.parameters == Parameters::RawRemoved {
            without_parameters(path, first);
            (first.as_slice(), Doubts::default())
        } else {
            (path, Doubts::default())
        };
        self.hidden.decode(text, decoded);
        let normal = normalize_as(decoded, form, last)?;
        reading.clear();
        reading.extend_from_slice(normal.path);
        // Rules see no empty segments.
        reading.dedup_by(|next, byte| (*next, *byte) == (b'/', b'/'));
        Ok(Doubts(before.0 | normal.doubts.0))
    }
}

/// The servers that treat parameters like this; first one that decodes nothing.
fn servers(parameters: Parameters, doubts: Doubts) -> impl Iterator<Item = Server> {
    hidden(doubts).flat_map(move |hidden| {
        // Nothing decoded: the second removal of dot segments finds none.
        let orders: &[bool] = if hidden.kinds == 0 { &[false] } else { &[false, true] };
        orders.iter().map(move |&removes_dots_first| Server { parameters, hidden, removes_dots_first })
    })
}

/// Which hidden bytes a server decodes.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    kinds: u8,
    nul_ends: bool,
}

/// Every choice among the hidden bytes of a path; first none.
fn hidden(doubts: Doubts) -> impl Iterator<Item = Hidden> {
    // A server for which `%5C` is a separator takes `\` for one, too.
    let is_sound = move |kinds: &u8| {
        kinds & !doubts.0 == 0
            && (kinds & Doubts::BACKSLASH == 0 || (kinds ^ doubts.0) & Doubts::RAW_BACKSLASH == 0)
    };
    (0..=Doubts::HIDDEN).filter(is_sound).flat_map(|kinds| {
        let nul_ends: &[bool] = if kinds & Doubts::NUL == 0 { &[false] } else { &[true, false] };
        nul_ends.iter().map(move |&nul_ends| Hidden { kinds, nul_ends })
    })
}

impl Hidden {
    /// Writes `path` with these bytes decoded: `/` and `\` as separators; a NUL ends the path or is left out. Only for a
    /// path whose `%XX` are right.
    fn decode(self, path: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let mut rest = path;
        while let Some((byte, taken)) = next_byte(rest) {
            let kind = match (byte, taken) {
                (b'/', 3) => Doubts::SLASH,
                (b'\\', 1) => Doubts::RAW_BACKSLASH,
                (b'\\', _) => Doubts::BACKSLASH,
                (0, _) => Doubts::NUL,
                _ => 0,
            };
            match self.kinds & kind {
                0 => out.extend_from_slice(&rest[..taken]),
                Doubts::NUL if self.nul_ends => return,
                Doubts::NUL => {}
                _ => out.push(b'/'),
            }
            rest = &rest[taken..];
        }
    }
}

/// Writes `path` without what follows a `;` in each segment.
fn without_parameters(path: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut is_name = true;
    out.extend(path.iter().copied().filter(|byte| {
        is_name = *byte == b'/' || is_name && *byte != b';';
        is_name
    }));
}

#[derive(Default)]
struct Scratch {
    first: Vec<u8>,
    decoded: Vec<u8>,
    last: Vec<u8>,
    reading: Vec<u8>,
}

/// The paths that were found so far.
#[derive(Default)]
struct Seen(Vec<Vec<u8>>);

impl Seen {
    // limit: `READINGS_MAX` paths.
    fn is_new(&mut self, reading: &[u8]) -> Result<bool, PathError> {
        if self.0.iter().any(|seen| seen == reading) {
            return Ok(false);
        }
        if self.0.len() > READINGS_MAX {
            return Err(TOO_MANY);
        }
        self.0.push(reading.to_vec());
        Ok(true)
    }
}

impl Doubts {
    // limit: no encoder of URLs produces more kinds at once than `%2F`, `%5C` and `%3B`, and none a NUL. The length is
    // limited unless there is one kind, so that all readings together cost about as much as one long path.
    fn are_too_many(self, path: &[u8]) -> bool {
        let kinds = self.0.count_ones();
        let has_nul = self.has(Self::NUL);
        kinds > KINDS_MAX || kinds > 1 && has_nul || (kinds > 1 || has_nul) && path.len() > BYTES_MAX
    }

    /// Whether a server that treats parameters like this may read the path differently.
    fn concern(self, parameters: Parameters, path: &[u8]) -> bool {
        match parameters {
            // Where parameters end depends on whether `%2F` is decoded before.
            Parameters::RawRemoved => {
                self.has(Self::ENCODED_PARAMETER) || self.hides_separator() && path.contains(&b';')
            }
            Parameters::OfTheName => self.has(Self::PARAMETERS),
            Parameters::Removed | Parameters::Kept => true,
        }
    }

    const fn has(self, kind: u8) -> bool {
        self.0 & kind != 0
    }
}

/// Of kinds of doubt.
const KINDS_MAX: u32 = 3;
/// Of a path with several kinds of doubt, or a NUL.
const BYTES_MAX: usize = 2048;
/// Of paths that are asked about.
const READINGS_MAX: usize = 12;
const TOO_MANY: PathError = PathError { detail: "path can be read in too many ways" };
