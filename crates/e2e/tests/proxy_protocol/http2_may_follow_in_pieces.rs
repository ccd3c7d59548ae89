//! After a PROXY header the preface of HTTP/2 may come in pieces, as it may without one (L47).

use testkit::{Balancer, Client, Target, wait_until};

use crate::{SENDER, V4, binary, config, counted};

#[test]
fn http2_may_follow_in_pieces() {
    let target = Target::named("served");
    let balancer = Balancer::start(config(&target));
    let mut sender = Client::connect_from(SENDER, balancer.web());
    sender.send([&binary(1, 0x11, V4), &b"PR"[..]].concat());
    wait_until("the header is read", || counted(&balancer, "address") == 1.0);
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    sender.send([&b"I * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings].concat());
    assert_eq!(sender.read_exactly(9)[3], 4, "the balancer sends SETTINGS first");
}
