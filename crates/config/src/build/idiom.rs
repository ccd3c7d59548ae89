//! Idioms of other products that mean something else here. They are valid, so they are warned about; each warning says how
//! it is written here.

use crate::raw::Value;
use crate::report::Report;

/// A way of writing that other products interpret, and that is taken to the letter here.
pub(super) struct Idiom {
    is: fn(&str) -> bool,
    what: &'static str,
    hint: &'static str,
}

/// Of a path without `~`.
pub(super) const PATH: &[Idiom] = &[
    Idiom {
        is: |path| path.ends_with('*') && path.matches('*').count() == 1 && !path.ends_with(".*"),
        what: "`*` is an ordinary character of a path",
        hint: "a path is a prefix already: `/api/` matches everything below it",
    },
    Idiom {
        is: is_regex,
        what: "this path is not a regular expression",
        hint: "one is written `~ ^/v[0-9]+/`",
    },
    Idiom {
        is: |path| path.contains('*'),
        what: "`*` is an ordinary character of a path",
        hint: "a part that varies needs a regular expression: `~ ^/a/[^/]+/b$`",
    },
    Idiom {
        is: |path| has_braces(path) || path.contains("/:"),
        what: "a path has no placeholders",
        hint: "a part that varies needs a regular expression: `~ ^/v1/[^/]+$`",
    },
];

/// Of a header's, parameter's or cookie's value without `~`.
pub(super) const VALUE: &[Idiom] = &[
    Idiom {
        is: |value| value.starts_with('~'),
        what: "this value is not a regular expression",
        hint: "a space follows the sign: `~ regex`; `(?i)` ignores case",
    },
    Idiom { is: is_regex, what: "this value is not a regular expression", hint: "one is written `~ ^foo.*`" },
    Idiom {
        is: |value| value.contains('*') && !value.contains("/*"),
        what: "`*` is an ordinary character of this value",
        hint: "`\"*\"` alone matches any value; otherwise write a regular expression: `~ ^foo`",
    },
];

/// Of the value of a header that a rule sets or adds.
pub(super) const FIELD: &[Idiom] = &[Idiom {
    is: is_variable,
    what: "a header value has no placeholders: it is sent as it is written",
    hint: "targets learn of the client by `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`, and of its certificate by `client_auth.headers`",
}];

/// Of a redirect's address.
pub(super) const ADDRESS: &[Idiom] = &[Idiom {
    is: |text| has_dollar(text) || text.contains("%["),
    what: "this is no placeholder: it is sent as it is written",
    hint: "placeholders are `{host}`, `{port}`, `{path}` and `{query}`",
}];

/// Of a `rewrite` beside a path that is no regular expression.
pub(super) const REWRITE: &[Idiom] = &[Idiom {
    is: |text| text.contains('$') || has_braces(text),
    what: "a part of the path is filled in only beside a `path` that is a regular expression",
    hint: "such as `path = \"~ ^/api/(.*)$\"` with `rewrite = \"/$1\"`",
}];

/// Warns about the first of these idioms that the value is.
pub(super) fn warn(value: &Value, idioms: &[Idiom], report: &mut Report<'_>) {
    let Some(text) = value.text().filter(|text| !text.starts_with("~ ")) else { return };
    if let Some(Idiom { what, hint, .. }) = idioms.iter().find(|idiom| (idiom.is)(text)) {
        report.warning(value, *what).hint(*hint);
    }
}

fn is_regex(text: &str) -> bool {
    let signs = [".*", ".+", "[^", "[0-9", "[a-z", "\\d", "\\w", "\\."];
    text.starts_with('^') || text.ends_with('$') || signs.iter().any(|sign| text.contains(sign)) || {
        let group = text.split_once('(').and_then(|(_, behind)| behind.split_once(')'));
        group.is_some_and(|(inner, _)| inner.contains('|'))
    }
}

/// `{client}` (Caddy), `$remote_addr` and `${host}` (nginx), `%[src]` (HAProxy), `{{ .Host }}` (templates of Go).
fn is_variable(text: &str) -> bool {
    has_braces(text) || has_dollar(text) || text.contains("%[") || text.contains("{{")
}

/// `{name}`, but not the braces of JSON.
fn has_braces(text: &str) -> bool {
    text.split('{').skip(1).any(|behind| {
        let name = behind.split_once('}').map(|(name, _)| name).unwrap_or_default();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-*:".contains(&byte))
    })
}

/// `$name` or `${`.
fn has_dollar(text: &str) -> bool {
    let mut behind = text.split('$').skip(1);
    behind.any(|behind| behind.starts_with(|c: char| c.is_ascii_lowercase() || c == '{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(idioms: &[Idiom], text: &str) -> bool {
        idioms.iter().any(|idiom| (idiom.is)(text))
    }

    #[test]
    fn foreign_idioms_are_known() {
        for path in
            ["/api/*", "/a/*/b", "/v1/{id}", "/users/:id", "/x$", "/v[0-9]+/", "/(a|b)/", "/a.*", "= /a/*"]
        {
            assert!(is(PATH, path), "{path}");
        }
        for value in ["foo.*", "^foo", "foo$", "~foo", "~*foo", "foo*", "(a|b)"] {
            assert!(is(VALUE, value), "{value}");
        }
        for value in ["{client}", "{http.request.host}", "$host", "${host}", "%[src]", "{{ .Host }}"] {
            assert!(is(FIELD, value), "{value}");
        }
        assert!(is(ADDRESS, "https://$host$request_uri") && is(REWRITE, "/$1") && is(REWRITE, "/{id}"));
    }

    #[test]
    fn ordinary_texts_are_not() {
        for path in ["/", "/api/", "= /favicon.ico", "/a.b/c-d", "/a:b", "/(x)", "/~u/", "/a+b"] {
            assert!(!is(PATH, path), "{path}");
        }
        for value in ["*", "*/*", "text/*", "a.b", "v1.2+x", "Mozilla/5.0 (X11; Linux)", "a=b; c"] {
            assert!(value == "*" || !is(VALUE, value), "{value}");
        }
        for value in ["max-age=60", "{\"a\":1}", "$5", "100%", "a{ }", "default-src 'self'"] {
            assert!(!is(FIELD, value), "{value}");
        }
        assert!(!is(ADDRESS, "https://{host}{path}{query}") && !is(REWRITE, "/v2/"));
    }
}
