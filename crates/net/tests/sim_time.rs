//! Coarse deadlines in virtual time: 0 to 200 ms late, never early.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use net::sim::{Act, Sim, for_seeds};
use net::{Buffer, SMALL, Ticks, Worker};
use support::{First, first};

/// Asserts that a wait which began at `began` has ended in time, by the worker's clock.
fn assert_in_time(sim: &Sim, worker: &Worker<Sim>, began: u64, wait: Duration) {
    let waited = Duration::from_nanos(worker.now() - began);
    assert!(waited >= wait, "early: {waited:?} for {wait:?}");
    assert!(waited <= wait + LATE_MAX + sim.jumped(), "late: {waited:?} for {wait:?}");
}

#[test]
fn sleeps_end_late_but_never_early() {
    for_seeds(300, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        sim.run(|worker| async move {
            let done = Rc::new(Cell::new(0));
            for _ in 0..20 {
                let wait = Duration::from_micros(rng.below(3_000_000));
                let (world, worker, done) = (world.clone(), worker.clone(), Rc::clone(&done));
                worker.clone().spawn(async move {
                    let began = worker.now();
                    worker.sleep(wait).await;
                    assert_in_time(&world, &worker, began, wait);
                    done.set(done.get() + 1);
                });
            }
            while worker.stats().tasks > 1 {
                worker.sleep(Duration::from_secs(1)).await;
            }
            assert_eq!((done.get(), worker.stats().sources), (20, 0));
        })
        .unwrap();
    });
}

#[test]
fn a_read_without_bytes_ends_at_its_deadline() {
    for_seeds(300, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        sim.run(|worker| async move {
            let script = vec![Act::Send(b"hello".to_vec()), Act::AwaitEnd];
            let (stream, _) = world.stream(&worker, script).unwrap();
            let mut buffer = Buffer::new();
            while buffer.len() < 5 {
                stream.fill(&mut buffer, SMALL).await.unwrap();
            }
            let (began, wait) = (worker.now(), Duration::from_micros(1 + rng.below(2_000_000)));
            stream.set_read_deadline(worker.after(wait));
            let error = stream.fill(&mut buffer, SMALL).await.unwrap_err();
            assert_eq!((error.kind(), buffer.bytes()), (io::ErrorKind::TimedOut, &b"hello"[..]));
            assert_in_time(&world, &worker, began, wait);
            assert_eq!(buffer.capacity(), 512, "a waiting read holds the smallest block");
        })
        .unwrap();
    });
}

#[test]
fn a_write_to_a_peer_that_does_not_read_ends_at_its_deadline() {
    for_seeds(300, |sim| {
        let world = sim.clone();
        sim.run(|worker| async move {
            let (stream, _) = world.stream(&worker, vec![Act::StopReading, Act::AwaitEnd]).unwrap();
            let (began, wait) = (worker.now(), Duration::from_millis(700));
            stream.set_write_deadline(worker.after(wait));
            let mut buffer = Buffer::new();
            buffer.extend(&[7; 60_000]).unwrap();
            // A partial write, before the peer stops reading, restarts the deadline.
            let mut last = began;
            let error = loop {
                match stream.write_some(&mut buffer).await {
                    Ok(()) => last = worker.now(),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            let waited = Duration::from_nanos(worker.now() - last);
            assert!(waited >= wait, "early: {waited:?}");
            // A restarted deadline is rounded up twice.
            let late_max = LATE_MAX + Duration::from_millis(100) + world.jumped();
            assert!(waited <= wait + late_max, "late: {waited:?}");
            stream.abort_on_close();
        })
        .unwrap();
    });
}

#[test]
fn a_deadline_that_is_moved_or_cleared_does_not_fire() {
    for_seeds(200, |sim| {
        let world = sim.clone();
        sim.run(|worker| async move {
            let script = vec![Act::Pause(Duration::from_secs(3)), Act::Send(b"late".to_vec())];
            let (stream, _) = world.stream(&worker, script).unwrap();
            stream.set_read_deadline(worker.after(Duration::from_millis(100)));
            let never = world.rng().one_in(2);
            let moved = worker.after(Duration::from_secs(3600));
            stream.set_read_deadline(if never { Ticks::NEVER } else { moved });
            let mut buffer = Buffer::new();
            stream.fill(&mut buffer, SMALL).await.unwrap();
            assert!(b"late".starts_with(buffer.bytes()));
        })
        .unwrap();
    });
}

#[test]
fn a_late_direction_works_again_with_a_new_deadline() {
    for_seeds(200, |sim| {
        let world = sim.clone();
        sim.run(|worker| async move {
            let (stream, peer) = world.stream(&worker, vec![Act::Echo]).unwrap();
            stream.set_read_deadline(worker.after(Duration::from_millis(50)));
            let mut buffer = Buffer::new();
            assert!(stream.fill(&mut buffer, SMALL).await.is_err());
            stream.set_read_deadline(Ticks::NEVER);
            buffer.extend(b"z").unwrap();
            stream.write_all(&mut buffer, &mut Buffer::new()).await.unwrap();
            assert_eq!(stream.fill(&mut buffer, SMALL).await.unwrap(), 1);
            assert_eq!(peer.report().received, b"z");
        })
        .unwrap();
    });
}

#[test]
fn a_cancelled_sleep_leaves_no_source() {
    for_seeds(100, |sim| {
        sim.run(|worker| async move {
            let (long, short) = (Duration::from_secs(60), Duration::from_millis(150));
            assert_eq!(first(worker.sleep(long), worker.sleep(short)).await, First::B(()));
            assert_eq!(worker.stats().sources, 0);
        })
        .unwrap();
    });
}

const LATE_MAX: Duration = Duration::from_millis(200);
