//! What may be longer than the limits, and which import circles may be, each with its reason. These lists only shrink: an
//! entry that is no longer needed is a problem itself.

/// Path, reason.
pub(crate) const FILES: &[(&str, &str)] = &[];

/// `path function`, reason.
pub(crate) const FUNCTIONS: &[(&str, &str)] = &[];

/// A circle of imports, by all the modules that are part of it.
#[derive(Debug)]
pub(crate) struct CircleException {
    pub(crate) package: &'static str,
    pub(crate) modules: &'static [&'static str],
    pub(crate) reason: &'static str,
}

pub(crate) const CIRCLES: &[CircleException] = &[
    CircleException {
        package: "bench-handshake",
        modules: &["certificates", "crate", "hold", "storm"],
        reason: "the root calls its modules, and they use its types",
    },
    CircleException {
        package: "config",
        modules: &[
            "build",
            "build::access",
            "build::action",
            "build::admin",
            "build::bind",
            "build::cipher_suites",
            "build::client_auth",
            "build::compression",
            "build::connections",
            "build::cookie_names",
            "build::cookie_scope",
            "build::health_check",
            "build::http",
            "build::http2",
            "build::key_file",
            "build::listener",
            "build::persistence",
            "build::redirect_http",
            "build::rule",
            "build::session_gateway",
            "build::session_store",
            "build::settings",
            "build::source_scope",
            "build::target_group",
            "build::target_tls",
            "build::tcp",
            "build::tls",
            "build::websocket",
        ],
        reason: "a parent calls its children, and they use its types",
    },
    CircleException {
        package: "config",
        modules: &[
            "keys",
            "keys::access",
            "keys::client_auth",
            "keys::compression",
            "keys::connections",
            "keys::every",
            "keys::http",
            "keys::http2",
            "keys::listener",
            "keys::persistence",
            "keys::rule",
            "keys::session",
            "keys::target_group",
            "keys::tcp",
            "keys::tls",
            "keys::top",
            "keys::websocket",
        ],
        reason: "a parent calls its children, and they use its types",
    },
    CircleException {
        package: "config",
        modules: &["check", "check::hint"],
        reason: "a parent calls its child, and the child uses its types",
    },
    CircleException {
        package: "control",
        modules: &["control", "control::reload", "control::swap"],
        reason: "a parent calls its children, and they use its types",
    },
    CircleException {
        package: "control",
        modules: &["gateway::shelf", "gateway::shelf::items"],
        reason: "a parent calls its child, and the child uses its types",
    },
    CircleException {
        package: "control",
        modules: &["health::probe", "health::probe::exchange"],
        reason: "a parent calls its child, and the child uses its types",
    },
    CircleException {
        package: "evenkeel",
        modules: &["cert", "check", "crate", "demo", "reference", "run", "start"],
        reason: "the root calls its modules, and they use its types",
    },
    CircleException {
        package: "net",
        modules: &["milli_timer", "pipe", "stream", "timer", "worker"],
        reason: "the worker keeps tables of streams, pipes and timers, which hold the worker",
    },
    CircleException {
        package: "observe",
        modules: &["log", "log::buffer", "log::sink", "log::writer"],
        reason: "a parent calls its children, and they use its types",
    },
    CircleException {
        package: "proto",
        modules: &[
            "memcached",
            "memcached::binary",
            "memcached::meta",
            "memcached::reply",
            "memcached::text",
        ],
        reason: "a parent calls its children, and they use its types",
    },
    CircleException {
        package: "proto",
        modules: &["proxy_protocol", "proxy_protocol::binary", "proxy_protocol::text"],
        reason: "a parent calls its children, and they use its types",
    },
    CircleException {
        package: "proto",
        modules: &["compression::edits", "compression::survey"],
        reason: "both read the same fields: to be moved into a module below both",
    },
    CircleException {
        package: "proto",
        modules: &["http2::meter::form", "http2::meter::frame"],
        reason: "the frame header and the rules for it: to be moved into a module below both",
    },
    CircleException {
        package: "testkit",
        modules: &["message", "wire"],
        reason: "the framing of a message: to be moved below both",
    },
    CircleException {
        package: "tls",
        modules: &["crl", "crl::parse"],
        reason: "a parent calls its child, and the child uses its types",
    },
    CircleException {
        package: "tls",
        modules: &["client_auth", "client_auth::verifier"],
        reason: "a parent calls its child, and the child uses its types",
    },
    CircleException {
        package: "tls",
        modules: &["bundle", "bundle::key"],
        reason: "a parent calls its child, and the child uses its types",
    },
    CircleException {
        package: "tls",
        modules: &["identity", "identity::headers"],
        reason: "a parent calls its child, and the child uses its types",
    },
];
