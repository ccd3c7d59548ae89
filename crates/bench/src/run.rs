//! The rounds of the cases.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use xtask::Outcome;

use super::case::{Against, Case, Measure, Regime};
use super::contender::{Contender, Running, Variant, rule_host, start_target};
use super::files::Files;
use super::load::{self, Load, Seen, Times};
use super::memory;
use super::process::{Placement, real_time_permitted};
use super::report::{Finding, Spread};

/// The settings of this run.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) files: Rc<Files>,
    /// The contenders to run beside Evenkeel; `None`: those of the case.
    pub(crate) only: Option<Vec<Contender>>,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    /// True if throughput is measured at real-time priority.
    pub(crate) real_time: bool,
    /// The machine's load average before the first measurement.
    pub(crate) load: f64,
}

/// One measurement of one contender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Microseconds per request.
    cpu: f64,
    /// Bytes per response.
    bytes: f64,
    rate: f64,
    times: Option<Times>,
}

/// One of the setups in which Evenkeel is compared with itself.
#[derive(Clone, Debug)]
pub(super) struct Side {
    name: String,
    pub(super) contender: Contender,
    pub(super) variant: Variant,
    /// The host in the requests.
    host: Option<String>,
}

impl Side {
    pub(super) fn evenkeel(name: &str, variant: Variant) -> Self {
        Self { name: name.to_owned(), contender: Contender::Evenkeel, variant, host: None }
    }
}

impl Bench {
    pub(crate) fn new(
        files: Files,
        only: Option<Vec<Contender>>,
        rounds: usize,
        seconds: u64,
        load: f64,
    ) -> Self {
        Self { files: Rc::new(files), only, rounds, seconds, real_time: real_time_permitted(), load }
    }

    /// The contenders to run of those of a case: Evenkeel, the ones that were asked for, and the binary of before.
    pub(crate) fn contenders(&self, of_case: &[Contender]) -> Vec<Contender> {
        let is_wanted = |contender: &&Contender| {
            **contender == Contender::Evenkeel
                || self.only.as_ref().is_none_or(|only| only.contains(contender))
        };
        let before = self.files.before.is_some().then_some(Contender::EvenkeelBefore);
        of_case.iter().filter(is_wanted).copied().chain(before).collect()
    }

    pub(crate) fn describe(&self) -> String {
        let priority = if self.real_time {
            "real-time priority (chrt -r 10)"
        } else {
            "ordinary priority: real-time is not permitted here, so other work on the machine counts"
        };
        let busy = match self.load {
            load if load > QUIET_LOAD => {
                format!("; the machine was busy (load {load:.1}): figures scatter, do not claim them")
            }
            _ => String::new(),
        };
        format!(
            "{} rounds, {} s each after {WARM_UP} s of warm-up, {priority}{busy}",
            self.rounds, self.seconds
        )
    }

    pub(crate) fn throughput(
        &self,
        case: &'static Case,
        load: Load,
        variant: Variant,
        contenders: &[Contender],
    ) -> Outcome<Finding> {
        let (target, port) = start_target(self.placement(0), &self.files.binaries)?;
        let mut finding = Finding::new(case);
        let rounds = self.in_turns(contenders, &mut finding, |contender| {
            let running = self.start(contender, variant, case.regime, port)?;
            self.sample(&running, load, None)
        });
        drop(target);
        for &contender in contenders {
            finding.absolutes.extend(absolute(contender.name(), &samples(&rounds, contender)));
        }
        for &other in contenders.iter().filter(|&&other| other != Contender::Evenkeel) {
            finding.compare(Measure::Cpu, Against::Contender(other), ratios(&rounds, other, |s| s.cpu));
        }
        for &other in contenders.iter().filter(|other| other.is_opponent()) {
            let against = Against::Contender(other);
            finding.compare(Measure::Rate, against, ratios(&rounds, other, |s| s.rate));
            if load.streams.is_none() {
                finding.compare(Measure::P50, against, ratios(&rounds, other, |s| seconds(s, |t| t.p50)));
                finding.compare(Measure::P90, against, ratios(&rounds, other, |s| seconds(s, |t| t.p90)));
            }
            if load.gzip {
                finding.compare(Measure::Bytes, against, ratios(&rounds, other, |s| s.bytes));
            }
        }
        Ok(finding)
    }

    pub(crate) fn rules(&self, case: &'static Case, load: Load, count: usize) -> Outcome<Finding> {
        let side = |name: &str, count| Side {
            name: name.to_owned(),
            contender: Contender::Evenkeel,
            variant: Variant::Rules(count),
            host: Some(rule_host(count - 1)),
        };
        let sides = [side("one rule", 1), side(&format!("{count} rules"), count)];
        self.with_itself(case, load, Against::OneRule, &sides, |_, _| Ok(()))
    }

