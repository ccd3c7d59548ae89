//! Decisions about connections whose bytes are passed on.

use model::Failure;

use super::*;
use crate::arrival::{Arrival, Source};
use crate::decide::{TcpQuestion, decide_tcp};
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
    let question =
        TcpQuestion { plan, table: &plan.table, arrival: &arrival, source, unix_seconds: 1_800_000_000 };
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
