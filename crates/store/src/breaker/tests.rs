use super::*;

use BreakerState::{Closed, Probing, Resting};
use Outcome::{Abandoned, Answered, Failed};

#[test]
fn failures_in_a_row_open_it() {
    let table: [(&[Outcome], BreakerState); 6] = [
        (&[], Closed),
        (&[Failed, Failed, Answered, Failed, Failed], Closed),
        (&[Failed, Failed, Failed], Resting),
        (&[Failed, Abandoned, Failed, Abandoned, Failed], Resting),
        (&[Abandoned, Abandoned, Abandoned, Abandoned], Closed),
        (&[Failed, Failed], Closed),
    ];
    for (outcomes, state) in table {
        let mut breaker = breaker(1);
        for &outcome in outcomes {
            let pass = breaker.admit(AT).unwrap();
            breaker.finish(pass, outcome, AT);
        }
        assert_eq!(breaker.state(), state, "{outcomes:?}");
    }
}

#[test]
fn one_probe_decides() {
    for (outcome, state) in [(Answered, Closed), (Failed, Resting), (Abandoned, Resting)] {
        let mut breaker = open(1);
        assert!(breaker.admit(AT + Duration::from_millis(370)).is_none());
        let later = AT + Duration::from_millis(500);
        let probe = breaker.admit(later).unwrap();
        assert!(probe.is_probe() && breaker.admit(later).is_none());
        assert_eq!(breaker.state(), Probing);
        breaker.finish(probe, outcome, later);
        assert_eq!(breaker.state(), state);
        // An abandoned probe is followed by another at once; after a failed one the rest is longer.
        let next = breaker.admit(later);
        assert_eq!(next.map(|pass| pass.is_probe()), [Some(false), None, Some(true)][outcome as usize]);
    }
}

#[test]
fn rests_become_longer() {
    let mut breaker = open(7);
    let mut now = AT;
    for rest in 0..10_u32 {
        let longest = Duration::from_millis(500 << rest.min(6)).min(Duration::from_secs(30));
        assert!(breaker.admit(now + longest * 74 / 100).is_none(), "rest {rest}");
        now += longest;
        let probe = breaker.admit(now).unwrap();
        breaker.finish(probe, Failed, now);
    }
    let probe = breaker.admit(now + Duration::from_secs(30)).unwrap();
    breaker.finish(probe, Answered, now);
    assert_eq!(breaker.state(), Closed);
}

#[test]
fn what_began_before_a_change_decides_nothing() {
    let mut breaker = breaker(1);
    let early: Vec<_> = (0..4).map(|_| breaker.admit(AT).unwrap()).collect();
    for _ in 0..3 {
        let pass = breaker.admit(AT).unwrap();
        breaker.finish(pass, Failed, AT);
    }
    for (pass, outcome) in early.into_iter().zip([Answered, Failed, Abandoned, Answered]) {
        breaker.finish(pass, outcome, AT);
        assert_eq!(breaker.state(), Resting);
    }
}

/// Calls of several callers against a store that dies and returns at random moments.
#[test]
fn sim_calls_find_the_way_back() {
    let only = std::env::var("EVENKEEL_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(0..300, |seed: u64| seed..seed + 1) {
        println!("EVENKEEL_SEED={seed}");
        simulate(seed);
    }
}

fn simulate(seed: u64) {
    let mut random = Rng::new(seed);
    let mut breaker = breaker(seed);
    let (mut now, mut is_up) = (AT, true);
    let mut under_way: Vec<(Pass, bool)> = Vec::new();
    let (mut asked_while_down, mut down_since) = (0, AT);
    for _ in 0..3_000 {
        now += Duration::from_millis(random.below(40));
        if random.below(200) == 0 {
            is_up = !is_up;
            (asked_while_down, down_since) = (0, now);
        }
        if random.below(2) == 0 {
            let state = breaker.state();
            if let Some(pass) = breaker.admit(now) {
                assert_eq!(pass.is_probe(), state != Closed);
                asked_while_down += u32::from(!is_up);
                under_way.push((pass, is_up));
            }
        }
        if !under_way.is_empty() && random.below(2) == 0 {
            let (pass, was_up) = under_way.swap_remove(random.below(under_way.len() as u64) as usize);
            let outcome = match (random.below(20), was_up) {
                (0, _) => Abandoned,
                (_, true) => Answered,
                (_, false) => Failed,
            };
            breaker.finish(pass, outcome, now);
        }
        let probes =
            under_way.iter().filter(|(pass, _)| pass.is_probe() && pass.epoch == breaker.epoch).count();
        assert_eq!(probes, usize::from(breaker.state() == Probing), "one probe at a time");
        // It learns within a few calls that the store is down, then asks at most about twice a second.
        let seconds = (now - down_since).as_secs() as u32;
        assert!(asked_while_down <= 150 + 4 * seconds, "{asked_while_down} calls in {seconds} s");
    }
    for (pass, _) in under_way {
        breaker.finish(pass, Abandoned, now);
    }
    // The store is back: after at most one rest a call gets through, and all that follow.
    let pass = breaker.admit(now + Duration::from_secs(30)).expect("the rest is over");
    breaker.finish(pass, Answered, now);
    for _ in 0..10 {
        let pass = breaker.admit(now).expect("it is closed");
        breaker.finish(pass, Answered, now);
    }
}

fn open(seed: u64) -> Breaker {
    let mut breaker = breaker(seed);
    for _ in 0..3 {
        let pass = breaker.admit(AT).unwrap();
        breaker.finish(pass, Failed, AT);
    }
    breaker
}

fn breaker(seed: u64) -> Breaker {
    Breaker::new(BreakerSettings { failures: 3, ..BreakerSettings::default() }, seed)
}

const AT: Duration = Duration::from_secs(1_000);