    pub(crate) fn acl(&self, case: &'static Case, load: Load, count: usize) -> Outcome<Finding> {
        let many = Side::evenkeel(&format!("{count} ranges"), Variant::Acl(count));
        let sides = [Side::evenkeel("no list", Variant::Plain), many];
        self.with_itself(case, load, Against::NoList, &sides, |_, _| Ok(()))
    }

    /// Compares Evenkeel in the second setup with Evenkeel in the first, and with the binary of before in the second.
    /// `prepare` is called before each measurement.
    pub(super) fn with_itself(
        &self,
        case: &'static Case,
        load: Load,
        against: Against,
        [one, many]: &[Side; 2],
        prepare: impl Fn(&Side, &Running) -> Outcome,
    ) -> Outcome<Finding> {
        let mut sides = vec![one.clone(), many.clone()];
        if self.files.before.is_some() {
            let contender = Contender::EvenkeelBefore;
            sides.push(Side { name: format!("{}, before", many.name), contender, ..many.clone() });
        }
        let (target, port) = start_target(self.placement(0), &self.files.binaries)?;
        let mut finding = Finding::new(case);
        let mut by_side = vec![Vec::new(); sides.len()];
        for number in 0..self.rounds {
            // In rotating order too, but a round counts only if all of its samples were taken.
            let mut order: Vec<usize> = (0..sides.len()).collect();
            order.rotate_left(number % sides.len());
            let round: Outcome<Vec<(usize, Sample)>> = order
                .into_iter()
                .map(|place| {
                    let side = &sides[place];
                    let running = self.start(side.contender, side.variant, case.regime, port)?;
                    prepare(side, &running)?;
                    Ok((place, self.sample(&running, load, side.host.as_deref())?))
                })
                .collect();
            match round {
                Ok(samples) => samples.into_iter().for_each(|(place, sample)| by_side[place].push(sample)),
                Err(error) => note(&mut finding, &error),
            }
        }
        drop(target);
        for (side, samples) in sides.iter().zip(&by_side) {
            finding.absolutes.extend(absolute(&side.name, samples));
        }
        let ratios = |other: &[Sample]| {
            by_side[1].iter().zip(other).map(|(many, other)| many.cpu / other.cpu).collect()
        };
        finding.compare(Measure::Cpu, against, ratios(&by_side[0]));
        if let Some(before) = by_side.get(2) {
            finding.compare(Measure::Cpu, Against::Contender(Contender::EvenkeelBefore), ratios(before));
        }
        Ok(finding)
    }

    /// Measures response times under a paced load, at ordinary priority: real-time throttling stops the processes for
    /// 50 ms in each second, and a p99 would show nothing else.
    ///
    /// The load is a share of HAProxy's capacity, or of Evenkeel's where HAProxy does not run.
    pub(crate) fn tail(
        &self,
        case: &'static Case,
        load: Load,
        share: f64,
        contenders: &[Contender],
    ) -> Outcome<Finding> {
        let ordinary = Self { real_time: false, files: Rc::clone(&self.files), only: None, ..*self };
        let reference = [Contender::Haproxy, Contender::EvenkeelBefore].into_iter();
        let reference =
            reference.into_iter().find(|one| contenders.contains(one)).unwrap_or(Contender::Evenkeel);
        let (target, port) = start_target(ordinary.placement(0), &self.files.binaries)?;
        let mut finding = Finding::new(case);
        let capacity = (0..CAPACITY_ROUNDS)
            .map(|_| {
                let running = ordinary.start(reference, Variant::Plain, case.regime, port)?;
                Ok(ordinary.sample(&running, load, None)?.rate)
            })
            .collect::<Outcome<Vec<f64>>>()?;
        let capacity = Spread::of(capacity).map_or(0.0, |spread| spread.median);
        let (name, load_rate) = (reference.name(), capacity * share);
        finding.absolutes.push(format!("capacity of {name} {capacity:.0}/s, load {load_rate:.0}/s"));
        let rounds = self.in_turns(contenders, &mut finding, |contender| {
            let running = ordinary.start(contender, Variant::Plain, case.regime, port)?;
            load::paced(load, running.port, load_rate, self.seconds, ordinary.placement(0))
        });
        drop(target);
        let times = |round: &Round<Vec<Duration>>, contender, share| {
            let mut times = round.get(&contender)?.clone();
            Some(load::quantile(&mut times, share)?.as_secs_f64())
        };
        for &contender in contenders {
            let median =
                |share| Spread::of(rounds.iter().filter_map(|r| times(r, contender, share)).collect());
            if let (Some(p50), Some(p99)) = (median(0.5), median(0.99)) {
                let (p50, p99) = (p50.median * 1e3, p99.median * 1e3);
                finding.absolutes.push(format!("{:16} p50 {p50:.2} ms, p99 {p99:.2} ms", contender.name()));
            }
        }
        for &other in contenders.iter().filter(|other| other.is_opponent()) {
            for (measure, share) in [(Measure::P50, 0.5), (Measure::P90, 0.9), (Measure::P99, 0.99)] {
                let ratio =
                    |round| Some(times(round, Contender::Evenkeel, share)? / times(round, other, share)?);
                finding.compare(
                    measure,
                    Against::Contender(other),
                    rounds.iter().filter_map(ratio).collect(),
                );
            }
        }
        Ok(finding)
    }

