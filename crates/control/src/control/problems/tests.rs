use super::*;
use crate::view::{CertificatesView, FailureView, GroupView, ReloadView, SwapView};

fn target(requests: u64, failures: u64, seconds_ago: u64) -> TargetView {
    let last = FailureView {
        reason: "target_connect_refused".into(),
        detail: "a detail".into(),
        seconds_ago,
        served_since: 0,
        hint: "Start it.".into(),
    };
    TargetView {
        group: "app".into(),
        address: "10.0.0.1:80".into(),
        recent_requests: requests,
        recent_failures: failures,
        last_failure: Some(last),
        ..TargetView::default()
    }
}

#[test]
fn a_target_fails_requests_if_there_are_some_and_enough_of_all() {
    for (requests, failures, seconds_ago, is_problem) in [
        (3, 3, 1, true),
        (1, 1, 1, false),
        (2, 2, 1, false),
        (300, 3, 1, true),
        (301, 3, 1, false),
        (100_000, 999, 1, false),
        (100_000, 1_000, 300, true),
        // Failures that were retried on another connection are counted, but are not the last failure.
        (3, 3, 301, false),
    ] {
        let found = failing_target(&target(requests, failures, seconds_ago));
        assert_eq!(found.is_some(), is_problem, "{failures} of {requests}, {seconds_ago} s ago");
    }
    let none = TargetView { last_failure: None, ..target(3, 3, 1) };
    assert_eq!(failing_target(&none), None);
    let expected = ProblemView {
        what: "3 of 3 requests failed in the last 5 minutes, the last 1 s ago: target_connect_refused (a detail)".into(),
        place: "target 10.0.0.1:80 of app".into(),
        remedy: "Start it.".into(),
    };
    assert_eq!(failing_target(&target(3, 3, 1)), Some(expected));
}

#[test]
fn failures_are_over_half_a_minute_after_the_last_if_the_target_serves() {
    for (health, seconds_ago, served_since, is_over) in [
        ("unchecked", 31, 3, true),
        ("unchecked", 31, 2, false),
        ("unchecked", 30, 1_000, false),
        ("healthy", 31, 0, true),
        ("healthy", 30, 0, false),
        ("unknown", 31, 0, false),
    ] {
        let mut target = TargetView { health: health.into(), ..target(1_000, 10, seconds_ago) };
        target.last_failure.as_mut().unwrap().served_since = served_since;
        let found = failing_target(&target);
        assert_eq!(found.is_none(), is_over, "{health}, {seconds_ago} s ago, {served_since} served");
        let is_told = found.is_none_or(|found| (served_since == 0) == (found.remedy == "Start it."));
        assert!(is_told, "the advice is for a target that still fails");
    }
}

#[test]
fn stores_that_do_not_serve_and_gateways_that_do_not_listen_are_problems() {
    let store = |state: &str, error: Option<&str>| SessionStoreView {
        name: "shared".into(),
        state: state.into(),
        last_error: error.map(str::to_owned),
        ..SessionStoreView::default()
    };
    for (state, error, expected) in [
        ("serves", Some("it did not answer in time"), None),
        (
            "away",
            Some("it did not answer in time"),
            Some("it is away, and is tried again all the time: it did not answer in time"),
        ),
        ("refuses", Some("it has no room: x"), Some("it takes nothing: it has no room: x")),
        ("not_open", None, Some("it cannot be opened")),
    ] {
        let mut status = StatusView::default();
        status.session_stores.push(store(state, error));
        let found = problems(&status, &Facts::default());
        assert_eq!(found.iter().map(|one| &*one.what).next(), expected, "{state}");
        assert!(found.iter().all(|one| one.place == "session store shared" && !one.remedy.is_empty()));
    }
    let slow = SessionStoreView { writes_fail: true, ..store("away", Some("it did not answer in time")) };
    assert_eq!(troubled_store(&slow).unwrap().what, "its writes fail: it did not answer in time");
    let mut gateway =
        SessionGatewayView { name: "php".into(), bind: "unix:/s".into(), ..SessionGatewayView::default() };
    assert_eq!(deaf_gateway(&gateway), None, "it has not been tried yet, or listens");
    gateway.trouble = Some("Address already in use".into());
    let found = deaf_gateway(&gateway).unwrap();
    assert_eq!(found.what, "it does not listen at unix:/s: Address already in use");
    assert_eq!(found.place, "session gateway php");
}

#[test]
fn refusals_and_lost_lines_are_over_half_a_minute_after_the_last() {
    let refused = |full, descriptors| Refused { full, descriptors };
    let web = |connections_open| ListenerView {
        connections_open,
        connections_max: Some(3),
        ..ListenerView::default()
    };
    for (open, lately, expected) in [
        (2, refused(1, 0), Some("the connection limit (3) was reached: ")),
        (2, refused(0, 0), None),
        (3, refused(0, 0), Some("the connection limit (3) is reached: ")),
    ] {
        let found = full(&web(open), refused(4, 0), lately);
        assert_eq!(found.is_some(), expected.is_some(), "{open} open, {lately:?}");
        assert!(found.is_none_or(|found| found.what.starts_with(expected.unwrap())));
    }
    assert_eq!(full(&web(3), refused(0, 0), refused(0, 0)), None, "full, but none was refused");
    assert_eq!(out_of_descriptors(&web(2), refused(0, 4), refused(0, 0)), None);
    assert!(out_of_descriptors(&web(2), refused(0, 4), refused(0, 1)).is_some());

    let trouble = LogTrouble { path: "/a.log".into(), message: "lines are lost", error: "full".into() };
    for (lines_dropped_lately, troubles, count) in [(0, vec![], 0), (1, vec![], 1), (0, vec![trouble], 2)] {
        let facts = Facts { lines_dropped: 7, lines_dropped_lately, logs: troubles, ..Facts::default() };
        assert_eq!(logs(&facts).len(), count, "{facts:?}");
    }
}

