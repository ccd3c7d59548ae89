//! Every key once, and inheritance: the values in the model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Files, Loaded, parse};
use model::{
    Action, Algorithm, CheckKind, ClientPrefix, CompressionLevels, Config, ConnectionLimits, ContentCoding,
    CookieAttributes, CookieMode, CookiePersistence, GatewayAddress, HashKey, HostPattern, HttpService,
    KeySource, Listener, LogFormat, LogPath, MemcachedAddress, MemcachedServer, OriginPattern, PathPattern,
    PathRewrite, Persistence, SameSite, SecretKeys, SecretUrl, SessionStoreName, SourceFrom,
    SourceIpPersistence, SqlDialect, StoreKind, TemplatePiece, ValuePattern, WebSocket, WhenFull,
};

struct Pages;

impl Files for Pages {
    fn read(&self, path: &Path, _bytes_max: usize) -> io::Result<Vec<u8>> {
        if path.extension().is_some_and(|extension| extension == "key") {
            return if path.ends_with("main.toml.key") {
                Err(io::ErrorKind::NotFound.into())
            } else {
                Ok(format!("{}\n{}\n", "01".repeat(32), "02".repeat(32)).into_bytes())
            };
        }
        Ok(path.to_str().unwrap().as_bytes().to_vec())
    }
}

fn config(text: &str) -> Config {
    let Loaded { config, warnings } =
        parse(text, "/etc/evenkeel/main.toml", &Pages).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    config
}

fn http(listener: &Listener) -> &HttpService {
    listener.service.http().unwrap()
}

fn full() -> Config {
    config(include_str!("full.toml"))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn top_level() {
    let config = full();
    assert_eq!((config.workers, config.stop_timeout), (Some(4), seconds(60)));
    assert_eq!(config.admin.sockets, [PathBuf::from("/run/evenkeel/admin.sock")]);
    let names: Vec<_> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["web", "api"], "in the order of the file");
    let names: Vec<_> = config.target_groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["shop", "app", "hashed"], "in the order of the file");
}

#[test]
fn a_listener_inherits_key_by_key() {
    let config = full();
    let [web, api] = config.listeners.as_slice() else { panic!("{config:?}") };
    assert_eq!(http(web).settings.keepalive_timeout, seconds(5), "its own");
    assert_eq!(http(web).settings.keepalive_requests, 1000, "inherited");
    let keepalive = web.settings.tcp_keepalive.unwrap();
    assert_eq!((keepalive.idle, keepalive.interval), (seconds(600), seconds(30)), "inherited");
    assert_eq!(keepalive.probes, 3, "its own");
    assert_eq!(api.settings.tcp_keepalive, Some(model::TcpKeepalive::default()));
    assert_eq!(http(web).settings.limits.fields_bytes, 48 * 1024, "inherited");
    assert_eq!(http(web).settings.limits.body_bytes, Some(1024), "its own");
    assert_eq!(http(web).settings.limits.fields_count, 100, "the default");
    assert_eq!(
        (http(web).settings.forwarded.x_forwarded, http(web).settings.forwarded.forwarded),
        (false, true)
    );
    assert_eq!(http(web).settings.trusted_proxies.len(), 1);
    assert_eq!(web.settings.proxy_protocol.len(), 1);
    assert_eq!(http(web).settings.via.as_deref(), Some("edge"), "inherited");
    assert_eq!(http(web).settings.client_abort, model::ClientAbort::Ignore, "inherited");
    assert_eq!(http(api).settings.keepalive_timeout, seconds(75), "another load balancer");
    assert_eq!(http(api).settings.limits, model::HttpLimits::default());
}

#[test]
fn a_listener_can_turn_inherited_values_off() {
    let text = |listener: &str| {
        format!(
            "[load_balancer.default]\naccess_log = {{ path = \"-\" }}\nlimits = {{ body = \"1KiB\" }}\n\
             [listener.web]\nbind = \"0.0.0.0:80\"\nforward = \"app\"\n{listener}\n\
             [target_group.app]\ntargets = [\"127.0.0.1:1\"]\n"
        )
    };
    let inherited = &config(&text("")).listeners[0];
    assert_eq!(inherited.settings.access_log.as_ref().map(|log| &log.path), Some(&LogPath::Stdout));
    assert_eq!(http(inherited).settings.limits.body_bytes, Some(1024));
    let own = &config(&text("access_log = \"off\"\nlimits = { body = \"unlimited\" }")).listeners[0];
    assert_eq!((own.settings.access_log.as_ref(), http(own).settings.limits.body_bytes), (None, None));
}

