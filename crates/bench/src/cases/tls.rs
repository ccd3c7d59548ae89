//! Cases with TLS 1.3 clients and plain HTTP/1.1 targets.

use crate::case::{Against, Bar, Case, KEEP_ALIVE, Kind, Measure, PROXIES, cpu};
use crate::contender::Contender::{self, Evenkeel, Haproxy, Nginx};
use crate::contender::Variant;
use crate::load::{Load, Storm};

use crate::case::Regime::OneCore;

const fn handshake(against: Contender, limit: f64) -> Bar {
    Bar { measure: Measure::Handshake, against: Against::Contender(against), limit }
}

const fn absolute(measure: Measure, limit: f64) -> Bar {
    Bar { measure, against: Against::Nothing, limit }
}

/// Enough connections at a time to keep the proxy busy.
const STORM: Storm = Storm { connections: 16, resume: false, names: 1 };

pub(super) const CASES: &[Case] = &[
    Case {
        name: "tls-small",
        regime: OneCore,
        what: "64 keep-alive TLS connections, 13-byte responses",
        kind: Kind::Throughput {
            load: Load { tls: true, ..KEEP_ALIVE },
            variant: Variant::Tls,
            contenders: PROXIES,
        },
        bars: &[cpu(Haproxy, 0.50), cpu(Nginx, 0.65)],
    },
    Case {
        name: "tls-handshake",
        regime: OneCore,
        what: "full handshakes without a request, ECDSA P-256 and X25519, 16 at a time",
        kind: Kind::Handshakes { storm: STORM, contenders: PROXIES },
        bars: &[handshake(Haproxy, 0.45), handshake(Nginx, 0.45)],
    },
    Case {
        name: "tls-resumed",
        regime: OneCore,
        what: "handshakes resumed by ticket with a new X25519 exchange, without a request, 16 at a time",
        kind: Kind::Handshakes { storm: Storm { resume: true, ..STORM }, contenders: PROXIES },
        bars: &[handshake(Haproxy, 0.50), handshake(Nginx, 0.50)],
    },
    Case {
        name: "tls-bulk",
        regime: OneCore,
        what: "16 keep-alive TLS connections, 1 MiB responses, nginx tuned for bulk (of HAProxy the default was best)",
        kind: Kind::Throughput {
            load: Load { path: "/1m", connections: 16, tls: true, ..KEEP_ALIVE },
            variant: Variant::TlsBulk,
            contenders: PROXIES,
        },
        bars: &[cpu(Haproxy, 0.65), cpu(Nginx, 0.65)],
    },
    Case {
        name: "tls-memory",
        regime: OneCore,
        what: "2,000 idle TLS connections after one request each",
        kind: Kind::IdleMemory { connections: 2000, variant: Variant::Tls, contenders: PROXIES },
        bars: &[Bar { measure: Measure::Memory, against: Against::Contender(Haproxy), limit: 0.80 }],
    },
    Case {
        name: "tls-certificates",
        regime: OneCore,
        what: "10,000 certificates on one listener; full handshakes with any of their names, against 10 of them",
        kind: Kind::Certificates { few: 10, many: 10_000, contenders: &[Evenkeel, Haproxy] },
        bars: &[
            absolute(Measure::LoadTime, 5.0),
            absolute(Measure::CertificateMemory, 20.0),
            // Constant, but for the cache misses that 10,000 keys cause.
            Bar { measure: Measure::Handshake, against: Against::FewCertificates, limit: 1.10 },
        ],
    },
];
