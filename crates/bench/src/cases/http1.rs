//! Cases with plain HTTP/1.1 on both sides.

use crate::case::Regime::{OneCore, TwoCore};
use crate::case::{Against, Bar, Case, KEEP_ALIVE, Kind, Measure, PROXIES, cpu};
use crate::contender::Contender::{self, Evenkeel, Floor, Haproxy, Nginx};
use crate::contender::Variant;
use crate::load::Load;

const fn small(connections: u32) -> Kind {
    let load = Load { connections, ..KEEP_ALIVE };
    Kind::Throughput { load, variant: Variant::Plain, contenders: ALL }
}

const fn bulk() -> Kind {
    let load = Load { path: "/1m", connections: 16, ..KEEP_ALIVE };
    Kind::Throughput { load, variant: Variant::Bulk, contenders: ALL }
}

const ALL: &[Contender] = &[Floor, Evenkeel, Haproxy, Nginx];

const SMALL_ONE_CORE: &[Bar] = &[cpu(Haproxy, 0.48), cpu(Nginx, 0.78), cpu(Floor, 1.35)];
const SMALL_TWO_CORE: &[Bar] = &[cpu(Haproxy, 0.68), cpu(Nginx, 0.85)];
const RATE_OF_HAPROXY: Bar = Bar { measure: Measure::Rate, against: Against::Contender(Haproxy), limit: 1.0 };

pub(super) const CASES: &[Case] = &[
    Case {
        name: "small-8",
        regime: OneCore,
        what: "8 keep-alive connections, 13-byte responses",
        kind: small(8),
        bars: &[cpu(Nginx, 1.0)],
    },
    Case {
        name: "small-8",
        regime: TwoCore,
        what: "8 keep-alive connections, 13-byte responses",
        kind: small(8),
        bars: &[cpu(Nginx, 1.0)],
    },
    Case {
        name: "small-64",
        regime: OneCore,
        what: "64 keep-alive connections, 13-byte responses",
        kind: small(64),
        bars: SMALL_ONE_CORE,
    },
    Case {
        name: "small-64",
        regime: TwoCore,
        what: "64 keep-alive connections, 13-byte responses",
        kind: small(64),
        bars: SMALL_TWO_CORE,
    },
    Case {
        name: "small-512",
        regime: OneCore,
        what: "512 keep-alive connections, 13-byte responses",
        kind: small(512),
        bars: SMALL_ONE_CORE,
    },
    Case {
        name: "small-512",
        regime: TwoCore,
        what: "512 keep-alive connections, 13-byte responses",
        kind: small(512),
        bars: SMALL_TWO_CORE,
    },
    Case {
        name: "short",
        regime: OneCore,
        what: "a client connection per request, 64 at a time",
        kind: Kind::Throughput {
            load: Load { close: true, ..KEEP_ALIVE },
            variant: Variant::Plain,
            contenders: PROXIES,
        },
        bars: &[cpu(Haproxy, 0.60), cpu(Nginx, 0.80)],
    },
    Case {
        name: "10k",
        regime: OneCore,
        what: "64 keep-alive connections, 10 KiB responses",
        kind: Kind::Throughput {
            load: Load { path: "/10k", ..KEEP_ALIVE },
            variant: Variant::Plain,
            contenders: ALL,
        },
        bars: &[cpu(Haproxy, 0.55), cpu(Nginx, 0.75)],
    },
    Case {
        name: "gzip",
        regime: OneCore,
        what: "64 keep-alive connections, 10 KiB of text, compressed by the proxy at its fast level (HAProxy without a window)",
        kind: Kind::Throughput {
            load: Load { path: "/text", gzip: true, ..KEEP_ALIVE },
            variant: Variant::Gzip,
            contenders: PROXIES,
        },
        bars: &[
            cpu(Nginx, 1.0),
            Bar { measure: Measure::Bytes, against: Against::Contender(Nginx), limit: 1.10 },
        ],
    },
    Case {
        name: "1m",
        regime: OneCore,
        what: "16 keep-alive connections, 1 MiB responses, opponents tuned for bulk",
        kind: bulk(),
        bars: &[cpu(Haproxy, 1.10), RATE_OF_HAPROXY],
    },
    Case {
        name: "1m",
        regime: TwoCore,
        what: "16 keep-alive connections, 1 MiB responses, opponents tuned for bulk",
        kind: bulk(),
        bars: &[cpu(Haproxy, 0.85), cpu(Nginx, 0.60), RATE_OF_HAPROXY],
    },
    Case {
        name: "log",
        regime: OneCore,
        what: "64 keep-alive connections, JSON access log to a file",
        kind: Kind::Throughput { load: KEEP_ALIVE, variant: Variant::Log, contenders: PROXIES },
        bars: &[cpu(Haproxy, 0.60)],
    },
    Case {
        name: "rules-1000",
        regime: OneCore,
        what: "64 keep-alive connections, 1,000 host rules against one",
        kind: Kind::Rules { load: KEEP_ALIVE, count: 1000 },
        bars: &[Bar { measure: Measure::Cpu, against: Against::OneRule, limit: 1.05 }],
    },
    Case {
        name: "acl",
        regime: OneCore,
        what: "64 keep-alive connections, 1,000,000 denied address ranges against none",
        kind: Kind::Acl { load: KEEP_ALIVE, count: 1_000_000 },
        bars: &[Bar { measure: Measure::Cpu, against: Against::NoList, limit: 1.03 }],
    },
    Case {
        name: "p99",
        regime: TwoCore,
        what: "64 keep-alive connections, paced at 70 % of HAProxy's capacity, ordinary priority",
        kind: Kind::Tail { load: KEEP_ALIVE, share: 0.7, contenders: PROXIES },
        bars: &[Bar { measure: Measure::P99, against: Against::Contender(Haproxy), limit: 1.0 }],
    },
    Case {
        name: "idle-memory",
        regime: OneCore,
        what: "5,000 idle keep-alive connections after one request each",
        kind: Kind::IdleMemory { connections: 5000, variant: Variant::Plain, contenders: PROXIES },
        bars: &[Bar { measure: Measure::Memory, against: Against::Contender(Haproxy), limit: 0.65 }],
    },
    Case {
        name: "build",
        regime: OneCore,
        what: "the product itself",
        kind: Kind::Build,
        bars: &[
            Bar { measure: Measure::Size, against: Against::Nothing, limit: 15.0 },
            Bar { measure: Measure::BuildTime, against: Against::Nothing, limit: 6.0 },
        ],
    },
];
