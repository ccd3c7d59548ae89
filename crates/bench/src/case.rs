//! The tables of cases and their bars.

mod http2;
mod tls;

use super::contender::{Contender, Variant};
use super::load::Load;
use super::storm::Storm;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) regime: Regime,
    pub(crate) what: &'static str,
    pub(crate) kind: Kind,
    pub(crate) bars: &'static [Bar],
}

/// Which processes share a core. Both regimes are reported: a proxy with a core of its own also pays for wake-ups, which a
/// saturated core hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Regime {
    /// Proxy, load and target on core 0.
    OneCore,
    /// The proxy on core 1, load and target on core 0.
    TwoCore,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Closed loop: CPU per request, requests per second, response times.
    Throughput { load: Load, variant: Variant, contenders: &'static [Contender] },
    /// Closed loop: Evenkeel with many host rules, compared with itself with one.
    Rules { load: Load, count: usize },
    /// Closed loop: Evenkeel with many denied ranges, none of which contains the client, compared with itself without any.
    Acl { load: Load, count: usize },
    /// Paced at a share of HAProxy's capacity.
    Tail { load: Load, share: f64, contenders: &'static [Contender] },
    /// Resident bytes per idle keep-alive connection.
    IdleMemory { connections: usize, variant: Variant, contenders: &'static [Contender] },
    /// Closed loop: CPU per TLS handshake.
    Handshakes { storm: Storm, contenders: &'static [Contender] },
    /// Evenkeel with many certificates on one listener, compared with itself with few. Figures of others are printed only.
    Certificates { few: usize, many: usize, contenders: &'static [Contender] },
    /// The size of the binary and, with `--cold`, the time of a cold build.
    Build,
}

/// A limit for the median over the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) measure: Measure,
    pub(crate) against: Against,
    pub(crate) limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// CPU time per request.
    Cpu,
    /// CPU time per handshake.
    Handshake,
    Rate,
    P50,
    P90,
    P99,
    Bytes,
    Memory,
    /// Seconds until a proxy with many certificates serves.
    LoadTime,
    /// KiB per certificate.
    CertificateMemory,
    /// MiB of the stripped binary.
    Size,
    /// Minutes of a cold build.
    BuildTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    Contender(Contender),
    /// Evenkeel with one rule.
    OneRule,
    /// Evenkeel without an address list.
    NoList,
    /// Evenkeel with few certificates.
    FewCertificates,
    /// Nothing: the figure itself.
    Nothing,
}

impl Regime {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneCore => "one-core",
            Self::TwoCore => "two-core",
        }
    }

    pub(crate) fn proxy_core(self) -> usize {
        match self {
            Self::OneCore => 0,
            Self::TwoCore => 1,
        }
    }
}

impl Measure {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU per request",
            Self::Handshake => "CPU per handshake",
            Self::Rate => "requests per second",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Bytes => "bytes per response",
            Self::Memory => "bytes per connection",
            Self::LoadTime => "seconds until it serves",
            Self::CertificateMemory => "KiB per certificate",
            Self::Size => "stripped binary, MiB",
            Self::BuildTime => "cold release build, minutes",
        }
    }

    /// True for rates. Of all other measures, less is better.
    pub(crate) fn more_is_better(self) -> bool {
        self == Self::Rate
    }
}

impl Against {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Contender(contender) => contender.name(),
            Self::OneRule => "one rule",
            Self::NoList => "no list",
            Self::FewCertificates => "few certificates",
            Self::Nothing => "–",
        }
    }
}

impl Bar {
    pub(crate) fn holds(&self, value: f64) -> bool {
        if self.measure.more_is_better() { value >= self.limit } else { value <= self.limit }
    }
}

impl Case {
    /// Returns true if `name` means this case: `small-64` is both regimes of a case, `small-64/one-core` is one of them,
    /// and `tls` is all cases of that group.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        match name.split_once('/') {
            Some((name, regime)) => name == self.name && regime == self.regime.name(),
            None => name == self.name || self.group() == Some(name),
        }
    }

    /// The group of the case: the first word of its name, if that is the name of a group.
    pub(crate) fn group(&self) -> Option<&'static str> {
        let (word, _) = self.name.split_once('-')?;
        GROUPS.contains(&word).then_some(word)
    }
}

/// All cases, in the order in which they run.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [CASES, tls::CASES, http2::CASES].into_iter().flatten()
}

/// The names of all cases, for `--help`.
pub(crate) fn names() -> String {
    let mut names: Vec<&str> = all().map(|case| case.name).collect();
    names.dedup();
    format!("Cases: {}", names.join(" "))
}

const fn cpu(against: Contender, limit: f64) -> Bar {
    Bar { measure: Measure::Cpu, against: Against::Contender(against), limit }
}

const fn small(connections: u32) -> Kind {
    let load = Load { connections, ..KEEP_ALIVE };
    Kind::Throughput { load, variant: Variant::Plain, contenders: ALL }
}

const fn bulk() -> Kind {
    let load = Load { path: "/1m", connections: 16, ..KEEP_ALIVE };
    Kind::Throughput { load, variant: Variant::Bulk, contenders: ALL }
}

use Contender::{Evenkeel, Floor, Haproxy, Nginx};
use Regime::{OneCore, TwoCore};

const ALL: &[Contender] = &[Floor, Evenkeel, Haproxy, Nginx];
/// Without the floor, which opens one target connection per client connection. Where a case measures connections, that
/// is no lower bound.
const PROXIES: &[Contender] = &[Evenkeel, Haproxy, Nginx];

/// First words of names that are groups. Other cases belong to no group.
const GROUPS: [&str; 2] = ["tls", "h2"];

/// The load that most cases use; the others say in what they differ.
const KEEP_ALIVE: Load =
    Load { path: "/small", connections: 64, close: false, gzip: false, tls: false, streams: None };

const SMALL_ONE_CORE: &[Bar] = &[cpu(Haproxy, 0.48), cpu(Nginx, 0.78), cpu(Floor, 1.35)];
const SMALL_TWO_CORE: &[Bar] = &[cpu(Haproxy, 0.68), cpu(Nginx, 0.85)];
const RATE_OF_HAPROXY: Bar = Bar { measure: Measure::Rate, against: Against::Contender(Haproxy), limit: 1.0 };

pub(crate) const CASES: &[Case] = &[
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_both_regimes() {
        let named = |name: &str| all().filter(|case| case.is_named(name)).count();
        assert_eq!(named("small-64"), 2);
        assert_eq!(named("small-64/two-core"), 1);
        assert_eq!(named("short/two-core"), 0);
        assert_eq!(named("small"), 0);
    }

    #[test]
    fn a_word_finds_the_cases_of_its_group() {
        let named = |name: &str| all().filter(|case| case.is_named(name)).count();
        assert_eq!((named("tls"), named("h2")), (tls::CASES.len(), http2::CASES.len()));
        assert_eq!((named("small"), named("p99"), named("tls-small")), (0, 1, 1));
    }

    #[test]
    fn no_case_is_listed_twice() {
        for case in all() {
            let full = format!("{}/{}", case.name, case.regime.name());
            assert_eq!(all().filter(|other| other.is_named(&full)).count(), 1, "{full}");
        }
    }

    #[test]
    fn a_bar_is_a_ceiling_except_for_rates() {
        let ceiling = cpu(Haproxy, 0.5);
        assert!(ceiling.holds(0.5) && !ceiling.holds(0.51));
        assert!(RATE_OF_HAPROXY.holds(1.0) && !RATE_OF_HAPROXY.holds(0.99));
    }
}
