//! Rewrites the path that the target sees.

use model::{PathPattern, PathRewrite};

use super::mismatch::path_matches;

/// Appends the rewritten path to `out`. `path` is the normalised path of a request that matched the rule with
/// `pattern`: rewriting works on what was matched, not on the bytes that the client sent. `with_parameters` is the same
/// path with its path parameters (`;x`), which are kept unless they stand in the part that the pattern matches.
///
/// - `Whole`: the path becomes the text.
/// - `Prefix`: the matched prefix becomes the text, with exactly one `/` between it and the rest (`/api` →
///   `/v2/` turns `/api/x` into `/v2/x`).
/// - `Regex`: the first match of the regex becomes the expanded text; the parts before and after it stay.
///
/// The result starts with `/` and contains no CR, LF, space, control byte, `?`, `#` or byte above 0x7e: these
/// are percent-encoded. Only `Regex` allocates.
pub fn rewrite_path(
    rewrite: &PathRewrite,
    pattern: &PathPattern,
    path: &[u8],
    with_parameters: &[u8],
    out: &mut Vec<u8>,
) {
    let path = if path_matches(pattern, false, with_parameters) { with_parameters } else { path };
    match rewrite {
        PathRewrite::Whole(text) => push_path(text.as_bytes(), b"", out),
        PathRewrite::Prefix(text) => {
            let rest = behind_prefix(pattern, path);
            let text = text.as_bytes();
            let text = if rest.is_empty() { text } else { text.strip_suffix(b"/").unwrap_or(text) };
            push_path(text, rest, out);
        }
        PathRewrite::Regex(template) => {
            let mut expanded = Vec::with_capacity(path.len() + template.len());
            if let PathPattern::Regex(regex) = pattern
                && let Some(captures) = regex.captures(path)
                && let Some(matched) = captures.get(0)
            {
                expanded.extend_from_slice(&path[..matched.start()]);
                captures.expand(template.as_bytes(), &mut expanded);
                expanded.extend_from_slice(&path[matched.end()..]);
                push_path(&expanded, b"", out);
            } else {
                push_path(path, b"", out);
            }
        }
    }
}

/// The part of the path after the prefix: empty, or starting with `/`.
fn behind_prefix<'a>(pattern: &PathPattern, path: &'a [u8]) -> &'a [u8] {
    let prefix = match pattern {
        PathPattern::Prefix(prefix) | PathPattern::Exact(prefix) => prefix.as_bytes(),
        PathPattern::Any | PathPattern::Regex(_) => b"/",
    };
    let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
    path.strip_prefix(prefix).unwrap_or(path)
}

