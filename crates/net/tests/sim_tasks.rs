//! Tasks in the simulated world: cancelled reads, panics, wakes from tasks and threads, fairness.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use net::sim::{Act, FLOOD, Sim, for_seeds};
use net::{Buffer, SMALL, TcpStream, Worker};
use support::{First, copy, first, sends};

#[test]
fn a_cancelled_read_loses_nothing() {
    for_seeds(200, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let message = rng.bytes(1500);
        sim.run(|worker| async move {
            let script = sends(&mut rng, &message);
            let (stream, _) = world.stream(&worker, script).unwrap();
            let (mut buffer, mut received) = (Buffer::new(), Vec::<u8>::new());
            loop {
                let read = stream.fill(&mut buffer, 1 + rng.size(SMALL));
                match first(read, yields(&worker, rng.size(4))).await {
                    First::A(Ok(0)) => break,
                    First::A(result) => drop(result.unwrap()),
                    First::B(()) => worker.sleep(Duration::from_millis(1)).await,
                }
                let part = rng.size(buffer.len() + 1);
                received.extend(&buffer.bytes()[..part]);
                buffer.consume(part);
            }
            received.extend(buffer.bytes());
            assert!(received == message);
        })
        .unwrap();
    });
}

async fn yields(worker: &Worker<Sim>, times: usize) {
    for _ in 0..times {
        worker.yield_now().await;
    }
}

#[test]
fn a_panic_frees_its_slot_and_its_socket() {
    for_seeds(200, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let mut peers = Vec::new();
        let ((), stats) = sim
            .run_with_stats(|worker| {
                for _ in 0..8 {
                    let (stream, peer) = world.stream(&worker, vec![Act::Send(b"go".to_vec())]).unwrap();
                    peers.push(peer);
                    let quiet = rng.one_in(2);
                    worker.spawn(async move {
                        let mut buffer = Buffer::new();
                        stream.fill(&mut buffer, SMALL).await.unwrap();
                        // Does not run the panic hook, which would print.
                        assert!(!quiet || !buffer.is_empty());
                        std::panic::resume_unwind(Box::new("a bug"));
                    });
                }
                async move {
                    worker.sleep(Duration::from_secs(2)).await;
                    let stats = worker.stats();
                    assert_eq!((stats.tasks, stats.sources, stats.leased_bytes), (1, 0, 0));
                }
            })
            .unwrap();
        assert_eq!(stats.panics, 8);
        assert!(peers.iter().all(|peer| peer.report().end.is_some()));
    });
}

#[test]
fn a_panic_of_the_main_task_is_an_error() {
    let sim = Sim::new(1);
    let result = sim.run(|_| async { std::panic::resume_unwind(Box::new("a bug")) });
    let result: std::io::Result<()> = result;
    assert!(result.unwrap_err().to_string().contains("panicked"));
}

/// A slot through which one task passes a value to another.
#[derive(Default)]
struct Mailbox {
    value: Cell<Option<u32>>,
    waker: RefCell<Option<Waker>>,
}

