//! Cases of session persistence and of the session gateway.

use crate::case::Regime::{OneCore, TwoCore};
use crate::case::{Against, Bar, Case, KEEP_ALIVE, Kind, Measure, PROXIES, cpu};
use crate::contender::Contender::{Haproxy, Nginx};
use crate::contender::Variant;
use crate::load::Load;

const WITH_COOKIE: Load = Load { cookie: true, ..KEEP_ALIVE };
const SESSIONS: usize = 1_000_000;
const SHARED: usize = 100_000;
const PERSISTENCE: Bar = Bar { measure: Measure::Cpu, against: Against::NoPersistence, limit: 1.05 };
/// Bytes of what an entry says: scope, client, target, open count and times.
const ENTRY_BYTES: f64 = 48.0;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "persist-cookie",
        regime: OneCore,
        what: "64 keep-alive connections, our cookie on every request and response, against none",
        kind: Kind::Persist { load: WITH_COOKIE, variant: Variant::Cookie },
        bars: &[PERSISTENCE],
    },
    Case {
        name: "persist-proxies",
        regime: OneCore,
        what: "the same beside HAProxy's `cookie insert` and nginx's `sticky cookie`",
        kind: Kind::Throughput { load: WITH_COOKIE, variant: Variant::Cookie, contenders: PROXIES },
        bars: &[cpu(Haproxy, 0.48), cpu(Nginx, 0.78)],
    },
    Case {
        name: "persist-source",
        regime: OneCore,
        what: "64 keep-alive connections, 1,000,000 sessions by address in the table, against no persistence",
        kind: Kind::Sessions { load: Load { sources: SESSIONS, ..KEEP_ALIVE }, count: SESSIONS },
        bars: &[
            PERSISTENCE,
            Bar { measure: Measure::SessionMemory, against: Against::Nothing, limit: 96.0 + ENTRY_BYTES },
        ],
    },
    Case {
        name: "persist-redis",
        regime: OneCore,
        what: "64 keep-alive connections, 100,000 sessions by address, 1 % of the requests of new ones, in Redis too against memory alone; ordinary priority",
        kind: Kind::SharedSessions {
            load: Load { sources: SHARED, fresh: true, ..KEEP_ALIVE },
            count: SHARED,
        },
        bars: &[Bar { measure: Measure::Cpu, against: Against::OwnMemory, limit: 1.03 }],
    },
    Case {
        name: "persist-stopped",
        regime: OneCore,
        what: "the same with Redis stopped (SIGSTOP) against Redis running; a failed request would be an error",
        kind: Kind::StoppedStore { load: Load { sources: SHARED, fresh: true, ..KEEP_ALIVE }, count: SHARED },
        bars: &[Bar { measure: Measure::P99, against: Against::RunningStore, limit: 2.0 }],
    },
    Case {
        name: "gateway-get-set",
        regime: TwoCore,
        what: "16 connections, a set and three gets of 1 KiB in turn, from memory, against memcached",
        kind: Kind::Gateway { connections: 16 },
        bars: &[Bar { measure: Measure::Rate, against: Against::Memcached, limit: 0.8 }],
    },
];
