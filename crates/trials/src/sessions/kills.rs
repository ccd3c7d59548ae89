//! Load balancers and targets end by KILL.

use xtask::Outcome;

use super::app::App;
use super::cases::VISIT;
use super::crowd::Crowd;
use super::front::Program;
use super::mechanism::Mechanism;
use super::site::{CART, Site, nothing_lost};
use super::stage::Stage;
use super::stores::StoreKind;
use super::tally::Tally;

pub(crate) fn run(stage: &Stage) {
    for mechanism in Mechanism::ALL {
        stage.case("kill a target", mechanism.name(), || kill_target(stage, mechanism));
    }
    stage.case("kill a balancer of two", Mechanism::Insert.name(), || {
        kill_balancer(stage, &mut Site::start(stage, App::Little, Mechanism::Insert, 2)?)
    });
    stage.case("restart a balancer", Mechanism::Insert.name(), || {
        restart_balancer(stage, &mut Site::start(stage, App::Little, Mechanism::Insert, 1)?)
    });
    if let Program::Haproxy = stage.program {
        return;
    }
    for mechanism in [Mechanism::SourceIp, Mechanism::Learn] {
        let store = StoreKind::Sqlite;
        stage.case("kill a balancer of two, sqlite", mechanism.name(), || {
            let store = store.start()?;
            kill_balancer(stage, &mut Site::start_on(stage, App::Little, mechanism, 2, &store)?)
        });
        stage.case("restart a balancer, sqlite", mechanism.name(), || {
            let store = store.start()?;
            restart_balancer(stage, &mut Site::start_on(stage, App::Little, mechanism, 1, &store)?)
        });
    }
}

/// Its users start anew, once; no other user does.
fn kill_target(stage: &Stage, mechanism: Mechanism) -> Outcome<String> {
    let Site { fronts, mut shops, .. } = Site::start(stage, App::Little, mechanism, 1)?;
    let addresses = [fronts[0].address];
    let mut crowd = Crowd::new(stage.users, VISIT);
    let first = crowd.run(&addresses, CART / 2);
    nothing_lost(&first)?;
    let victim = shops[0].name().to_owned();
    let homes = crowd.homes();
    let lived_there = homes.iter().find(|(name, _)| *name == victim).map_or(0, |(_, count)| *count);
    let (tally, killed) = crowd.run_with(&addresses, CART, || shops[0].kill());
    killed?;
    lost_at(&tally, &victim, lived_there)?;
    Ok(format!("{lived_there} of {} users lived there; {tally}", stage.users))
}

fn lost_at(tally: &Tally, victim: &str, lived_there: usize) -> Outcome {
    let elsewhere = tally.losses.iter().filter(|loss| loss.home.as_deref() != Some(victim)).count();
    let mut users: Vec<_> = tally.losses.iter().map(|loss| &loss.user).collect();
    users.sort();
    users.dedup();
    let twice = tally.losses.len() - users.len();
    let failed = tally.failed_by_front + tally.failed_by_app + tally.broken + tally.given_up;
    // Those whose cart was full before the kill did not see it.
    if lived_there > 0
        && !users.is_empty()
        && users.len() <= lived_there
        && elsewhere + twice == 0
        && failed == 0
    {
        return Ok(());
    }
    Err(format!("{lived_there} lived at {victim}; {elsewhere} lost elsewhere, {twice} lost twice; {tally}"))
}

fn kill_balancer(stage: &Stage, site: &mut Site) -> Outcome<String> {
    let addresses = site.addresses();
    let victim = &mut site.fronts[0];
    let mut crowd = Crowd::new(stage.users, 1);
    let (tally, killed) = crowd.run_with(&addresses, CART, || victim.kill());
    killed?;
    nothing_lost(&tally)
}

fn restart_balancer(stage: &Stage, site: &mut Site) -> Outcome<String> {
    let addresses = site.addresses();
    let (targets, victim) = (site.shops.len(), &mut site.fronts[0]);
    let mut crowd = Crowd::new(stage.users, VISIT);
    let (tally, restarted) = crowd.run_with(&addresses, CART, || victim.restart(targets));
    restarted?;
    nothing_lost(&tally)
}

#[cfg(test)]
mod tests {
    use super::super::tally::{Loss, Step};
    use super::*;

    #[test]
    fn only_users_of_the_dead_target_may_lose_a_session() {
        let loss =
            |user: &str, home: &str| Loss { user: user.into(), home: Some(home.into()), step: Step::Add };
        let tally = |losses| Tally { requests: 9, losses, ..Tally::default() };
        assert!(lost_at(&tally(vec![loss("one", "a"), loss("two", "a")]), "a", 2).is_ok());
        assert!(lost_at(&tally(vec![loss("one", "b")]), "a", 2).is_err(), "elsewhere");
        assert!(lost_at(&tally(vec![loss("one", "a"), loss("one", "a")]), "a", 2).is_err(), "twice");
        assert!(lost_at(&tally(Vec::new()), "a", 2).is_err(), "nobody noticed");
        let failed = Tally { failed_by_front: 1, ..tally(vec![loss("one", "a")]) };
        assert!(lost_at(&failed, "a", 2).is_err());
    }
}
