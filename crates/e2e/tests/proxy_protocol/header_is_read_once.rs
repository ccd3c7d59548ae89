//! A header is read at the beginning of a connection, however its bytes are split, and applies to all its
//! requests. A second header is a malformed request (L47).

use testkit::{Balancer, Client, Target};

use crate::{GET, SENDER, V4, binary, config};

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";

#[test]
fn header_comes_byte_by_byte() {
    for header in [LINE.to_vec(), binary(1, 0x11, V4)] {
        let target = Target::named("served");
        let balancer = Balancer::start(config(&target));
        let mut sender = Client::connect_from(SENDER, balancer.web());
        for byte in [&header, GET].concat() {
            sender.send([byte]);
        }
        assert_eq!(sender.response().text(), "served");
        assert_eq!(target.request().all("x-forwarded-for"), ["192.0.2.1"]);
    }
}

#[test]
fn header_applies_to_the_whole_connection() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    let mut sender = Client::connect_from(SENDER, balancer.web());
    sender.send(LINE);
    for _ in 0..3 {
        sender.send(GET);
        assert_eq!(sender.response().text(), "served");
    }
    let told = target.requests();
    assert!(told.iter().all(|request| request.all("x-forwarded-for") == ["192.0.2.1"]), "{told:?}");
    sender.send([LINE, GET].concat());
    assert_eq!(sender.response().status(), 400);
    assert!(sender.is_closed());
    assert_eq!(target.requests().len(), 3);
}

#[test]
fn header_survives_a_reload() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    let mut sender = Client::connect_from(SENDER, balancer.web());
    sender.send([LINE, GET].concat());
    assert_eq!(sender.response().status(), 200);
    balancer.reload(config(&target).listener("keepalive_requests = 9")).unwrap();
    sender.send(GET);
    assert_eq!(sender.response().status(), 200);
    assert_eq!(target.requests()[1].all("x-forwarded-for"), ["192.0.2.1"]);
}
