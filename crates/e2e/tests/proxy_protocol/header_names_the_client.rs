//! The source address in a header of either version is the client, and its destination port is forwarded to the
//! target. Without addresses those of the connection are used (L47).

use testkit::{Balancer, Client, Config, Target, wait_until};

use crate::{GET, SENDER, V4, binary, config, counted};

const V6: &[u8] = &[
    0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 2, 0, 80, 1, 187,
];

#[test]
fn header_names_the_client() {
    for (header, client) in [
        (b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n".to_vec(), "192.0.2.1"),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 80 443\r\n".to_vec(), "2001:db8::1"),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.7 80 443\r\n".to_vec(), "192.0.2.1"),
        (binary(1, 0x11, V4), "192.0.2.1"),
        (binary(1, 0x11, &[V4, &[1, 0, 2, b'h', b'2', 4, 0, 1, 0]].concat()), "192.0.2.1"),
        (binary(1, 0x21, V6), "2001:db8::1"),
    ] {
        let target = Target::named("served");
        let balancer = Balancer::start(config(&target));
        let mut sender = Client::connect_from(SENDER, balancer.web());
        sender.send([&header, GET].concat());
        assert_eq!(sender.response().text(), "served", "{header:?}");
        let request = target.request();
        assert_eq!(request.all("x-forwarded-for"), [client]);
        assert_eq!(request.all("x-forwarded-port"), ["443"]);
        let line = balancer.log_line("status", 200);
        assert_eq!(line["client"], client);
        assert_eq!(line["peer"], sender.address().to_string(), "the log keeps the address that connected");
        assert_eq!(counted(&balancer, "address"), 1.0);
    }
}

#[test]
fn without_addresses_those_of_the_connection_are_used() {
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 192.0.2.1 198.51.100.7 1 2\r\n".to_vec(),
        binary(0, 0, &[]),
        binary(0, 0x11, V4),
        binary(1, 0, &[]),
        binary(1, 0x31, &[b'/'; 216]),
    ] {
        let target = Target::named("served");
        let balancer = Balancer::start(config(&target));
        let mut sender = Client::connect_from(SENDER, balancer.web());
        sender.send([&header, GET].concat());
        assert_eq!(sender.response().text(), "served", "{header:?}");
        assert_eq!(target.request().all("x-forwarded-for"), ["127.0.0.2"]);
        assert_eq!(target.request().all("x-forwarded-port"), [balancer.web().port().to_string()]);
        assert_eq!(balancer.log_line("status", 200)["client"], "127.0.0.2");
        assert_eq!(counted(&balancer, "no_address"), 1.0);
    }
}

/// A health check of the sender: it sends a header and no request, and closes.
#[test]
fn a_header_without_a_request_is_not_a_request() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    let mut sender = Client::connect_from(SENDER, balancer.web());
    sender.send(binary(0, 0, &[]));
    sender.half_close();
    assert!(sender.is_closed());
    wait_until("the header is counted", || counted(&balancer, "no_address") == 1.0);
    wait_until("the connection is closed", || {
        balancer.metric("evenkeel_listener_connections_open", &[]) == 0.0
    });
    assert_eq!(balancer.metric("evenkeel_listener_requests_total", &[]), 0.0);
    assert_eq!(balancer.log_lines().len(), 0);
}

/// The header's source is the peer: rules, hashes and trust use it, not the address of the proxy.
#[test]
fn the_source_is_the_peer() {
    for (trusted, source, client, list) in [
        ("127.0.0.2", "192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "203.0.113.9", "203.0.113.9, 192.0.2.1"),
    ] {
        let target = Target::named("served");
        let rule = format!("source = [\"{client}\"]\nrespond = {{ status = 403 }}\npath = \"/no\"");
        let config: Config =
            config(&target).listener(&format!("trusted_proxies = [\"{trusted}\"]")).rule(&rule);
        let balancer = Balancer::start(config);
        let mut sender = Client::connect_from(SENDER, balancer.web());
        sender.send(format!(
            "PROXY TCP4 {source} 198.51.100.7 1 2\r\n\
             GET /no HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n\
             GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
        ));
        assert_eq!(sender.response().status(), 403);
        assert_eq!(sender.response().status(), 200);
        assert_eq!(target.request().all("x-forwarded-for"), [list], "{trusted}");
        assert_eq!(balancer.log_line("status", 200)["client"], client, "{trusted}");
    }
}

/// A proxy that sends no source address (PROXY UNKNOWN, or not TCP over IP) is not taken for the client. It is
/// neither the client that a list allows nor a trusted proxy for it. LOCAL marks the proxy's own connection, to
/// which both apply.
#[test]
fn without_a_source_address_the_proxy_is_not_the_client() {
    let own = binary(0, 0x11, V4);
    for (header, is_own) in [
        (own, true),
        (b"PROXY UNKNOWN\r\n".to_vec(), false),
        (binary(1, 0, &[]), false),
        (binary(1, 0x12, V4), false),
        (binary(1, 0x31, &[b'/'; 216]), false),
    ] {
        let target = Target::named("served");
        let rule = "path = \"/in\"\nforward = \"app\"\naccess = { allow = [\"127.0.0.2\", \"192.0.2.9\"] }";
        let config = config(&target).listener("trusted_proxies = [\"127.0.0.2\"]").rule(rule);
        let balancer = Balancer::start(config);
        let mut sender = Client::connect_from(SENDER, balancer.web());
        let get = |path: &str| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n\
                 X-Real-IP: 192.0.2.9\r\n\r\n"
            )
        };
        sender.send([header.as_slice(), get("/").as_bytes(), get("/in").as_bytes()].concat());
        assert_eq!(sender.response().status(), 200);
        assert_eq!(sender.response().status(), if is_own { 200 } else { 403 }, "{header:?}");
        let request = &target.requests()[0];
        let told = [request.field("x-forwarded-for"), request.field("x-real-ip")];
        if is_own {
            assert_eq!(told, [Some("192.0.2.9, 127.0.0.2"), Some("192.0.2.9")]);
        } else {
            assert_eq!(told, [Some("127.0.0.2"), None], "{header:?}");
            assert_eq!(request.field("x-forwarded-proto"), Some("http"));
            let line = balancer.log_line("status", 403);
            assert_eq!(
                (&line["detail"], &line["client"]),
                (&"unknown, by the rule".into(), &"127.0.0.2".into())
            );
        }
    }
}
