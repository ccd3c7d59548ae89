//! The plain example of the docs, and the documented defaults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use config::{Disk, parse};
use model::{
    Action, Admin, Algorithm, ClientPrefix, CookieAttributes, CookieMode, CookiePersistence, KeySource,
    Persistence, SourceFrom, SourceIpPersistence,
};

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
    let service = listener.service.http().unwrap();
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
    assert_eq!((&group.health_check, &group.persistence), (&None, &None));
    assert_eq!(group.timeouts.connect, Duration::from_secs(4));
    assert_eq!(group.timeouts.response, Duration::from_secs(60));
    assert_eq!(group.timeouts.idle, Duration::from_secs(60));
    assert_eq!((group.keepalive.idle_timeout, group.keepalive.idle_max), (Duration::from_secs(60), 512));
}

/// SP1, SP4.
#[test]
fn persistence_needs_no_more_than_its_type() {
    let of = |text: &str| {
        let text = format!("{PLAIN}persistence = {text}\n");
        let loaded = parse(&text, "plain.toml", &Disk).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        loaded.config.target_groups[0].persistence.as_deref().unwrap().clone()
    };
    let cookie = CookiePersistence {
        mode: CookieMode::Insert,
        name: "EKSESSION".to_owned(),
        ttl: None,
        attributes: CookieAttributes {
            domain: None,
            path: "/".to_owned(),
            http_only: true,
            secure: None,
            same_site: None,
        },
        key: Some(KeySource::Generated { path: PathBuf::from("plain.toml.key"), keys: None }),
        hide: false,
        store: None,
    };
    assert_eq!(of("{ type = \"cookie\" }"), Persistence::Cookie(cookie));
    let source_ip = SourceIpPersistence {
        timeout: Duration::from_secs(300),
        prefix: ClientPrefix { v4_bits: 32, v6_bits: 64 },
        from: SourceFrom::Connection,
        spill: None,
        store: None,
    };
    assert_eq!(of("{ type = \"source_ip\" }"), Persistence::SourceIp(source_ip));
}
