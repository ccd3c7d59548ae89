//! Idle connections in a simulated world.

use std::ops::Deref;
use std::time::Duration;

use config::Disk;
use model::TargetKey;
use net::Worker;
use net::sim::{Act, End as PeerEnd, Peer, Sim, for_seeds};

use super::*;
use crate::live::Live;

/// A group with these limits on its idle connections.
fn group(idle_timeout: Duration, idle_max: u32) -> TargetGroup {
    let text = "[listener.web]\nbind = '127.0.0.1:1'\nforward = 'app'\n[target_group.app]\ntargets = ['10.1.1.1:80']\n";
    let mut config = config::parse(text, "test.toml", &Disk).unwrap().config;
    let group = config.target_groups.remove(0);
    TargetGroup { keepalive: TargetKeepalive { idle_timeout, idle_max }, ..group }
}

/// A target whose idle connections are closed at the end of its test: they and the target own each other.
struct Retired(Rc<LocalTarget<Sim>>);

impl Drop for Retired {
    fn drop(&mut self) {
        self.0.retire();
    }
}

impl Deref for Retired {
    type Target = Rc<LocalTarget<Sim>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

fn target(idle_timeout: Duration, idle_max: u32) -> Retired {
    let group = group(idle_timeout, idle_max);
    let key = TargetKey { group: group.name.clone(), address: group.targets[0].address };
    let target = Rc::new(LocalTarget::new(&Live::new(1).target(&key, false), 0));
    target.configure(&group, None);
    Retired(target)
}

fn open(
    world: &Sim,
    worker: &Worker<Sim>,
    target: &Rc<LocalTarget<Sim>>,
    script: &[Act],
) -> (TargetConnection<Sim>, Peer) {
    let (stream, peer) = world.stream(worker, script.to_vec()).unwrap();
    (target.opened(Stream::plain(stream), None), peer)
}

fn now_millis(worker: &Worker<Sim>) -> u64 {
    worker.now() / 1_000_000
}

/// Runs `scenario` in `seeds` worlds.
fn in_worlds<F: Future<Output = ()> + 'static>(seeds: u64, scenario: impl Fn(Sim, Worker<Sim>) -> F) {
    for_seeds(seeds, |sim| {
        let world = sim.clone();
        sim.run(|worker| scenario(world, worker)).unwrap();
    });
}

const MINUTE: Duration = Duration::from_secs(60);
const OPEN: &[Act] = &[Act::AwaitEnd];

#[test]
fn the_connection_that_was_used_last_is_reused_first() {
    in_worlds(50, |world, worker| async move {
        let target = target(MINUTE, 8);
        let mut keys = Vec::new();
        for _ in 0..3 {
            let (connection, _) = open(&world, &worker, &target, OPEN);
            assert!(!connection.is_reused());
            keys.push(connection.stream.key());
            connection.give_back(now_millis(&worker));
            worker.sleep(Duration::from_secs(1)).await;
        }
        let mut in_use = Vec::new();
        while let Some(connection) = target.reuse(now_millis(&worker)) {
            assert_eq!(Some(connection.stream.key()), keys.pop());
            assert!(connection.is_reused());
            let idle = connection.reused_after_millis.unwrap();
            assert!(idle >= 1_000 * (in_use.len() as u64 + 1), "{idle} ms");
            in_use.push(connection);
        }
        assert!(keys.is_empty(), "all are reused");
        assert_eq!(target.cells().connections_open.read(), 3);
    });
}

#[test]
fn no_more_than_idle_max_are_kept() {
    in_worlds(50, |world, worker| async move {
        let target = target(MINUTE, 2);
        let mut peers = Vec::new();
        for _ in 0..4 {
            let (connection, peer) = open(&world, &worker, &target, OPEN);
            connection.give_back(now_millis(&worker));
            peers.push(peer);
        }
        assert_eq!(target.cells().connections_open.read(), 2);
        worker.sleep(Duration::from_secs(1)).await;
        let ends: Vec<_> = peers.iter().map(|peer| peer.report().end).collect();
        let closed = Some(PeerEnd::Finished);
        assert_eq!(ends, [None, None, closed, closed], "one that comes back to a full pool is closed");
    });
}

#[test]
fn a_connection_that_only_waits_to_expire_makes_room_for_a_good_one() {
    in_worlds(50, |world, worker| async move {
        let target = target(MINUTE, 1);
        let ((spent, _), (good, _)) =
            (open(&world, &worker, &target, OPEN), open(&world, &worker, &target, OPEN));
        let key = good.stream.key();
        target.learn_timeout(2);
        spent.give_back(now_millis(&worker));
        worker.sleep(Duration::from_secs(3)).await;
        good.give_back(now_millis(&worker));
        assert_eq!(target.cells().connections_open.read(), 1);
        assert_eq!(target.reuse(now_millis(&worker)).map(|reused| reused.stream.key()), Some(key));
    });
}

