//! A simulated relay between a client and a target, copied or spliced, in both directions at once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use net::sim::{Act, End, Sim, Target, for_seeds};
use net::{Buffer, Moved, Pipe, TcpStream, Worker};
use support::{both, buffer_size, copy, sends};

fn target() -> SocketAddr {
    "10.9.9.9:80".parse().unwrap()
}

async fn splice(from: &TcpStream<Sim>, to: &TcpStream<Sim>) -> io::Result<()> {
    let mut pipe = Pipe::lease(from.worker())?;
    loop {
        match from.splice_to(to, &mut pipe, u64::MAX, LONG, |_| None).await {
            Ok(0) => return to.shutdown_write(),
            Ok(_) => {}
            Err(Moved::In(error) | Moved::Out(error, _)) => return Err(error),
        }
    }
}

/// Relays between a client and the target until both directions have ended, in one task or in two.
async fn relay(worker: Worker<Sim>, client: TcpStream<Sim>, splicing: bool, tasks: bool, wanted: usize) {
    let server = TcpStream::connect(&worker, target()).unwrap();
    // The connection is known to be established when a write has succeeded.
    let mut first = Buffer::new();
    client.fill(&mut first, 64).await.unwrap();
    server.write_all(&mut first, &mut Buffer::new()).await.unwrap();
    let (client, server) = (Rc::new(client), Rc::new(server));
    let (up_from, up_to) = (Rc::clone(&client), Rc::clone(&server));
    let up = async move {
        let moved = if splicing {
            splice(&up_from, &up_to).await
        } else {
            copy(&up_from, &up_to, wanted).await.map(drop)
        };
        moved.unwrap();
    };
    let down = async move {
        let moved = if splicing {
            splice(&server, &client).await
        } else {
            copy(&server, &client, wanted).await.map(drop)
        };
        moved.unwrap();
    };
    if tasks {
        worker.spawn(up);
        down.await;
    } else {
        both(up, down).await;
    }
    while worker.stats().tasks > 1 {
        worker.yield_now().await;
        worker.sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((worker.stats().sources, worker.stats().leased_bytes), (0, 0));
}

fn relays(count: u64, splicing: bool) {
    for_seeds(count, |sim| {
        let (mut rng, world) = (sim.rng(), sim.clone());
        let (tasks, wanted) = (rng.one_in(2), buffer_size(sim));
        let length = 1 + rng.size(2500);
        let message = rng.bytes(length);
        sim.target(target(), Target::Accepts(Box::new(|| vec![Act::Echo])));
        let script = sends(&mut rng, &message);
        let mut peer = None;
        sim.run(|worker| {
            let (client, client_peer) = world.stream(&worker, script).unwrap();
            peer = Some(client_peer);
            relay(worker, client, splicing, tasks, wanted)
        })
        .unwrap();
        let peer = peer.unwrap();
        assert!(peer.report().received == message);
        assert_eq!(peer.report().end, Some(End::Finished));
    });
}

#[test]
fn a_relay_copies_in_both_directions() {
    relays(300, false);
}

#[test]
fn a_relay_splices_in_both_directions() {
    relays(300, true);
}

#[test]
fn the_client_may_send_after_the_half_close_of_the_target() {
    for_seeds(200, |sim| {
        let (mut rng, world) = (sim.rng(), sim.clone());
        let (question, answer) = (rng.bytes(900), rng.bytes(900));
        let from_target = [Act::Send(answer.clone()), Act::Finish, Act::AwaitEnd];
        sim.target(target(), Target::Accepts(Box::new(move || from_target.to_vec())));
        // The client sends the rest of its message only after it has received the target's FIN.
        let (head, tail) = question.split_at(700);
        let script = vec![Act::Send(head.to_vec()), Act::AwaitEnd, Act::Send(tail.to_vec())];
        let mut peer = None;
        let splicing = rng.one_in(2);
        sim.run(|worker| {
            let (client, client_peer) = world.stream(&worker, script).unwrap();
            peer = Some(client_peer);
            relay(worker, client, splicing, false, 512)
        })
        .unwrap();
        assert!(peer.unwrap().report().received == answer);
    });
}

/// Asserts that the first write to a target fails with `expected`, or at its deadline.
fn first_write(seeds: u64, make: fn() -> Target, expected: io::ErrorKind) {
    for_seeds(seeds, |sim| {
        sim.target(target(), make());
        let world = sim.clone();
        sim.run(|worker| async move {
            let stream = TcpStream::connect(&worker, target()).unwrap();
            let began = worker.now();
            stream.set_write_deadline(worker.after(Duration::from_secs(4)));
            let mut buffer = Buffer::new();
            buffer.extend(b"hello").unwrap();
            let error = stream.write_all(&mut buffer, &mut Buffer::new()).await.unwrap_err();
            // If the process was stopped past the deadline, the deadline fires first.
            let late = world.jumped() > Duration::ZERO && error.kind() == io::ErrorKind::TimedOut;
            assert!(error.kind() == expected || late, "{error}");
            let waited = Duration::from_nanos(worker.now() - began);
            if error.kind() == io::ErrorKind::TimedOut {
                assert!(waited >= Duration::from_secs(4), "early: {waited:?}");
                assert!(waited <= Duration::from_millis(4200) + world.jumped(), "late: {waited:?}");
            }
        })
        .unwrap();
    });
}

#[test]
fn the_first_write_returns_the_error_of_a_refused_connect() {
    first_write(200, || Target::Refuses, io::ErrorKind::ConnectionRefused);
}

#[test]
fn the_write_deadline_ends_a_connect_without_answer() {
    first_write(200, || Target::Silent, io::ErrorKind::TimedOut);
}

/// A write timeout that no test reaches.
const LONG: std::time::Duration = std::time::Duration::from_secs(86_400);
