//! The client behind trusted proxies.

use model::Cidr;

use crate::arrival::{Arrival, Source};
use crate::decide::find_source;
use crate::fixture::{Request, arrival};

fn source_of(arrival: &Arrival, fields: &str) -> Source {
    let trusted: Vec<Cidr> = ["10.0.0.0/8", "2001:db8:1::/48"].map(|range| range.parse().unwrap()).to_vec();
    let request = Request::new(&format!("GET / HTTP/1.1\nHost: a\n{fields}"));
    find_source(&trusted, arrival, request.text())
}

fn source(address: &str, is_known: bool, is_trusted: bool) -> Source {
    Source { address: address.parse().unwrap(), is_known, is_trusted }
}

#[test]
fn the_client_is_the_nearest_address_that_is_no_trusted_proxy() {
    for (fields, address, is_known) in [
        ("X: 1", "10.0.0.1", true),
        ("X-Forwarded-For: 192.0.2.7", "192.0.2.7", true),
        ("X-Forwarded-For: 198.51.100.1, 192.0.2.7", "192.0.2.7", true),
        ("X-Forwarded-For: 192.0.2.7,10.1.1.1 ,\t10.2.2.2", "192.0.2.7", true),
        (
            "x-forwarded-for: 198.51.100.1\nX: 1\nX-Forwarded-For: 192.0.2.7, 10.1.1.1\nX-Forwarded-For: 10.2.2.2",
            "192.0.2.7",
            true,
        ),
        ("X-Forwarded-For: 10.3.3.3, 10.2.2.2", "10.3.3.3", true),
        ("X-Forwarded-For: 192.0.2.7:4711", "192.0.2.7", true),
        ("X-Forwarded-For: 2001:db8:2::7, 2001:db8:1::1", "2001:db8:2::7", true),
        ("X-Forwarded-For: [2001:db8:2::7]:4711, [2001:db8:1::1]", "2001:db8:2::7", true),
        ("X-Forwarded-For: ::ffff:192.0.2.7, ::ffff:10.1.1.1", "192.0.2.7", true),
        ("X_Forwarded_For: 192.0.2.7", "10.0.0.1", true),
        ("Forwarded: for=192.0.2.7", "10.0.0.1", true),
        // Empty elements say nothing.
        ("X-Forwarded-For: 192.0.2.7, ", "192.0.2.7", true),
        ("X-Forwarded-For: 192.0.2.7,,10.1.1.1", "192.0.2.7", true),
        ("X-Forwarded-For: ,10.1.1.1", "10.1.1.1", true),
        ("X-Forwarded-For:", "10.0.0.1", true),
        ("X-Forwarded-For: 192.0.2.7\nX-Forwarded-For: , ,", "192.0.2.7", true),
        // What a client writes to the left of its own address does not count.
        ("X-Forwarded-For: garbage, 192.0.2.7", "192.0.2.7", true),
        ("X-Forwarded-For: 10.9.9.9, 192.0.2.7, 10.1.1.1", "192.0.2.7", true),
    ] {
        let found = source_of(&arrival("10.0.0.1:80"), fields);
        assert_eq!(found, source(address, is_known, true), "{fields}");
    }
}

#[test]
fn an_element_that_is_no_address_leaves_the_client_unknown() {
    for (fields, last) in [
        ("X-Forwarded-For: unknown", "10.0.0.1"),
        ("X-Forwarded-For: 192.0.2.7, unknown", "10.0.0.1"),
        ("X-Forwarded-For: 192.0.2.7, _hidden, 10.1.1.1", "10.1.1.1"),
        ("X-Forwarded-For: unknown, ", "10.0.0.1"),
        ("X-Forwarded-For: 192.0.2.7 10.1.1.1", "10.0.0.1"),
        ("X-Forwarded-For: 192.0.2.7:99999", "10.0.0.1"),
        ("X-Forwarded-For: 192.0.2.256", "10.0.0.1"),
        ("X-Forwarded-For: 192.0.2.007", "10.0.0.1"),
        ("X-Forwarded-For: \"192.0.2.7\"", "10.0.0.1"),
        ("X-Forwarded-For: fe80::1%eth0", "10.0.0.1"),
        ("X-Forwarded-For: \u{e9}", "10.0.0.1"),
    ] {
        let found = source_of(&arrival("10.0.0.1:80"), fields);
        assert_eq!(found, source(last, false, true), "{fields}");
    }
}

#[test]
fn only_a_trusted_peer_is_believed() {
    let fields = "X-Forwarded-For: 198.51.100.1";
    assert_eq!(source_of(&arrival("192.0.2.7:80"), fields), source("192.0.2.7", true, false));
    assert_eq!(source_of(&arrival("[2001:db8:1::1]:80"), fields), source("198.51.100.1", true, true));
    assert_eq!(source_of(&arrival("[2001:db8:2::1]:80"), fields), source("2001:db8:2::1", true, false));
    let unknown = Arrival { is_peer_known: false, ..arrival("10.0.0.1:80") };
    assert_eq!(source_of(&unknown, fields), source("10.0.0.1", false, false));
    // The other end of the socket is a proxy that sent a PROXY header.
    let passed_on = Arrival { socket_peer: "10.0.0.1:80".parse().unwrap(), ..arrival("192.0.2.7:80") };
    assert_eq!(source_of(&passed_on, fields), source("192.0.2.7", true, false));
    let request = Request::new(&format!("GET / HTTP/1.1\nHost: a\n{fields}"));
    let none = find_source(&[], &arrival("10.0.0.1:80"), request.text());
    assert_eq!(none, source("10.0.0.1", true, false));
}
