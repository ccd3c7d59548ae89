//! Groups by weight, and the keys of algorithms that hash.

use balance::{SmoothWeighted, hash_bytes, hash_source};
use model::{Algorithm, HashKey};

use super::*;
use crate::arrival::Source;
use crate::decide::{choice_key, choose_group};
use crate::fixture::Request;
use crate::snapshot::ActionPlan;

/// How often each group has its turn in 1,000 requests.
fn turns(forward: &str, stagger: u64) -> Vec<usize> {
    let text =
        ["a", "b", "c"].map(|name| format!("[target_group.{name}]\ntargets = ['127.0.0.1:1']\n")).concat();
    let snapshot = compile(&format!("{text}[listener.web]\nbind = '127.0.0.1:2'\nforward = {forward}\n"));
    let plan = &snapshot.listeners[0];
    let ActionPlan::Forward { weights, .. } = &plan.rules[0].action else { panic!("it forwards") };
    let mut cursor = SmoothWeighted::new(weights, stagger);
    let mut counts = vec![0; plan.groups.len()];
    for _ in 0..1_000 {
        counts[choose_group(&plan.rules[0].action, &mut cursor).unwrap()] += 1;
    }
    counts
}

#[test]
fn a_thousand_requests_are_divided_exactly_by_weight() {
    for stagger in [0, 1, 7] {
        for (forward, expected) in [
            ("'a'", vec![1_000]),
            ("{ a = 1, b = 1 }", vec![500, 500]),
            ("{ a = 90, b = 10 }", vec![900, 100]),
            ("{ a = 7, b = 2, c = 1 }", vec![700, 200, 100]),
            ("{ a = 1, b = 0, c = 3 }", vec![250, 0, 750]),
            ("{ a = 999, b = 1 }", vec![999, 1]),
        ] {
            assert_eq!(turns(forward, stagger), expected, "{forward} {stagger}");
        }
    }
}

#[test]
fn a_rule_that_replies_has_no_group() {
    let snapshot = compile(&format!("{LISTENER}[[listener.web.rule]]\nrespond = {{ status = 204 }}\n"));
    let mut cursor = SmoothWeighted::new(&[], 0);
    assert_eq!(choose_group(&snapshot.listeners[0].rules[0].action, &mut cursor), None);
}

#[test]
fn a_key_is_made_from_the_header_if_it_is_there_else_from_the_source() {
    let header = Algorithm::Hash(HashKey::Header("X-User".to_owned()));
    let source = hash_source("192.0.2.7".parse().unwrap());
    for (algorithm, fields, expected) in [
        (&header, "x-user: anna", hash_bytes(b"anna")),
        (&header, "X-USER:  anna \nX-User: bert", hash_bytes(b"anna")),
        (&header, "X-User:", hash_bytes(b"")),
        (&header, "X_User: anna", source),
        (&header, "X-Other: anna", source),
        (&Algorithm::SourceIpHash, "X-User: anna", source),
        (&Algorithm::WeightedRoundRobin, "X-User: anna", 0),
        (&Algorithm::LeastConnections, "X-User: anna", 0),
        (&Algorithm::RandomTwo, "X-User: anna", 0),
    ] {
        let request = Request::new(&format!("GET / HTTP/1.1\nHost: a\n{fields}"));
        for address in ["192.0.2.7", "::ffff:192.0.2.7"] {
            let source = Source { address: address.parse().unwrap(), is_known: true, is_trusted: false };
            let key = choice_key(algorithm, Some(request.text()), source);
            assert_eq!(key, expected, "{algorithm:?} {fields} {address}");
        }
    }
}