fn push_path(first: &[u8], second: &[u8], out: &mut Vec<u8>) {
    if first.first().or(second.first()) != Some(&b'/') {
        out.push(b'/');
    }
    for &byte in first.iter().chain(second) {
        if matches!(byte, b'!'..=b'~') && !matches!(byte, b'?' | b'#') {
            out.push(byte);
        } else {
            let digit = |value: u8| HEX[usize::from(value & 0xf)];
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte)]);
        }
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::Regex;

    use super::*;

    fn rewritten(rewrite: &PathRewrite, pattern: &PathPattern, path: &str) -> String {
        let mut out = Vec::new();
        rewrite_path(rewrite, pattern, path.as_bytes(), path.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn prefix(text: &str) -> PathPattern {
        PathPattern::Prefix(text.to_owned())
    }

    #[test]
    fn whole_replaces_everything() {
        for pattern in [PathPattern::Any, PathPattern::Exact("/old".to_owned())] {
            assert_eq!(rewritten(&PathRewrite::Whole("/new".to_owned()), &pattern, "/old"), "/new");
        }
    }

    #[test]
    fn prefix_keeps_one_slash_between_text_and_rest() {
        for (from, to, path, expected) in [
            ("/api", "/v2", "/api", "/v2"),
            ("/api", "/v2", "/api/x", "/v2/x"),
            ("/api", "/v2/", "/api/x", "/v2/x"),
            ("/api", "/v2/", "/api", "/v2/"),
            ("/api/", "/v2/", "/api/x", "/v2/x"),
            ("/api/", "/v2", "/api/x", "/v2/x"),
            ("/api/", "/v2", "/api/", "/v2/"),
            ("/api/", "/", "/api/x/", "/x/"),
            ("/api", "/", "/api", "/"),
            ("/api", "/", "/api/x", "/x"),
            ("/", "/app", "/x", "/app/x"),
            ("/", "/app/", "/", "/app/"),
            ("/", "/", "/x", "/x"),
        ] {
            let rewrite = PathRewrite::Prefix(to.to_owned());
            assert_eq!(rewritten(&rewrite, &prefix(from), path), expected, "{from} -> {to}: {path}");
        }
    }

    #[test]
    fn prefix_beside_other_patterns_is_harmless() {
        let rewrite = PathRewrite::Prefix("/app".to_owned());
        assert_eq!(rewritten(&rewrite, &PathPattern::Any, "/x"), "/app/x");
        assert_eq!(rewritten(&rewrite, &PathPattern::Exact("/x".to_owned()), "/x"), "/app");
    }

    #[test]
    fn regex_replaces_its_first_match() {
        for (regex, template, path, expected) in [
            ("^/v([0-9]+)/(.*)$", "/$2/$1", "/v7/a/b", "/a/b/7"),
            ("^/v[0-9]+/", "/", "/v7/a", "/a"),
            ("^/(?P<user>[^/]+)", "/u/${user}", "/ann/x", "/u/ann/x"),
            ("^/a", "/$$", "/ab", "/$b"),
            ("^/x(.*)", "$1", "/xyz", "/yz"),
            ("^/never$", "/x", "/other", "/other"),
            ("/x", "/$9", "/a/x/b", "/a//b"),
        ] {
            let pattern = PathPattern::Regex(Regex::new(regex).unwrap());
            let rewrite = PathRewrite::Regex(template.to_owned());
            assert_eq!(rewritten(&rewrite, &pattern, path), expected, "{regex} {template} {path}");
        }
    }

    #[test]
    fn path_parameters_are_kept_behind_what_the_pattern_matches() {
        let regex = |text| PathPattern::Regex(Regex::new(text).unwrap());
        for (rewrite, pattern, path, kept, expected) in [
            (PathRewrite::Prefix("/v2".into()), prefix("/api"), "/api/x", "/api/x;s=1", "/v2/x;s=1"),
            (PathRewrite::Prefix("/v2/".into()), prefix("/api/"), "/api/x/y", "/api/x;s=1/y", "/v2/x;s=1/y"),
            (PathRewrite::Prefix("/v2".into()), prefix("/api"), "/api/x", "/api;s=1/x;t", "/v2/x"),
            (PathRewrite::Regex("/$1".into()), regex("^/api/(.*)$"), "/api/x", "/api/x;s=1", "/x;s=1"),
            (PathRewrite::Regex("/$1".into()), regex("^/api/([a-z]+)$"), "/api/x", "/api/x;s=1", "/x"),
            (PathRewrite::Whole("/new".into()), PathPattern::Any, "/x", "/x;s=1", "/new"),
        ] {
            let mut out = Vec::new();
            rewrite_path(&rewrite, &pattern, path.as_bytes(), kept.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{kept}");
        }
    }

    #[test]
    fn the_path_is_appended_to_the_buffer() {
        let mut out = b"GET ".to_vec();
        rewrite_path(&PathRewrite::Whole("x".to_owned()), &PathPattern::Any, b"/", b"/", &mut out);
        assert_eq!(out, b"GET /x");
    }

    fn check(out: &[u8]) {
        assert_eq!(out.first(), Some(&b'/'));
        assert!(out.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#')), "{out:?}");
    }

    proptest! {
        #[test]
        fn a_valid_path_stays_byte_for_byte(path in "/[!$-;=@-Z_a-z~]{0,40}") {
            let pattern = PathPattern::Regex(Regex::new("(?s)^(.*)$").unwrap());
            prop_assert_eq!(rewritten(&PathRewrite::Regex("$1".to_owned()), &pattern, &path), &path[..]);
            prop_assert_eq!(rewritten(&PathRewrite::Prefix("/".to_owned()), &prefix("/"), &path), &path[..]);
        }

        #[test]
        fn the_result_has_no_byte_that_could_end_the_path(path: Vec<u8>, text: String, from in "/[a-z/]{0,5}") {
            let regex = PathPattern::Regex(Regex::new("(?s-u)^(.?)(.*)$").unwrap());
            for (rewrite, pattern) in [
                (PathRewrite::Whole(text.clone()), PathPattern::Any),
                (PathRewrite::Prefix(text.clone()), prefix(&from)),
                (PathRewrite::Regex(format!("{text}$2$1")), regex),
            ] {
                let mut out = Vec::new();
                rewrite_path(&rewrite, &pattern, &path, &path, &mut out);
                check(&out);
            }
        }
    }
}
