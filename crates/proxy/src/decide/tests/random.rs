//! Decisions about any head that the parser accepts.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use balance::Mismatch;
use proptest::prelude::*;

use super::*;
use crate::decide::{Verdict, decide};
use crate::fixture::{Request, arrival, question};
use crate::snapshot::ActionPlan;

const RULES: &str = "
    trusted_proxies = ['10.0.0.0/8']
    access = { deny = ['198.51.100.0/24', '203.0.113.7 until 2030-01-01T00:00:00Z'] }
    via = 'edge'
    limits = { body = '1KiB' }
    forward = 'app'
    [[listener.web.rule]]
    host = 'a'
    path = '= /x'
    respond = { status = 200 }
    [[listener.web.rule]]
    host = '*.a'
    path = '/a/'
    trailing_slash = 'redirect'
    forward = 'app'
    [[listener.web.rule]]
    path = '~ ^/[0-9]+(/|$)'
    forward = { app = 1, api = 1 }
    [[listener.web.rule]]
    path = '/a'
    method = ['GET', 'POST']
    header = { x-a = '~ ^[0-9]' }
    access = { allow = ['192.0.2.0/24', '10.0.0.0/8'] }
    redirect = { scheme = 'https', port = 'keep' }
    [[listener.web.rule]]
    path = '/b/'
    query = { q = '1' }
    source = ['192.0.2.0/24']
    websocket = { allowed_origins = ['https://a'], allowed_subprotocols = ['chat'] }
    forward = 'api'
";

/// Checks the decision about a head; `false` if these bytes are not a head.
fn check(snapshot: &Snapshot, peer: &str, bytes: &[u8]) -> Result<bool, TestCaseError> {
    let Ok(request) = Request::parse(bytes.to_vec()) else { return Ok(false) };
    let arrival = arrival(peer);
    let question = question(snapshot, &arrival, &request);
    let decision = decide(&question);
    let plan = question.plan;
    if let Some(path) = &decision.normal_path {
        prop_assert!(path.starts_with(b"/"), "{path:?}");
        prop_assert!(!path.windows(2).any(|pair| pair == b"//") && !path.contains(&b'?'), "{path:?}");
    }
    let is_default = |rule: usize| plan.has_default && rule == plan.rules.len() - 1;
    match decision.verdict {
        Verdict::Refuse(failed) => prop_assert!(failed.failure.outcome().status >= 400),
        Verdict::Reply { rule } => prop_assert_eq!(decision.rule, Some(rule)),
        Verdict::Forward(forward) => {
            prop_assert_eq!(decision.rule, Some(forward.rule));
            let forwards = matches!(plan.rules[forward.rule].action, ActionPlan::Forward { .. });
            prop_assert!(forwards);
            prop_assert_eq!(forward.body, request.text().head.body());
            prop_assert_eq!(forward.is_websocket, request.text().asks_for_websocket());
        }
    }

    let peer: SocketAddr = peer.parse().unwrap();
    let explanation =
        explain(snapshot, &ListenerName::new("web"), peer, bytes, question.unix_seconds).unwrap();
    prop_assert_eq!(explanation.rule, decision.rule);
    let is_refused = matches!(explanation.outcome, Outcome::Refused { .. });
    prop_assert_eq!(is_refused, matches!(decision.verdict, Verdict::Refuse(_)));
    let mismatch = |rule: usize| -> Option<Mismatch> { explanation.mismatches[rule] };
    if let Some(rule) = decision.rule {
        prop_assert_eq!(mismatch(rule), None, "the rule that was found matches");
        let others = (0..rule).filter(|&other| mismatch(other).is_none());
        prop_assert!(!is_default(rule) || others.count() == 0, "a rule comes before the default action");
    }
    Ok(true)
}

fn rules() -> Snapshot {
    compile(&format!("{LISTENER}{RULES}"))
}

const PEERS: [&str; 4] = ["192.0.2.7:80", "198.51.100.1:80", "10.0.0.1:80", "[2001:db8::7]:80"];

#[test]
fn a_decision_about_any_accepted_head_is_explained_as_it_is_made() {
    let snapshot = rules();
    let target = prop_oneof![
        "/(a|b|x|[0-9]|%61|%2[fF]|\\.\\.?|/|\\\\){0,6}(\\?(q=1|[ -~&&[^ #]]{0,6}))?",
        "/[!-~&&[^#]]{0,12}",
        "http://(a|x\\.a|[a-z.]{1,5})(:8[01])?(/[ab/]{0,4})?",
        Just("*".to_owned()),
    ];
    let host = prop::sample::select(vec!["a", "x.a", "A.", "[::1]:80", "b:81", ""]);
    let field = prop::sample::select(vec![
        "X-A: 1",
        "X-A: a",
        "Via: 1.1 edge",
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-For: 192.0.2.1, unknown",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Origin: https://a",
        "Sec-WebSocket-Protocol: chat",
        "Content-Length: 1025",
        "Transfer-Encoding: chunked",
        "X_Forwarded_For: 1",
    ]);
    let any = prop::collection::vec(any::<u8>(), 0..12);
    let line = prop_oneof![6 => field.prop_map(|field| field.as_bytes().to_vec()), 1 => any];
    let fields = prop::collection::vec(line, 0..6);
    let method = prop::sample::select(vec!["GET", "POST", "OPTIONS", "BREW"]);
    let accepted = std::cell::Cell::new(0);
    proptest!(
        ProptestConfig::with_cases(4_000),
        |(method in method, target in target, host in host, is_old: bool, fields in fields, peer in 0..4usize)| {
            let version = if is_old { "1.0" } else { "1.1" };
            let mut bytes = format!("{method} {target} HTTP/{version}\r\nHost: {host}\r\n").into_bytes();
            fields.iter().for_each(|line| bytes.extend([line, &b"\r\n"[..]].concat()));
            bytes.extend(b"\r\n");
            accepted.set(accepted.get() + usize::from(check(&snapshot, PEERS[peer], &bytes)?));
        }
    );
    assert!(accepted.get() > 1_000, "most heads are refused: {accepted:?}");
}

#[test]
fn heads_of_the_fuzz_corpus_are_decided_without_a_panic() {
    let snapshot = rules();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/request_head");
    let mut accepted = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        // Many entries have no complete head: they are not accepted.
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
        for peer in PEERS {
            accepted += usize::from(check(&snapshot, peer, &bytes[..end]).unwrap());
        }
    }
    assert!(accepted > 0);
}
