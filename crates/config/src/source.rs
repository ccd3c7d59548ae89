//! Converts byte offsets to lines and columns.

use std::ops::Range;

/// A range of bytes of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// The position of a span: lines and columns count from 1, columns and lengths in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// At least 1, and not past the end of the line.
    pub(crate) length: usize,
    /// The line, or a part of it if it is long, with control characters replaced.
    pub(crate) excerpt: String,
    /// How many characters of `excerpt` precede the marked ones.
    pub(crate) indent: usize,
}

/// A text, and the offsets of its lines.
#[derive(Debug)]
pub(crate) struct Source<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        Self { text, line_starts: std::iter::once(0).chain(ends).collect() }
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset).max(1)
    }

    pub(crate) fn place(&self, span: Span) -> Place {
        let start = self.floor(span.start);
        let line = self.line(start);
        let line_start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let text = self.text.get(line_start..).unwrap_or("").lines().next().unwrap_or("");
        let before = self.text.get(line_start..start).map_or(0, |t| t.chars().count());
        let marked = self.text.get(start..self.floor(span.end)).unwrap_or("");
        let marked = marked.lines().next().unwrap_or("").chars().count();
        let length = marked.min(text.chars().count().saturating_sub(before)).max(1);
        let (excerpt, indent, shown) = excerpt(text, before, length);
        Place { line, column: before + 1, length: shown, excerpt, indent }
    }

    /// The character boundary at or before `offset`.
    fn floor(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        (0..=offset).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0)
    }
}

/// The part of a line that is shown, the number of characters before the mark in it, and the mark's length.
fn excerpt(line: &str, before: usize, length: usize) -> (String, usize, usize) {
    let skipped = if before > EXCERPT_MAX / 2 { before - EXCERPT_MAX / 4 } else { 0 };
    let shown: String =
        without_passwords(line).chars().skip(skipped).take(EXCERPT_MAX).map(printable).collect();
    let indent = before - skipped;
    (shown, indent, length.min(EXCERPT_MAX.saturating_sub(indent)).max(1))
}

/// Replaces what may be a password in a URL with as many stars. Excerpts reach terminals, pipelines and the admin API.
pub(crate) fn without_passwords(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        shown.push_str(before);
        let url = url.split(['"', '\'']).next().unwrap_or(url);
        rest = &rest[before.len() + url.len()..];
        // A password may contain what belongs into no URL.
        let user =
            url.rfind('@').and_then(|at| url[..at].split_once(':').map(|(user, _)| (user.len() + 1, at)));
        let parameter = url.find("password=").map(|at| at + "password=".len());
        let parameter = parameter.map(|at| (at, url[at..].find('&').map_or(url.len(), |end| at + end)));
        for (index, c) in url.char_indices() {
            let is_in = |range: Option<(usize, usize)>| range.is_some_and(|(a, b)| (a..b).contains(&index));
            let is_password = is_in(user) || is_in(parameter);
            shown.push(if is_password { '*' } else { c });
        }
    }
    shown.push_str(rest);
    shown
}

/// Replaces control characters, so that a file cannot send escape sequences to the terminal.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// limit: characters of a line that an excerpt shows.
const EXCERPT_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, start: usize, end: usize) -> Place {
        Source::new(text).place(Span::new(start, end))
    }

    #[test]
    fn counts_characters_not_bytes() {
        let found = place("a = 1\nä = \"ö\" # x\n", 11, 15);
        assert_eq!((found.line, found.column, found.length), (2, 5, 3));
        assert_eq!(found.excerpt, "ä = \"ö\" # x");
    }

    #[test]
    fn stays_within_the_line_and_the_text() {
        let found = place("ab = \"\"\"\nx\"\"\"", 5, 14);
        assert_eq!((found.line, found.column, found.length), (1, 6, 3));
        let end = place("a = 1\n", 6, 900);
        assert_eq!((end.line, end.column, end.length, end.excerpt.as_str()), (2, 1, 1, ""));
        let empty = place("", 0, 0);
        assert_eq!((empty.line, empty.column, empty.length), (1, 1, 1));
    }

    #[test]
    fn a_span_that_starts_inside_a_character_starts_at_the_character() {
        assert_eq!(place("ä", 1, 2).column, 1);
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let text = format!("{}X{}", "a".repeat(1000), "b".repeat(1000));
        let found = place(&text, 1000, 1001);
        assert_eq!(found.column, 1001);
        assert_eq!(found.excerpt.chars().nth(found.indent), Some('X'));
        assert_eq!(found.excerpt.chars().count(), EXCERPT_MAX);
    }

    #[test]
    fn passwords_of_urls_are_not_shown() {
        for (line, shown) in [
            ("url = \"postgres://me:se:cr@t@db/x\" # a@b", "url = \"postgres://me:*******@db/x\" # a@b"),
            ("url = 'redis://:pässe@db'; x = 'y@z'", "url = 'redis://:*****@db'; x = 'y@z'"),
            (
                "a = \"http://x:1/@\", b = \"mysql://me:x/y@db",
                "a = \"http://x:**@\", b = \"mysql://me:***@db",
            ),
            ("url = \"postgres://db:5432/x\"", "url = \"postgres://db:5432/x\""),
            ("'mysql://db/x?password=abc&a=b'", "'mysql://db/x?password=***&a=b'"),
            ("://", "://"),
        ] {
            assert_eq!(without_passwords(line), shown);
            assert_eq!(place(line, 0, 1).excerpt, shown);
        }
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(place("\u{1b}[31m\tx", 0, 1).excerpt, "\u{fffd}[31m x");
    }

    #[test]
    fn a_carriage_return_before_a_line_feed_is_part_of_the_line_end() {
        let found = place("a = 1\r\nb = 2\r\n", 7, 8);
        assert_eq!((found.line, found.column, found.excerpt.as_str()), (2, 1, "b = 2"));
    }
}
