//! The patterns of rules: hosts, paths and values; and the path rewrite that depends on the path pattern.

use model::{HostPattern, PathPattern, PathRewrite, ValuePattern};
use regex::bytes::{Regex, RegexBuilder};

use super::idiom;
use crate::raw::Value;
use crate::report::Report;

pub(super) fn host(value: Option<&Value>, report: &mut Report<'_>) -> HostPattern {
    let Some((value, text)) = value.and_then(|value| Some((value, value.text()?))) else {
        return HostPattern::Any;
    };
    if let Some(pattern) = text.strip_prefix("~ ") {
        return regex(pattern, value, report).map_or(HostPattern::Any, HostPattern::Regex);
    }
    let lower = text.to_ascii_lowercase();
    let (found, name) = if let Some(name) = lower.strip_prefix("*.") {
        (HostPattern::LeadingWildcard(format!(".{name}")), name)
    } else if let Some(name) = lower.strip_suffix(".*") {
        (HostPattern::TrailingWildcard(format!("{name}.")), name)
    } else {
        (HostPattern::Exact(lower.clone()), lower.as_str())
    };
    if !is_host(name) {
        report.error(value, format!("`{}` is not a host", text.escape_debug())).hint(host_hint(text));
    }
    found
}

pub(super) fn path(value: Option<&Value>, report: &mut Report<'_>) -> PathPattern {
    let Some((value, text)) = value.and_then(|value| Some((value, value.text()?))) else {
        return PathPattern::Any;
    };
    if let Some(pattern) = text.strip_prefix("~ ") {
        return regex(pattern, value, report).map_or(PathPattern::Any, PathPattern::Regex);
    }
    let (exact, path) = match text.strip_prefix("= ") {
        Some(path) => (true, path),
        None => (false, text),
    };
    if !path.starts_with('/') {
        let message = format!("`{}` is not a path", text.escape_debug());
        report.error(value, message).hint("`/prefix`, `= /exact` or `~ regex`, with a space after the sign");
    } else if let Some(hint) = never_matches(path) {
        report.error(value, format!("no path matches `{}`", path.escape_debug())).hint(hint);
    } else {
        idiom::warn(value, idiom::PATH, report);
    }
    if exact { PathPattern::Exact(path.to_owned()) } else { PathPattern::Prefix(path.to_owned()) }
}

pub(super) fn value(value: &Value, report: &mut Report<'_>) -> Option<ValuePattern> {
    let text = value.text()?;
    if text == "*" {
        return Some(ValuePattern::Present);
    }
    match text.strip_prefix("~ ") {
        Some(pattern) => regex(pattern, value, report).map(ValuePattern::Regex),
        None => {
            idiom::warn(value, idiom::VALUE, report);
            Some(ValuePattern::Exact(text.to_owned()))
        }
    }
}

/// Reads `rewrite`. How it rewrites depends on the kind of `path`.
pub(super) fn rewrite(value: &Value, path: &PathPattern, report: &mut Report<'_>) -> Option<PathRewrite> {
    let text = value.text()?;
    let wrong = text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#'));
    if let Some(c) = wrong {
        let problem = report.error(value, format!("a path cannot contain `{}`", c.escape_debug()));
        problem.hint("write it percent-encoded; the query is not changed");
    }
    match path {
        PathPattern::Regex(regex) => {
            check_references(value, text, regex, report);
            Some(PathRewrite::Regex(text.to_owned()))
        }
        _ if !text.starts_with('/') => {
            report.error(value, "`rewrite` is a path").hint("it starts with `/`");
            None
        }
        _ => {
            idiom::warn(value, idiom::REWRITE, report);
            let is_prefix = matches!(path, PathPattern::Prefix(_));
            let text = text.to_owned();
            Some(if is_prefix { PathRewrite::Prefix(text) } else { PathRewrite::Whole(text) })
        }
    }
}

/// Whether the text is a token (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Whether the text is a host name or an address, with IPv6 in brackets (RFC 3986 §3.2.2).
pub(super) fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    text.len() <= 253 && text.split('.').all(label)
}

fn host_hint(text: &str) -> &'static str {
    if !text.is_ascii() {
        "write international names in their `xn--` form (punycode)"
    } else if text == "*" {
        "leave it out to match every host"
    } else if text.contains("://") || text.contains('/') {
        "write the host only, without scheme and path"
    } else if text.contains(':') {
        "write the host only, without port"
    } else if text.contains('*') {
        "a wildcard matches whole labels at one end: `*.example.com` or `www.example.*`"
    } else if text.starts_with('~') {
        "a regular expression is written `~ regex`, with a space"
    } else if text.ends_with('.') {
        "write it without the dot at the end"
    } else {
        "labels of letters, digits and `-` with dots between, such as `www.example.com`"
    }
}

