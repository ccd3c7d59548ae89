//! Decisions about connections whose bytes are passed on.

use model::Failure;
use proto::client_hello::{ClientHello, Peek, peek};

use super::*;
use crate::arrival::{Arrival, Source};
use crate::decide::{Agreement, TcpQuestion, agree, decide_tcp};
use crate::failed::Failed;
use crate::fixture::arrival;

const RULES: &str = "[target_group.one]\ntargets = ['127.0.0.1:9001']\n[target_group.two]\ntargets = ['127.0.0.1:9002']\n\
    [listener.web]\nbind = '127.0.0.1:8080'\nprotocol = 'tcp'\naccess = { deny = ['192.0.2.66'] }\n\
    [[listener.web.rule]]\nsource = ['192.0.2.0/24']\nforward = 'one'\n\
    [[listener.web.rule]]\nsource = ['198.51.100.0/24']\naccess = { deny = ['198.51.100.7'] }\nforward = 'two'\n";

/// The rule by which a connection from this address goes, or why it is refused, and by which rule.
fn decided(snapshot: &Snapshot, peer: &str, is_known: bool) -> (Option<usize>, Result<usize, Failed>) {
    let arrival = Arrival { is_peer_known: is_known, ..arrival(peer) };
    let plan = &snapshot.listeners[0];
    let source = Source { address: arrival.peer.ip(), is_known, is_trusted: false };
    let question = TcpQuestion {
        plan,
        table: &plan.table,
        arrival: &arrival,
        hello: None,
        source,
        unix_seconds: 1_800_000_000,
    };
    let decision = decide_tcp(&question);
    (decision.rule, decision.verdict)
}

#[test]
fn rules_go_by_the_source() {
    let snapshot = compile(RULES);
    let denied = |detail| Failed { failure: Failure::AccessDenied, detail };
    let no_rule = Failed::from(Failure::NoRule);
    for (peer, is_known, expected) in [
        ("192.0.2.1:1", true, (Some(0), Ok(0))),
        ("198.51.100.1:1", true, (Some(1), Ok(1))),
        ("203.0.113.1:1", true, (None, Err(no_rule))),
        ("192.0.2.66:1", true, (None, Err(denied("by the listener")))),
        ("198.51.100.7:1", true, (Some(1), Err(denied("by the rule")))),
        // No range contains a client that is not known.
        ("192.0.2.1:1", false, (None, Err(no_rule))),
    ] {
        assert_eq!(decided(&snapshot, peer, is_known), expected, "{peer}");
    }
    let with_default = compile(&RULES.replace("protocol = 'tcp'", "protocol = 'tcp'\nforward = 'two'"));
    assert_eq!(decided(&with_default, "203.0.113.1:1", true), (Some(2), Ok(2)));
}

#[test]
fn a_request_has_no_rule_there() {
    let explanation = ask(&compile(RULES), "GET / HTTP/1.1\nHost: a");
    assert_eq!(short(&explanation), "no_rule (the listener does not serve HTTP)");
}

/// The ClientHello of a client that asks for this name and offers these protocols.
fn hello(name: Option<&str>, protocols: &[&str]) -> ClientHello {
    let vector =
        |head: &[u8], body: &[u8]| [head, &u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat();
    let mut extensions = Vec::new();
    if let Some(name) = name {
        extensions.extend(vector(&[0, 0], &vector(&[], &vector(&[0], name.as_bytes()))));
    }
    if !protocols.is_empty() {
        let names = protocols
            .iter()
            .flat_map(|name| [&[u8::try_from(name.len()).unwrap()][..], name.as_bytes()].concat());
        extensions.extend(vector(&[0, 16], &vector(&[], &names.collect::<Vec<_>>())));
    }
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &vector(&[], &extensions)].concat();
    match peek(&vector(&[22, 3, 1], &vector(&[1, 0], &body))) {
        Peek::Complete(hello) => hello,
        other => panic!("{other:?}"),
    }
}