#[test]
fn compression_is_inherited_replaced_or_turned_off() {
    let shop = http(&full().listeners[0]).settings.compression.clone().unwrap();
    assert_eq!(shop.codings, [ContentCoding::Br, ContentCoding::Gzip]);
    assert_eq!(shop.types, ["text/html", "application/*+json"], "lower case");
    assert_eq!((shop.bytes_min, shop.levels), (2048, CompressionLevels { zstd: 1, br: 5, gzip: 6 }));
    assert_eq!(http(&full().listeners[1]).settings.compression, None, "the default");
    let of = |listener: &str| {
        let config = config(&format!(
            "[load_balancer.default]\ncompression = {{ algorithms = [\"gzip\"], level = \"fast\" }}\n\
             [listener.web]\nbind = \"0.0.0.0:80\"\nforward = \"app\"\n{listener}\n\
             [target_group.app]\ntargets = [\"127.0.0.1:1\"]\n"
        ));
        http(&config.listeners[0]).settings.compression.clone()
    };
    let inherited = of("").unwrap();
    assert_eq!(
        (inherited.codings.as_slice(), inherited.levels),
        (&[ContentCoding::Gzip][..], CompressionLevels::FAST)
    );
    assert_eq!(of("compression = \"off\""), None);
    let own = of("compression = \"on\"").unwrap();
    assert_eq!((own.codings.as_slice(), own.levels), (&ContentCoding::ALL[..], CompressionLevels::BALANCED));
    assert_eq!((own.bytes_min, own.types[0].as_str()), (1024, "text/*"));
    assert_eq!(of("compression = {}"), Some(own));
    let own = of("compression = { level = { br = 0 } }").unwrap();
    assert_eq!(
        own.levels,
        CompressionLevels { br: 0, ..CompressionLevels::BALANCED },
        "the rest is balanced"
    );
    assert_eq!(of("compression = { level = \"small\" }").unwrap().levels, CompressionLevels::SMALL);
}

#[test]
fn files_are_relative_to_the_configuration() {
    let web = full().listeners.remove(0);
    let log = web.settings.access_log.as_ref().unwrap();
    assert_eq!(log.path, LogPath::File(PathBuf::from("/etc/evenkeel/access.log")));
    assert_eq!(log.format, LogFormat::Json);
    let page =
        |status| http(&web).settings.error_pages.iter().find(|page| page.statuses.contains(status)).unwrap();
    assert_eq!(&*page(503).body, b"/etc/evenkeel/sorry.html");
    assert_eq!(page(503).content_type, "text/html; charset=utf-8");
    assert_eq!(&*page(502).body, b"/etc/evenkeel/range.txt", "the narrowest first");
    assert_eq!(page(599).content_type, "application/json");
}

#[test]
fn connections_are_limited_for_a_load_balancer_and_for_a_listener() {
    let config = full();
    let names: Vec<_> = config.load_balancers.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["shop", "default"]);
    let [shop, default] = config.load_balancers.as_slice() else { panic!("{config:?}") };
    assert_eq!((shop.connections.max, shop.connections.per_client), (Some(5000), Some(100)));
    assert_eq!((shop.connections.client.v4_bits, shop.connections.client.v6_bits), (24, 64));
    assert_eq!(default.connections, ConnectionLimits::default());
    let [web, api] = config.listeners.as_slice() else { panic!("{config:?}") };
    assert_eq!((web.load_balancer.as_str(), api.load_balancer.as_str()), ("shop", "default"));
    assert_eq!((web.connections.max, web.connections.per_client), (Some(1000), Some(10)));
    assert_eq!(
        (web.connections.client.v4_bits, web.connections.client.v6_bits),
        (24, 56),
        "inherited; its own"
    );
    assert_eq!((web.settings.when_full, api.settings.when_full), (WhenFull::Wait, WhenFull::Wait));
    assert_eq!(api.connections, ConnectionLimits::default());
}

