//! What a case is: its load, its contenders and its bars.

use super::contender::{Contender, Variant};
use super::load::{Load, Storm};

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
    /// Closed loop: Evenkeel with persistence, compared with itself without it.
    Persist { load: Load, variant: Variant },
    /// Closed loop: the same with this many sessions in the table, and what one takes in memory.
    Sessions { load: Load, count: usize },
    /// Closed loop: the same in Redis too, compared with memory alone; 1 % of the requests begin a session.
    SharedSessions { load: Load, count: usize },
    /// Closed loop at ordinary priority: the same with Redis stopped by SIGSTOP, compared with Redis running.
    StoppedStore { load: Load, count: usize },
    /// Closed loop: gets and sets at the session gateway, compared with a memcached.
    Gateway { connections: usize },
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
    /// Bytes per session.
    SessionMemory,
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
    /// Evenkeel without persistence.
    NoPersistence,
    Memcached,
    /// Evenkeel with sessions in its own memory.
    OwnMemory,
    /// Evenkeel while its session store runs.
    RunningStore,
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
            Self::SessionMemory => "bytes per session",
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
            Self::NoPersistence => "no persistence",
            Self::Memcached => "memcached",
            Self::OwnMemory => "own memory",
            Self::RunningStore => "running store",
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

/// A bar for CPU time per request.
pub(crate) const fn cpu(against: Contender, limit: f64) -> Bar {
    Bar { measure: Measure::Cpu, against: Against::Contender(against), limit }
}

/// Without the floor, which opens one target connection per client connection. Where a case measures connections, that
/// is no lower bound.
pub(crate) const PROXIES: &[Contender] = &[Contender::Evenkeel, Contender::Haproxy, Contender::Nginx];

/// First words of names that are groups. Other cases belong to no group.
const GROUPS: [&str; 4] = ["tls", "h2", "persist", "gateway"];

/// The load that most cases use; the others say in what they differ.
pub(crate) const KEEP_ALIVE: Load = Load {
    path: "/small",
    connections: 64,
    close: false,
    gzip: false,
    tls: false,
    streams: None,
    cookie: false,
    sources: 0,
    fresh: false,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_a_ceiling_except_for_rates() {
        let ceiling = cpu(Contender::Haproxy, 0.5);
        assert!(ceiling.holds(0.5) && !ceiling.holds(0.51));
        let rate = Bar { measure: Measure::Rate, limit: 1.0, ..ceiling };
        assert!(rate.holds(1.0) && !rate.holds(0.99));
    }
}
