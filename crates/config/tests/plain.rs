//! The plain example of the docs, and the documented defaults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use config::{Disk, parse};
use model::{Action, Admin, Algorithm, Service};

const PLAIN: &str = r#"
[listener.web]
bind = "0.0.0.0:8080"
forward = "app"

[target_group.app]
targets = ["127.0.0.1:9001", "127.0.0.1:9002"]
"#;

#[test]
fn the_plain_example_is_the_defaults() {
    let loaded = parse(PLAIN, "plain.toml", &Disk).unwrap();
    assert!(loaded.warnings.is_empty());
    let config = loaded.config;
    assert_eq!((config.workers, config.stop_timeout), (None, Duration::from_secs(30)));
    assert_eq!(config.admin, Admin::default());
    let [listener] = config.listeners.as_slice() else { panic!("{config:?}") };
    assert_eq!(listener.name.as_str(), "web");
    assert_eq!(listener.bind, ["0.0.0.0:8080".parse().unwrap()]);
    let Service::Http(service) = &listener.service;
    let Some(Action::Forward(groups)) = &service.default_action else { panic!("{listener:?}") };
    assert_eq!((groups[0].group.as_str(), groups[0].weight), ("app", 1));
    let http = &service.settings;
    assert_eq!(http.keepalive_timeout, Duration::from_secs(75));
    assert_eq!(http.keepalive_requests, 10_000);
    for timeout in [http.header_timeout, http.body_timeout, http.send_timeout] {
        assert_eq!(timeout, Duration::from_secs(60));
    }
    assert_eq!(http.limits, model::HttpLimits::default());
    assert!(http.forwarded.x_forwarded && !http.forwarded.forwarded);
    assert!(
        http.trusted_proxies.is_empty()
            && http.error_pages.is_empty()
            && listener.settings.access_log.is_none()
    );
    let [group] = config.target_groups.as_slice() else { panic!("{config:?}") };
    let addresses: Vec<_> = group.targets.iter().map(|t| (t.address.port(), t.weight)).collect();
    assert_eq!(addresses, [(9001, 1), (9002, 1)]);
    assert_eq!(group.algorithm, Algorithm::WeightedRoundRobin);
    assert_eq!(group.health_check, None);
    assert_eq!(group.timeouts.connect, Duration::from_secs(4));
    assert_eq!(group.timeouts.response, Duration::from_secs(60));
    assert_eq!(group.timeouts.idle, Duration::from_secs(60));
    assert_eq!((group.keepalive.idle_timeout, group.keepalive.idle_max), (Duration::from_secs(60), 512));
}