    pub(crate) fn idle_memory(
        &self,
        case: &'static Case,
        connections: usize,
        variant: Variant,
        contenders: &[Contender],
    ) -> Outcome<Finding> {
        let (target, port) = start_target(self.placement(0), &self.files.binaries)?;
        let mut finding = Finding::new(case);
        let rounds = self.in_turns(contenders, &mut finding, |contender| {
            let running = self.start(contender, variant, case.regime, port)?;
            if variant == Variant::Tls {
                let open = |port, count| memory::tls(port, count, self.placement(0), &self.files);
                return memory::bytes_per_connection(&running, connections, open);
            }
            memory::bytes_per_connection(&running, connections, memory::plain)
        });
        drop(target);
        for &contender in contenders {
            let bytes = rounds.iter().filter_map(|round| round.get(&contender).copied()).collect();
            if let Some(Spread { median, .. }) = Spread::of(bytes) {
                finding.absolutes.push(format!("{:16} {median:.0} bytes", contender.name()));
            }
        }
        for &other in contenders.iter().filter(|other| other.is_opponent()) {
            finding.compare(
                Measure::Memory,
                Against::Contender(other),
                ratios(&rounds, other, |&bytes| bytes),
            );
        }
        Ok(finding)
    }

    /// Measures every contender once in each round, in rotating order. A contender that fails is left out of the round, and
    /// the failure is noted.
    pub(super) fn in_turns<T>(
        &self,
        contenders: &[Contender],
        finding: &mut Finding,
        measure: impl Fn(Contender) -> Outcome<T>,
    ) -> Vec<Round<T>> {
        (0..self.rounds)
            .map(|number| {
                let mut order = contenders.to_vec();
                order.rotate_left(number % contenders.len());
                let mut round = Round::new();
                for contender in order {
                    match measure(contender) {
                        Ok(value) => {
                            round.insert(contender, value);
                        }
                        Err(error) => note(finding, &error),
                    }
                }
                round
            })
            .collect()
    }

    pub(super) fn sample(&self, running: &Running, load: Load, host: Option<&str>) -> Outcome<Sample> {
        let clients = self.placement(0);
        load::closed(load, host, running.port, WARM_UP, clients)?;
        let before = running.process.cpu()?;
        let Seen { requests, bytes, rate, times } =
            load::closed(load, host, running.port, self.seconds, clients)?;
        let cpu = running.process.cpu()?.saturating_sub(before);
        let count = requests.max(1) as f64;
        Ok(Sample { cpu: cpu.as_secs_f64() * 1e6 / count, bytes: bytes / count, rate, times })
    }

    pub(super) fn start(
        &self,
        contender: Contender,
        variant: Variant,
        regime: Regime,
        target_port: u16,
    ) -> Outcome<Running> {
        contender.start(variant, self.placement(regime.proxy_core()), &self.files, target_port)
    }

    pub(super) fn placement(&self, core: usize) -> Placement {
        Placement { core, real_time: self.real_time }
    }
}

pub(super) type Round<T> = HashMap<Contender, T>;

/// Evenkeel's value divided by the other's, for every round that has both.
pub(super) fn ratios<T>(rounds: &[Round<T>], other: Contender, value: impl Fn(&T) -> f64) -> Vec<f64> {
    let ratio = |round: &Round<T>| Some(value(round.get(&Contender::Evenkeel)?) / value(round.get(&other)?));
    rounds.iter().filter_map(ratio).collect()
}

fn samples(rounds: &[Round<Sample>], contender: Contender) -> Vec<Sample> {
    rounds.iter().filter_map(|round| round.get(&contender).copied()).collect()
}

