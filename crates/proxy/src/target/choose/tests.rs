//! Choices among targets whose live state is set by hand.

use config::Disk;
use observe::AccessLogs;
use tls::Material;

use super::*;
use crate::live::{Health, Live};
use crate::snapshot::Snapshot;

/// A group of three targets with these settings.
struct Group {
    snapshot: Snapshot,
    cursor: RefCell<SmoothWeighted>,
    random: Rng,
}

impl Group {
    fn new(settings: &str) -> Self {
        let text = format!(
            "[listener.web]\nbind = '127.0.0.1:8080'\nforward = 'app'\n[target_group.app]\n\
             targets = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3']\n{settings}"
        );
        let config = config::parse(&text, "test.toml", &Disk).unwrap().config;
        let (live, logs) = (Live::new(1), AccessLogs::start().unwrap());
        let snapshot = Snapshot::compile(&config, &Material::default(), 1, &live, &logs, None).unwrap();
        Self { snapshot, cursor: RefCell::new(SmoothWeighted::new(&[1, 1, 1], 0)), random: Rng::new(7) }
    }

    fn set(&self, health: [Health; 3]) {
        self.snapshot.groups[0]
            .targets
            .iter()
            .zip(health)
            .for_each(|(target, health)| target.set_health(health));
    }

    fn choose(&mut self, ask: Ask) -> Option<Choice> {
        choose(&self.snapshot.groups[0], &self.cursor, &ask, &mut self.random)
    }
}

const ASK: Ask = Ask {
    key: 42,
    preferred: None,
    spill: None,
    tried: Tried { targets: [0; 3], count: 0 },
    now_millis: 1_000,
};

fn tried(targets: &[usize]) -> Tried {
    let mut tried = Tried::default();
    targets.iter().for_each(|&target| tried.add(target));
    tried
}

#[test]
fn a_choice_says_why() {
    use Health::{Healthy, Unhealthy, Unknown};
    for algorithm in ["weighted_round_robin", "least_connections", "random_two", "source_ip_hash"] {
        let mut group = Group::new(&format!("algorithm = '{algorithm}'"));
        group.set([Unhealthy, Healthy, Unknown]);
        let choice = group.choose(ASK).unwrap();
        assert_eq!((choice.target, choice.why), (1, Why::Healthy), "{algorithm}");
        group.snapshot.groups[0].targets[1].connect_failed(900, 950);
        let choice = group.choose(ASK).unwrap();
        assert_eq!((choice.target, choice.why), (1, Why::PassedOver), "{algorithm}");
        assert_eq!(group.choose(Ask { tried: tried(&[1]), ..ASK }), None, "one is healthy, so no fail-open");
        group.set([Unhealthy, Unhealthy, Unknown]);
        assert_eq!(group.choose(ASK).unwrap().why, Why::FailOpen, "{algorithm}");
        let last = group.choose(Ask { tried: tried(&[0, 1]), ..ASK }).unwrap();
        assert_eq!((last.target, last.why), (2, Why::FailOpen), "{algorithm}");
        assert_eq!(group.choose(Ask { tried: tried(&[0, 1, 2]), ..ASK }), None, "{algorithm}");
    }
}

#[test]
fn a_preferred_target_is_chosen_while_it_is_available() {
    use Health::{Healthy, Unhealthy};
    let mut group = Group::new("");
    group.set([Healthy; 3]);
    let prefers = |preferred, tried| Ask { preferred: Some(preferred), tried, ..ASK };
    for target in 0..3 {
        let expected = Choice { target, why: Why::Preferred, not_preferred: None };
        assert_eq!(group.choose(prefers(target, Tried::default())), Some(expected));
    }
    let not_preferred = |choice: Option<Choice>| choice.and_then(|choice| choice.not_preferred);
    assert_eq!(not_preferred(group.choose(prefers(3, Tried::default()))), Some(Unavailable::Gone));
    assert_eq!(not_preferred(group.choose(prefers(2, tried(&[2])))), Some(Unavailable::Tried));
    group.set([Healthy, Unhealthy, Healthy]);
    let choice = group.choose(prefers(1, Tried::default())).unwrap();
    assert_eq!((choice.not_preferred, choice.why), (Some(Unavailable::Unhealthy), Why::Healthy));
    assert_ne!(choice.target, 1);
    group.snapshot.groups[0].targets[0].connect_failed(900, 950);
    assert_eq!(not_preferred(group.choose(prefers(0, Tried::default()))), Some(Unavailable::PassedOver));
}

