//! The template of a redirect's `to`, with the placeholders `{host}`, `{port}`, `{path}` and `{query}`; and
//! its short form, `scheme`.

use model::TemplatePiece;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

/// The pieces; text between two placeholders is one piece.
pub(super) fn parse(text: &str) -> Result<Vec<TemplatePiece>, Wrong> {
    if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic()) {
        let message = format!("an address cannot contain `{}`", c.escape_debug());
        return Err(Wrong { message, hint: "write it percent-encoded, a space as `%20`" });
    }
    let pieces = pieces(text)?;
    if !starts_well(&pieces) {
        return Err(Wrong { message: format!("`{text}` is neither an address nor a path"), hint: START });
    }
    if may_name_a_host(&pieces) {
        let message = format!("`{text}` lets a client choose the host: its path can become `//host`");
        return Err(Wrong { message, hint: "`{path}` starts with `/`: write no `/` before it" });
    }
    Ok(pieces)
}

/// The template for `scheme`: the same address under another scheme, with `port` after the host.
pub(super) fn of_scheme(scheme: &str, port: Option<TemplatePiece>) -> Vec<TemplatePiece> {
    let start = [TemplatePiece::Text(format!("{scheme}://")), TemplatePiece::Host];
    start.into_iter().chain(port).chain([TemplatePiece::Path, TemplatePiece::Query]).collect()
}

fn pieces(text: &str) -> Result<Vec<TemplatePiece>, Wrong> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        literal.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            literal.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            literal.push('}');
            rest = after;
        } else {
            let (piece, after) = placeholder(from)?;
            if piece == TemplatePiece::Port && literal.ends_with(':') {
                // `{host}:{port}`: the colon comes with the port, and is left out where the port is.
                literal.pop();
            }
            flush(&mut literal, &mut pieces);
            pieces.push(piece);
            rest = after;
        }
    }
    literal.push_str(rest);
    flush(&mut literal, &mut pieces);
    Ok(pieces)
}

fn placeholder(text: &str) -> Result<(TemplatePiece, &str), Wrong> {
    for (name, piece) in PLACEHOLDERS {
        if let Some(after) = text.strip_prefix(name) {
            return Ok((piece, after));
        }
    }
    let shown = text.split_inclusive('}').next().unwrap_or(text);
    let message = format!("`{shown}` is not a placeholder");
    Err(Wrong {
        message,
        hint: "placeholders are `{host}`, `{port}`, `{path}` and `{query}`; a literal brace is written twice",
    })
}

fn flush(literal: &mut String, pieces: &mut Vec<TemplatePiece>) {
    if !literal.is_empty() {
        pieces.push(TemplatePiece::Text(std::mem::take(literal)));
    }
}

fn starts_well(pieces: &[TemplatePiece]) -> bool {
    match pieces {
        [TemplatePiece::Text(text), ..] => {
            let schemes = ["http://", "https://"];
            text.starts_with('/') || schemes.iter().any(|scheme| text.starts_with(scheme))
        }
        [TemplatePiece::Path | TemplatePiece::Query, ..] => true,
        [TemplatePiece::Host | TemplatePiece::Port, ..] | [] => false,
    }
}

/// Whether the path may follow slashes only, so that the result starts with `//`, which browsers read as a
/// host. Port and query can be empty. Browsers read `\` as `/`, and any number of slashes as two.
fn may_name_a_host(pieces: &[TemplatePiece]) -> bool {
    let mut front = String::new();
    for piece in pieces {
        match piece {
            TemplatePiece::Text(text) => front.push_str(text),
            TemplatePiece::Port | TemplatePiece::Query => {}
            TemplatePiece::Host => return false,
            TemplatePiece::Path => {
                let authority = front.split_once("://").map_or(front.as_str(), |(_, behind)| behind);
                return !front.is_empty() && authority.chars().all(|c| matches!(c, '/' | '\\'));
            }
        }
    }
    false
}

const PLACEHOLDERS: [(&str, TemplatePiece); 4] = [
    ("{host}", TemplatePiece::Host),
    ("{port}", TemplatePiece::Port),
    ("{path}", TemplatePiece::Path),
    ("{query}", TemplatePiece::Query),
];
const START: &str =
    "it starts with `http://`, `https://`, a path (`/new`), `{path}` or `{query}`; `{path}` starts with `/`";

#[cfg(test)]
mod tests {
    use super::*;
    use TemplatePiece::{Host, Path, Port, Query, Text};

    #[test]
    fn reads_placeholders_and_braces() {
        let text = |text: &str| Text(text.to_owned());
        for (to, expected) in [
            ("/new", vec![text("/new")]),
            ("https://{host}{path}{query}", vec![text("https://"), Host, Path, Query]),
            ("http://{host}{port}/x", vec![text("http://"), Host, Port, text("/x")]),
            ("http://{host}:{port}/x", vec![text("http://"), Host, Port, text("/x")]),
            ("https://{host}:8443{path}", vec![text("https://"), Host, text(":8443"), Path]),
            ("{path}/", vec![Path, text("/")]),
            ("/x{path}", vec![text("/x"), Path]),
            ("{query}{path}", vec![Query, Path]),
            ("/{host}{path}", vec![text("/"), Host, Path]),
            ("http://x{path}", vec![text("http://x"), Path]),
            ("/{{a}}{query}", vec![text("/{a}"), Query]),
        ] {
            assert_eq!(parse(to), Ok(expected), "{to}");
        }
    }

    #[test]
    fn invalid_addresses_are_refused() {
        for to in [
            "",
            "new",
            "ftp://x/",
            "{host}/x",
            "{port}/x",
            "/{uri}",
            "/{",
            "/}",
            "/{path",
            "/a b",
            "/ä",
            "/\r\nX: y",
            "/{path}",
            "/{port}{path}",
            "/{query}{path}",
            "/{query}{port}/{path}",
            "//{path}",
            "/\\{path}",
            "https://{path}",
            "https://{port}{path}",
        ] {
            assert!(parse(to).is_err(), "{to}");
        }
    }
}
