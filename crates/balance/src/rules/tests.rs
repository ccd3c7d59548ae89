//! Tests of the order of rules, as tables and against a slow reference.

use std::net::IpAddr;

use model::{
    Action, Conditions, FieldCondition, FieldEdits, FixedResponse, HostPattern, NamedCondition, PathPattern,
    Rule, ValuePattern, WebSocket,
};
use proptest::prelude::*;
use regex::bytes::Regex;

use super::*;

/// A request made of slices, like that of the data plane.
#[derive(Clone, Debug)]
struct Request<'a> {
    method: &'a str,
    host: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    headers: &'a [(&'a str, &'a str)],
    source: Option<IpAddr>,
}

impl RequestView for Request<'_> {
    fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        self.query.map(str::as_bytes)
    }

    fn source(&self) -> Option<IpAddr> {
        self.source
    }

    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.headers.iter().any(|(key, value)| key.eq_ignore_ascii_case(name) && each(value.as_bytes()))
    }
}

const GET: Request<'_> = Request {
    method: "GET",
    host: "",
    path: "/",
    query: None,
    headers: &[],
    source: Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
};

/// Parses a host as operators write it: `a.b`, `*.b`, `a.*`, `~regex`, or nothing.
fn host(text: &str) -> HostPattern {
    match text {
        "" => HostPattern::Any,
        _ if text.starts_with('~') => HostPattern::Regex(Regex::new(&text[1..]).unwrap()),
        _ if text.starts_with('*') => HostPattern::LeadingWildcard(text[1..].to_owned()),
        _ if text.ends_with('*') => HostPattern::TrailingWildcard(text[..text.len() - 1].to_owned()),
        _ => HostPattern::Exact(text.to_owned()),
    }
}

/// Parses a path as operators write it: `/prefix`, `= /exact`, `~ regex`, or nothing. In a rule, `/prefix/+`
/// adds a slash.
fn path(text: &str) -> PathPattern {
    match text.split_once(' ') {
        _ if text.is_empty() => PathPattern::Any,
        Some(("=", exact)) => PathPattern::Exact(exact.to_owned()),
        Some(("~", regex)) => PathPattern::Regex(Regex::new(regex).unwrap()),
        _ => PathPattern::Prefix(text.to_owned()),
    }
}

fn value(text: &str) -> ValuePattern {
    match text {
        "" => ValuePattern::Present,
        _ if text.starts_with('~') => ValuePattern::Regex(Regex::new(&text[1..]).unwrap()),
        _ => ValuePattern::Exact(text.to_owned()),
    }
}

/// Parses conditions: `POST`, `10.0.0.0/8`, `header:name=value`, `query:…`, `cookie:…`.
fn conditions(text: &str) -> Conditions {
    let mut all = Conditions::default();
    for word in text.split_whitespace() {
        let (kind, rest) = word.split_once(':').unwrap_or(("", word));
        let (name, text) = rest.split_once('=').unwrap_or((rest, ""));
        let (name, value) = (name.to_owned(), value(text));
        match kind {
            "header" => all.headers.push(FieldCondition { name, value }),
            "query" => all.queries.push(NamedCondition { name, value }),
            "cookie" => all.cookies.push(NamedCondition { name, value }),
            _ if word.contains('/') => all.sources.push(word.parse().unwrap()),
            _ => all.methods.push(word.to_owned()),
        }
    }
    all
}

fn rule(host_text: &str, path_text: &str, condition_text: &str) -> Rule {
    Rule {
        host: host(host_text),
        path: path(path_text.trim_end_matches('+')),
        adds_slash: path_text.ends_with('+'),
        conditions: conditions(condition_text),
        action: Action::Fixed(FixedResponse {
            status: 204,
            content_type: String::new(),
            body: [][..].into(),
        }),
        rewrite: None,
        request_fields: FieldEdits::default(),
        response_fields: FieldEdits::default(),
        access: None,
        websocket: WebSocket::default(),
        persistence: None,
    }
}

fn table(rules: &[(&str, &str, &str)]) -> RuleTable {
    RuleTable::compile(&rules.iter().map(|(host, path, text)| rule(host, path, text)).collect::<Vec<_>>())
}