#[test]
fn a_session_stays_where_no_target_is_better() {
    use Health::{Healthy, Unhealthy};
    for algorithm in ["weighted_round_robin", "least_connections", "random_two", "source_ip_hash"] {
        let mut group = Group::new(&format!("algorithm = '{algorithm}'"));
        group.set([Unhealthy; 3]);
        for target in 0..3 {
            let ask = Ask { preferred: Some(target), ..ASK };
            let choice = group.choose(ask).unwrap();
            assert_eq!(
                (choice.target, choice.why),
                (target, Why::FailOpen),
                "{algorithm}: all are unhealthy"
            );
            assert_ne!(group.choose(Ask { tried: tried(&[target]), ..ask }).unwrap().target, target);
        }
        group.set([Healthy; 3]);
        group.snapshot.groups[0].targets.iter().for_each(|target| _ = target.connect_failed(900, 950));
        for target in 0..3 {
            let choice = group.choose(Ask { preferred: Some(target), ..ASK }).unwrap();
            assert_eq!((choice.target, choice.why), (target, Why::PassedOver), "{algorithm}: connects fail");
        }
    }
}

#[test]
fn a_session_spills_over_while_its_target_is_full() {
    let mut group = Group::new("");
    group.set([Health::Healthy; 3]);
    let ask = Ask { preferred: Some(1), spill: Some(2), ..ASK };
    let full = group.snapshot.groups[0].targets[1].clone();
    full.begin_request(None);
    assert_eq!(group.choose(ask).unwrap().target, 1, "one of two");
    full.begin_request(None);
    let choice = group.choose(ask).unwrap();
    assert_eq!(choice.not_preferred, Some(Unavailable::Full));
    assert_ne!(choice.target, 1);
    full.end_request();
    assert_eq!(group.choose(ask).unwrap().target, 1, "there is room again");
}

#[test]
fn full_targets_are_left_out_and_their_sessions_spill_over() {
    use Health::{Healthy, Unhealthy};
    for algorithm in ["weighted_round_robin", "least_connections", "random_two", "source_ip_hash"] {
        let mut group = Group::new(&format!("algorithm = '{algorithm}'\nmax_connections = 2"));
        group.set([Healthy, Healthy, Unhealthy]);
        let targets = group.snapshot.groups[0].targets.clone();
        assert!(targets[1].begin_request(Some(2)) && targets[1].begin_request(Some(2)));
        assert!(!targets[1].begin_request(Some(2)));
        for _ in 0..10 {
            assert_eq!(group.choose(ASK).unwrap().target, 0, "{algorithm}");
        }
        let choice = group.choose(Ask { preferred: Some(1), ..ASK }).unwrap();
        assert_eq!((choice.target, choice.not_preferred), (0, Some(Unavailable::Full)), "{algorithm}");
        targets[0].begin_request(None);
        targets[0].begin_request(None);
        let full = group.choose(ASK);
        assert_eq!(full, None, "{algorithm}: a full target is no reason to try an unhealthy one");
        assert_eq!(group.choose(Ask { preferred: Some(0), ..ASK }), None, "{algorithm}");
        assert!(group.snapshot.groups[0].has_full());
        // Full and fail open.
        group.set([Unhealthy; 3]);
        assert_eq!(group.choose(ASK).unwrap().target, 2, "{algorithm}");
    }
}

#[test]
fn the_same_key_chooses_the_same_target() {
    let mut group = Group::new("algorithm = 'source_ip_hash'");
    group.set([Health::Healthy; 3]);
    for key in 0..50 {
        let ask = Ask { key: balance::hash_bytes(&[key]), ..ASK };
        let first = group.choose(ask);
        assert!((0..5).all(|_| group.choose(ask) == first), "{key}");
    }
}
