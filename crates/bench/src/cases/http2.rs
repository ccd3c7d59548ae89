//! Cases with HTTP/2 clients and plain HTTP/1.1 targets.

use crate::case::Regime::OneCore;
use crate::case::{Bar, Case, KEEP_ALIVE, Kind, PROXIES, cpu};
use crate::contender::Contender::{Haproxy, Nginx};
use crate::contender::Variant;
use crate::load::Load;

const fn streams(connections: u32, streams: u32, tls: bool) -> Kind {
    let load = Load { connections, streams: Some(streams), tls, ..KEEP_ALIVE };
    let variant = if tls { Variant::Tls } else { Variant::Http2 };
    Kind::Throughput { load, variant, contenders: PROXIES }
}

const BARS: &[Bar] = &[cpu(Haproxy, 0.70), cpu(Nginx, 0.70)];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "h2-cleartext-160",
        regime: OneCore,
        what: "16 connections by prior knowledge, 10 streams each at a time, 13-byte responses",
        kind: streams(16, 10, false),
        bars: BARS,
    },
    Case {
        name: "h2-cleartext-64",
        regime: OneCore,
        what: "64 connections by prior knowledge, a stream each at a time, 13-byte responses",
        kind: streams(64, 1, false),
        bars: BARS,
    },
    Case {
        name: "h2-tls-160",
        regime: OneCore,
        what: "16 TLS connections, 10 streams each at a time, 13-byte responses",
        kind: streams(16, 10, true),
        bars: BARS,
    },
    Case {
        name: "h2-tls-64",
        regime: OneCore,
        what: "64 TLS connections, a stream each at a time, 13-byte responses",
        kind: streams(64, 1, true),
        bars: BARS,
    },
];
