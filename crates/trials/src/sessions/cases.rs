//! Nothing fails: without persistence, with each mechanism, and with two load balancers.

use std::time::Instant;

use xtask::Outcome;

use super::app::App;
use super::mechanism::Mechanism;
use super::site::{Site, clean};
use super::stage::Stage;

/// Each request goes to any target, so sessions must be lost. If they are not, the other cases prove nothing.
pub(crate) fn without(stage: &Stage) {
    for app in &stage.apps {
        stage.case("without persistence", app.name(), || {
            let site = Site::start(stage, *app, Mechanism::None, 1)?;
            let tally = site.shop(stage.users, VISIT);
            // A user who gives up does so after some losses.
            if tally.losses.len() >= stage.users { Ok(tally.to_string()) } else { Err(tally.to_string()) }
        });
    }
}

pub(crate) fn one(stage: &Stage) {
    for app in &stage.apps {
        for mechanism in Mechanism::ALL {
            stage.case(mechanism.name(), app.name(), || one_case(stage, *app, mechanism));
        }
    }
}

fn one_case(stage: &Stage, app: App, mechanism: Mechanism) -> Outcome<String> {
    let site = Site::start(stage, app, mechanism, 1)?;
    timed(|| clean(&site.shop(stage.users, VISIT)))
}

/// Each request of a user goes to the other load balancer than the one before.
pub(crate) fn two(stage: &Stage) {
    stage.case("two balancers, nothing shared", Mechanism::SourceIp.name(), || {
        // Otherwise the next cases would prove nothing.
        let tally = Site::start(stage, App::Little, Mechanism::SourceIp, 2)?.shop(stage.users, 1);
        if tally.losses.is_empty() { Err(tally.to_string()) } else { Ok(tally.to_string()) }
    });
    for &app in &stage.of_stores {
        for mechanism in [Mechanism::Insert, Mechanism::Rewrite] {
            let case = format!("{}, {}", mechanism.name(), app.name());
            stage.case("two balancers, one key", &case, || {
                let site = Site::start(stage, app, mechanism, 2)?;
                timed(|| clean(&site.shop(stage.users, 1)))
            });
        }
        for kind in &stage.stores {
            for mechanism in [Mechanism::SourceIp, Mechanism::Learn] {
                let case = format!("{}, {}", mechanism.name(), app.name());
                stage.case(&format!("two balancers, {}", kind.name()), &case, || {
                    let store = kind.start()?;
                    let site = Site::start_on(stage, app, mechanism, 2, &store)?;
                    let text = timed(|| clean(&site.shop(stage.users, 1)))?;
                    Ok(format!("{text}; {}", told_by_store(&site, mechanism, stage.users)?))
                });
            }
        }
    }
}

/// Without the store, both would agree by a hash. Each session that the other one made has to come from it.
fn told_by_store(site: &Site, mechanism: Mechanism, users: usize) -> Outcome<String> {
    let sum = |event| site.fronts.iter().map(|front| front.shared(event)).sum::<f64>();
    let (made, told) = (sum("claim_won"), sum("hit") + sum("claim_lost"));
    let (failed, left_out) = (sum("failed"), sum("overloaded"));
    let text = format!("the store: {made} made, {told} told, {failed} failed, {left_out} left out");
    // What is learned is written without a claim.
    let is_made = mechanism == Mechanism::Learn || made as usize >= users;
    let is_used = is_made && told as usize >= users && failed + left_out == 0.0;
    if is_used { Ok(text) } else { Err(text) }
}

fn timed(run: impl FnOnce() -> Outcome<String>) -> Outcome<String> {
    let began = Instant::now();
    run().map(|text| format!("{text}; {:.1} s", began.elapsed().as_secs_f64()))
}

/// Requests on a connection.
pub(crate) const VISIT: usize = 4;
