use super::*;
use crate::view::{AddressView, ReloadView, SessionGatewayView, SessionStoreView};

fn status() -> StatusView {
    StatusView {
        version: "0.1.0".into(),
        pid: 7,
        started: "2026-01-01T00:00:00Z".into(),
        uptime_seconds: 3_700,
        generation: 3,
        workers: 2,
        config: Some("/etc/evenkeel.toml".into()),
        listeners: vec![ListenerView {
            name: "web".into(),
            bind: vec![AddressView { configured: "0.0.0.0:0".into(), actual: "0.0.0.0:8080".into() }],
            connections_open: 12,
            requests: 34_567,
            ..ListenerView::default()
        }],
        groups: vec![GroupView { name: "app".into(), targets: 2, healthy: 2, ..GroupView::default() }],
        ..StatusView::default()
    }
}

#[test]
fn a_fine_status_is_short() {
    let expected = "\
evenkeel 0.1.0, pid 7, up 1h 1m (since 2026-01-01T00:00:00Z)
/etc/evenkeel.toml: generation 3, 2 workers

LISTENER  ADDRESS       CONNECTIONS  TUNNELS  IN FLIGHT  REQUESTS  FAILURES
web       0.0.0.0:8080           12        0          0     34567         0

TARGET GROUP  TARGETS  HEALTHY  UNHEALTHY  UNKNOWN  UNCHECKED
app                 2        2          0        0          0
";
    assert_eq!(status_page(&status()), expected);
    assert!(status().is_fine());
}

#[test]
fn stores_and_gateways_are_shown_if_there_are_any() {
    let mut with = status();
    with.session_stores = vec![
        SessionStoreView {
            name: "shared".into(),
            kind: "redis".into(),
            state: "away".into(),
            last_error: Some("it did not answer in time".into()),
            last_error_seconds_ago: Some(61),
            sessions: 7,
            calls: 20,
            hits: 8,
            misses: 2,
            errors: 10,
            ..SessionStoreView::default()
        },
        SessionStoreView {
            name: "near".into(),
            kind: "memory".into(),
            state: "serves".into(),
            ..SessionStoreView::default()
        },
    ];
    let gateway = |name: &str| SessionGatewayView {
        name: name.into(),
        bind: "127.0.0.1:0".into(),
        store: "near".into(),
        connections_open: 1,
        connections_max: 1_024,
        commands: 5,
        ..SessionGatewayView::default()
    };
    with.session_gateways = vec![
        SessionGatewayView { address: Some("127.0.0.1:11211".into()), ..gateway("php") },
        SessionGatewayView { trouble: Some("Address already in use".into()), ..gateway("java") },
    ];
    let expected = "
SESSION STORE  TYPE    STATE   SESSIONS  CALLS  HITS  MISSES  ERRORS  LAST ERROR
shared         redis   AWAY           7     20     8       2      10  1m 1s ago: it did not answer in time
near           memory  serves         0      0     0       0       0

SESSION GATEWAY  ADDRESS          STORE  CONNECTIONS  COMMANDS  ERRORS
php              127.0.0.1:11211  near   1 of 1024           5       0
java             127.0.0.1:0      near   1 of 1024           5       0  NOT BOUND: Address already in use
";
    let page = status_page(&with);
    assert!(page.ends_with(expected), "{page}");
}

#[test]
fn limits_and_their_effects_are_shown() {
    let mut crowded = status();
    let shop = LoadBalancerView { name: "shop".into(), connections_open: 12, connections_max: Some(100) };
    crowded.load_balancers =
        vec![shop, LoadBalancerView { name: "quiet".into(), ..LoadBalancerView::default() }];
    crowded.listeners[0] = ListenerView {
        connections_max: Some(12),
        connections_evicted: 3,
        connections_refused: 2,
        waiting: true,
        ..crowded.listeners[0].clone()
    };
    let page = status_page(&crowded);
    assert!(page.contains("LOAD BALANCER  CONNECTIONS\nshop           12 of 100\n\nLISTENER"), "{page}");
    assert!(page.contains("0.0.0.0:8080  12 of 12  "), "{page}");
    assert!(page.contains("FULL: new connections wait, 3 evicted, 2 refused\n"), "{page}");
}

#[test]
fn problems_are_in_capitals_and_not_fine() {
    let mut failing = status();
    failing.groups[0].fail_open = true;
    assert!(status_page(&failing).contains("ALL UNHEALTHY: every target is tried"));
    failing.problems = vec![ProblemView {
        what: "it is down".into(),
        place: "target group app".into(),
        remedy: "start it".into(),
    }];
    let page = status_page(&failing);
    assert!(page.contains("\nPROBLEMS\n  target group app: it is down\n    start it\n"), "{page}");
    assert!(!failing.is_fine());

    let mut failed = status();
    let at = "2026-01-01T01:00:00Z".to_owned();
    failed.last_reload =
        Some(ReloadView { at, ok: false, error: Some("error: x\n --> f:1:1\n\nerror: y\n".into()) });
    let page = status_page(&failed);
    assert!(page.contains("LAST RELOAD FAILED: 2026-01-01T01:00:00Z; generation 3 is still served\n  error: x\n   --> f:1:1\n\n  error: y\n"), "{page}");
}

#[test]
fn a_target_shows_its_last_error_unless_it_is_healthy() {
    let mut target = TargetView {
        group: "app".into(),
        address: "10.0.0.1:80".into(),
        weight: 1,
        health: "unhealthy".into(),
        since: Some("2026-01-01T00:00:00Z".into()),
        last_error: Some("connect refused".into()),
        ..TargetView::default()
    };
    assert!(target_table(&[target.clone()]).ends_with("connect refused\n"));
    target.health = "healthy".into();
    target.passed_over = true;
    let table = target_table(&[target]);
    assert!(!table.contains("refused") && table.contains("healthy (passed over)"), "{table}");
}

#[test]
fn a_target_shows_its_last_failed_request() {
    let failure = |detail: &str| FailureView {
        reason: "target_timeout".into(),
        detail: detail.into(),
        seconds_ago: 61,
        served_since: 0,
        hint: String::new(),
    };
    let mut target = TargetView { health: "unchecked".into(), ..TargetView::default() };
    for (detail, end) in [
        ("", "last failed request 1m 1s ago: target_timeout\n"),
        ("no bytes", "ago: target_timeout (no bytes)\n"),
    ] {
        target.last_failure = Some(failure(detail));
        assert!(target_table(&[target.clone()]).ends_with(end));
    }
}
