//! The tables of `docs/http-conformance.md`: bytes that a client or target sends, and the expected outcome.
//! Scenarios and `cargo xtask conformance` read their cases from that page.

use std::fs;
use std::path::Path;

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    /// The bytes to send, including the template around them.
    pub sent: Vec<u8>,
    /// The sender closes the connection afterwards.
    pub closes: bool,
    /// The request that the response answers, if the row is a response.
    pub asked: Vec<u8>,
    /// The last column, verbatim.
    pub outcome: String,
}

/// The rows of all tables below `## heading`.
pub fn rows(page: &str, heading: &str) -> Vec<Row> {
    let (mut template, mut asked, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_inside = false;
    for line in page.lines() {
        if let Some(found) = line.strip_prefix("## ") {
            is_inside = found == heading;
        } else if !is_inside {
        } else if let Some(text) = line.strip_prefix("Template: ") {
            template = code(text);
        } else if let Some(text) = line.strip_prefix("In answer to: ") {
            asked = unescape(&code(text));
        } else if line.starts_with("| `") {
            rows.push(row(line, &template, &asked));
        }
    }
    rows
}

/// The text of the page in this workspace.
pub fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http-conformance.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Parses `| id | sent | RFC | outcome |`.
fn row(line: &str, template: &[u8], asked: &[u8]) -> Row {
    let cells = cells(line);
    let [id, sent, _, outcome] = cells.as_slice() else { panic!("not four columns: {line}") };
    let sent = code(sent);
    let (sent, closes) = match sent.strip_suffix(br"\E") {
        Some(sent) => (sent, true),
        None => (sent.as_slice(), false),
    };
    let whole = match template.windows(2).position(|pair| pair == b"{}") {
        Some(at) => [&template[..at], sent, &template[at + 2..]].concat(),
        None => sent.to_vec(),
    };
    let id = String::from_utf8_lossy(&code(id)).into_owned();
    Row { id, sent: unescape(&whole), closes, asked: asked.to_vec(), outcome: outcome.trim().to_owned() }
}

/// Splits at bars that have no backslash before them.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut before = ' ';
    for letter in line.trim().trim_matches('|').chars() {
        match (letter, cells.last_mut()) {
            ('|', Some(cell)) if before == '\\' => {
                cell.pop();
                cell.push('|');
            }
            ('|', _) => cells.push(String::new()),
            (_, Some(cell)) => cell.push(letter),
            (_, None) => {}
        }
        before = letter;
    }
    cells
}

/// The text between the first and the last backtick.
fn code(text: &str) -> Vec<u8> {
    let Some(start) = text.find('`') else { return Vec::new() };
    let end = text.rfind('`').filter(|end| *end > start);
    text.as_bytes()[start + 1..end.unwrap_or_else(|| panic!("no second backtick in {text:?}"))].to_vec()
}

/// Decodes `\r`, `\n`, `\t`, `\0`, `\\` and `\xNN` as usual. `\{n}` repeats the byte before it, or the group
/// between `\(` and `\)`, so that it occurs `n` times.
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut groups = Vec::new();
    // The start of what a repetition repeats.
    let mut last = 0;
    let mut at = 0;
    while at < text.len() {
        let start = bytes.len();
        let [first, second] = [text[at], text.get(at + 1).copied().unwrap_or_default()];
        at += 2;
        match (first, second) {
            (b'\\', b'r') => bytes.push(b'\r'),
            (b'\\', b'n') => bytes.push(b'\n'),
            (b'\\', b't') => bytes.push(b'\t'),
            (b'\\', b'0') => bytes.push(0),
            (b'\\', b'\\') => bytes.push(b'\\'),
            (b'\\', b'x') => {
                bytes.push(number(&text[at..at + 2], 16) as u8);
                at += 2;
            }
            (b'\\', b'(') => groups.push(start),
            (b'\\', b')') => {
                last = groups.pop().expect("a group that was opened");
                continue;
            }
            (b'\\', b'{') => {
                let digits =
                    text[at..].iter().position(|byte| *byte == b'}').expect("the end of a repetition");
                let piece = bytes[last..].to_vec();
                bytes.truncate(last);
                bytes.extend(piece.repeat(number(&text[at..at + digits], 10) as usize));
                at += digits + 1;
            }
            (b'\\', other) => panic!("no escape: \\{}", other as char),
            (byte, _) => {
                bytes.push(byte);
                at -= 1;
            }
        }
        last = start;
    }
    bytes
}

fn number(digits: &[u8], base: u32) -> u32 {
    let text = String::from_utf8_lossy(digits);
    u32::from_str_radix(&text, base).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The code spans of an outcome. `true` marks those that must be absent.
pub fn claims(outcome: &str) -> Vec<(bool, String)> {
    let mut is_absent = false;
    let mut claims = Vec::new();
    for (place, piece) in outcome.split('`').enumerate() {
        if place % 2 == 1 {
            let claim = unescape(piece.as_bytes());
            claims.push((is_absent, String::from_utf8_lossy(&claim).into_owned()));
        } else {
            is_absent = piece.contains("without") || (is_absent && !piece.contains("with "));
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_with_escapes() {
        for (text, bytes) in [
            (r"a\r\n\t\0\\\x7f", &b"a\r\n\t\0\\\x7f"[..]),
            (r"ab\{3}c", b"abbbc"),
            (r"\(ab\)\{2}c", b"ababc"),
            (r"\(a\(b\)\{2}\)\{2}", b"abbabb"),
            (r"\x41\{2}", b"AA"),
            ("", b""),
        ] {
            assert_eq!(unescape(text.as_bytes()), bytes, "{text}");
        }
    }

    #[test]
    fn rows_are_read_with_their_template() {
        let page = "## One\n\nTemplate: `a {}\\r\\n`\n\n| id | sent | RFC | outcome |\n|---|---|---|---|\n\
            | `x-1` | `b\\|c` | §1 | `400 bad` |\n| `x-2` | `\\E` | | forwarded: `L`; without `M`, `N` |\n\
            ## Two\n| `y` | `d` | | |\n";
        let rows = rows(page, "One");
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].id.as_str(), rows[0].sent.as_slice()), ("x-1", &b"a b|c\r\n"[..]));
        assert_eq!((rows[0].outcome.as_str(), rows[0].closes, rows[1].closes), ("`400 bad`", false, true));
        let expected =
            [(false, "L"), (true, "M"), (true, "N")].map(|(absent, text)| (absent, text.to_owned()));
        assert_eq!(claims(&rows[1].outcome), expected);
    }
}
