//! A half-close of one side reaches the other, which can still send (L41).

use testkit::{Balancer, Client, Target};

use crate::tcp;

#[test]
fn half_close_of_the_client() {
    let target = Target::script(|mut connection| {
        let mut heard = Vec::new();
        loop {
            match connection.read()? {
                bytes if bytes.is_empty() => break,
                bytes => heard.extend(bytes),
            }
        }
        connection.send([b"heard ", heard.as_slice()].concat())
    });
    let balancer = Balancer::start(tcp(&target));
    let mut client = Client::connect(balancer.web());
    client.send("everything");
    client.half_close();
    assert_eq!(client.read_exactly(16), b"heard everything");
    assert_eq!(client.read().unwrap(), b"");
    assert_eq!(balancer.log_line("kind", "tcp")["ended_by"], "client");
}

#[test]
fn half_close_of_the_target() {
    let target = Target::script(|mut connection| {
        connection.send("tell me")?;
        connection.half_close()?;
        assert_eq!(connection.read_exactly(9)?, b"a secret.");
        assert!(connection.read()?.is_empty());
        Ok(())
    });
    let balancer = Balancer::start(tcp(&target));
    let mut client = Client::connect(balancer.web());
    assert_eq!(client.read_exactly(7), b"tell me");
    assert_eq!(client.read().unwrap(), b"");
    client.send("a secret.");
    client.half_close();
    let line = balancer.log_line("kind", "tcp");
    assert_eq!((&line["end"], &line["ended_by"]), (&"closed".into(), &"target".into()));
}