/// Asserts that each request of `cases` (host, path) matches the rule with that number.
fn check(rules: &[(&str, &str, &str)], cases: &[(&str, &str, Option<usize>)]) {
    let table = table(rules);
    for &(host, path, expected) in cases {
        assert_eq!(table.find(&Request { host, path, ..GET }), expected, "{host}{path} in {rules:#?}");
    }
}

#[test]
fn a_mismatch_names_the_first_part_that_differs() {
    let text = "POST header:x-a=1 query:q=2 cookie:c=3";
    let Rule { host, path, adds_slash, conditions, .. } = rule("a.b", "/p/", text);
    let rule = Match { host: &host, path: &path, adds_slash, conditions: &conditions };
    let headers: &[(&str, &str)] = &[("x-a", "1"), ("cookie", "c=3")];
    let matching = Request { method: "POST", host: "a.b", path: "/p/x", query: Some("q=2"), headers, ..GET };
    for (request, expected) in [
        (matching.clone(), None),
        (Request { host: "b.b", ..matching.clone() }, Some(Mismatch::Host)),
        (Request { path: "/p", ..matching.clone() }, Some(Mismatch::Path)),
        (Request { method: "GET", ..matching.clone() }, Some(Mismatch::Method)),
        (Request { headers: &headers[1..], ..matching.clone() }, Some(Mismatch::Header(0))),
        (Request { query: None, ..matching.clone() }, Some(Mismatch::Query(0))),
        (Request { headers: &headers[..1], ..matching.clone() }, Some(Mismatch::Cookie(0))),
    ] {
        assert_eq!(mismatch(rule, &request), expected, "{request:?}");
    }
}

#[test]
fn no_rules_match_nothing() {
    check(&[], &[("", "/", None), ("a.example", "/x", None)]);
}

#[test]
fn the_most_specific_host_wins_in_any_order() {
    check(
        &[
            ("", "", ""),
            ("~^www[0-9]*\\.", "", ""),
            ("~example", "", ""),
            ("www.*", "", ""),
            ("www.example.*", "", ""),
            ("*.com", "", ""),
            ("*.example.com", "", ""),
            ("www.example.com", "", ""),
        ],
        &[
            ("www.example.com", "/", Some(7)),
            ("WWW.Example.COM", "/", Some(7)),
            ("api.example.com", "/", Some(6)),
            ("a.b.example.com", "/", Some(6)),
            ("example.com", "/", Some(5)),
            ("other.com", "/", Some(5)),
            ("www.example.org", "/", Some(4)),
            ("www.example.co.uk", "/", Some(4)),
            ("www.other.org", "/", Some(3)),
            ("www7.example.org", "/", Some(1)),
            ("my-example.org", "/", Some(2)),
            ("other.org", "/", Some(0)),
            ("", "/", Some(0)),
            ("[::1]", "/", Some(0)),
        ],
    );
}

#[test]
fn a_wildcard_stands_for_at_least_one_label() {
    check(
        &[("*.example.com", "", ""), ("www.*", "", "")],
        &[
            ("a.example.com", "/", Some(0)),
            ("example.com", "/", None),
            (".example.com", "/", None),
            ("badexample.com", "/", None),
            ("a.example.com.evil", "/", None),
            ("www.x", "/", Some(1)),
            ("www.", "/", None),
            ("www", "/", None),
            ("awww.x", "/", None),
        ],
    );
}

#[test]
fn a_rule_that_adds_its_slash_matches_without_it() {
    check(
        &[
            ("", "/", ""),
            ("", "/a/+", ""),
            ("", "/a", ""),
            ("", "/b/+", ""),
            ("", "= /b", ""),
            ("", "/c/+", ""),
            ("", "= /c", "POST"),
            ("", "/c/+", "header:x"),
            ("", "/d/", ""),
            ("h", "/a/x/+", ""),
        ],
        &[
            ("", "/a", Some(1)),
            ("", "/a/", Some(1)),
            ("", "/a/x", Some(1)),
            ("", "/ax", Some(0)),
            ("", "/b", Some(4)),
            ("", "/b/", Some(3)),
            ("", "/c", Some(5)),
            ("", "/c/", Some(5)),
            ("", "/d", Some(0)),
            ("h", "/a/x", Some(9)),
            ("h", "/a", Some(1)),
        ],
    );
}

