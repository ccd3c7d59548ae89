//! The whole stories of HTTP and TCP in the simulated world of `net`: the real worker, from accept to the access record, with
//! scripted clients and targets, in virtual time.
//!
//! A seed plans everything: `plan` what happens to the proxy, `client` and `target` what peers do, `exchange` what one
//! request is, `tcp` what the two ends of a connection do whose bytes are passed on. `world` plays the plan, and `properties` judges what peers, counters and the access log then say.
//! `EVENKEEL_SEED=n` replays one seed, `EVENKEEL_SEEDS=n` makes a longer run.

mod client;
mod exchange;
mod message;
mod plan;
mod properties;
mod target;
mod tcp;
mod world;

use std::rc::Rc;

use net::sim::for_seeds;

use client::Style;
use exchange::Kinds;
use plan::{Family, Plan};
use properties::Known;
use world::Outcome;

/// Plays the seeds of a family, each of which must have all properties, and returns what known faults showed.
fn holds(seeds: u64, family: Family) -> Known {
    let known = Known::default();
    for_seeds(seeds, |sim| {
        let plan = Rc::new(Plan::choose(&mut sim.rng(), family));
        let outcome = world::play(sim, &plan);
        let _story = Story(&plan, &outcome);
        properties::check(&plan, &outcome, &known);
    });
    known
}

/// A fault that is known still shows. The replay of one seed need not show it.
fn still_shows(shown: u32) {
    assert!(
        shown > 0 || std::env::var_os("EVENKEEL_SEED").is_some(),
        "it is mended: assert that it never shows"
    );
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
        for (name, peer) in clients.chain(outcome.targets.iter().map(|(_, peer)| ("target", peer))) {
            let report = peer.report();
            let (sent, received) = (report.sent, report.received.len());
            eprintln!("{name}: {sent} bytes sent, {received} received, end: {:?}", report.end);
        }
    }
}

#[test]
fn sim_good_peers_are_served_whole() {
    holds(200, Family::default());
}

#[test]
fn sim_good_peers_are_served_whole_across_reloads_and_a_stop() {
    holds(200, Family { reloads: true, early_stop: true, ..Family::default() });
}

#[test]
fn sim_tunnels_and_early_answers_are_whole() {
    let kinds = Kinds { websockets: true, early_answers: true, ..Kinds::default() };
    holds(200, Family { kinds, reloads: true, ..Family::default() });
}

#[test]
fn sim_a_listener_that_is_full_serves_one_client_after_the_other() {
    holds(200, Family { limits: true, ..Family::default() });
    holds(100, Family { limits: true, reloads: true, early_stop: true, ..Family::default() });
}

#[test]
fn sim_a_target_that_fails_costs_only_its_own_requests() {
    let kinds = Kinds { target_faults: true, ..Kinds::default() };
    // While targets refuse connections any request may fail; else one that can be repeated must not.
    holds(200, Family { kinds, ..Family::default() });
    holds(200, Family { kinds, refusals: true, ..Family::default() });
}

#[test]
fn sim_a_client_that_fails_costs_only_its_own_requests() {
    let style = Style { client_faults: true, ..Style::default() };
    holds(200, Family { style, ..Family::default() });
}

#[test]
fn sim_pipelined_requests_are_answered_in_order() {
    let style = Style { pipelines: true, ..Style::default() };
    holds(200, Family { style, reloads: true, ..Family::default() });
}

#[test]
fn sim_bytes_behind_a_last_request_do_not_cut_its_response() {
    let style = Style { pipelines: true, sends_behind_last: true, ..Style::default() };
    holds(200, Family { style, ..Family::default() });
    holds(200, Family { style, reloads: true, early_stop: true, ..Family::default() });
    holds(100, Family { style, limits: true, ..Family::default() });
}

#[test]
fn sim_a_stop_that_cuts_a_response_records_another_status() {
    // FIXME: the record must say what the client got.
    let known = holds(300, Family { early_stop: true, ..Family::default() });
    still_shows(known.wrong_records.get());
}

#[test]
fn sim_an_early_answer_that_is_cut_can_look_whole() {
    // FIXME: a part must never look like the whole.
    let kinds = Kinds { early_answers: true, early_until_close: true, ..Kinds::default() };
    still_shows(holds(200, Family { kinds, ..Family::default() }).parts_as_whole.get());
}

#[test]
fn sim_nothing_is_mixed_up_or_left_whatever_fails() {
    let kinds = Kinds { target_faults: true, websockets: true, early_answers: true, ..Kinds::default() };
    let style = Style { pipelines: true, client_faults: true, ..Style::default() };
    let family =
        Family { kinds, style, reloads: true, early_stop: false, refusals: true, ..Family::default() };
    holds(150, family);
    holds(150, Family { early_stop: true, ..family });
    holds(100, Family { limits: true, ..family });
}

fn tcp() -> Family {
    Family { tcp: true, ..Family::default() }
}

#[test]
fn sim_tcp_bytes_and_ends_are_passed_on() {
    holds(200, tcp());
    holds(100, Family { reloads: true, ..tcp() });
}

#[test]
fn sim_tcp_resets_are_passed_on() {
    let kinds = Kinds { target_faults: true, ..Kinds::default() };
    holds(150, Family { kinds, ..tcp() });
    holds(50, Family { kinds, reloads: true, early_stop: true, ..tcp() });
}

#[test]
fn sim_tcp_limits_refusals_and_stops_leave_nothing_behind() {
    let kinds = Kinds { target_faults: true, ..Kinds::default() };
    holds(100, Family { limits: true, refusals: true, ..tcp() });
    holds(100, Family { kinds, limits: true, refusals: true, reloads: true, early_stop: true, ..tcp() });
}
