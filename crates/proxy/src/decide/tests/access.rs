//! Access lists: which one denies, expiry, and clients whose address is unknown.

use super::*;

/// 1 January 2027.
const DAY: u64 = 1_798_761_600;

/// The outcome for a client, asked at this time.
fn at(snapshot: &Snapshot, peer: &str, fields: &str, now: u64) -> String {
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let (listener, peer) = (ListenerName::new("web"), format!("{peer}:80").parse().unwrap());
    short(&explain(snapshot, &listener, peer, head.as_bytes(), now).unwrap())
}

fn listener(load_balancer: &str, keys: &str, rule: &str) -> Snapshot {
    compile(&format!(
        "[load_balancer.default]\n{load_balancer}\n{LISTENER}{keys}\n\
         [[listener.web.rule]]\nforward = 'app'\n{rule}\n"
    ))
}

const APP: &str = "app=1";

#[test]
fn an_entry_counts_until_it_expires() {
    let denied = "access_denied (by the listener)";
    let deny = listener("", "access = { deny = ['192.0.2.7 until 2027-01-01T00:00:00Z'] }", "");
    let allow = listener("", "access = { allow = ['192.0.2.7 until 2027-01-01T00:00:00Z'] }", "");
    for (now, by_deny, by_allow) in [
        (0, denied, APP),
        (DAY - 1, denied, APP),
        (DAY, APP, denied),
        (DAY + 1, APP, denied),
        (u64::MAX, APP, denied),
    ] {
        assert_eq!(at(&deny, "192.0.2.7", "", now), by_deny, "{now}");
        assert_eq!(at(&allow, "192.0.2.7", "", now), by_allow, "{now}");
        assert_eq!(at(&deny, "192.0.2.8", "", now), APP, "{now}");
    }
    let keys = "access = { deny = ['192.0.2.0/24', '198.51.100.0/24'], allow = ['192.0.2.7 until 2027-01-01T00:00:00Z'] }";
    let narrow = listener("", keys, "");
    assert_eq!(at(&narrow, "192.0.2.7", "", DAY - 1), APP, "the most specific entry decides");
    assert_eq!(at(&narrow, "192.0.2.7", "", DAY), denied, "and then the range around it");
}

#[test]
fn a_client_must_pass_load_balancer_listener_and_rule() {
    let snapshot = listener(
        "access = { deny = ['192.0.2.0/26'] }",
        "access = { deny = ['192.0.2.64/26'] }",
        "access = { deny = ['192.0.2.128/26'] }",
    );
    for (peer, expected) in [
        ("192.0.2.1", "access_denied (by the load balancer)"),
        ("192.0.2.65", "access_denied (by the listener)"),
        ("192.0.2.129", "access_denied (by the rule)"),
        ("192.0.2.193", APP),
    ] {
        assert_eq!(at(&snapshot, peer, "", 0), expected, "{peer}");
    }
    let all = "access = { deny = ['192.0.2.1'] }";
    let allow = "access = { allow = ['192.0.2.1'] }";
    let snapshot = listener(all, allow, allow);
    assert_eq!(at(&snapshot, "192.0.2.1", "", 0), "access_denied (by the load balancer)");
}

#[test]
fn an_unknown_client_passes_only_where_nothing_is_said_about_its_proxy() {
    let trusted = "trusted_proxies = ['10.0.0.0/8']";
    let unknown = "X-Forwarded-For: 192.0.2.1, unknown\r\n";
    let denied = "access_denied (unknown, by the listener)";
    for (access, expected) in [
        ("deny = ['192.0.2.0/24']", APP),
        ("deny = ['10.0.0.1']", denied),
        ("allow = ['0.0.0.0/0', '::/0']", denied),
        ("allow = ['10.0.0.1']", denied),
        ("allow = ['10.0.0.1'], deny = ['192.0.2.9'], default = 'allow'", denied),
        ("allow = ['10.0.0.2'], deny = ['192.0.2.9'], default = 'allow'", APP),
    ] {
        let snapshot = listener("", &format!("{trusted}\naccess = {{ {access} }}"), "");
        assert_eq!(at(&snapshot, "10.0.0.1", unknown, 0), expected, "{access}");
    }
    for (load_balancer, rule, by) in [
        ("access = { allow = ['10.0.0.0/8'] }", "", "by the load balancer"),
        ("", "access = { allow = ['10.0.0.0/8'] }", "by the rule"),
    ] {
        let snapshot = listener(load_balancer, trusted, rule);
        assert_eq!(at(&snapshot, "10.0.0.1", unknown, 0), format!("access_denied (unknown, {by})"));
        assert_eq!(at(&snapshot, "10.0.0.1", "", 0), APP, "the proxy itself");
    }
}

#[test]
fn a_source_condition_does_not_hold_for_an_unknown_client() {
    let keys = "trusted_proxies = ['10.0.0.0/8']";
    let snapshot = listener("", keys, "source = ['0.0.0.0/0']");
    assert_eq!(at(&snapshot, "10.0.0.1", "X-Forwarded-For: 192.0.2.1\r\n", 0), APP);
    assert_eq!(at(&snapshot, "10.0.0.1", "X-Forwarded-For: unknown\r\n", 0), "no_rule");
}

#[test]
fn an_ipv4_mapped_address_is_the_ipv4_address() {
    let snapshot = listener("", "access = { deny = ['192.0.2.7', '2001:db8::/32'] }", "");
    let denied = "access_denied (by the listener)";
    for (peer, expected) in [
        ("192.0.2.7", denied),
        ("[::ffff:192.0.2.7]", denied),
        ("[::ffff:192.0.2.8]", APP),
        ("[2001:db8::7]", denied),
        ("[::192.0.2.7]", APP),
    ] {
        assert_eq!(at(&snapshot, peer, "", 0), expected, "{peer}");
    }
    let all_v6 = listener("", "access = { allow = ['::/0'] }", "");
    assert_eq!(at(&all_v6, "[::ffff:192.0.2.7]", "", 0), denied, "an IPv6 range holds no IPv4 address");
    assert_eq!(at(&all_v6, "[2001:db8::7]", "", 0), APP);
}