#[test]
fn the_most_specific_path_wins_in_any_order() {
    check(
        &[
            ("", "", ""),
            ("", "~ ^/api/v[0-9]+/", ""),
            ("", "~ x$", ""),
            ("", "/api", ""),
            ("", "/api/v1/", ""),
            ("", "= /api/v1/users", ""),
        ],
        &[
            ("", "/api/v1/users", Some(5)),
            ("", "/api/v1/users/", Some(4)),
            ("", "/api/v1/", Some(4)),
            ("", "/api/v1", Some(3)),
            ("", "/api/v2/x", Some(3)),
            ("", "/api", Some(3)),
            ("", "/apix", Some(2)),
            ("", "/x", Some(2)),
            ("", "/y", Some(0)),
            ("", "*", Some(0)),
        ],
    );
    check(
        &[("", "~ ^/a", ""), ("", "~ b$", "")],
        &[("", "/ab", Some(0)), ("", "/xb", Some(1)), ("", "/x", None)],
    );
}

#[test]
fn a_prefix_ends_at_a_segment() {
    check(
        &[("", "/api", ""), ("", "/files/", "")],
        &[
            ("", "/api", Some(0)),
            ("", "/api/", Some(0)),
            ("", "/api/x", Some(0)),
            ("", "/apix", None),
            ("", "/ap", None),
            ("", "/API", None),
            ("", "/x/api", None),
            ("", "/files", None),
            ("", "/files/", Some(1)),
            ("", "/files/a/b", Some(1)),
            ("", "/", None),
        ],
    );
    check(&[("", "/", "")], &[("", "/", Some(0)), ("", "/any/thing", Some(0)), ("", "*", None)]);
    check(
        &[("", "/a", ""), ("", "/a/", "")],
        &[("", "/a", Some(0)), ("", "/a/", Some(1)), ("", "/a/b", Some(1))],
    );
}

#[test]
fn if_a_host_has_no_match_the_next_less_specific_one_is_tried() {
    check(
        &[
            ("a.example.com", "= /exact", ""),
            ("*.example.com", "/leading", ""),
            ("*.com", "/shorter", ""),
            ("a.example.*", "/trailing", ""),
            ("a.*", "/wider", ""),
            ("~^a", "/regex", ""),
            ("~example", "/later", ""),
            ("", "/any", ""),
        ],
        &[
            ("a.example.com", "/exact", Some(0)),
            ("a.example.com", "/leading", Some(1)),
            ("a.example.com", "/shorter", Some(2)),
            ("a.example.com", "/trailing", Some(3)),
            ("a.example.com", "/wider", Some(4)),
            ("a.example.com", "/regex", Some(5)),
            ("a.example.com", "/later", Some(6)),
            ("a.example.com", "/any", Some(7)),
            ("a.example.com", "/none", None),
        ],
    );
}

#[test]
fn the_host_counts_before_the_path_and_the_path_before_conditions() {
    check(
        &[
            ("", "= /x", "GET"),
            ("*.example.com", "", ""),
            ("", "/x", "GET 127.0.0.0/8"),
            ("", "= /y", "POST"),
            ("", "/y", ""),
        ],
        &[
            ("a.example.com", "/x", Some(1)),
            ("", "/x", Some(0)),
            ("", "/x/z", Some(2)),
            // The conditions of the more specific path do not hold: the next path is tried.
            ("", "/y", Some(4)),
        ],
    );
}

#[test]
fn more_conditions_win_then_the_first_in_the_file() {
    check(
        &[
            ("", "/a", ""),
            ("", "/a", ""),
            ("", "/a", "GET"),
            ("", "/a", "127.0.0.0/8"),
            ("", "/a", "POST header:x query:y"),
        ],
        &[("", "/a", Some(2))],
    );
    check(&[("a.b", "/", ""), ("a.b", "/", "")], &[("a.b", "/", Some(0))]);
    // Equal regexes count as equal, as equal names do.
    check(
        &[("~^a", "~ ^/x", ""), ("~^a", "~ x", ""), ("~^a", "~ ^/x", "GET")],
        &[("a", "/x", Some(2)), ("a", "/yx", Some(1))],
    );
}

