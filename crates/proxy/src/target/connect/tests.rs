//! Connections to a simulated target.

use std::cell::Cell;

use config::Disk;
use model::{TargetGroup, TargetKey};
use net::Sys;
use net::sim::{Act, Sim, Target, for_seeds};

use super::*;
use crate::live::Live;

/// The target of a small config.
fn target() -> Rc<LocalTarget<Sim>> {
    let text = "[listener.web]\nbind = '127.0.0.1:1'\nforward = 'app'\n[target_group.app]\ntargets = ['10.1.1.1:80']\n";
    let group: TargetGroup = config::parse(text, "test.toml", &Disk).unwrap().config.target_groups.remove(0);
    let key = TargetKey { group: group.name.clone(), address: group.targets[0].address };
    let target = Rc::new(LocalTarget::new(&Live::new(1).target(&key, false), 0));
    target.configure(&group, None);
    target
}

fn hello() -> Buffer {
    let mut buffer = Buffer::new();
    buffer.extend(b"hello").unwrap();
    buffer
}

#[test]
fn the_first_write_says_what_became_of_the_connect() {
    for (make, failure) in [
        ((|| Target::Refuses) as fn() -> Target, Some(Failure::TargetRefused)),
        (|| Target::Silent, Some(Failure::TargetConnectTimeout)),
        (|| Target::Accepts(Box::new(|| vec![Act::AwaitEnd])), None),
    ] {
        for_seeds(50, |sim| {
            let world = sim.clone();
            sim.run(|worker| async move {
                let target = target();
                world.target(target.live.key().address, make());
                let connection = connect(&worker, None, &target, false, true).unwrap();
                connection.end().write_within(Duration::from_secs(4));
                let written = connection.stream.write_all(&mut hello(), &mut Buffer::new()).await;
                let failed = written.err().map(|error| on_connect(&error).failure);
                // If the process is stopped past the deadline, the deadline fires first.
                let was_stopped = !world.jumped().is_zero() && failed == Some(Failure::TargetConnectTimeout);
                assert!(failed == failure || was_stopped, "{failed:?} instead of {failure:?}");
                assert_eq!(target.cells().connections_open.read(), 1);
                drop(connection);
                let cells = target.cells();
                assert_eq!((cells.connections_open.read(), cells.connections_opened.read()), (0, 1));
            })
            .unwrap();
        });
    }
}

#[test]
fn an_idle_connection_is_reused_unless_a_fresh_one_is_asked_for() {
    for (fresh, may_repeat) in [(false, true), (false, false), (true, true), (true, false)] {
        for_seeds(20, |sim| {
            let world = sim.clone();
            sim.run(|worker| async move {
                let target = target();
                world.target(target.live.key().address, Target::Accepts(Box::new(|| vec![Act::AwaitEnd])));
                let first = connect(&worker, None, &target, false, true).unwrap();
                first.stream.write_all(&mut hello(), &mut Buffer::new()).await.unwrap();
                first.give_back(worker.now() / 1_000_000);
                let second = connect(&worker, None, &target, fresh, may_repeat).unwrap();
                assert_eq!(second.is_reused(), !fresh);
                assert_eq!(target.cells().connections_reused.read(), u64::from(!fresh));
                assert_eq!(target.cells().connections_opened.read(), 1 + u64::from(fresh));
                // Idle connections and their target own each other.
                target.retire();
            })
            .unwrap();
        });
    }
}

#[test]
fn a_request_that_cannot_be_repeated_gets_no_connection_that_the_target_has_closed() {
    let (reused, closed) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for_seeds(300, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let (reused, closed) = (Rc::clone(&reused), Rc::clone(&closed));
        let closes = vec![Act::Pause(Duration::from_micros(rng.below(3_000))), Act::Finish];
        sim.run(|worker| async move {
            let target = target();
            let (stream, _) = world.stream(&worker, closes).unwrap();
            target.opened(Stream::plain(stream), None).give_back(worker.now() / 1_000_000);
            // Lets time pass, in which the worker does not look for events.
            for _ in 0..rng.below(2_000) {
                world.now();
            }
            let connection = connect(&worker, None, &target, false, false).unwrap();
            reused.set(reused.get() + u32::from(connection.is_reused()));
            if connection.is_reused() && !connection.stream.check_open() {
                closed.set(closed.get() + 1);
            }
            target.retire();
        })
        .unwrap();
    });
    let is_one_world = std::env::var("EVENKEEL_SEED").is_ok();
    assert!((50..250).contains(&reused.get()) || is_one_world, "{reused:?} of 300");
    // The end may still come between the two questions to the kernel.
    assert!(closed.get() <= 2, "{closed:?} of {reused:?}");
}

#[test]
fn an_attempt_is_in_flight_until_it_is_dropped() {
    let target = target();
    let attempts = [InFlight::begin(&target, None), InFlight::begin(&target, Some(2))];
    assert!(InFlight::begin(&target, Some(2)).is_none(), "it is full");
    let in_flight = || (target.live.in_flight(), target.cells().requests_in_flight.read());
    assert_eq!((in_flight(), target.cells().requests.read()), ((2, 2), 2));
    drop(attempts);
    assert_eq!((in_flight(), target.cells().requests.read()), ((0, 0), 2));
}

#[test]
fn errors_of_a_connect_are_told_apart() {
    for (error, failure) in [
        (io::Error::from(ErrorKind::TimedOut), Failure::TargetConnectTimeout),
        (ErrorKind::HostUnreachable.into(), Failure::TargetUnreachable),
        (ErrorKind::NetworkUnreachable.into(), Failure::TargetUnreachable),
        (ErrorKind::AddrNotAvailable.into(), Failure::LocalResources),
        (io::Error::from_raw_os_error(24), Failure::LocalResources),
        (ErrorKind::ConnectionRefused.into(), Failure::TargetRefused),
        (ErrorKind::ConnectionReset.into(), Failure::TargetRefused),
    ] {
        assert_eq!(on_connect(&error).failure, failure, "{error}");
    }
}
