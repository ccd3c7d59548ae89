//! A reset is passed on at once, also by a side that nothing is read from: one that has ended its stream, and a client whose
//! target takes no bytes (L41).

use std::sync::mpsc::sync_channel;

use testkit::{Balancer, Client, Target};

use crate::{is_reset, tcp};

#[test]
fn of_the_client() {
    let (go, wait) = sync_channel(1);
    let (told, hear) = sync_channel(1);
    let wait = std::sync::Mutex::new(wait);
    let target = Target::script(move |mut connection| {
        connection.read_exactly(5)?;
        assert!(connection.read()?.is_empty());
        told.send(true).unwrap();
        wait.lock().unwrap().recv().unwrap();
        // A write after a FIN succeeds, the first time.
        told.send(connection.send("answer").is_err()).unwrap();
        Ok(())
    });
    let balancer = Balancer::start(tcp(&target));
    let mut client = Client::connect(balancer.web());
    client.send("hello");
    client.half_close();
    assert!(hear.recv().unwrap());
    client.reset();
    let line = balancer.log_line("kind", "tcp");
    assert_eq!((&line["end"], &line["ended_by"]), (&"reset".into(), &"client".into()));
    go.send(()).unwrap();
    assert!(hear.recv().unwrap(), "the target's connection was reset too");
}

#[test]
fn of_the_target() {
    let target = Target::script(|mut connection| {
        connection.send("bye")?;
        connection.half_close()?;
        connection.read_exactly(1)?;
        connection.reset()
    });
    let balancer = Balancer::start(tcp(&target));
    let mut client = Client::connect(balancer.web());
    assert_eq!(client.read_exactly(3), b"bye");
    assert_eq!(client.read().unwrap(), b"");
    client.send("!");
    let line = balancer.log_line("kind", "tcp");
    assert_eq!((&line["end"], &line["ended_by"]), (&"reset".into(), &"target".into()));
    assert!(client.try_send("anything").is_err() || is_reset(&mut client));
}

#[test]
fn of_a_client_whose_target_takes_nothing() {
    let (told, hear) = sync_channel(1);
    let target = Target::script(move |mut connection| {
        connection.stall_unread();
        told.send(()).unwrap();
        Ok(())
    });
    let balancer = Balancer::start(tcp(&target));
    let client = Client::connect(balancer.web());
    client.send_until_full();
    client.reset();
    let line = balancer.log_line("kind", "tcp");
    assert_eq!((&line["end"], &line["ended_by"]), (&"reset".into(), &"client".into()));
    hear.recv().unwrap();
}