fn rules() -> HttpService {
    http(&full().listeners[0]).clone()
}

#[test]
fn rules_match() {
    let rules = rules().rules;
    assert!(matches!(&rules[0].host, HostPattern::LeadingWildcard(host) if host == ".example.com"));
    assert!(matches!(&rules[0].path, PathPattern::Prefix(path) if path == "/api/"));
    let conditions = &rules[0].conditions;
    assert_eq!(conditions.methods, ["GET", "HEAD"]);
    assert_eq!(conditions.headers[0].name, "x-canary");
    assert!(matches!(conditions.headers[0].value, ValuePattern::Present));
    assert!(matches!(&conditions.headers[1].value, ValuePattern::Regex(regex) if regex.is_match(b"a Bot")));
    assert_eq!(conditions.queries[0].name, "Preview");
    assert!(matches!(&conditions.cookies[0].value, ValuePattern::Exact(value) if value == "yes"));
    assert!(conditions.sources[0].contains("10.1.1.1".parse().unwrap()));
    assert_eq!(conditions.count(), 6);
    assert!(matches!(&rules[1].host, HostPattern::TrailingWildcard(host) if host == "www.example."));
    assert!(matches!(&rules[1].path, PathPattern::Exact(path) if path == "/old"));
    assert!(matches!(&rules[2].host, HostPattern::Regex(regex) if regex.as_str() == "^shop[0-9]+\\."));
    assert!(
        matches!(&rules[3].host, HostPattern::Exact(host) if host == "xn--bcher-kva.example"),
        "lower case"
    );
    assert!(matches!(rules[3].path, PathPattern::Any));
}

#[test]
fn rules_have_actions() {
    let rules = rules().rules;
    let Action::Forward(groups) = &rules[0].action else { panic!() };
    let weights: Vec<_> = groups.iter().map(|group| (group.group.as_str(), group.weight)).collect();
    assert_eq!(weights, [("shop", 90), ("app", 0)]);
    assert_eq!(rules[0].rewrite, Some(PathRewrite::Prefix("/".to_owned())));
    let Action::Redirect(redirect) = &rules[1].action else { panic!() };
    assert_eq!(redirect.code, 308);
    assert_eq!(redirect.to[1], TemplatePiece::Host);
    assert_eq!(rules[2].rewrite, Some(PathRewrite::Regex("/new/${major}/$$".to_owned())));
    let Action::Fixed(fixed) = &rules[3].action else { panic!() };
    assert_eq!((fixed.status, &*fixed.body), (403, &b"{}"[..]));
    assert_eq!(fixed.content_type, "application/json");
    assert_eq!(rules[4].rewrite, Some(PathRewrite::Whole("/status".to_owned())));
    let Action::Redirect(redirect) = &rules[6].action else { panic!() };
    assert_eq!(redirect.code, 302, "the default");
}

#[test]
fn rules_have_websocket_settings() {
    let rules = rules().rules;
    let expected = WebSocket {
        enabled: true,
        idle_timeout: seconds(600),
        max_lifetime: Some(seconds(12 * 3600)),
        max_connections: Some(1000),
        allowed_origins: ["https://*.example.com", "null"]
            .map(|text| OriginPattern::parse(text).unwrap())
            .to_vec(),
        allowed_subprotocols: vec!["chat".to_owned(), "mqtt".to_owned()],
        ping_interval: Some(seconds(20)),
        drain_close_code: Some(1001),
    };
    assert_eq!(rules[0].websocket, expected);
    assert_eq!(rules[2].websocket, WebSocket::default());
    assert!(rules[2].websocket.enabled && rules[2].websocket.idle_timeout == seconds(60));
    assert!(!rules[5].websocket.enabled);
}

#[test]
fn rules_edit_headers() {
    let rule = rules().rules.remove(0);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        rule.request_fields.set,
        [pair("X-Forwarded-Prefix", "/api"), pair("Host", "shop.internal"), pair("X-Tenant", "shop")]
    );
    assert_eq!(rule.request_fields.add, [pair("Via-Keel", "a\tb")]);
    assert_eq!(rule.request_fields.remove, ["Accept-Encoding"]);
    assert_eq!(rule.response_fields.remove, ["X-Powered-By"]);
}