#[test]
fn every_condition_must_hold() {
    let headers =
        &[("X-Version", "2"), ("x-version", "3"), ("Cookie", "id=7; beta=yes"), ("cookie", "more=1")];
    let request = Request {
        method: "POST",
        host: "a.example",
        query: Some("page=1&q=a+b"),
        headers,
        source: "::ffff:10.1.2.3".parse().ok(),
        ..GET
    };
    for (text, expected) in [
        ("POST", true),
        ("GET POST", true),
        ("GET", false),
        ("post", false),
        ("header:x-version", true),
        ("header:x-version=3", true),
        ("header:x-version=4", false),
        ("header:x-version=~^[0-9]$", true),
        ("header:x-version=2 header:x-version=3", true),
        ("header:other", false),
        ("query:page=1 query:q", true),
        ("query:page=2", false),
        ("query:missing", false),
        ("cookie:beta=yes cookie:more", true),
        ("cookie:beta=no", false),
        ("10.0.0.0/8", true),
        ("192.168.0.0/16 10.1.0.0/16", true),
        ("192.168.0.0/16", false),
        ("POST 10.0.0.0/8 header:x-version=2 query:page cookie:id=7", true),
        ("POST 10.0.0.0/8 header:x-version=2 query:page cookie:id=8", false),
    ] {
        let found = table(&[("a.example", "/", text)]).find(&request);
        assert_eq!(found, expected.then_some(0), "{text}");
    }
}

#[test]
fn a_host_too_long_to_be_a_name_matches_only_rules_without_a_host() {
    let rules = [("*.example.com", "", ""), ("~.*", "", ""), ("", "", "")];
    let name = |labels: usize| format!("{}.example.com", "a".repeat(labels));
    check(&rules, &[(&name(243), "/", Some(0)), (&name(244), "/", Some(2)), (&name(60_000), "/", Some(2))]);
}

/// Counts how often it is read, and panics if a condition is evaluated.
struct Counted<'a>(Request<'a>, std::cell::Cell<usize>);

impl RequestView for Counted<'_> {
    fn host(&self) -> &[u8] {
        self.1.set(self.1.get() + 1);
        self.0.host()
    }

    fn path(&self) -> &[u8] {
        self.1.set(self.1.get() + 1);
        self.0.path()
    }

    fn method(&self) -> &[u8] {
        panic!("no rule asks for a method")
    }

    fn query(&self) -> Option<&[u8]> {
        panic!("no rule asks for the query")
    }

    fn source(&self) -> Option<IpAddr> {
        panic!("no rule asks for the source")
    }

    fn header_values(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        panic!("no rule asks for a header")
    }
}

#[test]
fn the_number_of_hosts_costs_nothing_and_missing_conditions_read_nothing() {
    let asked = |hosts: usize| {
        let rules: Vec<_> = (0..hosts)
            .flat_map(|n| {
                [rule(&format!("h{n}.example"), "/", ""), rule(&format!("*.w{n}.example"), "/a", "")]
            })
            .collect();
        let table = RuleTable::compile(&rules);
        let last = format!("h{}.example", hosts - 1);
        let request = Counted(Request { host: &last, path: "/a/b", ..GET }, Default::default());
        assert_eq!(table.find(&request), Some(hosts * 2 - 2));
        let wild = format!("x.w{}.example", hosts - 1);
        assert_eq!(table.find(&Request { host: &wild, path: "/a/b", ..GET }), Some(hosts * 2 - 1));
        request.1.get()
    };
    assert_eq!(asked(1), asked(1_000));
    assert_eq!(asked(1), asked(10_000));
}

/// How specific a pattern is for this host; `None` if it does not match. Written from the specification, not
/// the code.
fn host_rank(pattern: &str, host: &str) -> Option<(u8, usize)> {
    match pattern {
        "" => Some((0, 0)),
        _ if pattern.starts_with('~') => {
            Regex::new(&pattern[1..]).unwrap().is_match(host.as_bytes()).then_some((1, 0))
        }
        _ if pattern.starts_with('*') => {
            let label = host.strip_suffix(&pattern[1..])?;
            (!label.is_empty()).then_some((3, pattern.len()))
        }
        _ if pattern.ends_with('*') => {
            let label = host.strip_prefix(&pattern[..pattern.len() - 1])?;
            (!label.is_empty()).then_some((2, pattern.len()))
        }
        _ => (pattern == host).then_some((4, 0)),
    }
}

