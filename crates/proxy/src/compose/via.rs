//! `Via`: the names of those who passed a message on (RFC 9110 §7.6.3), by which a request that comes round again is
//! known.

use model::Failure;
use net::Sys;
use proto::http1::{Known, Version, token};

use super::request::Request;

/// Appends our own name, where it has one, with the version in which the message came.
pub(super) fn write<S: Sys>(request: &Request<S>, version: Version, is_http2: bool, out: &mut Vec<u8>) {
    let Some(name) = &request.listener.plan.http.via else { return };
    let version: &[u8] = match version {
        Version::Http11 if is_http2 => b"Via: 2.0 ",
        Version::Http10 => b"Via: 1.0 ",
        Version::Http11 => b"Via: 1.1 ",
    };
    for part in [version, name.as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// A request that has passed us before would do so for ever.
pub(super) fn refuse_loop<S: Sys>(request: &Request<S>) -> Result<(), Failure> {
    let Some(name) = &request.listener.plan.http.via else { return Ok(()) };
    let mut lists = request.head().fields_of(Known::Via).map(|field| request.text(field.value));
    if lists.any(|list| token::list(list).any(|element| is_by(element, name.as_bytes()))) {
        return Err(Failure::RequestLoop);
    }
    Ok(())
}

/// `1.1 name (comment)`
fn is_by(element: &[u8], name: &[u8]) -> bool {
    let mut words = element.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.nth(1).is_some_and(|by| token::eq_ignore_case(by, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_names_who_passed_it_on() {
        for (element, expected) in [
            ("1.1 edge", true),
            ("1.0 Edge", true),
            ("HTTP/1.1 \t edge (a comment)", true),
            ("1.1 edge:80", false),
            ("1.1 edge2", false),
            ("edge", false),
            ("1.1 other (edge)", false),
            ("", false),
        ] {
            assert_eq!(is_by(element.as_bytes(), b"edge"), expected, "{element:?}");
        }
    }
}
