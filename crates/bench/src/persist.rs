//! Evenkeel with sessions, compared with itself without them; and the session gateway beside memcached.

use std::cell::RefCell;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::Signal;
use xtask::Outcome;

use super::case::{Against, Case, Measure};
use super::contender::{Contender, Running, Variant, start_target};
use super::load::{Load, Times};
use super::memcached;
use super::process::{Placement, Process, READY_TIMEOUT, free_port};
use super::report::{Finding, Spread};
use super::run::{Bench, Side, WARM_UP, absolute, note, seconds};
use super::sessions;

impl Bench {
    pub(crate) fn persist(&self, case: &'static Case, load: Load, variant: Variant) -> Outcome<Finding> {
        let sides = [Side::evenkeel("none", Variant::Plain), Side::evenkeel("persistence", variant)];
        self.with_itself(case, load, Against::NoPersistence, &sides, |_, _| Ok(()))
    }

    /// Each process first sees a request from every address.
    pub(crate) fn sessions(&self, case: &'static Case, load: Load, count: usize) -> Outcome<Finding> {
        let sides =
            [Side::evenkeel("none", Variant::Forwarded), Side::evenkeel("persistence", Variant::Source)];
        let bytes = RefCell::new(Vec::new());
        let prepare = |side: &Side, running: &Running| {
            // The first requests make the process allocate what it needs once.
            sessions::fill(running.port, FIRST)?;
            let before = running.process.resident()?;
            sessions::fill(running.port, count)?;
            let more = running.process.resident()?.saturating_sub(before);
            if side.variant == Variant::Source && side.contender == Contender::Evenkeel {
                bytes.borrow_mut().push(more as f64 / count as f64);
            }
            Ok(())
        };
        let mut finding = self.with_itself(case, load, Against::NoPersistence, &sides, prepare)?;
        finding.compare(Measure::SessionMemory, Against::Nothing, bytes.into_inner());
        Ok(finding)
    }

    /// Redis runs beside the load, on core 0. At ordinary priority: with the other one neither Redis nor the thread that asks
    /// it would run before the load and the worker pause, and the case would be that of a store that is away.
    pub(crate) fn shared_sessions(&self, case: &'static Case, load: Load, count: usize) -> Outcome<Finding> {
        let ordinary = self.at_ordinary_priority();
        let (_redis, port) = start_redis(ordinary.placement(0))?;
        let sides =
            [Side::evenkeel("memory", Variant::Source), Side::evenkeel("Redis", Variant::Redis(port))];
        let prepare = |_: &Side, running: &Running| {
            sessions::fill(running.port, count)?;
            // Of so many new sessions at once the store hears later; the case is about the time after that.
            std::thread::sleep(SETTLED);
            Ok(())
        };
        ordinary.with_itself(case, load, Against::OwnMemory, &sides, prepare)
    }

    fn at_ordinary_priority(&self) -> Self {
        Self { real_time: false, files: Rc::clone(&self.files), only: None, ..*self }
    }

    /// Both samples of a round are of one process: first with Redis running, then with Redis stopped.
    pub(crate) fn stopped_store(&self, case: &'static Case, load: Load, count: usize) -> Outcome<Finding> {
        let ordinary = self.at_ordinary_priority();
        let (redis, redis_port) = start_redis(ordinary.placement(0))?;
        let (target, port) = start_target(ordinary.placement(0), &self.files.binaries)?;
        let mut finding = Finding::new(case);
        let (mut running, mut stopped) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let round = || -> Outcome<_> {
                let evenkeel =
                    ordinary.start(Contender::Evenkeel, Variant::Redis(redis_port), case.regime, port)?;
                sessions::fill(evenkeel.port, count)?;
                let before = ordinary.sample(&evenkeel, load, None)?;
                redis.signal(Signal::STOP)?;
                let after = ordinary.sample(&evenkeel, load, None);
                redis.signal(Signal::CONT)?;
                Ok((before, after?))
            };
            match round() {
                Ok((before, after)) => {
                    running.push(before);
                    stopped.push(after);
                }
                Err(error) => note(&mut finding, &error),
            }
        }
        drop(target);
        finding.absolutes.extend(absolute("running", &running));
        finding.absolutes.extend(absolute("stopped", &stopped));
        for (measure, choose) in [
            (Measure::P50, (|times| times.p50) as fn(&Times) -> Duration),
            (Measure::P90, |times| times.p90),
            (Measure::P99, |times| times.p99),
        ] {
            let ratio = |(one, other)| seconds(one, choose) / seconds(other, choose);
            finding.compare(
                measure,
                Against::RunningStore,
                stopped.iter().zip(&running).map(ratio).collect(),
            );
        }
        Ok(finding)
    }

    /// The server has core 1, or core 0 with the load, as the regime says.
    pub(crate) fn gateway(&self, case: &'static Case, connections: usize) -> Outcome<Finding> {
        let mut finding = Finding::new(case);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for number in 0..self.rounds {
            let round = || -> Outcome<(f64, f64)> {
                if number % 2 == 0 {
                    let ours = self.gateway_rate(case, connections)?;
                    Ok((ours, self.memcached_rate(case, connections)?))
                } else {
                    let theirs = self.memcached_rate(case, connections)?;
                    Ok((self.gateway_rate(case, connections)?, theirs))
                }
            };
            match round() {
                Ok((one, other)) => {
                    ours.push(one);
                    theirs.push(other);
                }
                Err(error) => note(&mut finding, &error),
            }
        }
        let ratios = ours.iter().zip(&theirs).map(|(one, other)| one / other).collect();
        for (name, rates) in [("evenkeel", ours), ("memcached", theirs)] {
            if let Some(Spread { median, .. }) = Spread::of(rates) {
                finding.absolutes.push(format!("{name:16} {median:9.0} commands/s"));
            }
        }
        finding.compare(Measure::Rate, Against::Memcached, ratios);
        Ok(finding)
    }

    fn gateway_rate(&self, case: &Case, connections: usize) -> Outcome<f64> {
        // Its listener forwards to a port that is not used.
        let running = self.start(Contender::Evenkeel, Variant::Gateway, case.regime, 1)?;
        self.rate(running.port, connections)
    }

    fn memcached_rate(&self, case: &Case, connections: usize) -> Outcome<f64> {
        let (_process, port) = memcached::start(self.placement(case.regime.proxy_core()))?;
        self.rate(port, connections)
    }

    fn rate(&self, port: u16, connections: usize) -> Outcome<f64> {
        memcached::rate(port, connections, WARM_UP, self.placement(0))?;
        memcached::rate(port, connections, self.seconds, self.placement(0))
    }
}

fn start_redis(placement: Placement) -> Outcome<(Process, u16)> {
    let port = free_port()?;
    let mut command = placement.command(Path::new("redis-server"));
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]).stdout(Stdio::null());
    let mut process = Process::start(command)?;
    let accepts = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    process.wait_until(READY_TIMEOUT, accepts).map_err(|error| format!("redis-server: {error}"))?;
    Ok((process, port))
}

const FIRST: usize = 1_000;
/// Longer than until sessions that the store has not confirmed are told again, twice.
const SETTLED: Duration = Duration::from_secs(10);