#[test]
fn a_group_is_a_problem_if_no_target_that_gets_requests_could_be_connected() {
    let of = |health: &str, last_connect_failed, seconds_ago| TargetView {
        health: health.into(),
        last_connect_failed,
        ..target(1, 1, seconds_ago)
    };
    for (targets, is_problem) in [
        (vec![of("unchecked", true, 1)], true),
        (vec![of("unchecked", false, 1)], false),
        (vec![of("unchecked", true, 9), of("unchecked", true, 300)], true),
        (vec![of("unchecked", true, 9), of("unchecked", false, 9)], false),
        (vec![of("unchecked", true, 301)], false),
        // It gets no requests, so it says nothing.
        (vec![of("healthy", true, 1), of("unhealthy", false, 1)], true),
        (vec![of("healthy", true, 31)], false),
        (vec![of("unhealthy", true, 1)], false),
        (vec![], false),
    ] {
        assert_eq!(unreachable_group("app", &targets).is_some(), is_problem, "{targets:?}");
        assert_eq!(unreachable_group("other", &targets), None);
    }
}

/// A status and facts with one thing wrong, and the place and a part of the problem.
type Case = (fn(&mut StatusView, &mut Facts), &'static str, &'static str);

const CASES: &[Case] = &[
    (
        |status, _| status.last_reload = Some(ReloadView { ok: false, ..ReloadView::default() }),
        "/etc/e.toml",
        "the last reload failed; generation 3",
    ),
    (|status, _| status.groups[0].fail_open = true, "target group app", "no target is healthy"),
    (
        |_, facts| {
            let mut gone = target(1, 1, 7);
            (gone.health, gone.last_connect_failed) = ("unchecked".into(), true);
            facts.targets = vec![gone];
        },
        "target group app",
        "when that was last tried, 7 s ago: target_connect_refused",
    ),
    (
        |_, facts| {
            facts.targets[0].health = "unhealthy".into();
            facts.targets[0].last_error = Some("it answered 500".into());
        },
        "target 10.0.0.1:80 of app",
        "it is unhealthy: it answered 500",
    ),
    (|_, facts| facts.targets = vec![target(9, 9, 2)], "target 10.0.0.1:80 of app", "9 of 9 requests failed"),
    (
        |status, _| status.certificates.expired = vec!["/a.pem: CN=a ended at 2026".into()],
        "/a.pem",
        "expired: CN=a ended at 2026",
    ),
    (|_, facts| facts.certificates[0].days_left = 13, "/b.pem", "CN=b expires in 13 days"),
    (
        |status, _| {
            status.certificates.failed_swap = Some(SwapView { at: "2026".into(), error: String::new() });
        },
        "certificates",
        "not served since 2026",
    ),
    (
        |_, facts| {
            facts.logs =
                vec![LogTrouble { path: "/a.log".into(), message: "lines are lost", error: "full".into() }];
        },
        "access log /a.log",
        "lines are lost: full",
    ),
    (
        |_, facts| (facts.lines_dropped, facts.lines_dropped_lately) = (7, 1),
        "access logs",
        "7 lines were lost",
    ),
    (
        |_, facts| (facts.refused[0].descriptors, facts.refused_lately[0].descriptors) = (5, 1),
        "listener web",
        "5 connections were refused",
    ),
    (
        |_, facts| (facts.refused[0].full, facts.refused_lately[0].full) = (4, 1),
        "listener web",
        "the connection limit (100) was reached: 4 connections",
    ),
    (|status, _| status.listeners[0].waiting = true, "listener web", "is reached: new connections wait"),
    (|_, facts| facts.panics = 1, "workers", "a bug of Evenkeel"),
];

#[test]
fn each_thing_that_is_wrong_is_a_problem_with_a_place_and_a_remedy() {
    let well = || {
        let web = ListenerView { name: "web".into(), connections_max: Some(100), ..ListenerView::default() };
        let status = StatusView {
            generation: 3,
            config: Some("/etc/e.toml".into()),
            certificates: CertificatesView { served: 1, ..CertificatesView::default() },
            listeners: vec![web],
            groups: vec![GroupView { name: "app".into(), ..GroupView::default() }],
            ..StatusView::default()
        };
        let certificate = CertificateView {
            subject: "CN=b".into(),
            path: "/b.pem".into(),
            days_left: 14,
            ..CertificateView::default()
        };
        let facts = Facts {
            targets: vec![target(1_000, 1, 5)],
            certificates: vec![certificate],
            refused: vec![Refused::default()],
            refused_lately: vec![Refused::default()],
            ..Facts::default()
        };
        (status, facts)
    };
    let (status, facts) = well();
    assert_eq!(problems(&status, &facts), []);
    for (spoil, place, what) in CASES {
        let (mut status, mut facts) = well();
        spoil(&mut status, &mut facts);
        let found = problems(&status, &facts);
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert!(found[0].place == *place && found[0].what.contains(what), "{found:?}");
        assert!(!found[0].remedy.is_empty(), "{what}");
    }
}
