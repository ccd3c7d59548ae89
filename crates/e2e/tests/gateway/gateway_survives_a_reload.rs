//! A reload that does not concern a gateway keeps its connections; one that changes it moves it.

use std::io::{Read, Write};

use testkit::{Balancer, wait_until};

use crate::{config, connect, talk};

#[test]
fn connections_of_an_unchanged_gateway_stay() {
    let balancer = Balancer::start(config("type = \"memory\""));
    let mut client = connect(&balancer);
    let mut ask = |input: &str, expected: &str| {
        client.write_all(input.as_bytes()).unwrap();
        let mut answer = vec![0; expected.len()];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
    };
    ask("set a 0 0 1\r\nx\r\n", "STORED\r\n");
    balancer.reload(config("type = \"memory\"").group("keepalive = { idle_max = 3 }")).unwrap();
    ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n");
    let moved = config("type = \"memory\"").to_string().replace("sessions.sock", "moved.sock");
    balancer.reload(moved).unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    wait_until("the old socket is gone", || !balancer.path("sessions.sock").exists());
    wait_until("the new one is there", || balancer.path("moved.sock").exists());
}

#[test]
fn a_killed_process_leaves_a_socket_that_is_replaced() {
    let mut balancer = Balancer::start(config("type = \"memory\""));
    talk(&balancer, b"version\r\n");
    balancer.signal(testkit::Signal::KILL);
    let mut former = balancer.restart();
    former.wait_exit();
    assert!(talk(&balancer, b"version\r\n").starts_with("VERSION 1.6"));
}