/// Why no normalised path can equal this text (RFC 3986 §6.2.2).
fn never_matches(path: &str) -> Option<&'static str> {
    if path.contains(['?', '#']) {
        return Some("the query is not part of the path: use the condition `query`");
    }
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Some("the segments `.` and `..` are resolved before paths are compared");
    }
    if path.contains(';') {
        return Some("path parameters (`;x`) are taken off before paths are compared");
    }
    if path.contains("//") {
        return Some("repeated slashes are merged before paths are compared");
    }
    if path.contains('\\') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(
            "a request with such a character is refused: write it percent-encoded, a space as `%20`",
        );
    }
    path.split('%').skip(1).find_map(escape_never_matches)
}

/// The same for the text after a `%`.
fn escape_never_matches(after: &str) -> Option<&'static str> {
    let digits = after.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
        return Some("two hexadecimal digits must follow a `%`; a literal `%` is `%25`");
    };
    if byte == b';' {
        return Some("path parameters (`%3Bx`) are taken off before paths are compared");
    }
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        return Some("letters, digits, `-`, `.`, `_` and `~` are decoded before paths are compared");
    }
    if matches!(byte, b'/' | b'\\' | 0) {
        return Some(
            "write the path as targets read it: a request that hides `/`, `\\` or NUL is refused if a rule for the decoded path decides",
        );
    }
    let lower = digits.is_some_and(|digits| digits.bytes().any(|byte| byte.is_ascii_lowercase()));
    lower.then_some("the digits after a `%` are in upper case when paths are compared")
}

fn regex(pattern: &str, value: &Value, report: &mut Report<'_>) -> Option<Regex> {
    match RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build() {
        Ok(regex) => Some(regex),
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("").trim();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            let message = format!("`{}` is not a regular expression: {reason}", pattern.escape_debug());
            report.error(value, message);
            None
        }
    }
}

/// Reports every `$…` that does not name a group of the expression. This catches `$1x`, which names a group
/// `1x`.
fn check_references(value: &Value, text: &str, regex: &Regex, report: &mut Report<'_>) {
    for name in references(text) {
        let known = match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|known| known == name),
        };
        if !known {
            let problem =
                report.error(value, format!("the regular expression of `path` has no group `{name}`"));
            problem.hint(
                "groups are `$1` or `${name}`, with braces before a letter or digit; a literal `$` is `$$`",
            );
        }
    }
}

/// The group names after `$`, parsed as crate `regex` parses a replacement.
fn references(text: &str) -> Vec<&str> {
    let (mut names, mut rest) = (Vec::new(), text);
    while let Some((_, after)) = rest.split_once('$') {
        if let Some(after) = after.strip_prefix('$') {
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            names.push(name);
            rest = after;
        } else {
            let end = after.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            let (name, after) = after.split_at(end);
            names.push(name);
            rest = after;
        }
    }
    names
}

/// limit: memory of one compiled expression.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_and_addresses_are_hosts() {
        for (text, expected) in [
            ("www.example.com", true),
            ("localhost", true),
            ("192.0.2.1", true),
            ("[2001:db8::1]", true),
            ("[nonsense]", false),
            ("_service.example", true),
            ("www..com", false),
            ("", false),
            ("example.com.", false),
            ("example.com:80", false),
            ("bücher.example", false),
        ] {
            assert_eq!(is_host(text), expected, "{text}");
        }
    }

    #[test]
    fn paths_that_are_not_normalised_are_refused() {
        for path in ["/", "/api", "/api/", "/a%20b", "/%C3%A4", "/.well-known/x", "/a...b", "/%25"] {
            assert_eq!(never_matches(path), None, "{path}");
        }
        let paths = ["/a?b", "/../a", "/a//b", "/ä", "/%4", "/%ä", "/%41", "/%2F", "/%c3"];
        for path in paths.iter().chain(&["/a/.", "/a b", "/a\\b", "/%", "/%zz", "/%7e", "/%5c", "/%00"]) {
            assert!(never_matches(path).is_some(), "{path}");
        }
        let hints: std::collections::HashSet<_> = paths.iter().map(|path| never_matches(path)).collect();
        assert_eq!(hints.len(), paths.len() - 1, "/%4 and /%ä share one");
    }

    #[test]
    fn references_are_read_as_regex_reads_them() {
        assert_eq!(references("/$1/${name}/$$/$1x$"), ["1", "name", "1x", ""]);
        assert_eq!(references("/plain"), [""; 0]);
    }

    #[test]
    fn every_host_hint_is_reached() {
        let texts = ["bücher.de", "*", "http://x", "x:80", "a.*.b", "~x", "x.", "a b"];
        let hints: std::collections::HashSet<_> = texts.map(host_hint).into_iter().collect();
        assert_eq!(hints.len(), texts.len());
    }
}
