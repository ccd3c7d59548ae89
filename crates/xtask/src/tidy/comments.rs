//! The comments of a text file.

use super::text::Text;

/// Lines of prose with their numbers from 1: comments of Rust and TOML, and what Markdown has outside code blocks.
pub(crate) fn comments(text: &Text) -> Vec<(usize, &str)> {
    match text.path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rs") => of_rust(&text.text),
        Some("toml") => of_toml(&text.text),
        Some("md") => of_markdown(&text.text),
        _ => Vec::new(),
    }
}

fn of_rust(text: &str) -> Vec<(usize, &str)> {
    let bytes = text.as_bytes();
    let mut comments = Vec::new();
    let (mut at, mut line, mut counted) = (0, 1, 0);
    while at < bytes.len() {
        let end = match bytes[at..] {
            [b'/', b'/', ..] => text[at..].find('\n').map_or(text.len(), |length| at + length),
            [b'/', b'*', ..] => block_end(bytes, at),
            [b'"', ..] => string_end(bytes, at + 1),
            [b'r', b'"' | b'#', ..] if !is_in_word(bytes, at) => raw_string_end(text, at + 1),
            [b'\'', ..] => character_end(text, at + 1),
            _ => at + 1,
        };
        if bytes[at..].starts_with(b"//") || bytes[at..].starts_with(b"/*") {
            line += text[counted..at].matches('\n').count();
            counted = at;
            comments
                .extend(text[at..end].lines().enumerate().map(|(below, comment)| (line + below, comment)));
        }
        at = end;
    }
    comments
}

/// Block comments may be nested.
fn block_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        match bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(bytes.len())
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// `at` is behind the `r`. `r#name` is no string.
fn raw_string_end(text: &str, at: usize) -> usize {
    let hashes = text[at..].bytes().take_while(|&byte| byte == b'#').count();
    let begin = at + hashes;
    if !text[begin..].starts_with('"') {
        return begin;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[begin + 1..].find(&close).map_or(text.len(), |length| begin + 1 + length + close.len())
}

/// `at` is behind the quote: of a character, or of a lifetime.
fn character_end(text: &str, at: usize) -> usize {
    let mut rest = text[at..].chars();
    match (rest.next(), rest.next()) {
        (Some('\\'), Some(escaped)) => {
            let behind = at + 1 + escaped.len_utf8();
            text[behind..].find('\'').map_or(text.len(), |length| behind + length + 1)
        }
        (Some(character), Some('\'')) => at + character.len_utf8() + 1,
        _ => at,
    }
}

/// The `r` of `br"…"` begins a string, the one of `for"` does not.
fn is_in_word(bytes: &[u8], at: usize) -> bool {
    let is_word = |at: usize| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_';
    match at.checked_sub(1) {
        Some(before) if matches!(bytes[before], b'b' | b'c') => before > 0 && is_word(before - 1),
        Some(before) => is_word(before),
        None => false,
    }
}

fn of_toml(text: &str) -> Vec<(usize, &str)> {
    let mut comments = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut quote = None;
        let start = line.char_indices().find(|&(_, character)| {
            match quote {
                None if matches!(character, '"' | '\'') => quote = Some(character),
                Some(open) if open == character => quote = None,
                _ => {}
            }
            quote.is_none() && character == '#'
        });
        if let Some((start, _)) = start {
            comments.push((number + 1, &line[start..]));
        }
    }
    comments
}

fn of_markdown(text: &str) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut prose = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose.push((number + 1, line));
        }
    }
    prose
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_comments_are_found() {
        for (text, expected) in [
            ("//! A\nfn f() {} // b\n", &[(1, "//! A"), (2, "// b")][..]),
            ("/* a\n /* b */ c\n*/ f(); // d", &[(1, "/* a"), (2, " /* b */ c"), (3, "*/"), (3, "// d")]),
            ("f(\"// no \\\" // no\"); // yes", &[(1, "// yes")]),
            ("f(r#\"\" // no\"#, br\"\\\"); // yes", &[(1, "// yes")]),
            ("f(r#\"\n\n\"#); // yes", &[(3, "// yes")]),
            ("f('\"', '\\'', '\\u{7f}', 'ä'); // yes", &[(1, "// yes")]),
            ("fn f<'a>(r#type: &'a str) {} // yes", &[(1, "// yes")]),
            ("let a = b / c;", &[]),
        ] {
            assert_eq!(of_rust(text), expected, "{text}");
        }
    }

    #[test]
    fn comments_of_toml_and_prose_of_markdown_are_found() {
        assert_eq!(of_toml("# a\nb = \"#c\" # d\ne = '#'\n"), [(1, "# a"), (2, "# d")]);
        assert_eq!(of_markdown("a\n```sh\n# b\n```\nc"), [(1, "a"), (5, "c")]);
    }
}
