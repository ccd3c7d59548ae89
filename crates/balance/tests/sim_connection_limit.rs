//! Several workers under connection limits, from seeds: limits hold, no accept is forgotten, and no connection is closed
//! without need. `EVENKEEL_SEED=n` replays one seed.

mod limits;

use std::io::Write;
use std::rc::Rc;

use limits::{Seen, World};

/// Runs `scenario` in the world of each seed; names the seed that fails. Returns how many worlds there were.
fn for_seeds(mut scenario: impl FnMut(&Rc<World>)) -> usize {
    struct NameOnPanic(u64);
    impl Drop for NameOnPanic {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let _ = writeln!(std::io::stderr(), "failed in the world of EVENKEEL_SEED={}", self.0);
            }
        }
    }
    let only = std::env::var("EVENKEEL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = only.map_or(0..SEEDS, |seed: u64| seed..seed + 1);
    for seed in seeds.clone() {
        let _name = NameOnPanic(seed);
        let world = World::new(seed);
        scenario(&world);
    }
    seeds.count()
}

#[test]
fn sim_limits_hold_and_no_accept_is_forgotten() {
    let mut seen = Seen::default();
    let worlds = for_seeds(|world| {
        for _ in 0..STEPS {
            world.step();
            world.check();
            if world.one_in(if world.is_interrupted { 2 } else { 15 }) {
                world.settle();
                world.check();
                world.check_settled();
            }
            if world.one_in(60) {
                world.look_again();
                world.check_settled();
                if !world.is_interrupted {
                    world.check_no_excess();
                }
            }
        }
        end(world);
        seen.add(&world.seen);
    });
    assert!(worlds == 1 || seen.is_all(), "the simulation does not reach what it is for: {seen:?}");
}

#[test]
fn sim_what_is_too_much_goes_as_soon_as_it_is_idle() {
    for_seeds(|world| {
        world.workers.iter().for_each(|worker| worker.be_given_spares(world, 1));
        // All these rest on the same published time, and one worker gets the requests.
        world.set_max_of_process(4);
        world.workers.iter().for_each(|worker| worker.use_targets(world, 10));
        world.settle();
        world.check();
        let in_use: usize = world.workers.iter().map(|worker| worker.in_use()).sum();
        assert_eq!(in_use, 10 * world.workers.len(), "what is in use is not closed");
        world.workers.iter().for_each(|worker| worker.be_idle(world));
        world.settle();
        world.workers.iter().for_each(|worker| worker.keep_house(world));
        world.settle();
        assert!(world.process().pool.open() <= 4, "{} of 4 are open", world.process().pool.open());
        assert_eq!(world.process().pool.evicting(), 0);
    });
}

/// No client closes a connection and every connection has its next request before it is idle: only announced closes let
/// the rest in.
fn end(world: &World) {
    let mut turns = 0;
    loop {
        world.look_again();
        world.check();
        world.check_settled();
        if world.queued() == 0 {
            break;
        }
        world.workers.iter().for_each(|worker| worker.respond_all(world));
        turns += 1;
        assert!(turns < 200, "{} connections are never accepted", world.queued());
    }
    world.workers.iter().for_each(|worker| worker.close_all(world));
    world.look_again();
    world.check_empty();
}

const SEEDS: u64 = 4_000;
const STEPS: usize = 600;