impl Mailbox {
    fn put(&self, value: u32) {
        self.value.set(Some(value));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    async fn take(&self) -> u32 {
        poll_fn(|context| {
            if let Some(value) = self.value.take() {
                return Poll::Ready(value);
            }
            self.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

#[test]
fn tasks_pass_a_value_round_a_ring() {
    for_seeds(200, |sim| {
        let mut rng = sim.rng();
        let (length, rounds) = (2 + rng.size(20), 1 + rng.size(30));
        sim.run(|worker| {
            let ring: Rc<Vec<Mailbox>> = Rc::new((0..length).map(|_| Mailbox::default()).collect());
            for index in 1..length {
                let ring = Rc::clone(&ring);
                worker.spawn(async move {
                    for _ in 0..rounds {
                        let value = ring[index].take().await;
                        ring[(index + 1) % length].put(value + 1);
                    }
                });
            }
            async move {
                for round in 0..rounds {
                    ring[1].put(u32::try_from(round).unwrap());
                    let value = ring[0].take().await as usize;
                    assert_eq!(value, round + length - 1);
                }
                worker.yield_now().await;
                assert_eq!(worker.stats().tasks, 1);
            }
        })
        .unwrap();
    });
}

#[test]
fn a_wake_from_another_thread_ends_the_wait_of_the_worker() {
    for_seeds(100, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        sim.run(|_| async move {
            for _ in 0..5 {
                let after = Duration::from_micros(rng.below(50_000));
                let woken = Rc::new(Cell::new(false));
                let mut planned = false;
                poll_fn(|context| {
                    if woken.get() {
                        return Poll::Ready(());
                    }
                    if !std::mem::replace(&mut planned, true) {
                        let (waker, woken) = (context.waker().clone(), Rc::clone(&woken));
                        world.at(after, move || {
                            woken.set(true);
                            std::thread::spawn(move || waker.wake()).join().unwrap();
                        });
                    }
                    Poll::Pending
                })
                .await;
            }
        })
        .unwrap();
    });
}

#[test]
fn an_endless_transfer_does_not_starve_other_tasks() {
    for_seeds(12, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let message = rng.bytes(2000);
        let sent = message.clone();
        let mut peer = None;
        sim.run(|worker| {
            let (flood, _) = world.stream(&worker, vec![Act::Flood]).unwrap();
            let script = sends(&mut rng, &sent);
            let (polite, polite_peer) = world.stream(&worker, script).unwrap();
            peer = Some(polite_peer);
            let read = Rc::new(Cell::new(0));
            let reader = Rc::clone(&read);
            worker.spawn(async move { swallow(&flood, &reader).await });
            async move {
                assert_eq!(copy(&polite, &polite, SMALL).await.unwrap(), 2000);
                let began = worker.now();
                worker.sleep(Duration::from_millis(20)).await;
                let waited = Duration::from_nanos(worker.now() - began);
                assert!(
                    waited <= Duration::from_millis(220) + world.jumped(),
                    "the main task waited for {waited:?}"
                );
                assert!(read.get() > 100_000, "the endless transfer makes progress");
            }
        })
        .unwrap();
        assert!(peer.unwrap().report().received == message);
    });
}

/// Reads from a flood, which never has to wait.
async fn swallow(stream: &TcpStream<Sim>, total: &Cell<usize>) {
    let mut buffer = Buffer::new();
    loop {
        let count = stream.fill(&mut buffer, 512).await.unwrap();
        assert!(buffer.bytes().iter().all(|&byte| byte == FLOOD));
        buffer.consume(count);
        total.set(total.get() + count);
    }
}

#[test]
fn a_reset_is_seen_without_a_read() {
    for_seeds(200, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        let pause = Duration::from_micros(rng.below(3_000_000));
        let sends_first = rng.one_in(2);
        sim.run(|worker| async move {
            let mut script = vec![Act::Pause(pause), Act::Reset];
            if sends_first {
                script.insert(0, Act::Send(vec![1]));
            }
            let (stream, _) = world.stream(&worker, script).unwrap();
            let began = worker.now();
            stream.gone().await;
            let waited = Duration::from_nanos(worker.now() - began);
            let most = pause.max(Duration::from_millis(600)) + Duration::from_millis(600) + world.jumped();
            assert!(waited <= most, "seen after {waited:?}, but reset after {pause:?}");
        })
        .unwrap();
    });
}

#[test]
fn only_idle_waits_are_roused() {
    for_seeds(200, |sim| {
        let world = sim.clone();
        sim.run(|worker| async move {
            let (idle, _) = world.stream(&worker, vec![Act::AwaitEnd]).unwrap();
            let (busy, _) =
                world.stream(&worker, vec![Act::Pause(Duration::from_secs(1)), Act::Send(vec![1])]).unwrap();
            // A new stream counts as readable until the kernel was asked.
            assert!(idle.check_quiet() && busy.check_quiet());
            // A cancelled wait does not count as idle.
            assert!(matches!(first(busy.idle(), worker.yield_now()).await, First::B(())));
            let rouser = worker.clone();
            worker.spawn(async move {
                rouser.sleep(Duration::from_millis(300)).await;
                rouser.rouse_idle();
            });
            assert_eq!(idle.idle().await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
            let mut buffer = Buffer::new();
            assert_eq!(busy.fill(&mut buffer, SMALL).await.unwrap(), 1);
        })
        .unwrap();
    });
}

#[test]
fn tasks_that_still_run_at_the_end_are_dropped_with_their_sockets() {
    for_seeds(100, |sim| {
        let (world, mut peers) = (sim.clone(), Vec::new());
        sim.run(|worker| {
            for _ in 0..5 {
                let (stream, peer) = world.stream(&worker, vec![Act::Echo]).unwrap();
                peers.push(peer);
                worker.spawn(async move { drop(stream.fill(&mut Buffer::new(), SMALL).await) });
            }
            async move { worker.sleep(Duration::from_millis(10)).await }
        })
        .unwrap();
        assert!(peers.iter().all(|peer| peer.report().end.is_some()));
    });
}