#[test]
fn connections_expire_after_the_idle_timeout() {
    for by_prune in [true, false] {
        in_worlds(50, move |world, worker| async move {
            let target = target(Duration::from_secs(5), 8);
            let (old, _) = open(&world, &worker, &target, OPEN);
            let (new, _) = open(&world, &worker, &target, OPEN);
            let new_key = new.stream.key();
            old.give_back(now_millis(&worker));
            worker.sleep(Duration::from_secs(3)).await;
            let given_back = now_millis(&worker);
            new.give_back(given_back);
            // The clock jumps in some worlds, so it is set by hand.
            let now = given_back + 2_500;
            if by_prune {
                target.prune(now);
                assert_eq!(target.coldest_since(), Some(given_back));
            }
            assert_eq!(target.reuse(now).map(|reused| reused.stream.key()), Some(new_key));
            assert!(target.reuse(now).is_none());
            assert_eq!(target.cells().connections_open.read(), 0);
        });
    }
}

#[test]
fn without_an_idle_timeout_or_place_nothing_is_kept() {
    for (idle_timeout, idle_max) in [(Duration::ZERO, 8), (MINUTE, 0)] {
        in_worlds(10, move |world, worker| async move {
            let target = target(idle_timeout, idle_max);
            open(&world, &worker, &target, OPEN).0.give_back(now_millis(&worker));
            assert_eq!(target.cells().connections_open.read(), 0);
            assert!(target.reuse(now_millis(&worker)).is_none());
        });
    }
}

#[test]
fn a_connection_near_the_idle_limit_of_the_target_is_left_in_place() {
    in_worlds(50, |world, worker| async move {
        let target = target(MINUTE, 8);
        let (connection, _) = open(&world, &worker, &target, OPEN);
        target.learn_timeout(5);
        let since = now_millis(&worker);
        connection.give_back(since);
        for (idle, is_reused) in [(5_000, false), (60_000 - 1, false), (4_990, false), (4_000, true)] {
            let reused = target.reuse(since + idle);
            assert_eq!(reused.is_some(), is_reused, "after {idle} ms");
            assert_eq!(target.cells().connections_open.read(), 1, "after {idle} ms");
        }
    });
}

#[test]
fn the_pool_learns_when_the_target_closes_idle_connections() {
    in_worlds(100, |world, worker| async move {
        let target = target(MINUTE, 8);
        let closes = [Act::Pause(Duration::from_secs(3)), Act::Finish, Act::AwaitEnd];
        let (connection, _) = open(&world, &worker, &target, &closes);
        let since = now_millis(&worker);
        connection.give_back(since);
        while target.coldest_since().is_some() {
            worker.sleep(Duration::from_millis(500)).await;
            target.prune(now_millis(&worker));
        }
        assert_eq!(target.cells().connections_open.read(), 0);
        let learned = target.limit.borrow().limit_millis().unwrap();
        // What was noticed is late by as much as the process was stopped.
        let late = 500 + u64::try_from(world.jumped().as_millis()).unwrap();
        assert!((2_800..3_000 + late).contains(&learned), "{learned} ms");
        let (next, _) = open(&world, &worker, &target, OPEN);
        next.give_back(0);
        assert!(target.reuse(learned).is_none());
        assert!(target.reuse(learned - 1).is_some());
    });
}

#[test]
fn a_connection_on_which_something_came_is_not_reused() {
    for act in [Act::Finish, Act::Reset, Act::Send(b"HTTP/1.1 408 Request Timeout\r\n".to_vec())] {
        for is_idle_first in [true, false] {
            let act = act.clone();
            in_worlds(30, move |world, worker| {
                let script = [Act::Pause(Duration::from_millis(300)), act.clone(), Act::AwaitEnd];
                async move {
                    let target = target(MINUTE, 8);
                    let (connection, _) = open(&world, &worker, &target, &script);
                    if is_idle_first {
                        connection.give_back(now_millis(&worker));
                        worker.sleep(Duration::from_secs(2)).await;
                    } else {
                        worker.sleep(Duration::from_secs(2)).await;
                        connection.give_back(now_millis(&worker));
                    }
                    assert!(target.reuse(now_millis(&worker)).is_none());
                    assert_eq!(target.cells().connections_open.read(), 0);
                }
            });
        }
    }
}