const NAMES: &str = "[target_group.one]\ntargets = ['127.0.0.1:9001']\n\
    [listener.web]\nbind = '127.0.0.1:8080'\nprotocol = 'tcp'\n\
    [[listener.web.rule]]\nsni = 'a.example'\nforward = 'one'\n\
    [[listener.web.rule]]\nsni = '*.example'\nalpn = ['h2', 'x']\nforward = 'one'\n\
    [[listener.web.rule]]\nsni = '~ ^.*z$'\nforward = 'one'\n\
    [[listener.web.rule]]\nalpn = 'only'\nforward = 'one'\n\
    [[listener.web.rule]]\nsni = 'b.example'\nsource = ['198.51.100.0/24']\nforward = 'one'\n";

fn of_hello(snapshot: &Snapshot, hello: Option<&ClientHello>) -> Result<usize, Failure> {
    let (plan, arrival) = (&snapshot.listeners[0], arrival("192.0.2.1:1"));
    let source = Source { address: arrival.peer.ip(), is_known: true, is_trusted: false };
    let question =
        TcpQuestion { plan, table: &plan.table, arrival: &arrival, hello, source, unix_seconds: 0 };
    decide_tcp(&question).verdict.map_err(|failed| failed.failure)
}

#[test]
fn rules_go_by_what_a_tls_client_says_first() {
    let snapshot = compile(NAMES);
    assert!(snapshot.listeners[0].looks_at_hello);
    let (no_name, no_protocol) = (Err(Failure::TlsUnrecognizedName), Err(Failure::TlsNoProtocol));
    for (name, protocols, expected) in [
        (Some("A.example"), &[][..], Ok(0)),
        (Some("a.example."), &["h2"], Ok(0)),
        (Some("c.example"), &["h2"], Ok(1)),
        (Some("d.c.example"), &["y", "x"], Ok(1)),
        (Some("c.example"), &["y"], no_protocol),
        (Some("c.example"), &[], no_protocol),
        (Some("z"), &["y"], Ok(2)),
        (Some("b.example"), &["only"], Ok(3)),
        (None, &["only"], Ok(3)),
        (None, &["h2"], no_protocol),
        (Some("192.0.2.9"), &["only"], Ok(3)),
    ] {
        let hello = hello(name, protocols);
        assert_eq!(of_hello(&snapshot, Some(&hello)), expected, "{name:?} {protocols:?}");
    }
    // No TLS: a regex for empty text matches no name that is missing.
    assert_eq!(of_hello(&snapshot, None), Err(Failure::NoRule));
    let names_only = compile(&NAMES.replace("alpn = 'only'", "source = ['203.0.113.0/24']"));
    assert_eq!(of_hello(&names_only, Some(&hello(Some("q.test"), &["h2"]))), no_name);
    assert_eq!(of_hello(&names_only, Some(&hello(None, &[]))), no_name);
    let of_source = compile(&NAMES.replace("alpn = ['h2', 'x']\n", "source = ['203.0.113.0/24']\n"));
    let of_source = of_hello(&of_source, Some(&hello(Some("b.example"), &["only"])));
    assert_eq!(of_source, Ok(3));
}

#[test]
fn only_rules_that_ask_make_it_look() {
    assert!(!compile(RULES).listeners[0].looks_at_hello, "or a server that speaks first would wait");
}

#[test]
fn a_protocol_is_agreed_on_with_which_a_rule_matches() {
    let snapshot = compile(NAMES);
    let plan = &snapshot.listeners[0];
    let source = Source { address: "192.0.2.1".parse().unwrap(), is_known: true, is_trusted: false };
    for (name, offered, expected) in [
        (Some("c.example"), &["x", "h2"][..], Agreement::Protocol("h2")),
        (Some("c.example"), &["only", "x"], Agreement::Protocol("x")),
        (Some("c.example"), &["only"], Agreement::Protocol("only")),
        (Some("c.example"), &["y"], Agreement::Refused),
        (Some("c.example"), &[], Agreement::Nothing),
        (Some("a.example"), &["h2", "only"], Agreement::Nothing),
        (None, &["h2", "only"], Agreement::Protocol("only")),
    ] {
        let hello = hello(name, offered);
        assert_eq!(agree(plan, &plan.table, &hello, true, source), expected, "{name:?} {offered:?}");
    }
}
