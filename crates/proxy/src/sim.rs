//! The whole story of HTTP in the simulated world of `net`: the real worker, from accept to the access record, with
//! scripted clients and targets, in virtual time.
//!
//! A seed plans everything: `plan` what happens to the proxy, `client` and `target` what peers do, `exchange` what one
//! request is. `world` plays the plan, and `properties` judges what peers, counters and the access log then say.
//! `EVENKEEL_SEED=n` replays one seed, `EVENKEEL_SEEDS=n` makes a longer run.

mod client;
mod exchange;
mod message;
mod plan;
mod properties;
mod target;
mod world;

use std::rc::Rc;

use net::sim::for_seeds;

use plan::{Family, Plan};
use world::Outcome;

/// Plays the seeds of a family, each of which must have all properties.
fn holds(seeds: u64, family: Family) {
    for_seeds(seeds, |sim| {
        let plan = Rc::new(Plan::choose(&mut sim.rng(), family));
        let outcome = world::play(sim, &plan);
        let _story = Story(&plan, &outcome);
        properties::check(&plan, &outcome);
    });
}

/// Tells what happened in a seed that fails.
struct Story<'a>(&'a Plan, &'a Outcome);

impl Drop for Story<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let Self(plan, outcome) = self;
        eprintln!("{plan:#?}");
        outcome.log.iter().for_each(|line| eprintln!("{line}"));
        let clients = outcome.clients.iter().flatten().map(|peer| ("client", peer));
        for (name, peer) in clients.chain(outcome.targets.iter().map(|peer| ("target", peer))) {
            let report = peer.report();
            let (sent, received) = (report.sent, report.received.len());
            eprintln!("{name}: {sent} bytes sent, {received} received, end: {:?}", report.end);
        }
    }
}

#[test]
fn sim_good_peers_are_served_whole() {
    holds(300, Family::default());
}

#[test]
fn sim_good_peers_are_served_whole_across_reloads_and_a_stop() {
    holds(300, Family { reloads: true, early_stop: true, ..Family::default() });
}
