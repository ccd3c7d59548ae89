//! An echo for simulated clients: each gets its bytes back in order, or sees the reset.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io;
use std::time::Duration;

use net::sim::{Act, End, Peer, Rng, Sim, for_seeds};
use net::{Accepted, Listener, Worker};
use support::{buffer_size, copy, sends};

/// Echoes `clients` connections, each in a task of its own, and waits for them.
async fn serve(worker: Worker<Sim>, listener: Listener<Sim>, clients: usize, wanted: usize) {
    for _ in 0..clients {
        let Accepted { stream, .. } = listener.accept().await.unwrap();
        worker.spawn(async move {
            if copy(&stream, &stream, wanted).await.is_err() {
                stream.abort_on_close();
            }
        });
    }
    while worker.stats().tasks > 1 {
        worker.sleep(Duration::from_millis(100)).await;
    }
    drop(listener);
    let stats = worker.stats();
    assert_eq!((stats.sources, stats.leased_bytes), (0, 0), "a source or lease outlives its task");
}

#[test]
fn every_byte_comes_back_in_order() {
    for_seeds(300, |sim| {
        let (mut rng, mut clients) = (sim.rng(), Vec::<(Vec<u8>, Peer)>::new());
        let (world, wanted, count) = (sim.clone(), buffer_size(sim), rng.up_to(6));
        sim.run(|worker| {
            let (listener, fd) = world.listen(&worker).unwrap();
            for _ in 0..count {
                let length = rng.size(2500);
                let message = rng.bytes(length);
                let after = Duration::from_micros(rng.below(20_000));
                let script = sends(&mut rng, &message);
                clients.push((message, world.client(fd, after, script)));
            }
            serve(worker, listener, count, wanted)
        })
        .unwrap();
        for (message, peer) in clients {
            let report = peer.report();
            assert!(report.received == message, "{} of {} bytes", report.received.len(), message.len());
            assert_eq!(report.end, Some(End::Finished));
        }
    });
}

/// The script of a client that sends a part of `message` and then resets or stalls.
fn hostile(rng: &mut Rng, message: &[u8]) -> Vec<Act> {
    let mut acts = sends(rng, message);
    let kept = rng.size(acts.len() + 1);
    acts.truncate(kept);
    match rng.below(4) {
        0 => acts.push(Act::Reset),
        1 => acts.extend([Act::Finish, Act::Pause(Duration::from_millis(3)), Act::Reset]),
        2 => acts.extend([Act::StopReading, Act::Pause(Duration::from_millis(400)), Act::Reset]),
        _ => acts.extend([Act::StopReading, Act::Pause(Duration::from_secs(2)), Act::StartReading]),
    }
    acts
}

#[test]
fn clients_that_reset_or_stall_do_not_affect_the_others() {
    for_seeds(300, |sim| {
        let (mut rng, wanted) = (sim.rng(), buffer_size(sim));
        let message = rng.bytes(700);
        let (world, mut good, mut bad) = (sim.clone(), Vec::new(), Vec::new());
        sim.run(|worker| {
            let (listener, fd) = world.listen(&worker).unwrap();
            for number in 0..6 {
                let after = Duration::from_micros(rng.below(5_000));
                if number % 2 == 0 {
                    let script = sends(&mut rng, &message);
                    good.push(world.client(fd, after, script));
                } else {
                    let script = hostile(&mut rng, &message);
                    bad.push(world.client(fd, after, script));
                }
            }
            serve(worker, listener, 6, wanted)
        })
        .unwrap();
        assert!(good.iter().all(|peer| peer.report().received == message));
        assert!(bad.iter().all(|peer| message.starts_with(&peer.report().received)));
    });
}

#[test]
fn all_clients_are_served_although_descriptors_run_out() {
    for_seeds(60, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let mut peers = Vec::new();
        sim.run(|worker| {
            let (listener, fd) = world.listen(&worker).unwrap();
            world.limit_descriptors(6);
            for _ in 0..40 {
                let after = Duration::from_micros(rng.below(1_000));
                peers.push(world.client(fd, after, vec![Act::Send(b"ping".to_vec())]));
            }
            async move {
                let mut failed = 0;
                for _ in 0..40 {
                    let stream = loop {
                        match listener.accept().await {
                            Ok(accepted) => break accepted.stream,
                            Err(error) => {
                                assert_eq!(error.raw_os_error(), Some(24));
                                failed += 1;
                                worker.sleep(Duration::from_millis(100)).await;
                            }
                        }
                    };
                    worker.spawn(async move { drop(copy(&stream, &stream, 512).await) });
                }
                while worker.stats().tasks > 1 {
                    worker.sleep(Duration::from_millis(100)).await;
                }
                assert!(world.open_descriptors() == 1, "{failed} accepts failed");
            }
        })
        .unwrap();
        assert!(peers.iter().all(|peer| peer.report().received == b"ping"));
    });
}

#[test]
fn a_reset_before_the_accept_is_returned_by_a_read() {
    for_seeds(200, |sim| {
        let world = sim.clone();
        sim.run(|worker| {
            let (listener, fd) = world.listen(&worker).unwrap();
            world.client(fd, Duration::ZERO, vec![Act::Send(b"x".to_vec()), Act::Reset]);
            async move {
                worker.sleep(Duration::from_secs(1)).await;
                let accepted = listener.accept().await.unwrap();
                accepted.stream.gone().await;
                let mut buffer = net::Buffer::new();
                let ended = loop {
                    match accepted.stream.fill(&mut buffer, 512).await {
                        Ok(0) => break None,
                        Ok(_) => {}
                        Err(error) => break Some(error.kind()),
                    }
                };
                assert_eq!(ended, Some(io::ErrorKind::ConnectionReset));
            }
        })
        .unwrap();
    });
}