#[test]
fn a_retired_target_closes_its_idle_connections_and_keeps_none_until_it_is_configured_again() {
    in_worlds(50, |world, worker| async move {
        let target = target(MINUTE, 8);
        let (idle, peer) = open(&world, &worker, &target, OPEN);
        let (in_use, other) = open(&world, &worker, &target, OPEN);
        idle.give_back(now_millis(&worker));
        target.retire();
        worker.sleep(Duration::from_secs(1)).await;
        assert_eq!((peer.report().end, other.report().end), (Some(PeerEnd::Finished), None));
        in_use.give_back(now_millis(&worker));
        assert_eq!(target.cells().connections_open.read(), 0);
        target.configure(&group(MINUTE, 8), None);
        open(&world, &worker, &target, OPEN).0.give_back(now_millis(&worker));
        assert!(target.reuse(now_millis(&worker)).is_some());
    });
}

#[test]
fn a_new_configuration_of_the_same_protocol_keeps_the_connections() {
    in_worlds(20, |world, worker| async move {
        let target = target(MINUTE, 8);
        open(&world, &worker, &target, OPEN).0.give_back(now_millis(&worker));
        target.configure(&group(MINUTE, 4), None);
        assert!(target.coldest_since().is_some());
        let http2 = TargetGroup { protocol: model::TargetProtocol::H2c, ..group(MINUTE, 4) };
        target.configure(&http2, None);
        assert_eq!(target.coldest_since(), None, "another protocol closes them");
    });
}

#[test]
fn the_coldest_is_the_one_that_has_been_idle_for_longest() {
    in_worlds(50, |world, worker| async move {
        let target = target(MINUTE, 8);
        assert!(!target.close_coldest());
        let mut peers = Vec::new();
        for since in [10, 20, 30] {
            let (connection, peer) = open(&world, &worker, &target, OPEN);
            connection.give_back(since);
            peers.push(peer);
        }
        for (closed, since) in [10, 20, 30].into_iter().enumerate() {
            assert_eq!(target.coldest_since(), Some(since));
            assert!(target.close_coldest());
            worker.sleep(Duration::from_secs(1)).await;
            assert_eq!(peers.iter().filter(|peer| peer.report().end.is_some()).count(), closed + 1);
            assert!(peers[closed].report().end.is_some());
        }
        assert_eq!((target.coldest_since(), target.close_coldest()), (None, false));
    });
}

/// Compares the pool with a plain list, through random uses.
#[test]
fn sim_the_pool_is_a_bounded_stack() {
    for_seeds(100, |sim| {
        let (world, mut rng) = (sim.clone(), sim.rng());
        sim.run(|worker| async move {
            let (mut idle_max, mut is_retired) = (3, false);
            let target = target(MINUTE, idle_max);
            // The idle ones with their times, the longest-idle first.
            let (mut idle, mut in_use, mut now) = (Vec::new(), Vec::new(), 0);
            for _ in 0..80 {
                now += rng.below(25_000);
                match rng.below(8) {
                    0..3 => in_use.push(open(&world, &worker, &target, OPEN).0),
                    3..5 if !in_use.is_empty() => {
                        let connection: TargetConnection<Sim> = in_use.swap_remove(rng.size(in_use.len()));
                        if !is_retired && idle.len() < idle_max as usize {
                            idle.push((connection.stream.key(), now));
                        }
                        connection.give_back(now);
                    }
                    5 => {
                        idle.retain(|&(_, since)| now - since < 60_000);
                        let reused = target.reuse(now);
                        assert_eq!(
                            reused.as_ref().map(|reused| reused.stream.key()),
                            idle.pop().map(|(key, _)| key)
                        );
                        in_use.extend(reused);
                        // Those behind a good one expire when they are looked at.
                        target.prune(now);
                    }
                    6 if rng.one_in(4) => {
                        target.retire();
                        is_retired = true;
                        idle.clear();
                    }
                    6 => {
                        (idle_max, is_retired) = (rng.below(5) as u32, false);
                        target.configure(&group(MINUTE, idle_max), None);
                    }
                    _ => {
                        assert_eq!(target.close_coldest(), !idle.is_empty());
                        idle.drain(..idle.len().min(1));
                    }
                }
                assert_eq!(target.coldest_since(), idle.first().map(|&(_, since)| since));
                assert_eq!(target.cells().connections_open.read(), (idle.len() + in_use.len()) as i64);
            }
        })
        .unwrap();
    });
}