#[test]
fn target_groups() {
    let config = full();
    let [shop, app, hashed] = config.target_groups.as_slice() else { panic!("{config:?}") };
    let targets: Vec<_> = shop.targets.iter().map(|t| (t.address.to_string(), t.weight)).collect();
    assert_eq!(targets, [("10.0.0.1:8080".to_owned(), 10), ("[2001:db8::1]:8080".to_owned(), 1)]);
    assert_eq!(shop.algorithm, Algorithm::LeastConnections);
    let check = shop.health_check.as_ref().unwrap();
    assert_eq!((check.interval, check.timeout), (seconds(10), seconds(3)));
    assert_eq!((check.healthy, check.unhealthy, check.port), (2, 5, Some(9000)));
    let CheckKind::Http { is_tls: false, path, host, expected } = &check.kind else { panic!() };
    assert_eq!((path.as_str(), host.as_deref()), ("/healthz?deep=1", Some("shop.example.com:80")));
    assert_eq!(expected.ranges, [(200, 299), (401, 401), (500, 501)]);
    assert_eq!(shop.timeouts.connect, seconds(1));
    assert_eq!((shop.timeouts.response, shop.timeouts.idle), (seconds(30), seconds(10)));
    assert_eq!(shop.tcp_keepalive, None);
    assert_eq!((shop.keepalive.idle_timeout, shop.keepalive.idle_max), (seconds(30), 64));
    let check = app.health_check.as_ref().unwrap();
    assert_eq!(check.kind, CheckKind::Tcp);
    assert_eq!((check.interval, check.timeout), (seconds(1), seconds(1)), "the timeout is not longer");
    assert_eq!(hashed.algorithm, Algorithm::Hash(HashKey::Header("x-user".to_owned())));
}

/// SP1, SP2, SP3, SP4, SP6, SP7.
#[test]
fn persistence() {
    let config = full();
    let of = |name: &str| {
        let group = config.target_groups.iter().find(|group| group.name.as_str() == name).unwrap();
        group.persistence.as_deref().unwrap().clone()
    };
    let keys = SecretKeys { current: [1; 32], previous: Some([2; 32]) };
    let key = Some(KeySource::File { path: PathBuf::from("/etc/evenkeel/cookies.key"), keys });
    let attributes = CookieAttributes {
        domain: Some("example.com".to_owned()),
        path: "/api".to_owned(),
        http_only: false,
        secure: Some(true),
        same_site: Some(SameSite::None),
    };
    let inserted = CookiePersistence {
        mode: CookieMode::Insert,
        name: "SHOPROUTE".to_owned(),
        ttl: Some(seconds(8 * 3600)),
        attributes,
        key: key.clone(),
        hide: true,
        store: None,
    };
    assert_eq!(of("shop"), Persistence::Cookie(inserted));
    let attributes = CookieAttributes {
        domain: None,
        path: "/".to_owned(),
        http_only: true,
        secure: None,
        same_site: None,
    };
    let learned = CookiePersistence {
        mode: CookieMode::Learn,
        name: "PHPSESSID".to_owned(),
        ttl: Some(seconds(1800)),
        attributes: attributes.clone(),
        key: None,
        hide: false,
        store: Some(SessionStoreName::new("near")),
    };
    assert_eq!(of("hashed"), Persistence::Cookie(learned));
    let source_ip = SourceIpPersistence {
        timeout: seconds(1800),
        prefix: ClientPrefix { v4_bits: 24, v6_bits: 56 },
        from: SourceFrom::Forwarded,
        spill: Some(200),
        store: Some(SessionStoreName::new("files")),
    };
    assert_eq!(of("app"), Persistence::SourceIp(source_ip));
    let of_rules = http(&config.listeners[0]).rules.iter().map(|rule| rule.persistence.as_deref());
    let of_rules: Vec<_> = of_rules.flatten().collect();
    let rewritten = CookiePersistence {
        mode: CookieMode::Rewrite,
        name: "JSESSIONID".to_owned(),
        ttl: None,
        attributes,
        key,
        hide: false,
        store: None,
    };
    assert_eq!(of_rules, [&Persistence::Cookie(rewritten)]);
}

