//! Deadlines in virtual time.

use std::rc::Rc;

use net::sim::{Act, for_seeds};
use net::{Buffer, SMALL};

use super::*;
use crate::io_error::is_deadline;
use crate::relay::tests::{LONG, assert_in_time, since};

#[test]
fn a_read_ends_at_its_deadline_or_at_the_limit_if_that_is_earlier() {
    for_seeds(300, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let has_limit = rng.one_in(2);
        sim.run(|worker| async move {
            let (stream, _peer) = world.stream(&worker, vec![Act::AwaitEnd]).unwrap();
            let (stream, reads_until) = (Stream::plain(stream), Cell::new(Ticks::NEVER));
            let end = if has_limit { End::with_limit(&stream, &reads_until) } else { End::new(&stream) };
            // In nanoseconds of the worker's clock.
            let (mut deadline, mut limit) = (u64::MAX, u64::MAX);
            for _ in 0..6 {
                let timeout = Duration::from_millis(5_000 + rng.below(20_000));
                let until = worker.now() + timeout.as_nanos() as u64;
                match rng.below(3) {
                    0 => {
                        end.read_within(timeout);
                        deadline = until;
                    }
                    1 => {
                        end.read_without_timeout();
                        deadline = u64::MAX;
                    }
                    _ if has_limit => {
                        end.limit_reads(timeout);
                        limit = limit.min(until);
                        deadline = limit;
                    }
                    _ => {
                        end.limit_reads(timeout);
                        deadline = until;
                    }
                }
                worker.sleep(Duration::from_millis(rng.below(500))).await;
            }
            if deadline.min(limit) == u64::MAX {
                end.read_within(LONG);
                deadline = worker.now() + LONG.as_nanos() as u64;
            }
            let began = worker.now();
            let left = Duration::from_nanos(deadline.min(limit).saturating_sub(began));
            let error = stream.fill(&mut Buffer::new(), SMALL).await.unwrap_err();
            assert!(is_deadline(&error), "{error}");
            assert_in_time(&world, since(&worker, began), left);
        })
        .unwrap();
    });
}

#[test]
fn a_limit_ends_the_read_that_waits_and_all_later_ones() {
    for_seeds(100, |sim| {
        let world = sim.clone();
        sim.run(|worker| async move {
            let (stream, _peer) = world.stream(&worker, vec![Act::AwaitEnd]).unwrap();
            let stream = Rc::new((Stream::plain(stream), Cell::new(Ticks::NEVER)));
            let began = worker.now();
            let limited = Rc::clone(&stream);
            worker.spawn({
                let worker = worker.clone();
                async move {
                    worker.sleep(Duration::from_secs(1)).await;
                    End::with_limit(&limited.0, &limited.1).limit_reads(Duration::from_secs(2));
                }
            });
            let end = End::with_limit(&stream.0, &stream.1);
            end.read_within(LONG);
            let error = end.stream.fill(&mut Buffer::new(), SMALL).await.unwrap_err();
            assert!(is_deadline(&error), "{error}");
            let waited = since(&worker, began);
            assert!(waited >= Duration::from_secs(3), "early: {waited:?}");
            assert!(waited < Duration::from_secs(4) + world.jumped(), "late: {waited:?}");
            for timeout in [LONG, Duration::from_secs(1)] {
                end.read_within(timeout);
                let error = end.stream.fill(&mut Buffer::new(), SMALL).await.unwrap_err();
                assert!(is_deadline(&error), "{error}");
                assert!(since(&worker, began) < waited + Duration::from_secs(1) + world.jumped());
            }
        })
        .unwrap();
    });
}

#[test]
fn a_limit_of_reads_is_none_of_writes() {
    for_seeds(100, |sim| {
        let world = sim.clone();
        sim.run(|worker| async move {
            let script = vec![Act::StopReading, Act::Pause(Duration::from_secs(5)), Act::StartReading];
            let (stream, _peer) = world.stream(&worker, script).unwrap();
            let (stream, reads_until) = (Stream::plain(stream), Cell::new(Ticks::NEVER));
            let end = End::with_limit(&stream, &reads_until);
            end.limit_reads(Duration::from_secs(1));
            end.write_within(LONG);
            let mut data = crate::relay::tests::buffer(&[7; 20_000]);
            stream.write_all(&mut data, &mut Buffer::new()).await.unwrap();
        })
        .unwrap();
    });
}