fn path_rank(pattern: &str, path: &str) -> Option<(u8, usize)> {
    match pattern.split_once(' ') {
        _ if pattern.is_empty() => Some((0, 0)),
        Some(("=", exact)) => (exact == path).then_some((3, 0)),
        Some((_, regex)) => Regex::new(regex).unwrap().is_match(path.as_bytes()).then_some((1, 0)),
        None => {
            let rest = path.strip_prefix(pattern)?;
            (pattern.ends_with('/') || rest.is_empty() || rest.starts_with('/')).then_some((2, pattern.len()))
        }
    }
}

/// Finds the best rule by testing each. Different regexes rank by their first place in the file.
fn slow_find(rules: &[(&str, &str, &str)], host: &str, path: &str) -> Option<usize> {
    let first = |place: &dyn Fn(usize) -> bool| (0..rules.len()).find(|&n| place(n)).map(|n| usize::MAX - n);
    let host_first = |n: usize| first(&|m| rules[m].0 == rules[n].0);
    let path_first = |n: usize| first(&|m| rules[m].0 == rules[n].0 && rules[m].1 == rules[n].1);
    (0..rules.len())
        .filter(|&n| rules[n].2 != "POST")
        .filter_map(|n| {
            let (host_rank, path_rank) = (host_rank(rules[n].0, host)?, path_rank(rules[n].1, path)?);
            let conditions = usize::from(!rules[n].2.is_empty());
            Some(((host_rank, host_first(n), path_rank, path_first(n), conditions, usize::MAX - n), n))
        })
        .max()
        .map(|(_, n)| n)
}

const HOSTS: &[&str] = &["", "a.b.c", "b.c", "*.c", "*.b.c", "a.*", "a.b.*", "~^a", "~c$"];
const PATHS: &[&str] = &["", "/", "/a", "/a/", "/a/b", "= /a", "= /a/b", "~ ^/a", "~ b$"];
const CONDITIONS: &[&str] = &["", "GET", "POST"];

proptest! {
    #[test]
    fn the_table_agrees_with_a_scan_of_all_rules(
        rules in prop::collection::vec(
            (prop::sample::select(HOSTS), prop::sample::select(PATHS), prop::sample::select(CONDITIONS)),
            0..12,
        ),
        host in prop::sample::select(&["", "a.b.c", "b.c", "c", "x.b.c", "a.b.d", "a.x", "x.y.c"][..]),
        path in prop::sample::select(&["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/x", "*"][..]),
    ) {
        prop_assert_eq!(table(&rules).find(&Request { host, path, ..GET }), slow_find(&rules, host, path));
    }

    #[test]
    fn the_table_finds_a_rule_if_and_only_if_one_has_no_mismatch(
        rules in prop::collection::vec(
            (prop::sample::select(HOSTS), prop::sample::select(PATHS), prop::sample::select(CONDITIONS)),
            0..12,
        ),
        host in prop::sample::select(&["", "a.b.c", "b.c", "c", "x.b.c", "A.b.d", "a.x", "x.y.c"][..]),
        path in prop::sample::select(&["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/x", "*"][..]),
    ) {
        let request = Request { host, path, ..GET };
        let matches = |&(host, path, conditions): &(&str, &str, &str)| {
            let Rule { host, path, adds_slash, conditions, .. } = rule(host, path, conditions);
            let rule = Match { host: &host, path: &path, adds_slash, conditions: &conditions };
            mismatch(rule, &request).is_none()
        };
        match table(&rules).find(&request) {
            Some(index) => prop_assert!(matches(&rules[index])),
            None => prop_assert!(!rules.iter().any(matches)),
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(host: Vec<u8>, path: Vec<u8>, query: Vec<u8>, cookie: Vec<u8>) {
        let table = table(&[
            ("a.b.c", "= /a", "header:cookie=~x"),
            ("*.b", "/a/", "cookie:x=~y query:z=~w"),
            ("a.*", "/a", "query:%=~."),
            ("~.", "~ .", "cookie:=~. query:=~."),
        ]);
        table.find(&Bytes { host, path, query, cookie });
    }
}

struct Bytes {
    host: Vec<u8>,
    path: Vec<u8>,
    query: Vec<u8>,
    cookie: Vec<u8>,
}

impl RequestView for Bytes {
    fn host(&self) -> &[u8] {
        &self.host
    }

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn query(&self) -> Option<&[u8]> {
        Some(&self.query)
    }

    fn source(&self) -> Option<IpAddr> {
        GET.source
    }

    fn header_values(&self, _: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        each(&self.cookie)
    }
}
