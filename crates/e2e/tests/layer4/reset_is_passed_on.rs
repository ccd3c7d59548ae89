//! A reset of one side is a reset for the other, behind what was sent before it (L41).

use std::io::ErrorKind;
use std::sync::mpsc::sync_channel;

use testkit::{Balancer, Client, Target};

use crate::{connect, is_reset, tcp};

#[test]
fn reset_of_the_client() {
    let (told, hear) = sync_channel(1);
    let target = Target::script(move |mut connection| {
        let end = connection.echo().unwrap_err();
        told.send(end.kind()).unwrap();
        Err(end)
    });
    let balancer = Balancer::start(tcp(&target));
    connect(&balancer).reset();
    assert_eq!(hear.recv().unwrap(), ErrorKind::ConnectionReset);
    let line = balancer.log_line("kind", "tcp");
    assert_eq!((&line["end"], &line["ended_by"]), (&"reset".into(), &"client".into()));
}

#[test]
fn reset_of_the_target() {
    let target = Target::script(|mut connection| {
        connection.read_exactly(3)?;
        connection.reset()
    });
    let balancer = Balancer::start(tcp(&target));
    let mut client = Client::connect(balancer.web());
    client.send("die");
    assert!(is_reset(&mut client));
    let line = balancer.log_line("kind", "tcp");
    assert_eq!((&line["end"], &line["ended_by"]), (&"reset".into(), &"target".into()));
}

/// A server that refuses a client says why, and closes with what the client has sent unread: that is a reset.
#[test]
fn what_a_target_said_before_its_reset_arrives() {
    let target = Target::script(|mut connection| {
        connection.read_exactly(1)?;
        connection.send("too many connections")
    });
    let balancer = Balancer::start(tcp(&target));
    for _ in 0..20 {
        let mut client = Client::connect(balancer.web());
        client.send("hello, and more than it reads");
        assert_eq!(client.read_exactly(20), b"too many connections");
    }
}