#[test]
fn session_stores() {
    let stores = full().session_stores;
    let names: Vec<_> = stores.iter().map(|store| store.name.as_str()).collect();
    assert_eq!(
        names,
        ["near", "files", "database", "servers", "valkey", "embedded"],
        "in the order of the file"
    );
    let [near, files, database, servers, valkey, embedded] = stores.as_slice() else { panic!("{stores:?}") };
    assert_eq!((&near.kind, near.capacity, &near.key), (&StoreKind::Memory, 1000, &None));
    assert_eq!(files.kind, StoreKind::File { path: PathBuf::from("/etc/evenkeel/sessions") });
    assert_eq!((files.timeout, files.capacity), (Duration::from_millis(20), 1_000_000));
    let keys = SecretKeys { current: [1; 32], previous: Some([2; 32]) };
    assert_eq!(files.key, Some(KeySource::File { path: PathBuf::from("/etc/evenkeel/sessions.key"), keys }));
    let url = |url: &str| SecretUrl(url.to_owned());
    let sql = |dialect, text| StoreKind::Sql { dialect, url: url(text) };
    assert_eq!(database.kind, sql(SqlDialect::Postgres, "postgres://keel:secret@db.internal/sessions"));
    assert!(!format!("{database:?}").contains("secret"));
    let path = PathBuf::from("/etc/evenkeel/main.toml.key");
    assert_eq!(database.key, Some(KeySource::Generated { path, keys: None }));
    assert_eq!(database.timeout, Duration::from_millis(10));
    let tcp = |host: &str, port| MemcachedAddress::Tcp { host: host.to_owned(), port };
    let expected = [
        (tcp("10.0.0.1", 11211), 1),
        (tcp("::1", 11212), 2),
        (MemcachedAddress::Unix(PathBuf::from("/run/memcached.sock")), 1),
    ]
    .map(|(address, weight)| MemcachedServer { address, weight });
    assert_eq!(servers.kind, StoreKind::Memcached { servers: expected.to_vec() });
    assert_eq!(valkey.kind, StoreKind::Redis { url: url("rediss://:secret@10.0.0.1:6379/2") });
    assert_eq!(embedded.kind, sql(SqlDialect::Sqlite, "sqlite:///etc/evenkeel/sessions.db"));
}

#[test]
fn session_gateways() {
    let gateways = full().session_gateways;
    let [php, tomcat, ..] = gateways.as_slice() else { panic!("{gateways:?}") };
    assert_eq!((php.name.as_str(), php.store.as_str()), ("php", "database"));
    assert_eq!(php.bind, GatewayAddress::Unix(PathBuf::from("/etc/evenkeel/php.sock")));
    assert_eq!((php.cache.as_ref().map(|name| name.as_str()), php.item_bytes_max), (Some("near"), 512 << 10));
    assert_eq!(tomcat.bind, GatewayAddress::Tcp("127.0.0.1:11211".parse().unwrap()));
    assert_eq!((tomcat.store.as_str(), &tomcat.cache, tomcat.item_bytes_max), ("embedded", &None, 1 << 20));
}

fn refusal(text: &str) -> String {
    parse(text, "x.toml", &Pages).unwrap_err().0.remove(0).message
}

#[test]
fn values_that_are_kept_in_memory_have_a_limit() {
    let listener = "[listener.web]\nbind = \"0.0.0.0:80\"\nforward = \"app\"\n";
    let group = |count: usize| {
        let targets: String = (0..count).map(|n| format!("\"10.0.{}.{}:80\",", n / 250, n % 250)).collect();
        format!("[target_group.app]\ntargets = [{targets}]\n")
    };
    assert_eq!(config(&format!("{listener}{}", group(10_000))).target_groups[0].targets.len(), 10_000);
    assert_eq!(refusal(&format!("{listener}{}", group(10_001))), "a target group has at most 10000 targets");
    let rule = |length| {
        let body = "x".repeat(length);
        format!("[[listener.web.rule]]\npath = \"/x\"\nrespond = {{ status = 200, body = \"{body}\" }}\n")
    };
    config(&format!("{listener}{}{}", rule(256 * 1024), group(1)));
    let message = refusal(&format!("{listener}{}{}", rule(256 * 1024 + 1), group(1)));
    assert_eq!(message, "`body` is longer than 262144 bytes");
}
