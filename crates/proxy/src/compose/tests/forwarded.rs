//! What a target is told about the client: `X-Forwarded-*`, `Forwarded`, `X-Request-Id` and `Via`.

use super::*;
use crate::fixture::listener;

const TRUSTED: &str = "trusted_proxies = ['10.0.0.0/8', '2001:db8:1::/48']\nforward = 'app'\n";
/// What a proxy may say.
const CLAIMS: &str = "X-Forwarded-For: , 198.51.100.1,  10.0.0.9,\nX-Forwarded-Proto: https\nX-Forwarded-For:\n\
                      X-Forwarded-For: 10.0.0.8\nX-Forwarded-Host: shop\nX-Forwarded-Port: 443\n\
                      Forwarded: for=198.51.100.1\nX-Real-IP: 198.51.100.1\nX-Forwarded-User: u\nX_Real_IP: v";
const PASSED: &str = "X-Real-IP: 198.51.100.1\nX-Forwarded-User: u\n";

/// The fields that the target gets behind `Host`, without the request's id.
#[track_caller]
fn check(keys: &str, arrival: &Arrival, sent: &str, expected: &str) {
    let snapshot = listener(&format!("{keys}{TRUSTED}"));
    let head = forwarded(&snapshot, arrival, &format!("GET / HTTP/1.1\nHost: a:81\n{sent}"));
    let expected = format!("GET / HTTP/1.1\nHost: a:81\n{expected}\nX-Request-Id: {ID}");
    assert_eq!(head, expected, "{keys} {arrival:?}");
}

#[test]
fn fields_of_other_peers_are_replaced() {
    for (peer, address) in [(CLIENT, "192.0.2.7"), ("[2001:db8:2::7]:4711", "2001:db8:2::7")] {
        let ours = format!(
            "X-Forwarded-For: {address}\nX-Forwarded-Proto: http\nX-Forwarded-Host: a:81\nX-Forwarded-Port: 8080"
        );
        check("", &arrival(peer), CLAIMS, &ours);
        check("", &arrival(peer), "X: 1", &format!("X: 1\n{ours}"));
    }
    let ours = "Forwarded: for=192.0.2.7;host=\"a:81\";proto=http";
    check("x_forwarded = false\nforwarded = true\n", &arrival(CLIENT), CLAIMS, ours);
    let ours = "Forwarded: for=\"[2001:db8:2::7]\";host=\"a:81\";proto=http";
    check("x_forwarded = false\nforwarded = true\n", &arrival("[2001:db8:2::7]:4711"), CLAIMS, ours);
}

#[test]
fn fields_of_a_trusted_proxy_are_kept_and_go_on() {
    for (peer, address, element) in [
        ("10.0.0.1:80", "10.0.0.1", "10.0.0.1"),
        ("[2001:db8:1::1]:80", "2001:db8:1::1", "\"[2001:db8:1::1]\""),
    ] {
        let x_forwarded = format!(
            "X-Forwarded-For: 198.51.100.1, 10.0.0.9, 10.0.0.8, {address}\nX-Forwarded-Proto: https\n\
             X-Forwarded-Host: shop\nX-Forwarded-Port: 443"
        );
        let theirs = "Forwarded: for=198.51.100.1";
        let forwarded = format!("{theirs}, for={element};host=\"a:81\";proto=http");
        check("", &arrival(peer), CLAIMS, &format!("{theirs}\n{PASSED}{x_forwarded}"));
        check("forwarded = true\n", &arrival(peer), CLAIMS, &format!("{PASSED}{x_forwarded}\n{forwarded}"));
    }
    let ours =
        "X-Forwarded-For: 10.0.0.1\nX-Forwarded-Proto: http\nX-Forwarded-Host: a:81\nX-Forwarded-Port: 8080";
    check("", &arrival("10.0.0.1:80"), "X: 1", &format!("X: 1\n{ours}"));
}

#[test]
fn fields_that_are_off_pass_from_a_trusted_proxy_only() {
    let off = "x_forwarded = false\nforwarded = false\n";
    check(off, &arrival("10.0.0.1:80"), CLAIMS, CLAIMS.strip_suffix("\nX_Real_IP: v").unwrap());
    check(off, &arrival(CLIENT), &format!("{CLAIMS}\nX: 1"), "X: 1");
}

#[test]
fn a_connection_without_a_source_is_not_the_proxys() {
    let unknown = Arrival { is_peer_known: false, port: 9443, ..arrival("10.0.0.1:80") };
    let ours =
        "X-Forwarded-For: 10.0.0.1\nX-Forwarded-Proto: http\nX-Forwarded-Host: a:81\nX-Forwarded-Port: 9443";
    check("", &unknown, CLAIMS, ours);
}

#[test]
fn without_a_host_none_is_reported() {
    let snapshot = listener(&format!("forwarded = true\n{TRUSTED}"));
    let head = forwarded(&snapshot, &arrival(CLIENT), "GET / HTTP/1.0");
    let expected = format!(
        "GET / HTTP/1.1\nHost: 127.0.0.1:9001\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\n\
         X-Forwarded-Port: 8080\nForwarded: for=192.0.2.7;proto=http\nX-Request-Id: {ID}"
    );
    assert_eq!(head, expected);
}

#[test]
fn a_fields_value_is_that_of_the_first() {
    let sent = "X-Forwarded-Proto: https\nX-Forwarded-Proto: ftp\nX-Forwarded-Host:\nX-Forwarded-Port: 1, 2";
    let expected =
        "X-Forwarded-For: 10.0.0.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: \nX-Forwarded-Port: 1, 2";
    check("", &arrival("10.0.0.1:80"), sent, expected);
}

#[test]
fn connection_cannot_remove_what_is_said_about_the_client() {
    let sent = "Connection: x-forwarded-for, x-forwarded-proto\nX-Forwarded-For: 1\nX-Forwarded-Proto: https";
    let expected = "X-Forwarded-For: 1, 10.0.0.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: a:81\nX-Forwarded-Port: 8080";
    check("", &arrival("10.0.0.1:80"), sent, expected);
    let sent = "Connection: x-real-ip\nX-Real-IP: 1\nX: 1";
    check("x_forwarded = false\n", &arrival("10.0.0.1:80"), sent, "X: 1");
}

#[test]
fn via_has_our_name_and_the_version_of_the_client() {
    let snapshot = listener("via = 'edge'\nx_forwarded = false\nforward = 'app'");
    let via = "Via: 1.0 fred, 1.1 p.example (a comment)";
    for (line, is_http2, version) in
        [("GET / HTTP/1.1", false, "1.1"), ("GET / HTTP/1.0", false, "1.0"), ("GET / HTTP/1.1", true, "2")]
    {
        let arrival = Arrival { is_http2, ..arrival(CLIENT) };
        let head = forwarded(&snapshot, &arrival, &format!("{line}\nHost: a\n{via}"));
        let expected = format!("GET / HTTP/1.1\nHost: a\n{via}\nVia: {version} edge\nX-Request-Id: {ID}");
        assert_eq!(head, expected, "{line} {is_http2}");
    }
}
