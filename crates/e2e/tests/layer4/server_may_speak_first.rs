//! The target is connected before the client has sent a byte, so a server may speak first (L41).

use testkit::{Balancer, Client};

use crate::{named, tcp};

#[test]
fn server_may_speak_first() {
    let target = named("220 ready\r\n");
    let balancer = Balancer::start(tcp(&target));
    let mut client = Client::connect(balancer.web());
    assert_eq!(client.read_exactly(11), b"220 ready\r\n");
    client.send("QUIT");
    assert_eq!(client.read_exactly(4), b"QUIT");
}