/// A line with the medians over the rounds.
pub(super) fn absolute(name: &str, samples: &[Sample]) -> Option<String> {
    let median = |value: fn(&Sample) -> f64| Some(Spread::of(samples.iter().map(value).collect())?.median);
    let (cpu, rate) = (median(|s| s.cpu)?, median(|s| s.rate)?);
    let times = samples.iter().all(|sample| sample.times.is_some()).then(|| {
        let (p50, p90) = (median(|s| seconds(s, |t| t.p50) * 1e3)?, median(|s| seconds(s, |t| t.p90) * 1e3)?);
        Some(format!("   p50 {p50:.2} ms, p90 {p90:.2} ms"))
    });
    let times = times.flatten().unwrap_or_default();
    Some(format!("{name:16} {cpu:8.2} µs/request {rate:9.0}/s{times}"))
}

/// NaN for a sample without times.
pub(super) fn seconds(sample: &Sample, choose: fn(&Times) -> Duration) -> f64 {
    sample.times.as_ref().map_or(f64::NAN, |times| choose(times).as_secs_f64())
}

/// Notes a failure, once for all rounds in which it occurs.
pub(super) fn note(finding: &mut Finding, error: &str) {
    let text = format!("failed: {}", error.trim_end());
    // Only first lines are compared: the rest is output of the contender, with process ids in it.
    let known = finding.absolutes.iter().any(|line| line.lines().next() == text.lines().next());
    if !known {
        finding.absolutes.push(text);
    }
}

/// Real-time priority reserves the core, but caches and the memory bus are shared with the rest of the machine.
const QUIET_LOAD: f64 = 0.5;
/// Seconds of load before each measurement.
pub(super) const WARM_UP: u64 = 1;
const CAPACITY_ROUNDS: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    fn bench(rounds: usize) -> Bench {
        let files = Rc::new(Files::new("nowhere".into(), None).unwrap());
        Bench { files, only: None, rounds, seconds: 1, real_time: false, load: 0.0 }
    }

    fn finding() -> Finding {
        Finding::new(cases::all().next().unwrap())
    }

    #[test]
    fn a_busy_machine_is_reported() {
        let quiet = bench(3);
        assert!(!quiet.describe().contains("busy"));
        assert!(Bench { load: 7.5, ..quiet }.describe().contains("busy (load 7.5)"));
    }

    #[test]
    fn evenkeel_runs_always_and_the_others_if_wanted() {
        use Contender::{Evenkeel, EvenkeelBefore, Floor, Haproxy, Nginx};
        let (all, mut bench) = ([Floor, Evenkeel, Haproxy, Nginx], bench(1));
        assert_eq!(bench.contenders(&all), all);
        bench.only = Some(vec![Nginx]);
        assert_eq!(bench.contenders(&all), [Evenkeel, Nginx]);
        bench.only = Some(vec![Evenkeel]);
        bench.files = Rc::new(Files::new("nowhere".into(), Some("before".into())).unwrap());
        assert_eq!(bench.contenders(&all), [Evenkeel, EvenkeelBefore]);
    }

    #[test]
    fn each_contender_is_first_once() {
        let order = std::cell::RefCell::new(Vec::new());
        let contenders = [Contender::Evenkeel, Contender::Haproxy, Contender::Nginx];
        bench(3).in_turns(&contenders, &mut finding(), |contender| {
            order.borrow_mut().push(contender);
            Ok(())
        });
        let first: Vec<_> = order.borrow().iter().step_by(3).copied().collect();
        assert_eq!(first, contenders);
    }

    #[test]
    fn a_failure_leaves_the_others_and_is_noted_once() {
        let mut finding = finding();
        let contenders = [Contender::Evenkeel, Contender::Haproxy];
        let rounds = bench(4).in_turns(&contenders, &mut finding, |contender| match contender {
            Contender::Evenkeel => Err("does not start\npid 17".into()),
            _ => Ok(1.0),
        });
        assert_eq!(rounds.iter().filter(|round| round.len() == 1).count(), 4);
        assert_eq!(finding.absolutes, ["failed: does not start\npid 17"]);
        assert!(ratios(&rounds, Contender::Haproxy, |&value: &f64| value).is_empty());
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let round = |evenkeel: f64, haproxy: f64| {
            Round::from([(Contender::Evenkeel, evenkeel), (Contender::Haproxy, haproxy)])
        };
        let rounds = [round(1.0, 2.0), round(30.0, 40.0)];
        assert_eq!(ratios(&rounds, Contender::Haproxy, |&value| value), [0.5, 0.75]);
        assert!(ratios(&rounds, Contender::Nginx, |&value| value).is_empty());
    }
}
